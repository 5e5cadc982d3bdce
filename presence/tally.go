package presence

import (
	"cmp"
	"slices"
	"sync"
)

// tally is a node's absolute numbers by stream, of which those that changed go
// out with each tick.
type tally struct {
	mu     sync.Mutex
	counts map[Lease]tallied
	queue  []Lease // those that changed since they were sent
}

type tallied struct {
	now, sent int64
	queued    bool
}

// maxTally is how many counts go out in one tick, the most changed first: about
// four kilobytes.
const maxTally = 512

func (t *tally) set(l Lease, n int64) { t.edit(l, func(int64) int64 { return n }) }
func (t *tally) add(l Lease, n int64) { t.edit(l, func(was int64) int64 { return was + n }) }

func (t *tally) edit(l Lease, f func(int64) int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.counts[l]
	x.now = min(max(0, f(x.now)), maxCount)
	if !x.queued && x.now != x.sent {
		x.queued = true
		t.queue = append(t.queue, l)
	}
	t.put(l, x)
}

// put keeps what is not nothing.
func (t *tally) put(l Lease, x tallied) {
	if x == (tallied{}) {
		delete(t.counts, l)
	} else {
		t.counts[l] = x
	}
}

// take returns what is to be sent now.
func (t *tally) take() []Count {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) > maxTally {
		t.sort()
	}
	n := min(len(t.queue), maxTally)
	var out []Count
	for _, l := range t.queue[:n] {
		x := t.counts[l]
		if x.now != x.sent {
			out = append(out, Count{l, x.now})
		}
		x.sent, x.queued = x.now, false
		t.put(l, x)
	}
	t.queue = slices.Delete(t.queue, 0, n)
	return out
}

// sort puts those first that changed most.
func (t *tally) sort() {
	type moved struct {
		Lease
		by int64
	}
	all := make([]moved, len(t.queue))
	for i, l := range t.queue {
		x := t.counts[l]
		all[i] = moved{l, max(x.now-x.sent, x.sent-x.now)}
	}
	slices.SortFunc(all, func(a, b moved) int {
		return cmp.Or(cmp.Compare(b.by, a.by), cmp.Compare(a.Index, b.Index), cmp.Compare(a.Tag, b.Tag))
	})
	for i, m := range all {
		t.queue[i] = m.Lease
	}
}

// untake puts back what was not written.
func (t *tally) untake(counts []Count) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range counts {
		x, ok := t.counts[c.Lease]
		x.sent = -1 // nobody's number: it goes again, whatever it is by then
		if !ok {
			x.now = c.N
		}
		if !x.queued {
			x.queued = true
			t.queue = append(t.queue, c.Lease)
		}
		t.counts[c.Lease] = x
	}
}

// forget lets go of a session that has ended.
func (t *tally) forget(l Lease) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x, ok := t.counts[l]; ok {
		delete(t.counts, l)
		if x.queued {
			t.queue = slices.DeleteFunc(t.queue, func(q Lease) bool { return q == l })
		}
	}
}
