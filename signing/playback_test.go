package signing

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func newPlaybackSigner(t testing.TB, c PlaybackSignerConfig) *PlaybackSigner {
	t.Helper()
	p, err := NewPlaybackSigner(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTencentVODVectors(t *testing.T) {
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

func TestPlaybackURLForms(t *testing.T) {
	const own = "http://1252033264.vod2.myqcloud.com/a/b/f0.mp4"
	for name, tt := range map[string]struct {
		c              PlaybackSignerConfig
		location, want string
	}{
		"plain":                {PlaybackSignerConfig{Provider: PlaybackPlain}, own, own},
		"a query is left out":  {PlaybackSignerConfig{Provider: PlaybackPlain}, own + "?sign=x#y", own},
		"another domain":       {PlaybackSignerConfig{Provider: PlaybackPlain, BaseURL: "https://vod.example.com"}, own, "https://vod.example.com/a/b/f0.mp4"},
		"under a path":         {PlaybackSignerConfig{Provider: PlaybackPlain, BaseURL: "https://vod.example.com/x/"}, own, "https://vod.example.com/x/a/b/f0.mp4"},
		"a file":               {PlaybackSignerConfig{Provider: PlaybackPlain, BaseURL: "http://h:8080/rec", FileRoot: "/var/rec/"}, "/var/rec/8888_a-1.flv", "http://h:8080/rec/8888_a-1.flv"},
		"what must be escaped": {PlaybackSignerConfig{Provider: PlaybackPlain, BaseURL: "http://h"}, "/a b/é?.flv", "http://h/a%20b/%C3%A9%3F.flv"},
		"secure link": {
			PlaybackSignerConfig{Provider: PlaybackSecureLink, Key: "enigma", BaseURL: "http://h"},
			"/a b.flv",
			"http://h/a%20b.flv?md5=_03joRzCMrhPUjeMC8N8WQ&expires=1800000000",
		},
		"tencent": {
			PlaybackSignerConfig{Provider: PlaybackTencentVOD, Key: "24FEQmTzro4V5u3D5epW"},
			own,
			own + "?t=6b49d200&us=",
		},
	} {
		got, err := newPlaybackSigner(t, tt.c).URL(tt.location, 1_800_000_000)
		if err != nil || got != tt.want && !(strings.HasSuffix(tt.want, "=") && strings.HasPrefix(got, tt.want)) {
			t.Errorf("%s: %s, %v, want %s", name, got, err, tt.want)
		}
	}
}

func TestPlaybackRejectsUnsafeLocations(t *testing.T) {
	p := newPlaybackSigner(t, PlaybackSignerConfig{Provider: PlaybackPlain, BaseURL: "https://h", FileRoot: "/rec"})
	for _, location := range []string{
		"", "/", "/rec", "/rec/", "/rec/../etc/passwd", "/rec/a/../../b", "/rec//a", "/etc/passwd", "/recording/a", "/rec/a\n", "/rec/a/", "/rec/./a",
		"ftp://h/a", "javascript:alert(1)", "//h/a", "a.flv", "C:\\a", "/rec/a\\b", "/rec/a\x7f", "http://h/rec/a.flv", // not below the root
	} {
		if got, err := p.URL(location, 1); !errors.Is(err, ErrUnplayableLocation) {
			t.Errorf("%q gives %q, %v", location, got, err)
		}
	}
	for _, location := range []string{
		"/a.flv", "http://", "http://h", "http://h/../a", "http://u:p@h/a", "http://h/a\\b", "http://h/%2e%2e/a",
		"http://h/a%2Fb", "http://h/a%2f%2e%2e%2fb", "http://h/a%0ab", "http://h/a%00", "http://h/a%5cb",
	} {
		if got, err := newPlaybackSigner(t, PlaybackSignerConfig{Provider: PlaybackPlain}).URL(location, 1); !errors.Is(err, ErrUnplayableLocation) {
			t.Errorf("without a base URL %q gives %q, %v", location, got, err)
		}
	}
	for name, c := range map[string]PlaybackSignerConfig{
		"no key":     {Provider: PlaybackTencentVOD},
		"no URL":     {Provider: PlaybackPlain, BaseURL: "vod.example.com"},
		"a password": {Provider: PlaybackPlain, BaseURL: "https://u:p@vod.example.com"},
		"a fragment": {Provider: PlaybackPlain, BaseURL: "https://vod.example.com/#x"},
		"a root":     {Provider: PlaybackPlain, BaseURL: "https://vod.example.com", FileRoot: "var/rec"},
		"unknown":    {Provider: "x", Key: "k"},
	} {
		if _, err := NewPlaybackSigner(c); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// TestPlaybackSignsPrintedPath: the signature covers the path in the URL, as each
// provider reads it, whatever escaping the location had.
func TestPlaybackSignsPrintedPath(t *testing.T) {
	vod, link := newPlaybackSigner(t, PlaybackSignerConfig{Provider: PlaybackTencentVOD, Key: "k"}), newPlaybackSigner(t, PlaybackSignerConfig{Provider: PlaybackSecureLink, Key: "k"})
	plain := newPlaybackSigner(t, PlaybackSignerConfig{Provider: PlaybackPlain})
	segment := rapid.StringMatching(`(%21|%7[eE]|%41|%20|%C3%A9|%25|[a-z0-9!~*'(),;=:@&+$é ]){1,6}x`)
	rapid.Check(t, func(t *rapid.T) {
		var location strings.Builder
		location.WriteString("http://h")
		for _, s := range rapid.SliceOfN(segment, 1, 3).Draw(t, "segments") {
			location.WriteString("/" + s)
		}
		if rapid.Bool().Draw(t, "a query") {
			location.WriteString("?sign=x")
		}
		var at [3]string // the paths, as printed
		for i, p := range []*PlaybackSigner{vod, link, plain} {
			got, err := p.URL(location.String(), 1_800_000_000)
			if err != nil {
				t.Fatalf("%s: %v", location.String(), err)
			}
			path, query, _ := strings.Cut(strings.TrimPrefix(got, "http://h"), "?")
			u, err := url.Parse(location.String())
			if err != nil {
				t.Fatal(err)
			}
			if read, err := url.PathUnescape(path); err != nil || read != u.Path {
				t.Fatalf("%s is played from %s", location.String(), got)
			}
			at[i] = path
			values, err := url.ParseQuery(query)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{}
			switch p {
			case vod:
				want["sign"] = tencentVODSign("k", path[:strings.LastIndexByte(path, '/')+1], values.Get("t"), "", "", values.Get("us"))
				if !strings.HasPrefix(query, "t=6b49d200&us=") {
					t.Fatalf("the parameters are not in their order: %s", got)
				}
			case link:
				sum := md5.Sum([]byte("1800000000" + u.Path + " k"))
				want["md5"], want["expires"] = base64.RawURLEncoding.EncodeToString(sum[:]), "1800000000"
			case plain:
				if strings.Contains(got, "?") {
					t.Fatalf("%s has a query", got)
				}
			}
			for name, value := range want {
				if values.Get(name) != value {
					t.Fatalf("%s: %s is %q, want %q", got, name, values.Get(name), value)
				}
			}
		}
		if at[0] != at[1] || at[1] != at[2] {
			t.Fatalf("the paths differ: %q", at)
		}
	})
}

func FuzzPlayback(f *testing.F) {
	for _, location := range []string{"/rec/a.flv", "http://h/a b.mp4", "/rec/%2e%2e/x", "https://h/a?b#c"} {
		f.Add(location)
	}
	p := newPlaybackSigner(f, PlaybackSignerConfig{Provider: PlaybackSecureLink, Key: "k", BaseURL: "https://vod.example.com/r", FileRoot: "/rec"})
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
