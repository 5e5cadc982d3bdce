package main

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/presence"
	"onair/server/auth"
)

func TestSocketLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t, "--limits.sockets-per-address", "2", "--limits.sockets", "2")
		first, _ := s.viewer(""), s.viewer("")
		res, err := s.client.Get("http://" + s.host + "/v1/viewer")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
			t.Errorf("over limits.sockets: HTTP %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
		}
		if status := s.readyStatus(); status != http.StatusServiceUnavailable {
			t.Errorf("readyz of a full node: HTTP %d", status)
		}
		first.conn.CloseNow()
		time.Sleep(time.Second)
		s.viewer("")
	})
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t, "--limits.sockets-per-address", "1")
		s.viewer("")
		if status, _ := s.unwelcomed("/v1/viewer", "").closes(); status != wire.CloseTooManySockets {
			t.Errorf("over limits.sockets_per_address: closed with %d", status)
		}
	})
}

func (s *testServer) readyStatus() int {
	s.t.Helper()
	res, err := s.ops.Get("http://" + s.host + "/readyz")
	if err != nil {
		s.t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

func TestStreamLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t, "--limits.streams", "1")
		alice, bob := s.anchor("alice"), s.anchor("bob")
		answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "Hello"})
		if e := answerTo[*wire.Error](bob, &wire.Start{ID: bob.id(), Title: "Hello"}); e.Code != wire.CodeLimitExceeded {
			t.Errorf("start over limits.streams was answered with %+v", e)
		}
	})
}

// TestStartAgain: a start whose answer was lost is repeated under its key.
func TestStartAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		first := s.anchor("alice")
		started := answerTo[*wire.Started](first, &wire.Start{ID: first.id(), Title: "Hello", Key: "k"})
		second := s.anchor("alice")
		again := answerTo[*wire.Started](second, &wire.Start{ID: second.id(), Title: "Hello", Key: "k"})
		if again.Session != started.Session {
			t.Error("started twice")
		}
		if status, _ := first.closes(); status != wire.CloseTakenOver {
			t.Errorf("the older socket was closed with %d", status)
		}
		answerTo[*wire.Stopped](second, &wire.Stop{ID: second.id()})
		e := answerTo[*wire.Error](second, &wire.Start{ID: second.id(), Title: "Hello", Key: "k"})
		if e.Code != wire.CodeSessionGone || e.Reason != wire.EndStopped || e.Summary == nil {
			t.Errorf("a repeat after the end was answered with %+v", e)
		}
	})
}

func TestBanned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		alice := s.anchor("alice")
		answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "Hello"})
		if _, err := s.s.Presence.Do(t.Context(), &presence.Ban{Anchor: "alice", By: "admin"}); err != nil {
			t.Fatal(err)
		}
		if ended, _ := expect[*wire.Ended](alice); ended.Reason != wire.EndBanned {
			t.Errorf("ended with %+v", ended)
		}
		if status, _ := alice.closes(); status != wire.CloseRemoved {
			t.Errorf("closed with %d", status)
		}
		alice = s.socket("/v1/anchor", s.token(auth.Anchor, "alice", time.Hour))
		if e := answerTo[*wire.Error](alice, &wire.Start{ID: alice.id(), Title: "Hello"}); e.Code != wire.CodeBanned {
			t.Errorf("start was answered with %+v", e)
		}
		if _, err := s.s.Presence.Do(t.Context(), &presence.Unban{Anchor: "alice"}); err != nil {
			t.Fatal(err)
		}
		answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "Hello"})
	})
}

// TestPushAgain: a fresh push URL for the same session, signed anew.
func TestPushAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		alice := s.anchor("alice")
		started := answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "Hello"})
		time.Sleep(30 * time.Second)
		pushed := answerTo[*wire.Pushed](alice, &wire.PushRequest{ID: alice.id()})
		if pushed.Push.RTMP == started.Push.RTMP || pushed.Push.ExpiresAt-started.Push.ExpiresAt != 30_000 {
			t.Errorf("%s until %d, then %s until %d", started.Push.RTMP, started.Push.ExpiresAt, pushed.Push.RTMP, pushed.Push.ExpiresAt)
		}
		if started.Push.Server+started.Push.Key != started.Push.RTMP {
			t.Errorf("%s and %s do not make %s", started.Push.Server, started.Push.Key, started.Push.RTMP)
		}
	})
}
