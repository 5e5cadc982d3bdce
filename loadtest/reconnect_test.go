//go:build linux

package main

import (
	"testing"
	"time"

	"onair/hub/wire"
	"onair/loadtest/report"
)

// TestViewerLeavesDrainingNode: a viewer obeys a drain at once, and it is no failure. A
// socket that ends otherwise is one, and the viewer waits.
func TestViewerLeavesDrainingNode(t *testing.T) {
	const reconnectIn = 300 * time.Millisecond
	drain := messageFrame(&wire.Drain{ReconnectInMS: reconnectIn.Milliseconds()})
	for name, test := range map[string]struct {
		frames               []byte
		waitsForDrain        bool
		drained, disconnects int
	}{
		"by message":        {drain, true, 1, 0},
		"by close":          {append(drain, serverFrame(opClose, "\x10\x68")...), false, 1, 0},
		"without a message": {serverFrame(opClose, "\x10\x68"), false, 1, 0},
		"disconnected":      {serverFrame(opClose, "\x03\xe9"), false, 0, 1},
		"not due yet":       {drain, false, 0, 0},
	} {
		loop, v := newLoneViewer(t)
		if err := loop.handleBytes(v, append(append(welcomeFrame(), messageFrame(newSnapshot("1", newEntry("a", 1)))...), test.frames...)); err != nil {
			t.Fatal(err)
		}
		if test.waitsForDrain {
			if due, ok := loop.timers.popDue(loop.now + reconnectIn); ok {
				due.action()
			}
		}
		if loop.counters.Drained != test.drained || loop.counters.Disconnects != test.disconnects || loop.counters.Refusals != 0 {
			t.Errorf("%s: %d drained, %d disconnects, want %d and %d", name, loop.counters.Drained, loop.counters.Disconnects, test.drained, test.disconnects)
		}
		_, ok := loop.timers.popDue(loop.now)
		if reconnects := ok && v.stage == stageClosed; reconnects != (test.drained > 0) {
			t.Errorf("%s: reconnects at once: %t", name, reconnects)
		}
	}
}

// TestReconnectsAreCounted: reconnects with a position are counted by the kind of the
// answer, and by whether the node has just restarted.
func TestReconnectsAreCounted(t *testing.T) {
	loop, v := newLoneViewer(t)
	reconnect := func(answer []byte) {
		t.Helper()
		loop.closeWithoutFrame(v)
		v.stage, v.hasList, v.isDrained = stageAwaitingWelcome, false, false
		if err := loop.handleBytes(v, append(welcomeFrame(), answer...)); err != nil {
			t.Fatal(err)
		}
	}
	resume := func(prev, pos string) []byte {
		d := newDiff(prev, pos)
		d.ID = subscribeID
		return messageFrame(d)
	}
	expect := func(want report.Reconnects) {
		t.Helper()
		if loop.counters.Reconnects != want {
			t.Errorf("got %+v, want %+v", loop.counters.Reconnects, want)
		}
	}
	reconnect(messageFrame(newSnapshot("1", newEntry("a", 1))))
	expect(report.Reconnects{})
	reconnect(resume("1", "2"))
	expect(report.Reconnects{All: 1, Resumed: 1})
	loop.nodes[v.node].isDown = true
	reconnect(resume("2", "3"))
	expect(report.Reconnects{All: 2, Resumed: 2, Restarted: 1, RestartedResumed: 1})
	reconnect(messageFrame(newSnapshot("4", newEntry("a", 1))))
	expect(report.Reconnects{All: 3, Resumed: 2, Restarted: 2, RestartedResumed: 1})
	loop.now += recentRestart
	reconnect(resume("4", "5"))
	expect(report.Reconnects{All: 4, Resumed: 3, Restarted: 2, RestartedResumed: 1})
}

// TestLatencyIsRecordedByKind: latency is recorded by node, and that of starts by
// whether the view was quiet.
func TestLatencyIsRecordedByKind(t *testing.T) {
	loop, v := newLoneViewer(t)
	loop.now = 10 * time.Second
	const sent = 9 * time.Second
	loop.recordLatency(v, command{sent, v.node, false}, 0)
	loop.recordLatency(v, command{sent, v.node + 1, true}, sent-quietThreshold)
	loop.recordLatency(v, command{sent, v.node, true}, sent-quietThreshold+1)
	loop.isSettling = true
	loop.recordLatency(v, command{sent, v.node, true}, 0) // after the measured phase
	h := &loop.latencies
	got := [...]int64{
		h.measured.TotalCount(), h.all.same.TotalCount(), h.all.other.TotalCount(),
		h.quietStarts.same.TotalCount(), h.quietStarts.other.TotalCount(), h.busyStarts.same.TotalCount(), h.busyStarts.other.TotalCount(),
	}
	if want := [...]int64{3, 2, 1, 0, 1, 1, 0}; got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}
