package main

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"testing/synctest"

	"onair/hub/wire"
	"onair/server/auth"
)

func TestClientAddress(t *testing.T) {
	ours := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for _, c := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:5", nil, "192.0.2.1"},
		{"192.0.2.1:5", []string{"198.51.100.7"}, "192.0.2.1"}, // anybody may write that
		{"10.1.1.1:5", nil, "10.1.1.1"},
		{"10.1.1.1:5", []string{"198.51.100.7"}, "198.51.100.7"},
		{"10.1.1.1:5", []string{"203.0.113.9, 198.51.100.7"}, "198.51.100.7"},
		{"10.1.1.1:5", []string{"203.0.113.9", "198.51.100.7, 10.2.2.2"}, "198.51.100.7"},
		{"10.1.1.1:5", []string{"10.3.3.3, 10.2.2.2"}, "10.3.3.3"},
		{"10.1.1.1:5", []string{"198.51.100.7:4711"}, "198.51.100.7"},
		{"10.1.1.1:5", []string{"[2001:db9::1]:4711"}, "2001:db9::1"},
		{"[2001:db8::1]:5", []string{"2001:db9::1"}, "2001:db9::1"},
		{"[::ffff:10.1.1.1]:5", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		{"10.1.1.1:5", []string{"unknown"}, "10.1.1.1"},
		{"10.1.1.1:5", []string{"198.51.100.7, x"}, "10.1.1.1"},
		{"10.1.1.1:5", []string{""}, "10.1.1.1"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.peer
		for _, line := range c.forwarded {
			r.Header.Add("X-Forwarded-For", line)
		}
		if got := clientAddress(r, ours); got.String() != c.want {
			t.Errorf("%s %q: %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}

// TestLimitBehindProxy: the limit of an address is the client's, not the
// balancer's.
func TestLimitBehindProxy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t, "--limits.sockets-per-address", "1", "--proxies", "127.0.0.0/8")
		dial := func(from string) *caller {
			o := dialOptions("")
			o.HTTPHeader.Set("X-Forwarded-For", from)
			return newCaller(t, s.public.Dial(t, "v1/viewer", o), patient)
		}
		dial("198.51.100.1").welcomed()
		dial("198.51.100.2").welcomed()
		if code, _ := dial("198.51.100.2").closes(); code != wire.CloseTooManySockets {
			t.Errorf("closed with %d", code)
		}
	})
}

func TestCORS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t, "--cors", "*.example.com,https://Live.example.org")
		for origin, want := range map[string]string{
			"https://app.example.com": "https://app.example.com", "https://example.org": "", "https://app.example.com.evil.org": "", "null": "",
			"https://live.example.org": "https://live.example.org", "http://live.example.org": "",
		} {
			a := s.call("GET", "/v1/streams", "", "", "Origin: "+origin).is(200)
			if got := a.header.Get("Access-Control-Allow-Origin"); got != want {
				t.Errorf("%s is allowed as %q", origin, got)
			}
		}
		a := s.call("OPTIONS", "/v1/streams", "", "", "Origin: https://app.example.com",
			"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization,idempotency-key")
		if a.status != 204 || a.header.Get("Access-Control-Allow-Headers") == "" || a.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("preflight %d %v", a.status, a.header)
		}
	})
}

// TestForeignPages: a page elsewhere does not act in the name of its visitors,
// who need no token here.
func TestForeignPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t, "--cors", "app.example.com")
		s.begin(s.day(auth.Anchor, "alice"), `{"title":""}`)
		foreign, ours, own := "Origin: https://evil.example", "Origin: https://app.example.com", "Origin: http://"+s.host
		for _, origin := range []string{foreign, "Origin: null"} {
			s.call("POST", "/v1/streams/8888_alice/likes", "", `{"n":1}`, origin).refused(403, wire.CodeForbidden)
			s.call("GET", "/v1/streams/events?watch=8888_alice", "", "", origin).refused(403, wire.CodeForbidden)
		}
		for _, origin := range []string{ours, own} {
			s.call("POST", "/v1/streams/8888_alice/likes", "", `{"n":1}`, origin).is(200)
			s.events("watch=8888_alice", "", origin).of("snapshot")
		}
		s.call("GET", "/v1/streams", "", "", foreign).is(200)
	})
}

// TestHandshakeLimit: more sockets than come in a second are sent away for a
// while.
func TestHandshakeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t, "--limits.handshakes", "2/s")
		s.viewer("")
		s.viewer("")
		if a := s.call("GET", "/v1/viewer", "", ""); a.status != 503 || a.header.Get("Retry-After") == "" {
			t.Errorf("status %d, Retry-After %q", a.status, a.header.Get("Retry-After"))
		}
		s.call("GET", "/v1/streams", "", "").is(200)
		if s.readyStatus() != 200 {
			t.Fatal("a rush makes the node not ready")
		}
	})
}

// FuzzClientAddress: what stands in a header is never taken for one of ours,
// and never panics.
func FuzzClientAddress(f *testing.F) {
	for _, said := range []string{"198.51.100.7", "a, 10.1.1.1", "[2001:db9::1]:4711", "fe80::1%eth0", ",,,", "10.0.0.1, 10.0.0.2"} {
		f.Add("10.1.1.1:5", said)
	}
	f.Add("192.0.2.1:5", "127.0.0.1")
	ours := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, peer, said string) {
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {said}}}
		at := clientAddress(r, ours)
		direct := clientAddress(r, nil)
		if !inNetworks(direct, ours) && at != direct {
			t.Fatalf("%s says %q, and is taken for %s", peer, said, at)
		}
		if at.Zone() != "" && at != direct {
			t.Fatalf("a zone: %s", at)
		}
	})
}
