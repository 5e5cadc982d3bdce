package main

import (
	"testing"
	"testing/synctest"

	"onair/hub/wire"
	"onair/server/auth"
)

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
