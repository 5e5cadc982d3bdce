package sockets_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/nodetest"
	"onair/server/response"
	"onair/server/sockets"
)

// TestBadMessagesGetErrors: each bad message gets its own error with the request's id, and
// leaves the socket usable.
func TestBadMessagesGetErrors(t *testing.T) {
	long := strings.Repeat("x", 300)
	anchorCases := []struct{ name, text, code, about string }{
		{"not JSON", `{`, "bad_request", "JSON"},
		{"unknown type", `{"type":"dance","id":"1"}`, "bad_request", "dance"},
		{"no type", `{"id":"1"}`, "bad_request", "type"},
		{"beat without session", `{"type":"beat","id":"1","n":1}`, "session_gone", "no session"},
		{"stop without session", `{"type":"stop","id":"1"}`, "session_gone", "no session"},
		{"update without session", `{"type":"update","id":"1","title":"x"}`, "session_gone", "no session"},
		{"push without session", `{"type":"push","id":"1"}`, "session_gone", "no session"},
		{"title too long", `{"type":"start","id":"1","title":"` + long + `"}`, "bad_request", "title"},
		{"cover not https", `{"type":"start","id":"1","title":"","cover":"http://a/b.png"}`, "bad_request", "cover"},
		{"cover not a string", `{"type":"start","id":"1","title":"","cover":7}`, "bad_request", "cover"},
		{"too many tags", `{"type":"start","id":"1","title":"","tags":["` + strings.Repeat(`a","`, 16) + `b"]}`, "bad_request", "tags"},
		{"extra not an object", `{"type":"start","id":"1","title":"","extra":[1]}`, "bad_request", "extra"},
		{"unknown list", `{"type":"start","id":"1","title":"","list":"nowhere"}`, "bad_request", "list"},
		{"source not configured", `{"type":"start","id":"1","title":"","sources":["callback"]}`, "bad_request", "sources"},
		{"bad session", `{"type":"resume","id":"1","session":"short"}`, "bad_request", "session"},
		{"unknown session", `{"type":"resume","id":"1","session":"aaaaaaaaaaaaaaaaaaaaaaaaaa"}`, "session_gone", "session"},
		{"viewers' message", `{"type":"subscribe","id":"1"}`, "bad_request", "subscribe"},
	}
	viewerCases := []struct{ name, text, code, about string }{
		{"not JSON", `[]`, "bad_request", "object"},
		{"limit 0", `{"type":"subscribe","id":"1","limit":0}`, "bad_request", "limit"},
		{"limit over the window", `{"type":"subscribe","id":"1","limit":501}`, "bad_request", "limit"},
		{"unknown sort", `{"type":"subscribe","id":"1","sort":"luck"}`, "bad_request", "sort"},
		{"unknown list", `{"type":"subscribe","id":"1","list":"nowhere"}`, "bad_request", "list"},
		{"unknown protocol", `{"type":"subscribe","id":"1","play":["pigeon"]}`, "bad_request", "play"},
		{"unknown view", `{"type":"unsubscribe","id":"1","view":"x"}`, "not_found", "view"},
		{"unknown code", `{"type":"watch","id":"1","code":"8888_nobody"}`, "not_found", "code"},
		{"bad code", `{"type":"watch","id":"1","code":"a b"}`, "bad_request", "code"},
		{"unwatch of nothing", `{"type":"unwatch","id":"1","code":"8888_nobody"}`, "not_found", "watch"},
		{"like of nothing", `{"type":"like","id":"1","code":"8888_nobody","n":1}`, "not_found", "code"},
		{"too many likes", `{"type":"like","id":"1","code":"8888_nobody","n":101}`, "bad_request", "n"},
		{"anchors' message", `{"type":"start","id":"1","title":"x"}`, "bad_request", "start"},
	}
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		alice, viewer := s.DialAnchor("alice"), s.DialViewer("")
		check := func(c *nodetest.Client, name, text, code, about string) {
			t.Helper()
			time.Sleep(100 * time.Millisecond) // within the rate
			if err := c.SendText(text); err != nil {
				t.Fatal(err)
			}
			e, _ := nodetest.AwaitMessage[*wire.Error](c)
			if string(e.Code) != code || !strings.Contains(e.Message, about) {
				t.Errorf("%s: %s: %q, want %s about %q", name, e.Code, e.Message, code, about)
			}
			if strings.Contains(text, `"id":"1"`) && e.ID != `"1"` {
				t.Errorf("%s: the error has id %q", name, e.ID)
			}
		}
		for _, c := range anchorCases {
			check(alice, c.name, c.text, c.code, c.about)
		}
		for _, c := range viewerCases {
			check(viewer, c.name, c.text, c.code, c.about)
		}
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "still usable"})
		e := nodetest.RequestReply[*wire.Error](alice, &wire.Start{ID: alice.NextID(), Title: "twice"})
		if e.Code != wire.CodeAlreadyLive {
			t.Errorf("a second start was answered with %+v", e)
		}
		if got := nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()}); got.Total != 1 {
			t.Errorf("%d streams after all that, want 1", got.Total)
		}
	})
}

