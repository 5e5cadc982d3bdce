package signing_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"onair/signing"
)

// newPlaySigner completes c with defaults.
func newPlaySigner(t testing.TB, c signing.PlaySignerConfig) *signing.PlaySigner {
	t.Helper()
	p, err := signing.NewPlaySigner(withDefaults(t, c))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func withDefaults(t testing.TB, c signing.PlaySignerConfig) signing.PlaySignerConfig {
	t.Helper()
	if c.Signer == nil {
		c.Signer = newTencentSigner(t, signing.SignerConfig{})
	}
	if c.Domains == nil {
		c.Domains = []signing.Domain{{Name: "play.example.com"}}
	}
	if c.TTL == 0 {
		c.TTL = 2 * time.Hour
	}
	if c.Protocols == nil {
		c.Protocols = []signing.Protocol{signing.RTMP, signing.FLV, signing.HLS}
	}
	c.App = "live"
	return c
}

func TestPlayURLForms(t *testing.T) {
	p := newPlaySigner(t, signing.PlaySignerConfig{Templates: map[string]string{"sd": "550", "hd": "hd"}, Scheme: "http"})
	want := []signing.Protocol{"rtmp", "flv", "hls", "rtmp_hd", "flv_hd", "hls_hd", "rtmp_sd", "flv_sd", "hls_sd"}
	if got := p.Protocols(); !slices.Equal(got, want) {
		t.Errorf("Protocols: got %v, want %v", got, want)
	}
	sd := md5Hex(key + code + "_550" + "5C271099")
	for proto, want := range map[signing.Protocol]string{
		"rtmp":    "rtmp://play.example.com/live/8888_alice?txSecret=" + secret + "&txTime=5C271099",
		"flv":     "http://play.example.com/live/8888_alice.flv?txSecret=" + secret + "&txTime=5C271099",
		"flv_sd":  "http://play.example.com/live/8888_alice_550.flv?txSecret=" + sd + "&txTime=5C271099",
		"hls_hd":  "http://play.example.com/live/8888_alice_hd.m3u8?txSecret=" + secretHD + "&txTime=5C271099",
		"webrtc":  "",
		"flv_uhd": "",
		"flv_550": "",
		"":        "",
	} {
		if got := string(p.AppendURL(nil, proto, code, expires*1000)); got != want {
			t.Errorf("%s: got %q, want %q", proto, got, want)
		}
		if got := p.HasProtocol(proto); got != (want != "") {
			t.Errorf("HasProtocol(%q) = %v", proto, got)
		}
	}
}

// TestServerPaths: the paths are those under which real servers answered players.
func TestServerPaths(t *testing.T) {
	flv, hls := []signing.Protocol{signing.FLV}, []signing.Protocol{signing.HLS}
	for server, want := range map[signing.Server]struct{ flv, hls string }{
		"":                   {"/live/8888_alice.flv", "/live/8888_alice.m3u8"},
		signing.CDN:          {"/live/8888_alice.flv", "/live/8888_alice.m3u8"},
		signing.SRS:          {"/live/8888_alice.flv", "/live/8888_alice.m3u8"},
		signing.NginxRTMP:    {"", "/hls/8888_alice.m3u8"},
		signing.NginxHTTPFLV: {"/live/8888_alice.flv", "/hls/8888_alice.m3u8"},
		signing.MediaMTX:     {"", "/live/8888_alice/index.m3u8"},
		signing.ZLM:          {"/live/8888_alice.live.flv", "/live/8888_alice/hls.m3u8"},
		signing.LAL:          {"/live/8888_alice.flv", "/hls/8888_alice.m3u8"},
	} {
		for _, tt := range []struct {
			protocols []signing.Protocol
			path      string
		}{{flv, want.flv}, {hls, want.hls}} {
			c := withDefaults(t, signing.PlaySignerConfig{Server: server, Protocols: tt.protocols})
			p, err := signing.NewPlaySigner(c)
			if (err == nil) != (tt.path != "") {
				t.Errorf("%s %v: %v", server, tt.protocols, err)
			}
			if err != nil {
				continue
			}
			if got, want := string(p.AppendURL(nil, tt.protocols[0], code, expires*1000)), "https://play.example.com"+tt.path+"?txSecret="+secret+"&txTime=5C271099"; got != want {
				t.Errorf("%s: got %s, want %s", server, got, want)
			}
		}
	}
	if _, err := signing.NewPlaySigner(withDefaults(t, signing.PlaySignerConfig{Server: "wowza"})); err == nil {
		t.Error("an unknown server is accepted")
	}
}

// TestServerPathIsSigned: where the signature covers the path, the play callback verifies that
// of the server, whose protocol it does not know.
func TestServerPathIsSigned(t *testing.T) {
	signer, err := signing.NewSigner("secure_link", "", signing.SignerConfig{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range []signing.Server{signing.CDN, signing.NginxHTTPFLV, signing.ZLM, signing.LAL} {
		p := newPlaySigner(t, signing.PlaySignerConfig{Signer: signer, Server: server})
		for _, protocol := range p.Protocols() {
			_, query, _ := strings.Cut(string(p.AppendURL(nil, protocol, code, expires*1000)), "?")
			if err := p.Verify(signing.Resource{App: "live", Stream: code}, query, expires-1); err != nil {
				t.Errorf("%s of %s: %v", protocol, server, err)
			}
		}
	}
}

// TestPlayURLVerifiesUntilExpiry: a URL of every protocol verifies until its Expiry,
// and not after.
func TestPlayURLVerifiesUntilExpiry(t *testing.T) {
	signer := newTencentSigner(t, signing.SignerConfig{Delta: time.Hour, Algorithm: signing.SHA256})
	p := newPlaySigner(t, signing.PlaySignerConfig{Signer: signer, Protocols: []signing.Protocol{"rtmp", "flv", "hls", "webrtc"}})
	ends := p.Expiry(code, 1_763_830_000_123)
	for _, proto := range p.Protocols() {
		_, query, _ := strings.Cut(string(p.AppendURL(nil, proto, code, ends)), "?")
		if err := signer.Verify(signing.Resource{Stream: code}, query, ends/1000-1); err != nil {
			t.Errorf("%s before the end: %v", proto, err)
		}
		if err := signer.Verify(signing.Resource{Stream: code}, query, ends/1000); err == nil {
			t.Errorf("%s at the end: still valid", proto)
		}
	}
}

func TestNewPlaySignerRejectsInvalidConfig(t *testing.T) {
	for want, invalidate := range map[string]func(*signing.PlaySignerConfig){
		"no signer":      func(c *signing.PlaySignerConfig) { c.Signer = nil },
		"no play domain": func(c *signing.PlaySignerConfig) { c.Domains = nil },
		"invalid domain": func(c *signing.PlaySignerConfig) { c.Domains = []signing.Domain{{Name: "https://play.example.com"}} },
		"twice":          func(c *signing.PlaySignerConfig) { c.Domains = append(c.Domains, c.Domains[0]) },
		"invalid weight 1001 of d": func(c *signing.PlaySignerConfig) {
			c.Domains = []signing.Domain{{Name: "d", Weight: signing.MaxDomainWeight + 1}}
		},
		"invalid weight -1 of e":         func(c *signing.PlaySignerConfig) { c.Domains = []signing.Domain{{Name: "e", Weight: -1}} },
		"app":                            func(c *signing.PlaySignerConfig) { c.App = "" },
		"ttl":                            func(c *signing.PlaySignerConfig) { c.TTL = time.Second },
		"scheme":                         func(c *signing.PlaySignerConfig) { c.Scheme = "ftp" },
		`no play URLs of protocol "srt"`: func(c *signing.PlaySignerConfig) { c.Protocols = []signing.Protocol{"srt"} },
		`"flv" is configured`:            func(c *signing.PlaySignerConfig) { c.Protocols = []signing.Protocol{"flv", "flv"} },
		"template name":                  func(c *signing.PlaySignerConfig) { c.Templates = map[string]string{"HD": "hd"} },
		"suffix":                         func(c *signing.PlaySignerConfig) { c.Templates = map[string]string{"hd": ""} },
	} {
		c := withDefaults(t, signing.PlaySignerConfig{})
		invalidate(&c)
		p, err := signing.NewPlaySigner(c)
		if p != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v", want, p, err)
		}
	}
}

// TestPortsAreNotSigned: a protocol's port is in its URLs, and changes no signature.
func TestPortsAreNotSigned(t *testing.T) {
	c := signing.PlaySignerConfig{
		Domains: []signing.Domain{{Name: "play.example.com"}}, App: "live", TTL: time.Hour,
		Protocols: []signing.Protocol{signing.RTMP, signing.FLV, signing.HLS}, Templates: map[string]string{"hd": "550"}, Scheme: "http",
	}
	c = withDefaults(t, c)
	without, err := signing.NewPlaySigner(c)
	if err != nil {
		t.Fatal(err)
	}
	c.Ports = map[signing.Protocol]int{signing.RTMP: 19350, signing.HLS: 8080}
	with, err := signing.NewPlaySigner(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range with.Protocols() {
		plain, got := string(without.AppendURL(nil, p, "8888_a", 1e12)), string(with.AppendURL(nil, p, "8888_a", 1e12))
		port := map[signing.Protocol]string{signing.RTMP: ":19350", "rtmp_hd": ":19350", signing.HLS: ":8080", "hls_hd": ":8080"}[p]
		if want := strings.Replace(plain, "play.example.com", "play.example.com"+port, 1); got != want {
			t.Errorf("%s: %s, want %s", p, got, want)
		}
	}
	for _, bad := range []map[signing.Protocol]int{{signing.RTMP: 0}, {signing.RTMP: 70000}} {
		c.Ports = bad
		if _, err := signing.NewPlaySigner(c); err == nil {
			t.Errorf("ports %v are accepted", bad)
		}
	}
	c.Ports, c.Domains = map[signing.Protocol]int{signing.RTMP: 1}, []signing.Domain{{Name: "play.example.com:8080"}}
	if _, err := signing.NewPlaySigner(c); err == nil {
		t.Error("a domain with a port is accepted beside ports")
	}
}
