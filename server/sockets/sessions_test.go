package sockets_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"onair/hub/wire"
	"onair/server/nodetest"
	"onair/server/sockets"
)

// TestFrequentBeatsDoNotGrowLog: beats at a hundred times their rate all count, but the
// log grows only by its ticks.
func TestFrequentBeatsDoNotGrowLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--heartbeat.interval", "60s")
		alice := s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
		time.Sleep(10 * time.Second)
		entries, beats := s.SumOfMetric("onair_entries_total"), s.SumOfMetric("onair_beats_total")
		const seconds, n = 60, 600
		for i := range int64(n) {
			time.Sleep(seconds * time.Second / n)
			nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: i})
		}
		entries, beats = s.SumOfMetric("onair_entries_total")-entries, s.SumOfMetric("onair_beats_total")-beats
		if beats != n {
			t.Errorf("%v beats were counted, want %d", beats, n)
		}
		if entries > seconds+2 {
			t.Errorf("%v entries for %v beats in %d s", entries, beats, seconds)
		}
	})
}

// TestBeatFloodClosesSocketNotSession: an anchor that floods gets one error, and its
// socket is closed if it goes on. Its session stays and is resumed.
func TestBeatFloodClosesSocketNotSession(t *testing.T) {
	for _, every := range []time.Duration{0, time.Millisecond, 10 * time.Millisecond, 40 * time.Millisecond} {
		t.Run(every.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := nodetest.Serve(t, "--heartbeat.interval", "60s")
				alice, bob := s.DialAnchor("alice"), s.DialAnchor("bob")
				started := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
				nodetest.RequestReply[*wire.Started](bob, &wire.Start{ID: bob.NextID(), Title: "Hello"})
				entries, began := s.SumOfMetric("onair_entries_total"), time.Now()
				for n := int64(0); n < 1000 && alice.Send(&wire.Beat{N: n}) == nil; n++ {
					time.Sleep(every)
				}
				seconds := time.Since(began).Seconds()
				if e, _ := nodetest.AwaitMessage[*wire.Error](alice); e.Code != wire.CodeRateLimited || e.RetryAfterMS <= 0 {
					t.Errorf("received error %+v", e)
				}
				for errorCount := 1; ; {
					r := alice.TryReceive()
					if _, again := r.Message.(*wire.Error); again {
						errorCount++
					}
					if r.Err == nil {
						continue
					}
					if code := websocket.CloseStatus(r.Err); code != wire.CloseRateLimited || errorCount != 1 {
						t.Errorf("received %d errors, and closed with %d", errorCount, code)
					}
					break
				}
				if n := s.SumOfMetric("onair_entries_total") - entries; n > seconds+5 {
					t.Errorf("%v entries for a flood of %v s", n, seconds)
				}
				nodetest.RequestReply[*wire.Ack](bob, &wire.Beat{ID: bob.NextID(), N: 1})
				alice = s.DialAnchor("alice")
				again := nodetest.RequestReply[*wire.Started](alice, &wire.Resume{ID: alice.NextID(), Session: started.Session})
				if again.Session != started.Session {
					t.Error("another session")
				}
			})
		})
	}
}

// TestJitterMissesNoBeat: beats with a latency of half a second, more or less a fifth,
// miss nothing.
func TestJitterMissesNoBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--heartbeat.interval", "10s")
		viewer, alice := s.DialViewer(""), s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()})
		code := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"}).Stream.Code
		nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID()})
		viewer.AwaitView("live", func(l *wire.ClientView) bool { return nodetest.StateInView(l, code) == wire.StateLive })
		began := time.Now()
		for n := range int64(50) {
			latency := 300*time.Millisecond + time.Duration(n*7%5)*100*time.Millisecond
			time.Sleep(time.Until(began.Add(time.Duration(n+1)*10*time.Second + latency)))
			nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: n})
		}
		synctest.Wait()
		for len(viewer.Inbox) > 0 {
			viewer.Receive()
			if got := nodetest.StateInView(&viewer.View, code); got != wire.StateLive {
				t.Fatalf("a viewer saw state %q", got)
			}
		}
		if n := s.SumOfMetric(`onair_missed_beats_total{list="live"}`); n != 0 {
			t.Errorf("%v beats were missed", n)
		}
	})
}

