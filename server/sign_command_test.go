package main

import (
	"strings"
	"testing"
)

// TestBadTemplate: what only the signer can tell stops the start all the same, and
// names key and source.
func TestBadTemplate(t *testing.T) {
	for _, use := range []string{"push", "play"} {
		got := runCommand(t, "config", "check", "--"+use+".provider", "template", "--"+use+".template", "a={md5 key time}&b={time}")
		if want := use + ".template: signing: invalid template: the digest must cover the stream"; got.code != exitUsage ||
			!strings.Contains(got.err, want) || !strings.Contains(got.err, "(flag --"+use+".template)") {
			t.Errorf("exit code %d, said %q, want %q", got.code, got.err, want)
		}
	}
}

// TestSignCommand: the address generator shows what is configured, each domain's in
// the form of its provider.
func TestSignCommand(t *testing.T) {
	keys := []string{"--push.key", "pushkey", "--play.key", "playkey", "--push.domain", "push.example.com", "--play.domain", "play.example.com"}
	for name, c := range map[string]struct {
		args  []string
		code  int
		texts []string
	}{
		"tencent": {
			[]string{"push", "8888_alice"},
			0,
			[]string{"rtmp://push.example.com/live/8888_alice?txSecret=", "srt://push.example.com:9000?streamid=#!::", "webrtc://"},
		},
		"aliyun":    {[]string{"push", "8888_alice", "--push.provider", "aliyun_a"}, 0, []string{"rtmp://push.example.com/live/8888_alice?auth_key="}},
		"none":      {[]string{"push", "8888_alice", "--push.provider", "none", "--push.key", ""}, 0, []string{"rtmp://push.example.com/live/8888_alice\n"}},
		"volc play": {[]string{"play", "8888_alice", "--play.provider", "volcengine"}, 0, []string{"https://play.example.com/live/8888_alice.m3u8?volcTime="}},
		"path play": {
			[]string{"play", "8888_alice", "--play.provider", "tencent_cdn_c", "--play.protocols", "flv,hls"},
			0,
			[]string{"/live/8888_alice.flv\n", "/live/8888_alice.m3u8\n"},
		},
		"by domain": {
			[]string{"play", "8888_alice", "--play.providers", "play.example.com=qiniu", "--play.keys", "play.example.com=own", "--play.key", ""},
			0,
			[]string{"https://play.example.com/live/8888_alice.flv?sign="},
		},
		"generated": {[]string{"play", "8888_alice", "--play.key", ""}, exitUsage, []string{"play.key: no key is configured"}},
		"no way":    {[]string{"push", "8888_alice", "--push.provider", "aliyun_b"}, exitUsage, []string{`push.provider: invalid value "aliyun_b": it signs the path`}},
	} {
		got := runCommand(t, append(append([]string{"sign"}, keys...), c.args...)...)
		for _, want := range c.texts {
			if got.code != c.code || !strings.Contains(got.out+got.err, want) {
				t.Errorf("%s: exit code %d, said %q %q, want %d and %q", name, got.code, got.out, got.err, c.code, want)
			}
		}
		if strings.Contains(got.out+got.err, "pushkey") || strings.Contains(got.out+got.err, "playkey") {
			t.Errorf("%s tells a key", name)
		}
	}
}
