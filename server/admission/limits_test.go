package admission_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/presence"
	"onair/server/auth"
	"onair/server/nodetest"
)

func TestSocketLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--limits.sockets-per-address", "2", "--limits.sockets", "2")
		first, _ := s.DialViewer(""), s.DialViewer("")
		res, err := s.HTTP.Get("http://" + s.Host + "/v1/viewer")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
			t.Errorf("over limits.sockets: HTTP %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
		}
		if status := nodetest.ReadyStatus(s); status != http.StatusServiceUnavailable {
			t.Errorf("readyz of a full node: HTTP %d", status)
		}
		first.Conn.CloseNow()
		time.Sleep(time.Second)
		s.DialViewer("")
	})
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--limits.sockets-per-address", "1")
		s.DialViewer("")
		if status, _ := s.Dial("/v1/viewer", "").AwaitClose(); status != wire.CloseTooManySockets {
			t.Errorf("over limits.sockets_per_address: closed with %d", status)
		}
	})
}

func TestStreamLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--limits.streams", "1")
		alice, bob := s.DialAnchor("alice"), s.DialAnchor("bob")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
		if e := nodetest.RequestReply[*wire.Error](bob, &wire.Start{ID: bob.NextID(), Title: "Hello"}); e.Code != wire.CodeLimitExceeded {
			t.Errorf("start over limits.streams was answered with %+v", e)
		}
	})
}

// TestRepeatedStartReturnsSession: a start whose answer was lost can be repeated under its
// key.
func TestRepeatedStartReturnsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		first := s.DialAnchor("alice")
		started := nodetest.RequestReply[*wire.Started](first, &wire.Start{ID: first.NextID(), Title: "Hello", Key: "k"})
		second := s.DialAnchor("alice")
		again := nodetest.RequestReply[*wire.Started](second, &wire.Start{ID: second.NextID(), Title: "Hello", Key: "k"})
		if again.Session != started.Session {
			t.Error("started twice")
		}
		if status, _ := first.AwaitClose(); status != wire.CloseTakenOver {
			t.Errorf("the older socket was closed with %d", status)
		}
		nodetest.RequestReply[*wire.Stopped](second, &wire.Stop{ID: second.NextID()})
		e := nodetest.RequestReply[*wire.Error](second, &wire.Start{ID: second.NextID(), Title: "Hello", Key: "k"})
		if e.Code != wire.CodeSessionGone || e.Reason != wire.EndStopped || e.Summary == nil {
			t.Errorf("a repeat after the end was answered with %+v", e)
		}
	})
}

func TestBanEndsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		alice := s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
		if _, err := s.Node.Presence.Do(t.Context(), &presence.Ban{Anchor: "alice", By: "admin"}); err != nil {
			t.Fatal(err)
		}
		if ended, _ := nodetest.AwaitMessage[*wire.Ended](alice); ended.Reason != wire.EndBanned {
			t.Errorf("ended with %+v", ended)
		}
		if status, _ := alice.AwaitClose(); status != wire.CloseRemoved {
			t.Errorf("closed with %d", status)
		}
		alice = s.DialWelcomed("/v1/anchor", s.Token(auth.Anchor, "alice", time.Hour))
		if e := nodetest.RequestReply[*wire.Error](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"}); e.Code != wire.CodeBanned {
			t.Errorf("start was answered with %+v", e)
		}
		if _, err := s.Node.Presence.Do(t.Context(), &presence.Unban{Anchor: "alice"}); err != nil {
			t.Fatal(err)
		}
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
	})
}

// TestPushURLsAreRenewed: a push request returns new push URLs for the same session.
func TestPushURLsAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		alice := s.DialAnchor("alice")
		started := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
		time.Sleep(30 * time.Second)
		pushed := nodetest.RequestReply[*wire.Pushed](alice, &wire.PushRequest{ID: alice.NextID()})
		if pushed.Push.RTMP == started.Push.RTMP || pushed.Push.ExpiresAt-started.Push.ExpiresAt != 30_000 {
			t.Errorf("%s until %d, then %s until %d", started.Push.RTMP, started.Push.ExpiresAt, pushed.Push.RTMP, pushed.Push.ExpiresAt)
		}
		if started.Push.Server+started.Push.Key != started.Push.RTMP {
			t.Errorf("%s and %s do not make %s", started.Push.Server, started.Push.Key, started.Push.RTMP)
		}
	})
}