// TestBeatNearDeadlineSavesOrIsLate: a beat near the last miss either saves the session or
// is late. Only its time decides.
func TestBeatNearDeadlineSavesOrIsLate(t *testing.T) {
	t.Parallel()
	const interval, grace, tick = 4 * time.Second, 400 * time.Millisecond, time.Second
	saved := func(t *testing.T, phase, after time.Duration) (live bool) {
		synctest.Test(t, func(t *testing.T) {
			s := nodetest.Serve(t, "--heartbeat.interval", interval.String())
			viewer, alice := s.DialViewer(""), s.DialAnchor("alice")
			nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()})
			time.Sleep(phase)
			code := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"}).Stream.Code
			time.Sleep(after)
			alice.Send(&wire.Beat{N: 1}) // fails where the socket is closed
			time.Sleep(2*tick + 500*time.Millisecond)
			synctest.Wait()
			leaves, arrivals := 0, 0
			for len(viewer.Inbox) > 0 {
				d, ok := viewer.Receive().Message.(*wire.Diff)
				if !ok {
					continue
				}
				leaves += len(d.Del)
				arrivals += len(d.Put)
			}
			ended, acked, closed := 0, false, false
			for len(alice.Inbox) > 0 {
				r := alice.TryReceive()
				closed = closed || r.Err != nil
				switch m := r.Message.(type) {
				case *wire.Ended:
					ended++
					if m.Reason != wire.EndMissedBeats {
						t.Errorf("after %v: ended with %+v", after, m)
					}
				case *wire.Ack:
					acked = true
				}
			}
			live = nodetest.StateInView(&viewer.View, code) == wire.StateLive
			gone := nodetest.StateInView(&viewer.View, code) == ""
			wantEnds := 0
			if !live {
				wantEnds = 1
			}
			if live == gone || live != acked || arrivals != 1 || leaves != wantEnds || ended != wantEnds || closed != gone ||
				s.SumOfMetric(`onair_ends_total{list="live",reason="missed_beats"}`) != float64(wantEnds) {
				t.Errorf("%v after %v: live %v, acked %v, came %d times, left %d times, ended %d times, closed %v",
					after, phase, live, acked, arrivals, leaves, ended, closed)
			}
			if live {
				nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: 2})
			}
		})
		return live
	}
	const deadline = 3*interval + grace
	// Not at the same time as another event, because then the order is random.
	for _, phase := range []time.Duration{0, 310 * time.Millisecond, 620 * time.Millisecond, 930 * time.Millisecond} {
		before := true
		for after := deadline - tick + 7*time.Millisecond; after <= deadline+3*tick; after += 200 * time.Millisecond {
			live := saved(t, phase, after)
			switch {
			case live && !before:
				t.Errorf("a beat %v after %v saves the session, an earlier one did not", after, phase)
			case !live && after <= deadline:
				t.Errorf("a beat %v after %v does not save the session", after, phase)
			case live && after > deadline+2*tick:
				t.Errorf("a beat %v after %v saves the session", after, phase)
			case live != saved(t, phase, after):
				t.Errorf("%v after %v: two runs differ", after, phase)
			}
			before = live
		}
	}
}

