package signing_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"onair/signing"
)

const (
	key    = "e12c46f2612d5106e2034781ab261ca3"
	backup = "69e0daf7234b01f257a7adb9f807ae9f"
	code   = "8888_alice"

	expires  = 0x5C271099
	secret   = "6b5d4d302b7738e78cbb4ec31010c32f" // md5sum of key + code + 5C271099
	secretHD = "27f270f6be0bec8037a26db547b73dfb" // md5sum of key + code_hd + 5C271099
)

func newTencentSigner(t testing.TB, c signing.SignerConfig) *signing.TencentSigner {
	t.Helper()
	if c.Key == "" {
		c.Key = key
	}
	s, err := signing.NewTencentSigner(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTencentURLForms(t *testing.T) {
	query := "?txSecret=" + secret + "&txTime=5C271099"
	queryHD := "?txSecret=" + secretHD + "&txTime=5C271099"
	push := func(p signing.Protocol) signing.Resource {
		return signing.Resource{Domain: "8888.livepush.myqcloud.com", App: "live", Stream: code, Protocol: p, Push: true}
	}
	play := func(p signing.Protocol, template, scheme string) signing.Resource {
		return signing.Resource{Domain: "play.example.com", App: "live", Stream: code, TemplateSuffix: template, Protocol: p, Scheme: scheme}
	}
	withPort := push(signing.SRT)
	withPort.Domain = "127.0.0.1:1935"
	signer := newTencentSigner(t, signing.SignerConfig{})
	for _, tt := range []struct {
		name string
		res  signing.Resource
		want string
	}{
		{"push rtmp", push(signing.RTMP), "rtmp://8888.livepush.myqcloud.com/live/8888_alice" + query},
		{"push webrtc", push(signing.WebRTC), "webrtc://8888.livepush.myqcloud.com/live/8888_alice" + query},
		{"push srt", push(signing.SRT), "srt://8888.livepush.myqcloud.com:9000?streamid=#!::h=8888.livepush.myqcloud.com," +
			"r=live/8888_alice,txSecret=" + secret + ",txTime=5C271099"},
		{"push srt with a port", withPort, ""},
		{"push flv", push(signing.FLV), ""},
		{"push hls", push(signing.HLS), ""},
		{"play rtmp", play(signing.RTMP, "", ""), "rtmp://play.example.com/live/8888_alice" + query},
		{"play flv", play(signing.FLV, "", ""), "https://play.example.com/live/8888_alice.flv" + query},
		{"play flv in the clear", play(signing.FLV, "", "http"), "http://play.example.com/live/8888_alice.flv" + query},
		{"play hls", play(signing.HLS, "", "https"), "https://play.example.com/live/8888_alice.m3u8" + query},
		{"play hls in hd", play(signing.HLS, "hd", ""), "https://play.example.com/live/8888_alice_hd.m3u8" + queryHD},
		{"play webrtc", play(signing.WebRTC, "", "http"), "webrtc://play.example.com/live/8888_alice" + query},
		{"play srt", play(signing.SRT, "", ""), ""},
		{"play what is unknown", play("dash", "", ""), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(signer.AppendURL([]byte("> "), tt.res, expires)); got != "> "+tt.want {
				t.Errorf("got  %s\nwant > %s", got, tt.want)
			}
		})
	}
}

func TestTxTimeHasEightDigits(t *testing.T) {
	signer := newTencentSigner(t, signing.SignerConfig{})
	for expires, want := range map[int64]string{
		math.MinInt64: "00000000", -1: "00000000", 0: "00000000", 0xABC: "00000ABC",
		math.MaxUint32: "FFFFFFFF", math.MaxUint32 + 1: "FFFFFFFF", math.MaxInt64: "FFFFFFFF",
	} {
		res := signing.Resource{Domain: "d", App: "live", Stream: code, Protocol: signing.RTMP}
		_, got, _ := strings.Cut(string(signer.AppendURL(nil, res, expires)), "&txTime=")
		if got != want {
			t.Errorf("%d: got %s, want %s", expires, got, want)
		}
	}
}

func TestNewTencentSignerRejectsInvalidConfig(t *testing.T) {
	for name, c := range map[string]signing.SignerConfig{
		"no key":            {BackupKey: backup},
		"unknown algorithm": {Key: key, Algorithm: "sha1"},
		"negative delta":    {Key: key, Delta: -time.Second},
		"part of a second":  {Key: key, Delta: time.Millisecond},
	} {
		s, err := signing.NewTencentSigner(c)
		if err == nil || s != nil {
			t.Errorf("%s: got %v, %v", name, s, err)
		} else if strings.Contains(err.Error(), key) {
			t.Errorf("%s: the error has the key", name)
		}
	}
}

func TestTencentPrintsNoKey(t *testing.T) {
	signer := newTencentSigner(t, signing.SignerConfig{BackupKey: backup})
	player := newPlaySigner(t, signing.PlaySignerConfig{Signer: signer})
	holder := struct{ signer *signing.TencentSigner }{signer}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		got := fmt.Sprintf(verb+verb+verb+verb, signer, *signer, player, holder)
		if strings.Contains(got, key) || strings.Contains(got, backup) {
			t.Errorf("%s prints a key", verb)
		}
	}
}