// TestTokensRefused: clients without a valid token get HTTP 401 before the upgrade, or an
// error and close code 4001 after it.
func TestTokensRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--viewer.anonymous=false")
		bad := map[string]string{
			"expired":     s.Token(auth.Anchor, "alice", -time.Minute),
			"alg none":    "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhbGljZSIsInJvbGUiOiJhbmNob3IiLCJleHAiOjk5OTk5OTk5OTl9.",
			"not a token": "rubbish",
		}
		for name, token := range bad {
			if status := s.GetStatus("/v1/anchor", token); status != http.StatusUnauthorized {
				t.Errorf("%s in the header: HTTP %d", name, status)
			}
			c := s.Dial("/v1/anchor", "")
			c.Send(&wire.Auth{ID: "7", Token: token})
			if e, _ := nodetest.AwaitMessage[*wire.Error](c); e.Code != wire.CodeUnauthorized || e.ID != "7" {
				t.Errorf("%s in a message: %+v", name, e)
			}
			if status, _ := c.AwaitClose(); status != wire.CloseUnauthorized {
				t.Errorf("%s in a message: closed with %d", name, status)
			}
		}
		if status := s.GetStatus("/v1/anchor", s.Token(auth.Viewer, "bob", time.Hour)); status != http.StatusForbidden {
			t.Errorf("a viewer's token on the anchor socket: HTTP %d", status)
		}
		if status := s.GetStatus("/v1/streams", ""); status != http.StatusUnauthorized {
			t.Errorf("no token: HTTP %d", status)
		}
		// The first message is not auth, or there is none.
		c := s.Dial("/v1/viewer", "")
		c.Send(&wire.Subscribe{})
		if status, _ := c.AwaitClose(); status != wire.CloseUnauthorized {
			t.Errorf("first message not auth: closed with %d", status)
		}
		c = s.Dial("/v1/viewer", "")
		began := time.Now()
		status, at := c.AwaitClose()
		if status != wire.CloseNoAuth {
			t.Errorf("no first message: closed with %d", status)
		}
		nodetest.RequireWithin(t, "close without a message", at.Sub(began), sockets.AuthTimeout, sockets.AuthTimeout+time.Second)
		// A valid token in the first message.
		c = s.Dial("/v1/viewer", "")
		c.Send(&wire.Auth{Token: s.Token(auth.Viewer, "bob", time.Hour)})
		c.ReceiveWelcome()
	})
}

func TestForeignOriginIsRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--origins", "app.example.com")
		for origin, want := range map[string]int{
			"https://evil.example.com":              http.StatusForbidden,
			"https://app.example.com.evil.com":      http.StatusForbidden,
			"null":                                  http.StatusForbidden,
			"https://app.example.com":               http.StatusSwitchingProtocols,
			"":                                      http.StatusSwitchingProtocols,
			"http://" + s.Host:                      http.StatusSwitchingProtocols,
			"https://evil.example.com/?x=" + s.Host: http.StatusForbidden,
		} {
			options := nodetest.DialOptions("")
			if origin != "" {
				options.HTTPHeader.Set("Origin", origin)
			}
			options.HTTPClient = s.HTTP
			conn, res, err := websocket.Dial(context.Background(), "ws://"+s.Host+"/v1/viewer", options)
			if err == nil {
				conn.CloseNow()
			}
			if res == nil || res.StatusCode != want {
				t.Errorf("origin %q: %v, %v, want %d", origin, res, err, want)
			}
		}
	})
}

// TestForeignSessionIsRefused: the session id of another anchor is not enough to resume
// the session.
func TestForeignSessionIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		alice, mallory := s.DialAnchor("alice"), s.DialAnchor("mallory")
		started := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
		e := nodetest.RequestReply[*wire.Error](mallory, &wire.Resume{ID: mallory.NextID(), Session: started.Session})
		if e.Code != wire.CodeForbidden {
			t.Errorf("resume of another's session was answered with %+v", e)
		}
		nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: 1})
	})
}