// TestStoppedSessionStaysStopped: no later message restores a session that was stopped.
func TestStoppedSessionStaysStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		viewer, alice := s.DialViewer(""), s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()})
		started := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
		nodetest.RequestReply[*wire.Stopped](alice, &wire.Stop{ID: alice.NextID()})
		for _, m := range []wire.Message{
			&wire.Beat{ID: alice.NextID(), N: 9}, &wire.Update{ID: alice.NextID(), Title: wire.Some("Late")},
			&wire.PushRequest{ID: alice.NextID()}, &wire.Stop{ID: alice.NextID()},
		} {
			if e := nodetest.RequestReply[*wire.Error](alice, m); e.Code != wire.CodeSessionGone {
				t.Errorf("%T was answered with %+v", m, e)
			}
		}
		e := nodetest.RequestReply[*wire.Error](alice, &wire.Resume{ID: alice.NextID(), Session: started.Session})
		if e.Code != wire.CodeSessionGone || e.Reason != wire.EndStopped || e.Summary == nil {
			t.Errorf("resume was answered with %+v", e)
		}
		time.Sleep(5 * time.Minute)
		if got := nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()}); got.Total != 0 {
			t.Errorf("%d streams are listed", got.Total)
		}
		// A new start is a new session, and viewers see its stream arrive.
		again := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Again"})
		if again.Session == started.Session {
			t.Error("the same session")
		}
		viewer.AwaitView("again", func(l *wire.ClientView) bool { e, _ := l.Entry(again.Stream.Code); return e.Title == "Again" })
	})
}

// TestReturnAfterExpiryNeedsNewSession: an anchor whose session expired cannot resume it.
// A new start is a new session, and viewers see its stream arrive.
func TestReturnAfterExpiryNeedsNewSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		viewer, alice := s.DialViewer(""), s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()})
		started := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
		nodetest.AwaitMessage[*wire.Ended](alice)
		viewer.AwaitView("gone", func(l *wire.ClientView) bool { return nodetest.StateInView(l, started.Stream.Code) == "" })
		alice = s.DialAnchor("alice")
		e := nodetest.RequestReply[*wire.Error](alice, &wire.Resume{ID: alice.NextID(), Session: started.Session})
		if e.Code != wire.CodeSessionGone || e.Reason != wire.EndMissedBeats || e.Summary == nil {
			t.Errorf("resume was answered with %+v", e)
		}
		again := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Again"})
		if again.Session == started.Session {
			t.Error("the same session")
		}
		for {
			if d, _ := nodetest.AwaitMessage[*wire.Diff](viewer); len(d.Put) == 1 && d.Put[0].Title == "Again" {
				break
			}
		}
	})
}

// TestReplacedSocketChangesNothing: messages of a socket have no effect after another
// socket has resumed its session, however late they arrive. The latest change stands, in
// one entry.
func TestReplacedSocketChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		viewer := s.DialViewer("")
		nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()})
		was := s.DialAnchor("alice")
		started := nodetest.RequestReply[*wire.Started](was, &wire.Start{ID: was.NextID(), Title: "0"})
		for n := range 20 {
			is := s.DialAnchor("alice")
			// Both at once: the new socket sends the last change.
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				for range 5 {
					was.Send(&wire.Update{Title: wire.Some("old")})
				}
				was.Send(&wire.Stop{})
			}()
			answer, err := is.Request(&wire.Resume{ID: is.NextID(), Session: started.Session})
			if err != nil {
				t.Fatal(err)
			}
			if e, gone := answer.(*wire.Error); gone {
				// The stop of the old socket was first. The error has the reason.
				if e.Code != wire.CodeSessionGone || e.Reason != wire.EndStopped {
					t.Fatalf("resume was answered with %+v", e)
				}
				started = nodetest.RequestReply[*wire.Started](is, &wire.Start{ID: is.NextID(), Title: "0"})
			}
			title := fmt.Sprint(n)
			nodetest.RequestReply[*wire.Updated](is, &wire.Update{ID: is.NextID(), Title: wire.Some(title)})
			<-sent
			time.Sleep(2 * time.Second)
			page := nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()})
			if len(page.Streams) != 1 || page.Streams[0].Title != title {
				t.Fatalf("round %d: listed %+v", n, page.Streams)
			}
			was = is
		}
	})
}

