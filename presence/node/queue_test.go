package node

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"onair/presence"
)

func TestTally(t *testing.T) {
	starts := make([]presence.Command, 3*maxCountsPerTick)
	for i := range starts {
		starts[i] = startOf(i, fmt.Sprint("anchor", i))
	}
	reg := registryOf(t, starts...)
	o := newCommandQueue()
	ta := &o.viewers
	take := func() []presence.Count { counts, _ := ta.takeChangedCounts(reg, false); return counts }
	lease := func(i int) presence.Lease { return reg.StreamBySession(sessionID(i)).Lease() }
	for i := range 3 * maxCountsPerTick {
		ta.setCount(sessionID(i), int64(i))
	}
	first, of := ta.takeChangedCounts(reg, false)
	check(t, "a tick's worth", len(first), maxCountsPerTick)
	check(t, "most changed first", first[0], presence.Count{Lease: lease(3*maxCountsPerTick - 1), N: 3*maxCountsPerTick - 1})
	b := presence.Batch{Node: "a", Incarnation: 1, Seq: 1, Viewers: first}
	check(t, "bytes", len(b.Seal().Bytes) <= 4200, true)
	ta.requeueCounts(of)
	check(t, "again", len(take()), maxCountsPerTick)
	take()
	check(t, "rest", len(take()), maxCountsPerTick-1)
	check(t, "nothing", len(take()), 0)

	s := sessionID(1)
	ta = &tally{counts: map[presence.Session]sessionCount{}}
	ta.setCount(s, 0)
	check(t, "nothing to send", len(ta.counts)+len(take()), 0)
	ta.setCount(s, -3)
	check(t, "nothing to send", len(ta.counts)+len(take()), 0)
	ta.setCount(s, 2)
	ta.setCount(s, 0)
	check(t, "changed back", len(take())+len(ta.counts), 0)
	ta.setCount(s, 2)
	take()
	ta.setCount(s, 0)
	zero, of := ta.takeChangedCounts(reg, false)
	check(t, "gone", slices.Equal(zero, []presence.Count{{Lease: lease(1)}}) && len(ta.counts) == 0, true)
	ta.requeueCounts(of)
	check(t, "gone again", slices.Equal(take(), zero), true)
	ta.addToCount(s, 3)
	ta.addToCount(s, 4)
	check(t, "added", take()[0].N, 7)
	ta.requeueAll([]presence.Session{sessionID(2)})
	check(t, "all again, and those that only the log has", len(take()), 2)
	ta.setCount(presence.Session{9}, 5)
	check(t, "not known yet", len(take()), 0)
	ta.dropNotLive(reg)
	check(t, "not live", len(ta.counts), 1)
	ta.dropSession(s)
	check(t, "forgotten", len(ta.counts)+len(ta.queue), 0)
}

// TestCountsOfEndedSessions: while views are frozen, the counts of an ended session stay,
// because its end may be undone.
func TestCountsOfEndedSessions(t *testing.T) {
	reg := registryOf(t, startOf(1, "ann"), &presence.Stop{Session: sessionID(1)})
	ta := &tally{counts: map[presence.Session]sessionCount{}}
	ta.setCount(sessionID(1), 2)
	ta.takeChangedCounts(reg, true)
	check(t, "frozen", len(ta.counts), 1)
	ta.takeChangedCounts(reg, false)
	check(t, "not frozen", len(ta.counts), 0)
}

func TestWaitingBeatsAreBounded(t *testing.T) {
	o := newCommandQueue()
	for round := range int64(100) {
		for i := range uint32(5_000) {
			o.addBeat(presence.Lease{Index: i, Tag: 1}, round)
		}
	}
	if n := cap(o.beats); n > 4*5_000 {
		t.Errorf("room for %d beats of 5000 leases", n)
	}
	b := &presence.Batch{}
	o.fillBatch(b, 100, 1<<20, nil)
	check(t, "beats", len(b.Beats), 5_000)
	for _, x := range b.Beats {
		if x.Age != 1 {
			t.Fatalf("not the last beat: %+v", x)
		}
	}
}

func TestBeatAllocatesNothing(t *testing.T) {
	n, err := Join(t.Context(), newMemoryLog(), Config{Name: "a", Settings: fast})
	if err != nil {
		t.Fatal(err)
	}
	n.queue.beats = make([]waitingBeat, 0, 4_000)
	if got := testing.AllocsPerRun(1_000, func() { n.Beat(presence.Lease{Index: 1, Tag: 1}) }); got != 0 {
		t.Errorf("%v allocations a beat", got)
	}
}

// TestBatchesAreBounded: what does not fit into one batch goes into the next, in
// order, and nothing is lost.
func TestBatchesAreBounded(t *testing.T) {
	o := newCommandQueue()
	const many, size = 100, 4_000
	for i := range many {
		o.addBeat(presence.Lease{Index: uint32(i), Tag: 1}, 0)
		o.addUnawaited(startOf(i, fmt.Sprint("anchor", i)))
	}
	beats, commands, batches := 0, 0, 0
	for o.needsBatchNow(size) || beats < many {
		b := &presence.Batch{Node: "a"}
		o.fillBatch(b, 0, size, nil)
		if n := len(b.Seal().Bytes); n > size+200 {
			t.Errorf("a batch of %d bytes", n)
		}
		for _, c := range b.Commands {
			check(t, "order", c.(*presence.Start).Session, sessionID(commands))
			commands++
		}
		beats += len(b.Beats)
		if batches++; batches > many {
			t.Fatal("it does not end")
		}
	}
	check(t, "beats", beats, many)
	check(t, "commands", commands, many)
	check(t, "more than one batch", batches > 1, true)
	o.addUnawaited(&presence.Update{Session: sessionID(1), Title: new(strings.Repeat("x", 2*size))})
	b := &presence.Batch{}
	o.fillBatch(b, 0, size, nil)
	check(t, "one that is too long goes alone", len(b.Commands), 1)
}
