package config

import (
	"strings"
	"testing"
)

// TestHooks: hooks are off by default, those of media servers accept only loopback
// addresses, and Tencent's needs a key or a secret.
func TestHooks(t *testing.T) {
	for _, c := range []struct {
		args       []string
		anyEnabled bool
	}{
		{nil, false},
		{[]string{"--hooks.tencent.key", "k", "--hooks.srs.secret", "s"}, false},
		{[]string{"--hooks.tencent.enabled", "true", "--hooks.tencent.key", "k"}, true},
		{[]string{"--hooks.tencent.enabled", "true", "--hooks.tencent.secret", "s"}, true},
		{[]string{"--hooks.srs.enabled", "true"}, true},
		{[]string{"--hooks.nginx-rtmp.enabled", "true"}, true},
		{[]string{"--hooks.mediamtx.enabled", "true"}, true},
		{[]string{"--hooks.zlm.enabled", "true"}, true},
	} {
		cfg, err := Load(c.args, nil)
		if err != nil {
			t.Fatal(err)
		}
		h := &cfg.Hooks
		if h.AnyEnabled() != c.anyEnabled || len(h.Tencent.Allow) != 0 {
			t.Errorf("%v: AnyEnabled() = %t, %+v", c.args, h.AnyEnabled(), h)
		}
		for _, hook := range []Hook{h.SRS, h.NginxRTMP, h.MediaMTX, h.ZLM} {
			if len(hook.Allow) != 2 || !hook.Allow[0].Addr().IsLoopback() || !hook.Allow[1].Addr().IsLoopback() {
				t.Errorf("%v: the default allowed networks are %v", c.args, hook.Allow)
			}
		}
	}
}

func TestNetworks(t *testing.T) {
	c, err := Load([]string{"--proxies", "10.1.2.3/8, 192.0.2.1,2001:db8::/32"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range c.Proxies {
		got = append(got, p.String())
	}
	if strings.Join(got, " ") != "10.0.0.0/8 192.0.2.1/32 2001:db8::/32" {
		t.Errorf("%v", got)
	}
}

// TestErrorNamesFlag: the error for conflicting or invalid flags names one of them.
func TestErrorNamesFlag(t *testing.T) {
	for _, args := range [][]string{
		{"--proxies", "example.com"},
		{"--proxies", "10.0.0.0/33"},
		{"--proxies", "fe80::1%eth0"},
		{"--tls.cert", "x"},
		{"--hooks.nginx-rtmp.secret", "a/b"},
		{"--hooks.nginx-rtmp.secret", "publish"},
		{"--hooks.nginx-rtmp.enabled", "yes"},
		{"--hooks.nginx-rtmp.enabled", "true", "--hooks.nginx-rtmp.allow", ""},
		{"--hooks.tencent.enabled", "true"}, // anyone could call
		{"--hooks.srs.enabled", "true", "--hooks.srs.allow", ""},
		{"--hooks.srs.secret", "on_publish"},
		{"--play.provider", "aliyun_b", "--play.ttl", "1h", "--push.provider", "aliyun_a", "--hooks.srs.enabled", "true"},
		{"--play.domain", "a.example.com,b.example.com", "--hooks.srs.enabled", "true", "--play.providers", "b.example.com=none"},
		{"--play.key", "k", "--hooks.srs.enabled", "true", "--push.key", "k"},
		{"--push.backup-key", "k", "--hooks.srs.enabled", "true", "--play.key", "k", "--push.key", "a"},
		{"--poll.provider", "srs", "--moderation.provider", "tencent_legacy", "--cloud.app-id", "1", "--cloud.api-key", "k", "--cloud.url", "http://10.0.0.1:1985"},
		{"--hooks.mediamtx.enabled", "true", "--hooks.mediamtx.allow", ""},
		{"--hooks.zlm.enabled", "true", "--hooks.zlm.allow", "10.0.0.0/x"},
		{"--play.ports", "rtmp=0"},
		{"--play.ports", "x=1"},
		{"--liveness.end-grace", "300h"},
		{"--liveness.start-within", "1ms"},
		{"--limits.batch", "1KiB"},
		{"--cors", "["},
		{"--limits.handshakes", "5000"},
		{"--play.scheme", "rtmp"},
	} {
		if _, err := Load(args, nil); err == nil || !strings.Contains(err.Error(), args[len(args)-2]) && !strings.Contains(err.Error(), args[0]) {
			t.Errorf("%v: %v", args, err)
		}
	}
}
