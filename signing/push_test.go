package signing_test

import (
	"strings"
	"testing"
	"time"

	"onair/signing"
)

func TestPush(t *testing.T) {
	p, err := signing.NewPusher(signing.PusherConfig{
		Signer: newTencent(t, signing.TencentConfig{}), Domain: "push.example.com", App: "live", TTL: 24 * time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(expires, 999e6).Add(-24 * time.Hour)
	query := "8888_alice?txSecret=" + secret + "&txTime=5C271099"
	want := signing.Push{
		RTMP:      "rtmp://push.example.com/live/" + query,
		Server:    "rtmp://push.example.com/live/",
		Key:       query,
		SRT:       "srt://push.example.com:9000?streamid=#!::h=push.example.com,r=live/8888_alice,txSecret=" + secret + ",txTime=5C271099",
		WebRTC:    "webrtc://push.example.com/live/" + query,
		ExpiresAt: expires * 1000,
	}
	if got := p.URLs(code, now); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestNewPusherRefuses(t *testing.T) {
	good := signing.PusherConfig{Signer: newTencent(t, signing.TencentConfig{}), Domain: "push.example.com", App: "live", TTL: time.Hour}
	for want, spoil := range map[string]func(*signing.PusherConfig){
		"no signer":         func(c *signing.PusherConfig) { c.Signer = nil },
		`"{bizid}.d" is no`: func(c *signing.PusherConfig) { c.Domain = "{bizid}.d" },
		`"" is no domain`:   func(c *signing.PusherConfig) { c.Domain = "" },
		`app ""`:            func(c *signing.PusherConfig) { c.App = "" },
		`app "live/"`:       func(c *signing.PusherConfig) { c.App = "live/" },
		"ttl":               func(c *signing.PusherConfig) { c.TTL = 0 },
	} {
		c := good
		spoil(&c)
		p, err := signing.NewPusher(c)
		if p != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v", want, p, err)
		}
	}
}
