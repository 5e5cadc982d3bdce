//go:build linux

package main

import (
	"testing"
	"time"

	"onair/hub/wire"
)

// TestViewerIsSentOn: a drain is obeyed at once, and is nobody's fault; a socket
// that ends otherwise is one, and waits.
func TestViewerIsSentOn(t *testing.T) {
	const in = 300 * time.Millisecond
	drain := text(&wire.Drain{ReconnectInMS: in.Milliseconds()})
	for name, test := range map[string]struct {
		frames               []byte
		later                bool // let the time of the drain come
		drained, disconnects int
	}{
		"told":            {drain, true, 1, 0},
		"closed":          {append(drain, serverFrame(opClose, "\x10\x68")...), false, 1, 0},
		"closed unawares": {serverFrame(opClose, "\x10\x68"), false, 1, 0},
		"cut":             {serverFrame(opClose, "\x03\xe9"), false, 0, 1},
		"not yet":         {drain, false, 0, 0},
	} {
		c, v := lone(t)
		if err := c.handleBytes(v, append(append(welcome(), text(snapshot("1", entry("a", 1)))...), test.frames...)); err != nil {
			t.Fatal(err)
		}
		if test.later {
			if due, ok := c.timers.popDue(c.now + in); ok {
				due.action(c, due.viewer)
			}
		}
		if c.counters.drained != test.drained || c.counters.disconnects != test.disconnects || c.counters.refusals != 0 {
			t.Errorf("%s: %d drained, %d disconnects, want %d and %d", name, c.counters.drained, c.counters.disconnects, test.drained, test.disconnects)
		}
		_, ok := c.timers.popDue(c.now)
		if atOnce := ok && v.stage == stageClosed; atOnce != (test.drained > 0) {
			t.Errorf("%s: comes back at once: %t", name, atOnce)
		}
	}
}

// TestReturns: who comes back with a position is counted, by what was answered
// and by whether the node had just been away.
func TestReturns(t *testing.T) {
	c, v := lone(t)
	again := func(answer []byte) {
		t.Helper()
		c.closeViewer(v)
		v.stage, v.hasList, v.isDrained = stageAwaitingWelcome, false, false
		if err := c.handleBytes(v, append(welcome(), answer...)); err != nil {
			t.Fatal(err)
		}
	}
	led := func(prev, pos string) []byte {
		d := diff(prev, pos)
		d.ID = subscribeID
		return text(d)
	}
	expect := func(want reconnectCounters) {
		t.Helper()
		if c.counters.reconnects != want {
			t.Errorf("got %+v, want %+v", c.counters.reconnects, want)
		}
	}
	again(text(snapshot("1", entry("a", 1))))
	expect(reconnectCounters{})
	again(led("1", "2"))
	expect(reconnectCounters{all: 1, resumed: 1})
	c.nodes[v.node].isDown = true
	again(led("2", "3"))
	expect(reconnectCounters{all: 2, resumed: 2, recent: 1, recentResumed: 1})
	again(text(snapshot("4", entry("a", 1))))
	expect(reconnectCounters{all: 3, resumed: 2, recent: 2, recentResumed: 1})
	c.now += restartedRecently
	again(led("4", "5"))
	expect(reconnectCounters{all: 4, resumed: 3, recent: 2, recentResumed: 1})
}

// TestLatencyIsSplit: by node, and that of starts by whether the view was quiet.
func TestLatencyIsSplit(t *testing.T) {
	c, v := lone(t)
	c.now = 10 * time.Second
	const sent = 9 * time.Second
	c.recordLatency(v, command{sent, v.node, false}, 0)
	c.recordLatency(v, command{sent, v.node + 1, true}, sent-quietThreshold)
	c.recordLatency(v, command{sent, v.node, true}, sent-quietThreshold+1)
	c.isSettling = true
	c.recordLatency(v, command{sent, v.node, true}, 0) // what is no longer measured
	n := &c.latencies
	got := [...]int64{
		n.measured.TotalCount(), n.all.same.TotalCount(), n.all.other.TotalCount(),
		n.quietStarts.same.TotalCount(), n.quietStarts.other.TotalCount(), n.busyStarts.same.TotalCount(), n.busyStarts.other.TotalCount(),
	}
	if want := [...]int64{3, 2, 1, 0, 1, 1, 0}; got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}