// TestInvalidUserIDIsNamed: the error for a user id that is invalid in a live code names
// it.
func TestInvalidUserIDIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		odd := s.DialAnchor("al ice")
		e := nodetest.RequestReply[*wire.Error](odd, &wire.Start{ID: odd.NextID(), Title: "x"})
		if e.Code != wire.CodeBadRequest || !strings.Contains(e.Message, `"al ice"`) {
			t.Errorf("start was answered with %+v", e)
		}
	})
}

// TestSecretsAreNotDisclosed: secrets are in no log line, metric, error or page.
func TestSecretsAreNotDisclosed(t *testing.T) {
	const authKey, pushKey, playKey = "canary-auth-0123456789abcdef0123456789", "canary-push-key", "canary-play-key"
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--auth.secret", authKey, "--push.key", pushKey, "--play.key", playKey, "--log.level", "debug")
		s.Secret = authKey
		token := s.Token(auth.Anchor, "alice", time.Hour)
		alice, viewer := s.DialWelcomed("/v1/anchor", token), s.DialViewer("")
		started := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello", Key: "canary-start-key"})
		nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID(), Play: []string{"flv"}})
		nodetest.RequestReply[*wire.Watching](viewer, &wire.Watch{ID: viewer.NextID(), Code: started.Stream.Code})
		alice.SendText(`{"type":"auth","id":"1","token":"` + token[:len(token)-3] + `"}`)
		nodetest.AwaitMessage[*wire.Error](alice)
		alice.AwaitClose()
		mallory := s.DialAnchor("mallory")
		nodetest.RequestReply[*wire.Error](mallory, &wire.Resume{ID: mallory.NextID(), Session: started.Session})
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		output := s.Log() + s.Get(s.Ops, "/metrics") + s.Get(s.Ops, "/readyz") + s.Get(s.HTTP, "/") +
			s.Get(s.HTTP, "/v1/streams") + s.Get(s.HTTP, "/v1/nothing")
		secret := started.Push.Key[strings.Index(started.Push.Key, "txSecret="):]
		for _, canary := range []string{authKey, pushKey, playKey, token, started.Session, secret, "canary"} {
			if strings.Contains(output, canary) {
				t.Errorf("%q was disclosed", canary)
			}
		}
		if !strings.Contains(output, "8888_alice") {
			t.Error("the output lacks the live code")
		}
	})
}

// TestRateLimitClosesSocket: a client above its rate gets an error, and is closed if it
// goes on.
func TestRateLimitClosesSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		viewer := s.DialViewer("")
		for range 41 {
			viewer.SendText(`{"type":"unwatch","code":"x"}`)
		}
		for {
			e, _ := nodetest.AwaitMessage[*wire.Error](viewer)
			if e.Code == wire.CodeRateLimited {
				if e.RetryAfterMS <= 0 {
					t.Errorf("no retry_after_ms: %+v", e)
				}
				break
			}
		}
		time.Sleep(5 * time.Second) // the client waits as asked
		nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()})
		for range 200 {
			if viewer.SendText(`{"type":"unwatch","code":"x"}`) != nil {
				break
			}
		}
		if status, _ := viewer.AwaitClose(); status != wire.CloseRateLimited {
			t.Errorf("closed with %d", status)
		}
	})
}

// TestHTTPErrorsAreProblems: HTTP errors are problems with the protocol's codes.
func TestHTTPErrorsAreProblems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		for path, want := range map[string]string{
			"/v1/streams?limit=none":       "bad_request",
			"/v1/streams?list=nowhere":     "bad_request",
			"/v1/streams?sort=luck":        "bad_request",
			"/v1/streams/8888_nobody":      "not_found",
			"/v1/streams/8888_nobody/play": "not_found",
			"/v1/nothing":                  "not_found",
		} {
			res, err := s.HTTP.Get("http://" + s.Host + path)
			if err != nil {
				t.Fatal(err)
			}
			var p response.Problem
			err = json.NewDecoder(res.Body).Decode(&p)
			res.Body.Close()
			if err != nil || string(p.Code) != want || p.Status != res.StatusCode || p.Detail == "" {
				t.Errorf("%s: HTTP %d, %+v, %v, want %s", path, res.StatusCode, p, err, want)
			}
			if ct := res.Header.Get("Content-Type"); ct != "application/problem+json" {
				t.Errorf("%s: %s", path, ct)
			}
		}
	})
}
