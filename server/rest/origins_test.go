package rest_test

import (
	"testing"
	"testing/synctest"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/nodetest"
)

// TestLimitBehindProxy: the limit of an address is the client's, not the
// balancer's.
func TestLimitBehindProxy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--limits.sockets-per-address", "1", "--proxies", "127.0.0.0/8")
		dial := func(from string) *nodetest.Client {
			o := nodetest.DialOptions("")
			o.HTTPHeader.Set("X-Forwarded-For", from)
			return nodetest.NewClient(t, s.Public.Dial(t, "v1/viewer", o), nodetest.LongTimeout)
		}
		dial("198.51.100.1").ReceiveWelcome()
		dial("198.51.100.2").ReceiveWelcome()
		if code, _ := dial("198.51.100.2").AwaitClose(); code != wire.CloseTooManySockets {
			t.Errorf("closed with %d", code)
		}
	})
}

func TestCORS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--cors", "*.example.com,https://Live.example.org")
		for origin, want := range map[string]string{
			"https://app.example.com": "https://app.example.com", "https://example.org": "", "https://app.example.com.evil.org": "", "null": "",
			"https://live.example.org": "https://live.example.org", "http://live.example.org": "",
		} {
			a := s.Call("GET", "/v1/streams", "", "", "Origin: "+origin).RequireStatus(200)
			if got := a.Header.Get("Access-Control-Allow-Origin"); got != want {
				t.Errorf("%s is allowed as %q", origin, got)
			}
		}
		// Tools for tracing add headers of their own to each request of a page.
		for _, headers := range []string{"authorization,idempotency-key", "authorization,baggage,sentry-trace", "authorization,traceparent"} {
			a := s.Call("OPTIONS", "/v1/streams", "", "", "Origin: https://app.example.com",
				"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: "+headers)
			if a.Status != 204 || a.Header.Get("Access-Control-Allow-Headers") != headers || a.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s: preflight %d %v", headers, a.Status, a.Header)
			}
		}
	})
}

// TestPagesOfFiles: pages of files and of sandboxes have the origins null and file://.
func TestPagesOfFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--origins", "null,file://", "--cors", "null,file://")
		strict := nodetest.Serve(t)
		for _, origin := range []string{"null", "file://"} {
			if got := s.Call("GET", "/v1/streams", "", "", "Origin: "+origin).Header.Get("Access-Control-Allow-Origin"); got != origin {
				t.Errorf("%s is allowed as %q", origin, got)
			}
			for server, want := range map[*nodetest.Server]bool{s: true, strict: false} {
				socket := nodetest.DialRaw(server)
				if err := socket.Upgrade("/v1/viewer", "Origin: "+origin); (err == nil) != want {
					t.Errorf("socket of %s: %v", origin, err)
				}
				socket.Close()
			}
		}
	})
}

// TestForeignPages: a page elsewhere does not act in the name of its visitors,
// who need no token here.
func TestForeignPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--cors", "app.example.com")
		s.StartStream(s.DayToken(auth.Anchor, "alice"), `{"title":""}`)
		foreign, ours, own := "Origin: https://evil.example", "Origin: https://app.example.com", "Origin: http://"+s.Host
		for _, origin := range []string{foreign, "Origin: null"} {
			s.Call("POST", "/v1/streams/8888_alice/likes", "", `{"n":1}`, origin).RequireProblem(403, wire.CodeForbidden)
			s.Call("GET", "/v1/streams/events?watch=8888_alice", "", "", origin).RequireProblem(403, wire.CodeForbidden)
		}
		for _, origin := range []string{ours, own} {
			s.Call("POST", "/v1/streams/8888_alice/likes", "", `{"n":1}`, origin).RequireStatus(200)
			openEvents(s, "watch=8888_alice", "", origin).of("snapshot")
		}
		s.Call("GET", "/v1/streams", "", "", foreign).RequireStatus(200)
	})
}

// TestHandshakeLimit: more sockets than come in a second are sent away for a
// while.
func TestHandshakeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--limits.handshakes", "2/s")
		s.DialViewer("")
		s.DialViewer("")
		if a := s.Call("GET", "/v1/viewer", "", ""); a.Status != 503 || a.Header.Get("Retry-After") == "" {
			t.Errorf("status %d, Retry-After %q", a.Status, a.Header.Get("Retry-After"))
		}
		s.Call("GET", "/v1/streams", "", "").RequireStatus(200)
		if nodetest.ReadyStatus(s) != 200 {
			t.Fatal("a rush makes the node not ready")
		}
	})
}