// TestResumeReplacesOldSocket: a resume on a new socket replaces the old one, even if that
// is still open.
func TestResumeReplacesOldSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		viewer, was := s.DialViewer(""), s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()})
		started := nodetest.RequestReply[*wire.Started](was, &wire.Start{ID: was.NextID(), Title: "Hello"})
		is := s.DialAnchor("alice")
		if again := nodetest.RequestReply[*wire.Started](is, &wire.Resume{ID: is.NextID(), Session: started.Session}); again.Session != started.Session {
			t.Error("another session")
		}
		if code, _ := was.AwaitClose(); code != wire.CloseTakenOver {
			t.Errorf("the old socket was closed with %d", code)
		}
		nodetest.RequestReply[*wire.Ack](is, &wire.Beat{ID: is.NextID(), N: 1})
		time.Sleep(time.Second)
		synctest.Wait()
		arrivals := 0
		for len(viewer.Inbox) > 0 {
			if d, ok := viewer.Receive().Message.(*wire.Diff); ok {
				arrivals += len(d.Put)
				if len(d.Del) > 0 {
					t.Errorf("a viewer saw it leave: %+v", d)
				}
			}
		}
		if arrivals != 1 {
			t.Errorf("it arrived %d times", arrivals)
		}
	})
}

// TestWatcherWithoutPongsIsClosed: a watcher that never sends a pong is closed and no
// longer counts, even if a proxy keeps its connection open.
func TestWatcherWithoutPongsIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		alice, viewer := s.DialAnchor("alice"), s.DialViewer("")
		nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()})
		code := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"}).Stream.Code
		ghost := nodetest.DialRaw(s)
		if err := ghost.Upgrade("/v1/viewer"); err != nil {
			t.Fatal(err)
		}
		gone := make(chan time.Time, 1)
		go func() {
			io.Copy(io.Discard, ghost) // it reads everything and sends no pong
			gone <- time.Now()
		}()
		watched := time.Now()
		if _, err := ghost.Write(nodetest.MaskedFrame(nodetest.FinalFrame|nodetest.OpText, `{"type":"watch","code":"`+code+`"}`)); err != nil {
			t.Fatal(err)
		}
		viewers := func(n int64) func(*wire.ClientView) bool {
			return func(l *wire.ClientView) bool { e, _ := l.Entry(code); return e.Viewers == n }
		}
		viewer.AwaitView("one viewer", viewers(1))
		ctx, stop := context.WithCancel(t.Context())
		beating := make(chan struct{})
		go func() {
			defer close(beating)
			for ctx.Err() == nil {
				alice.Send(&wire.Beat{})
				time.Sleep(time.Minute)
			}
		}()
		at := viewer.AwaitView("none", viewers(0))
		nodetest.RequireWithin(t, "it is no longer counted", at.Sub(watched), 2*sockets.PingInterval, 4*sockets.PingInterval)
		nodetest.RequireWithin(t, "it is closed", (<-gone).Sub(watched), 2*sockets.PingInterval, 4*sockets.PingInterval)
		stop()
		<-beating
	})
}

// TestForgedForwardedForIsIgnored: without a trusted proxy, a client counts under its own
// address, whatever its headers say.
func TestForgedForwardedForIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--limits.sockets-per-address", "2")
		for n := range 4 {
			c := nodetest.DialRaw(s)
			c.SetReadDeadline(time.Now().Add(10 * time.Second))
			from := fmt.Sprintf("203.0.113.%d", n)
			if err := c.Upgrade("/v1/viewer", "X-Forwarded-For: "+from, "Forwarded: for="+from, "X-Real-IP: "+from); err != nil {
				t.Fatal(err)
			}
			if n < 2 {
				if _, text, err := c.ReadFrame(); err != nil {
					t.Fatalf("no welcome but %q, %v", text, err)
				}
				continue
			}
			if code, err := c.AwaitClose(); code != wire.CloseTooManySockets {
				t.Errorf("socket %d: closed with %d, %v", n, code, err)
			}
		}
	})
}

