package signing

import (
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"
)

func newPlayback(t testing.TB, c PlaybackConfig) *Playback {
	t.Helper()
	p, err := NewPlayback(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPlaybackVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/signing.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []struct {
		Name, Scheme string
		Expected     any
		Inputs       json.RawMessage
	}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, v := range all {
		if v.Scheme != "tencent-vod-hotlink" {
			continue
		}
		seen++
		var in struct{ Key, Dir, T, Exper, Rlimit, Us string }
		if err := json.Unmarshal(v.Inputs, &in); err != nil {
			t.Fatal(err)
		}
		if got := tencentVODSign(in.Key, in.Dir, in.T, in.Exper, in.Rlimit, in.Us); got != v.Expected {
			t.Errorf("%s: %s", v.Name, got)
		}
	}
	if seen == 0 {
		t.Error("no vector")
	}
}

func TestPlaybackForms(t *testing.T) {
	const own = "http://1252033264.vod2.myqcloud.com/a/b/f0.mp4"
	for name, tt := range map[string]struct {
		c              PlaybackConfig
		location, want string
	}{
		"plain":                {PlaybackConfig{Provider: Plain}, own, own},
		"a query is left out":  {PlaybackConfig{Provider: Plain}, own + "?sign=x#y", own},
		"another domain":       {PlaybackConfig{Provider: Plain, Base: "https://vod.example.com"}, own, "https://vod.example.com/a/b/f0.mp4"},
		"under a path":         {PlaybackConfig{Provider: Plain, Base: "https://vod.example.com/x/"}, own, "https://vod.example.com/x/a/b/f0.mp4"},
		"a file":               {PlaybackConfig{Provider: Plain, Base: "http://h:8080/rec", Root: "/var/rec/"}, "/var/rec/8888_a-1.flv", "http://h:8080/rec/8888_a-1.flv"},
		"what must be escaped": {PlaybackConfig{Provider: Plain, Base: "http://h"}, "/a b/é?.flv", "http://h/a%20b/%C3%A9%3F.flv"},
		"secure link": {
			PlaybackConfig{Provider: SecureLink, Key: "enigma", Base: "http://h"},
			"/a b.flv",
			"http://h/a%20b.flv?md5=_03joRzCMrhPUjeMC8N8WQ&expires=1800000000",
		},
		"tencent": {
			PlaybackConfig{Provider: TencentVOD, Key: "24FEQmTzro4V5u3D5epW"},
			own,
			own + "?t=6b49d200&us=",
		},
	} {
		got, err := newPlayback(t, tt.c).URL(tt.location, 1_800_000_000)
		if err != nil || got != tt.want && !(strings.HasSuffix(tt.want, "=") && strings.HasPrefix(got, tt.want)) {
			t.Errorf("%s: %s, %v, want %s", name, got, err, tt.want)
		}
	}
}

func TestPlaybackRefuses(t *testing.T) {
	p := newPlayback(t, PlaybackConfig{Provider: Plain, Base: "https://h", Root: "/rec"})
	for _, location := range []string{
		"", "/", "/rec", "/rec/", "/rec/../etc/passwd", "/rec/a/../../b", "/rec//a", "/etc/passwd", "/recording/a", "/rec/a\n", "/rec/a/", "/rec/./a",
		"ftp://h/a", "javascript:alert(1)", "//h/a", "a.flv", "http://", "http://h", "http://h/../a", "http://u:p@h/a", "http://h/a\\b", "http://h/%2e%2e/a", "C:\\a",
	} {
		if got, err := p.URL(location, 1); !errors.Is(err, ErrLocation) {
			t.Errorf("%q gives %q, %v", location, got, err)
		}
	}
	if _, err := newPlayback(t, PlaybackConfig{Provider: Plain}).URL("/a.flv", 1); !errors.Is(err, ErrLocation) {
		t.Errorf("a file without a domain: %v", err)
	}
	for name, c := range map[string]PlaybackConfig{
		"no key":     {Provider: TencentVOD},
		"no URL":     {Provider: Plain, Base: "vod.example.com"},
		"a password": {Provider: Plain, Base: "https://u:p@vod.example.com"},
		"nobody":     {Provider: "x", Key: "k"},
	} {
		if _, err := NewPlayback(c); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func FuzzPlayback(f *testing.F) {
	for _, location := range []string{"/rec/a.flv", "http://h/a b.mp4", "/rec/%2e%2e/x", "https://h/a?b#c"} {
		f.Add(location)
	}
	p := newPlayback(f, PlaybackConfig{Provider: SecureLink, Key: "k", Base: "https://vod.example.com/r", Root: "/rec"})
	f.Fuzz(func(t *testing.T, location string) {
		got, err := p.URL(location, 1_800_000_000)
		if err != nil {
			return
		}
		u, err := url.Parse(got)
		if err != nil || u.Scheme != "https" || u.Host != "vod.example.com" || !strings.HasPrefix(u.Path, "/r/") || strings.Contains(u.Path, "/../") ||
			u.Query().Get("expires") != "1800000000" {
			t.Fatalf("%q gives %q, %v", location, got, err)
		}
	})
}
