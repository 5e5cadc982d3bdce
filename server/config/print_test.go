package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestHooks: who is listened to, and Tencent from everywhere, by a key or a
// secret.
func TestHooks(t *testing.T) {
	for _, c := range []struct {
		args []string
		any  bool
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
		if h.Any() != c.any || len(h.Tencent.Allow) != 0 {
			t.Errorf("%v: any %t, %+v", c.args, h.Any(), h)
		}
		for _, hook := range []Hook{h.SRS, h.NginxRTMP, h.MediaMTX, h.ZLM} {
			if len(hook.Allow) != 2 || !hook.Allow[0].Addr().IsLoopback() || !hook.Allow[1].Addr().IsLoopback() {
				t.Errorf("%v: by default %v may call", c.args, hook.Allow)
			}
		}
	}
}

// TestPrint: what is printed names every key and its source, shows no secret,
// and is a configuration file that means the same.
func TestPrint(t *testing.T) {
	dir := t.TempDir()
	file, key := filepath.Join(dir, "onair.yaml"), filepath.Join(dir, "key")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(file, "lists: [live, vip]\nplay.domain: {a.example.com: 2, b.example.com: 1}\npush.key_file: "+key+"\n")
	write(key, "pushsecret\n")
	args := []string{"--config", file, "--limits.rate", "7", "--node", "n", "--auth.jwks-url", "https://me:hunter2@id.example.com/keys"}
	environ := []string{"ONAIR_AUTH_SECRETS=a=" + strings.Repeat("s", 32), "ONAIR_CORS=*.example.com"}
	c, err := Load(args, environ)
	if err != nil {
		t.Fatal(err)
	}
	printed := string(c.Print())
	for _, want := range []string{
		`lists: "live,vip"`, "# " + file, `limits.rate: "7"`, "# --limits.rate", `cors: "*.example.com"`, "# ONAIR_CORS",
		"# push.key: (secret)", "# auth.secrets: (secret)", "# play.key: (secret)", "# made up", `heartbeat.grace: "5s"`,
	} {
		if !strings.Contains(printed, want) {
			t.Errorf("it does not say %s:\n%s", want, printed)
		}
	}
	for _, k := range keys {
		if !strings.Contains("\n"+printed, "\n"+k.name+": ") && !strings.Contains(printed, "\n# "+k.name+":") {
			t.Errorf("it does not say %s", k.name)
		}
	}
	if strings.Contains(printed, "pushsecret") || strings.Contains(printed, "ssss") || strings.Contains(printed, "hunter2") || strings.Contains(printed, c.Play.Key.Reveal()) {
		t.Errorf("it shows a secret:\n%s", printed)
	}
	again := filepath.Join(dir, "again.yaml")
	write(again, printed)
	d, err := Load([]string{"--config", again}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if changed := Changed(c, d); !slices.Equal(slices.Sorted(slices.Values(changed)), []string{"auth.jwks_url", "auth.secrets", "heartbeat.grace", "push.key", "viewer.anonymous"}) {
		t.Errorf("what was printed differs in %v", changed) // secrets, and what was derived
	}
	if c.Heartbeat != d.Heartbeat || c.Limits != d.Limits || c.Viewer != d.Viewer {
		t.Error("what was printed means something else")
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
	for _, bad := range [][]string{
		{"--proxies", "example.com"},
		{"--proxies", "10.0.0.0/33"},
		{"--proxies", "fe80::1%eth0"},
		{"--tls.cert", "x"},
		{"--hooks.nginx-rtmp.secret", "a/b"},
		{"--hooks.nginx-rtmp.secret", "publish"},
		{"--hooks.nginx-rtmp.enabled", "yes"},
		{"--hooks.nginx-rtmp.enabled", "true", "--hooks.nginx-rtmp.allow", ""},
		{"--hooks.tencent.enabled", "true"}, // anybody could call
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
		if _, err := Load(bad, nil); err == nil || !strings.Contains(err.Error(), bad[len(bad)-2]) && !strings.Contains(err.Error(), bad[0]) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}
