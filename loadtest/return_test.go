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
		if err := c.hear(v, append(append(welcome(), text(snapshot("1", entry("a", 1)))...), test.frames...)); err != nil {
			t.Fatal(err)
		}
		if test.later {
			if due, ok := c.timers.due(c.now + in); ok {
				due.do(c, due.v)
			}
		}
		if c.tally.drained != test.drained || c.tally.disconnects != test.disconnects || c.tally.refusals != 0 {
			t.Errorf("%s: %d drained, %d disconnects, want %d and %d", name, c.tally.drained, c.tally.disconnects, test.drained, test.disconnects)
		}
		_, ok := c.timers.due(c.now)
		if atOnce := ok && v.stage == stageAway; atOnce != (test.drained > 0) {
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
		c.hangUp(v)
		v.stage, v.followed, v.drained = stageGreeting, false, false
		if err := c.hear(v, append(welcome(), answer...)); err != nil {
			t.Fatal(err)
		}
	}
	led := func(prev, pos string) []byte {
		d := diff(prev, pos)
		d.ID = answersSubscribe
		return text(d)
	}
	expect := func(want returns) {
		t.Helper()
		if c.tally.returns != want {
			t.Errorf("got %+v, want %+v", c.tally.returns, want)
		}
	}
	again(text(snapshot("1", entry("a", 1))))
	expect(returns{})
	again(led("1", "2"))
	expect(returns{all: 1, resumed: 1})
	c.doing[v.node].away = true
	again(led("2", "3"))
	expect(returns{all: 2, resumed: 2, young: 1, youngResumed: 1})
	again(text(snapshot("4", entry("a", 1))))
	expect(returns{all: 3, resumed: 2, young: 2, youngResumed: 1})
	c.now += youth
	again(led("4", "5"))
	expect(returns{all: 4, resumed: 3, young: 2, youngResumed: 1})
}

// TestLatencyIsSplit: by node, and that of starts by whether the view was quiet.
func TestLatencyIsSplit(t *testing.T) {
	c, v := lone(t)
	c.now = 10 * time.Second
	const sent = 9 * time.Second
	c.latency(v, mark{sent, v.node, false}, 0)
	c.latency(v, mark{sent, v.node + 1, true}, sent-quietFor)
	c.latency(v, mark{sent, v.node, true}, sent-quietFor+1)
	c.calm = true
	c.latency(v, mark{sent, v.node, true}, 0) // what is no longer measured
	n := &c.counts
	got := [...]int64{
		n.measured.TotalCount(), n.commands.same.TotalCount(), n.commands.other.TotalCount(),
		n.quiet.same.TotalCount(), n.quiet.other.TotalCount(), n.busy.same.TotalCount(), n.busy.other.TotalCount(),
	}
	if want := [...]int64{3, 2, 1, 0, 1, 1, 0}; got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}
