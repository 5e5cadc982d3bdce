package signing_test

import (
	"strings"
	"testing"
	"time"

	"onair/signing"
)

func TestPushURLForms(t *testing.T) {
	p, err := signing.NewPushSigner(signing.PushSignerConfig{
		Signer: newTencentSigner(t, signing.SignerConfig{}), Domain: "push.example.com", App: "live", TTL: 24 * time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(expires, 999e6).Add(-24 * time.Hour)
	query := "8888_alice?txSecret=" + secret + "&txTime=5C271099"
	want := signing.PushURLs{
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

func TestNewPushSignerRejectsInvalidConfig(t *testing.T) {
	good := signing.PushSignerConfig{Signer: newTencentSigner(t, signing.SignerConfig{}), Domain: "push.example.com", App: "live", TTL: time.Hour}
	for want, invalidate := range map[string]func(*signing.PushSignerConfig){
		"no signer":                  func(c *signing.PushSignerConfig) { c.Signer = nil },
		`invalid domain "{bizid}.d"`: func(c *signing.PushSignerConfig) { c.Domain = "{bizid}.d" },
		`invalid domain ""`:          func(c *signing.PushSignerConfig) { c.Domain = "" },
		`app ""`:                     func(c *signing.PushSignerConfig) { c.App = "" },
		`app "live/"`:                func(c *signing.PushSignerConfig) { c.App = "live/" },
		"ttl":                        func(c *signing.PushSignerConfig) { c.TTL = 0 },
	} {
		c := good
		invalidate(&c)
		p, err := signing.NewPushSigner(c)
		if p != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v", want, p, err)
		}
	}
}
