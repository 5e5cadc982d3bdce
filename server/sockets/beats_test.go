package sockets_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/nodetest"
)

// beatTimes are the times of protocol.md §3 for an interval.
func beatTimes(interval time.Duration) (grace, tick, viewDelay time.Duration) {
	// A view sends a change at the next tick of the hub at the latest.
	return min(interval/10, 5*time.Second), min(interval/4, time.Second), 250 * time.Millisecond
}

func TestThreeMissedBeatsEndSession(t *testing.T) {
	for _, interval := range []time.Duration{time.Second, time.Minute} {
		t.Run(interval.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := nodetest.Serve(t, "--heartbeat.interval", interval.String())
				grace, tick, viewDelay := beatTimes(interval)
				viewer := s.DialViewer("")
				nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()})
				alice := s.DialAnchor("alice")
				started := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
				code := started.Stream.Code
				for n := range int64(5) {
					time.Sleep(interval)
					nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: n})
				}
				last := time.Now()
				viewer.AwaitView("live", func(l *wire.ClientView) bool { return nodetest.StateInView(l, code) == wire.StateLive })

				_, at := nodetest.AwaitMessage[*wire.Probe](alice)
				nodetest.RequireWithin(t, "probe", at.Sub(last), interval+grace, interval+grace+2*tick)
				at = viewer.AwaitView("away", func(l *wire.ClientView) bool { return nodetest.StateInView(l, code) == wire.StateAway })
				nodetest.RequireWithin(t, "away", at.Sub(last), interval+grace, interval+grace+2*tick+viewDelay)
				if e, _ := viewer.View.Entry(code); e.Away != wire.AwayMissedBeat {
					t.Errorf("away is %q", e.Away)
				}

				ended, at := nodetest.AwaitMessage[*wire.Ended](alice)
				nodetest.RequireWithin(t, "ended", at.Sub(last), 3*interval, 3*interval+grace+2*tick)
				if ended.Reason != wire.EndMissedBeats || ended.Summary == nil {
					t.Errorf("ended with %+v", ended)
				}
				if status, _ := alice.AwaitClose(); status != wire.CloseMissedBeats {
					t.Errorf("closed with %d", status)
				}
				at = viewer.AwaitView("gone", func(l *wire.ClientView) bool { return nodetest.StateInView(l, code) == "" })
				nodetest.RequireWithin(t, "gone", at.Sub(last), 3*interval, 3*interval+grace+2*tick+viewDelay)
			})
		})
	}
}

func TestAnsweredProbeMakesLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--heartbeat.interval", "60s")
		viewer := s.DialViewer("")
		nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()})
		alice := s.DialAnchor("alice")
		code := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"}).Stream.Code
		nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: 1})
		for range 3 {
			nodetest.AwaitMessage[*wire.Probe](alice)
			viewer.AwaitView("away", func(l *wire.ClientView) bool { return nodetest.StateInView(l, code) == wire.StateAway })
			nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: 2})
			asked := time.Now()
			at := viewer.AwaitView("live", func(l *wire.ClientView) bool { return nodetest.StateInView(l, code) == wire.StateLive })
			nodetest.RequireWithin(t, "live", at.Sub(asked), 0, time.Second+250*time.Millisecond)
		}
	})
}

// TestLateResumeKeepsSession: a socket that is lost and resumed after 2.9 intervals keeps
// its session, and no viewer sees the stream leave.
func TestLateResumeKeepsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--heartbeat.interval", "60s")
		viewer := s.DialViewer("")
		nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()})
		alice := s.DialAnchor("alice")
		started := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
		nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: 1})
		alice.Conn.CloseNow()
		time.Sleep(174 * time.Second)
		again := s.DialAnchor("alice")
		resumed := nodetest.RequestReply[*wire.Started](again, &wire.Resume{ID: again.NextID(), Session: started.Session})
		if resumed.Session != started.Session {
			t.Errorf("another session")
		}
		for n := range int64(10) {
			time.Sleep(time.Minute)
			nodetest.RequestReply[*wire.Ack](again, &wire.Beat{ID: again.NextID(), N: n})
		}
		synctest.Wait()
		for len(viewer.Inbox) > 0 {
			if d, ok := viewer.Receive().Message.(*wire.Diff); ok && len(d.Del) > 0 {
				t.Errorf("a viewer saw it leave: %+v", d)
			}
		}
		if nodetest.StateInView(&viewer.View, started.Stream.Code) != wire.StateLive {
			t.Errorf("not live at the end")
		}
	})
}