// TestDrainingNodeIsNotReady: a draining node is not ready, rejects new sockets, and
// serves the open ones until their close time.
func TestDrainingNodeIsNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--drain", "10s")
		if got := nodetest.ReadyStatus(s); got != http.StatusOK {
			t.Errorf("readyz: HTTP %d", got)
		}
		anchors := make([]*nodetest.Client, 200)
		for i := range anchors {
			anchors[i] = s.DialAnchor(fmt.Sprint("anchor", i))
			nodetest.RequestReply[*wire.Started](anchors[i], &wire.Start{ID: anchors[i].NextID(), Title: "Hello"})
		}
		began := time.Now()
		s.Stop()
		time.Sleep(100 * time.Millisecond)
		if got := nodetest.ReadyStatus(s); got != http.StatusServiceUnavailable {
			t.Errorf("readyz while draining: HTTP %d", got)
		}
		if draining, ready := s.MetricText("onair_draining"), s.MetricText("onair_ready"); draining != "1" || ready != "0" {
			t.Errorf("while draining: onair_draining is %s, onair_ready %s", draining, ready)
		}
		if got := s.GetStatus("/v1/viewer", ""); got != http.StatusServiceUnavailable {
			t.Errorf("a new socket while draining: HTTP %d", got)
		}
		for _, a := range anchors {
			d, _ := nodetest.AwaitMessage[*wire.Drain](a)
			code, at := a.AwaitClose()
			if code != wire.CloseDrained {
				t.Errorf("closed with %d", code)
			}
			turn := time.Duration(d.ReconnectInMS) * time.Millisecond
			nodetest.RequireWithin(t, "closed", at.Sub(began), turn, turn+time.Second)
		}
		if err := s.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// TestLeavingNodeServes: a stopping node is unready at once, so that load balancers send it
// no new clients. Until they have seen that, it serves as before. Then it drains.
func TestLeavingNodeServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--leave", "5s")
		alice := s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
		began := time.Now()
		s.Stop()
		time.Sleep(4 * time.Second)
		if got := nodetest.ReadyStatus(s); got != http.StatusServiceUnavailable {
			t.Errorf("readyz while leaving: HTTP %d", got)
		}
		bob := s.DialAnchor("bob")
		nodetest.RequestReply[*wire.Started](bob, &wire.Start{ID: bob.NextID(), Title: "Hello"})
		for _, a := range []*nodetest.Client{alice, bob} {
			code, at := a.AwaitClose()
			if code != wire.CloseDrained {
				t.Errorf("closed with %d", code)
			}
			nodetest.RequireWithin(t, "closed", at.Sub(began), 5*time.Second, 6*time.Second)
		}
		if err := s.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// TestUpdatesKeepOrder: updates that are sent without waiting, some twice, take effect in
// order. No viewer sees an older one after a newer one.
func TestUpdatesKeepOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--hub.tick", "1ms")
		viewer, alice := s.DialViewer(""), s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()})
		code := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "0"}).Stream.Code
		const n = 30 // below limits.burst
		for i := range n {
			alice.Send(&wire.Update{ID: alice.NextID(), Title: wire.Some(strconv.Itoa(i/2 + 1))})
			time.Sleep(time.Duration(i%3) * time.Millisecond)
		}
		for i := range n {
			u, _ := nodetest.AwaitMessage[*wire.Updated](alice)
			if want := strconv.Itoa(i/2 + 1); u.Stream.Title != want {
				t.Errorf("update %d was answered with title %s, want %s", i, u.Stream.Title, want)
			}
		}
		for shown := 0; shown < n/2; {
			viewer.Receive()
			e, listed := viewer.View.Entry(code)
			if !listed {
				continue
			}
			now, err := strconv.Atoi(e.Title)
			if err != nil || now < shown {
				t.Fatalf("a viewer saw %q after %d", e.Title, shown)
			}
			shown = now
		}
	})
}

// TestDrainIsBounded: sockets that accept no message do not delay the stop of a node.
func TestDrainIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--drain", "10s")
		alice := s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "0"})
		stuck, gate := s.DialSlowViewer()
		nodetest.RequestReply[*wire.Snapshot](stuck, &wire.Subscribe{ID: stuck.NextID()})
		gate.Lock()
		defer gate.Unlock()
		for n := range 3 { // a write to it is blocked
			nodetest.RequestReply[*wire.Updated](alice, &wire.Update{ID: alice.NextID(), Title: wire.Some(strconv.Itoa(n))})
			time.Sleep(time.Second)
		}
		began := time.Now()
		s.Stop()
		if err := s.Wait(); err != nil {
			t.Error(err)
		}
		nodetest.RequireWithin(t, "stopped", time.Since(began), 0, 3*time.Second)
	})
}
