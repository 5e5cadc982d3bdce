package main

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/server/auth"
)

// within fails unless got lies in [from, to].
func within(t *testing.T, what string, got time.Duration, from, to time.Duration) {
	t.Helper()
	if got < from || got > to {
		t.Errorf("%s after %v, want %v to %v", what, got, from, to)
	}
}

// beatTimes are the bounds of protocol.md §3 for an interval.
func beatTimes(interval time.Duration) (grace, tick, show time.Duration) {
	// A view shows a change at the next tick of the hub at the latest.
	return min(interval/10, 5*time.Second), min(interval/4, time.Second), 250 * time.Millisecond
}

func TestThreeMissedBeats(t *testing.T) {
	for _, interval := range []time.Duration{time.Second, time.Minute} {
		t.Run(interval.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serveTest(t, "--heartbeat.interval", interval.String())
				grace, tick, show := beatTimes(interval)
				viewer := s.viewer("")
				answerTo[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.id()})
				alice := s.anchor("alice")
				started := answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "Hello"})
				code := started.Stream.Code
				for n := range int64(5) {
					time.Sleep(interval)
					answerTo[*wire.Ack](alice, &wire.Beat{ID: alice.id(), N: n})
				}
				last := time.Now()
				viewer.shows("live", func(l *wire.ClientView) bool { return state(l, code) == wire.StateLive })

				_, at := expect[*wire.Probe](alice)
				within(t, "probe", at.Sub(last), interval+grace, interval+grace+2*tick)
				at = viewer.shows("away", func(l *wire.ClientView) bool { return state(l, code) == wire.StateAway })
				within(t, "away", at.Sub(last), interval+grace, interval+grace+2*tick+show)
				if e, _ := viewer.list.Entry(code); e.Away != wire.AwayMissedBeat {
					t.Errorf("away is %q", e.Away)
				}

				ended, at := expect[*wire.Ended](alice)
				within(t, "ended", at.Sub(last), 3*interval, 3*interval+grace+2*tick)
				if ended.Reason != wire.EndMissedBeats || ended.Summary == nil {
					t.Errorf("ended with %+v", ended)
				}
				if status, _ := alice.closes(); status != wire.CloseMissedBeats {
					t.Errorf("closed with %d", status)
				}
				at = viewer.shows("gone", func(l *wire.ClientView) bool { return state(l, code) == "" })
				within(t, "gone", at.Sub(last), 3*interval, 3*interval+grace+2*tick+show)
			})
		})
	}
}

func TestProbeAnsweredIsLiveAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t, "--heartbeat.interval", "60s")
		viewer := s.viewer("")
		answerTo[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.id()})
		alice := s.anchor("alice")
		code := answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "Hello"}).Stream.Code
		answerTo[*wire.Ack](alice, &wire.Beat{ID: alice.id(), N: 1})
		for range 3 {
			expect[*wire.Probe](alice)
			viewer.shows("away", func(l *wire.ClientView) bool { return state(l, code) == wire.StateAway })
			answerTo[*wire.Ack](alice, &wire.Beat{ID: alice.id(), N: 2})
			asked := time.Now()
			at := viewer.shows("live", func(l *wire.ClientView) bool { return state(l, code) == wire.StateLive })
			within(t, "live", at.Sub(asked), 0, time.Second+250*time.Millisecond)
		}
	})
}

// TestResumeLate: a socket that drops and comes back after 2.9 intervals keeps
// its session, and no viewer sees it leave.
func TestResumeLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t, "--heartbeat.interval", "60s")
		viewer := s.viewer("")
		answerTo[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.id()})
		alice := s.anchor("alice")
		started := answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "Hello"})
		answerTo[*wire.Ack](alice, &wire.Beat{ID: alice.id(), N: 1})
		alice.conn.CloseNow()
		time.Sleep(174 * time.Second)
		again := s.anchor("alice")
		resumed := answerTo[*wire.Started](again, &wire.Resume{ID: again.id(), Session: started.Session})
		if resumed.Session != started.Session {
			t.Errorf("another session")
		}
		for n := range int64(10) {
			time.Sleep(time.Minute)
			answerTo[*wire.Ack](again, &wire.Beat{ID: again.id(), N: n})
		}
		synctest.Wait()
		for len(viewer.inbox) > 0 {
			if d, ok := viewer.next().Message.(*wire.Diff); ok && len(d.Del) > 0 {
				t.Errorf("a viewer saw it leave: %+v", d)
			}
		}
		if state(&viewer.list, started.Stream.Code) != wire.StateLive {
			t.Errorf("not live at the end")
		}
	})
}