// TestBeatsKeepSession: a beat within three intervals of the last one keeps the session.
func TestBeatsKeepSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--heartbeat.interval", "1s")
		alice := s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
		for n := range int64(100) {
			time.Sleep(2999 * time.Millisecond)
			nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: n})
		}
	})
}

func TestStopRemovesStreamAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		viewer := s.DialViewer("")
		nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()})
		alice := s.DialAnchor("alice")
		code := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"}).Stream.Code
		viewer.AwaitView("listed", func(l *wire.ClientView) bool { return nodetest.StateInView(l, code) == wire.StateStarting })
		time.Sleep(10 * time.Second)
		stopped := nodetest.RequestReply[*wire.Stopped](alice, &wire.Stop{ID: alice.NextID()})
		asked := time.Now()
		if got := stopped.Summary.DurationMS; got < 10_000 || got > 11_000 {
			t.Errorf("duration %d ms, want 10 s", got)
		}
		at := viewer.AwaitView("gone", func(l *wire.ClientView) bool { return nodetest.StateInView(l, code) == "" })
		nodetest.RequireWithin(t, "gone", at.Sub(asked), 0, 250*time.Millisecond)
		// The socket may start again.
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Again"})
	})
}

func TestNewestStartTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		phone, laptop := s.DialAnchor("alice"), s.DialAnchor("alice")
		first := nodetest.RequestReply[*wire.Started](phone, &wire.Start{ID: phone.NextID(), Title: "Phone"})
		second := nodetest.RequestReply[*wire.Started](laptop, &wire.Start{ID: laptop.NextID(), Title: "Laptop"})
		if ended, _ := nodetest.AwaitMessage[*wire.Ended](phone); ended.Reason != wire.EndTakenOver {
			t.Errorf("ended with %+v", ended)
		}
		if status, _ := phone.AwaitClose(); status != wire.CloseTakenOver {
			t.Errorf("closed with %d", status)
		}
		// The older session is gone. The error has the reason.
		phone = s.DialAnchor("alice")
		e := nodetest.RequestReply[*wire.Error](phone, &wire.Resume{ID: phone.NextID(), Session: first.Session})
		if e.Code != wire.CodeSessionGone || e.Reason != wire.EndTakenOver || e.Summary == nil {
			t.Errorf("resume was answered with %+v", e)
		}
		if first.Session == second.Session {
			t.Error("the same session")
		}
		nodetest.RequestReply[*wire.Ack](laptop, &wire.Beat{ID: laptop.NextID(), N: 1})
	})
}

func TestTakeoverRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--takeover", "refuse")
		phone, laptop := s.DialAnchor("alice"), s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Started](phone, &wire.Start{ID: phone.NextID(), Title: "Phone"})
		e := nodetest.RequestReply[*wire.Error](laptop, &wire.Start{ID: laptop.NextID(), Title: "Laptop"})
		if e.Code != wire.CodeAlreadyLive {
			t.Errorf("start was answered with %+v", e)
		}
		nodetest.RequestReply[*wire.Ack](phone, &wire.Beat{ID: phone.NextID(), N: 1})
		// Once the phone's socket is gone, it may be taken over.
		phone.Conn.CloseNow()
		time.Sleep(2 * time.Second)
		nodetest.RequestReply[*wire.Started](laptop, &wire.Start{ID: laptop.NextID(), Title: "Laptop"})
	})
}