// TestAnchorThatBeatsStays: a beat at any time within three intervals of the
// last keeps a session, for ever.
func TestAnchorThatBeatsStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t, "--heartbeat.interval", "1s")
		alice := s.anchor("alice")
		answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "Hello"})
		for n := range int64(100) {
			time.Sleep(2999 * time.Millisecond)
			answerTo[*wire.Ack](alice, &wire.Beat{ID: alice.id(), N: n})
		}
	})
}

func TestStopLeavesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		viewer := s.viewer("")
		answerTo[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.id()})
		alice := s.anchor("alice")
		code := answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "Hello"}).Stream.Code
		viewer.shows("listed", func(l *wire.ClientView) bool { return state(l, code) == wire.StateStarting })
		time.Sleep(10 * time.Second)
		stopped := answerTo[*wire.Stopped](alice, &wire.Stop{ID: alice.id()})
		asked := time.Now()
		if got := stopped.Summary.DurationMS; got < 10_000 || got > 11_000 {
			t.Errorf("duration %d ms, want 10 s", got)
		}
		at := viewer.shows("gone", func(l *wire.ClientView) bool { return state(l, code) == "" })
		within(t, "gone", at.Sub(asked), 0, 250*time.Millisecond)
		// The socket may start again.
		answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "Again"})
	})
}

func TestTakeoverNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		phone, laptop := s.anchor("alice"), s.anchor("alice")
		first := answerTo[*wire.Started](phone, &wire.Start{ID: phone.id(), Title: "Phone"})
		second := answerTo[*wire.Started](laptop, &wire.Start{ID: laptop.id(), Title: "Laptop"})
		if ended, _ := expect[*wire.Ended](phone); ended.Reason != wire.EndTakenOver {
			t.Errorf("ended with %+v", ended)
		}
		if status, _ := phone.closes(); status != wire.CloseTakenOver {
			t.Errorf("closed with %d", status)
		}
		// The older session is gone, and says why.
		phone = s.anchor("alice")
		e := answerTo[*wire.Error](phone, &wire.Resume{ID: phone.id(), Session: first.Session})
		if e.Code != wire.CodeSessionGone || e.Reason != wire.EndTakenOver || e.Summary == nil {
			t.Errorf("resume was answered with %+v", e)
		}
		if first.Session == second.Session {
			t.Error("the same session")
		}
		answerTo[*wire.Ack](laptop, &wire.Beat{ID: laptop.id(), N: 1})
	})
}

func TestTakeoverRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t, "--takeover", "refuse")
		phone, laptop := s.anchor("alice"), s.anchor("alice")
		answerTo[*wire.Started](phone, &wire.Start{ID: phone.id(), Title: "Phone"})
		e := answerTo[*wire.Error](laptop, &wire.Start{ID: laptop.id(), Title: "Laptop"})
		if e.Code != wire.CodeAlreadyLive {
			t.Errorf("start was answered with %+v", e)
		}
		answerTo[*wire.Ack](phone, &wire.Beat{ID: phone.id(), N: 1})
		// Once the phone's socket is gone, it may be taken over.
		phone.conn.CloseNow()
		time.Sleep(2 * time.Second)
		answerTo[*wire.Started](laptop, &wire.Start{ID: laptop.id(), Title: "Laptop"})
	})
}