// TestNewIntervalAppliesAfterBeat: a session keeps its interval until its client has
// received the new one and has beaten.
func TestNewIntervalAppliesAfterBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--heartbeat.interval", "60s")
		alice, bob := s.DialAnchor("alice"), s.DialAnchor("bob")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
		nodetest.RequestReply[*wire.Started](bob, &wire.Start{ID: bob.NextID(), Title: "Hello"})
		s.SetHeartbeatInterval(10 * time.Second)
		if m, _ := nodetest.AwaitMessage[*wire.Settings](alice); m.HeartbeatMS != 10_000 {
			t.Errorf("settings have interval %d ms", m.HeartbeatMS)
		}
		began := time.Now()
		// Alice beats once by the new settings, and then no more.
		nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: 1})
		ack := nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: 2})
		if ack.DeadlineInMS != 31_000 {
			t.Errorf("deadline in %d ms, want 31 s", ack.DeadlineInMS)
		}
		_, at := nodetest.AwaitMessage[*wire.Ended](alice)
		nodetest.RequireWithin(t, "alice's end", at.Sub(began), 30*time.Second, 33*time.Second+time.Second)
		// Bob has not beaten since: his lease has the old ones.
		_, at = nodetest.AwaitMessage[*wire.Ended](bob)
		nodetest.RequireWithin(t, "bob's end", at.Sub(began), 180*time.Second, 187*time.Second)
	})
}

func TestListShowPublishHidesStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--list.show", "publish")
		viewer := s.DialViewer("")
		nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()})
		alice := s.DialAnchor("alice")
		code := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"}).Stream.Code
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if len(viewer.Inbox) != 0 {
			t.Errorf("a viewer received a stream without a beat: %+v", viewer.Receive())
		}
		nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: 1})
		viewer.AwaitView("live", func(l *wire.ClientView) bool { return nodetest.StateInView(l, code) == wire.StateLive })
	})
}

// TestSteppedClockEndsNoSession: a log clock that steps by an hour, either way, ends no
// session.
func TestSteppedClockEndsNoSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shift atomic.Int64
		s := nodetest.ServeWithClockSteps(t, func() time.Duration { return time.Duration(shift.Load()) })
		alice := s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
		for n, step := range []time.Duration{time.Hour, -2 * time.Hour, 90 * time.Minute} {
			time.Sleep(50 * time.Second)
			synctest.Wait()
			shift.Add(int64(step))
			time.Sleep(50 * time.Second)
			nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: int64(n)})
		}
		// A session without beats still expires.
		last := time.Now()
		_, at := nodetest.AwaitMessage[*wire.Ended](alice)
		nodetest.RequireWithin(t, "ended", at.Sub(last), 180*time.Second, 188*time.Second)
	})
}

func TestExpiringTokenIsAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		alice := s.DialWelcomed("/v1/anchor", s.Token(auth.Anchor, "alice", 5*time.Minute))
		began := time.Now()
		m, at := nodetest.AwaitMessage[*wire.TokenExpiring](alice)
		nodetest.RequireWithin(t, "token_expiring", at.Sub(began), 239*time.Second, 240*time.Second)
		if got := time.UnixMilli(m.ExpiresAt).Sub(began); got > 5*time.Minute || got < 299*time.Second {
			t.Errorf("expires in %v", got)
		}
		// A newer token of the same anchor keeps the socket; a token of another anchor is refused.
		e := nodetest.RequestReply[*wire.Error](alice, &wire.Auth{ID: alice.NextID(), Token: s.Token(auth.Anchor, "mallory", time.Hour)})
		if e.Code != wire.CodeForbidden {
			t.Errorf("another's token was answered with %+v", e)
		}
		ok := nodetest.RequestReply[*wire.Authenticated](alice, &wire.Auth{ID: alice.NextID(), Token: s.Token(auth.Anchor, "alice", 5*time.Minute)})
		if ok.Sub != "alice" || ok.Role != "anchor" {
			t.Errorf("authenticated as %+v", ok)
		}
		renewed := time.Now()
		status, at := alice.AwaitClose()
		nodetest.RequireWithin(t, "closed", at.Sub(renewed), 299*time.Second, 301*time.Second)
		if status != wire.CloseUnauthorized {
			t.Errorf("closed with %d", status)
		}
	})
}