// TestChangedInterval: a session keeps its interval until its client has heard
// of the new one and beaten.
func TestChangedInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t, "--heartbeat.interval", "60s")
		alice, bob := s.anchor("alice"), s.anchor("bob")
		answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "Hello"})
		answerTo[*wire.Started](bob, &wire.Start{ID: bob.id(), Title: "Hello"})
		s.setInterval(10 * time.Second)
		if m, _ := expect[*wire.Settings](alice); m.HeartbeatMS != 10_000 {
			t.Errorf("settings say %d ms", m.HeartbeatMS)
		}
		began := time.Now()
		// Alice beats once by the new settings, and then no more.
		answerTo[*wire.Ack](alice, &wire.Beat{ID: alice.id(), N: 1})
		ack := answerTo[*wire.Ack](alice, &wire.Beat{ID: alice.id(), N: 2})
		if ack.DeadlineInMS != 31_000 {
			t.Errorf("deadline in %d ms, want 31 s", ack.DeadlineInMS)
		}
		_, at := expect[*wire.Ended](alice)
		within(t, "alice's end", at.Sub(began), 30*time.Second, 33*time.Second+time.Second)
		// Bob has not beaten since: he lives by the old ones.
		_, at = expect[*wire.Ended](bob)
		within(t, "bob's end", at.Sub(began), 180*time.Second, 187*time.Second)
	})
}

func TestListShowPublish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t, "--list.show", "publish")
		viewer := s.viewer("")
		answerTo[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.id()})
		alice := s.anchor("alice")
		code := answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "Hello"}).Stream.Code
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if len(viewer.inbox) != 0 {
			t.Errorf("a viewer heard of a stream that nobody has heard: %+v", viewer.next())
		}
		answerTo[*wire.Ack](alice, &wire.Beat{ID: alice.id(), N: 1})
		viewer.shows("live", func(l *wire.ClientView) bool { return state(l, code) == wire.StateLive })
	})
}

// TestSteppedClock: a log whose clock is set forwards or backwards by an hour
// ends nobody's broadcast.
func TestSteppedClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shift atomic.Int64
		s := serveStepped(t, func() time.Duration { return time.Duration(shift.Load()) })
		alice := s.anchor("alice")
		answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "Hello"})
		for n, step := range []time.Duration{time.Hour, -2 * time.Hour, 90 * time.Minute} {
			time.Sleep(50 * time.Second)
			synctest.Wait()
			shift.Add(int64(step))
			time.Sleep(50 * time.Second)
			answerTo[*wire.Ack](alice, &wire.Beat{ID: alice.id(), N: int64(n)})
		}
		// And whoever stops beating still leaves.
		last := time.Now()
		_, at := expect[*wire.Ended](alice)
		within(t, "ended", at.Sub(last), 180*time.Second, 188*time.Second)
	})
}

func TestExpiringToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		alice := s.socket("/v1/anchor", s.token(auth.Anchor, "alice", 5*time.Minute))
		began := time.Now()
		m, at := expect[*wire.TokenExpiring](alice)
		within(t, "token_expiring", at.Sub(began), 239*time.Second, 240*time.Second)
		if got := time.UnixMilli(m.ExpiresAt).Sub(began); got > 5*time.Minute || got < 299*time.Second {
			t.Errorf("expires in %v", got)
		}
		// A newer token of the same anchor keeps the socket; another's does not get in.
		e := answerTo[*wire.Error](alice, &wire.Auth{ID: alice.id(), Token: s.token(auth.Anchor, "mallory", time.Hour)})
		if e.Code != wire.CodeForbidden {
			t.Errorf("another's token was answered with %+v", e)
		}
		ok := answerTo[*wire.Authenticated](alice, &wire.Auth{ID: alice.id(), Token: s.token(auth.Anchor, "alice", 5*time.Minute)})
		if ok.Sub != "alice" || ok.Role != "anchor" {
			t.Errorf("authenticated as %+v", ok)
		}
		renewed := time.Now()
		status, at := alice.closes()
		within(t, "closed", at.Sub(renewed), 299*time.Second, 301*time.Second)
		if status != wire.CloseUnauthorized {
			t.Errorf("closed with %d", status)
		}
	})
}
