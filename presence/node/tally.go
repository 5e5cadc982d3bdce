package node

import (
	"bytes"
	"cmp"
	"slices"
	"sync"

	"onair/presence"
)

// tally is a node's absolute numbers by session, of which those that changed go
// out with each tick. It knows sessions rather than leases, since after a loss
// of the log's tail a session may stand under another lease.
type tally struct {
	mu     sync.Mutex
	counts map[presence.Session]sessionCount
	queue  []presence.Session // those that changed since they were sent
}

type sessionCount struct {
	current, sent int64
	queued        bool
}

// unknownSent is sent for a number that goes again, whatever it is by then.
const unknownSent = -1

// maxCountsPerTick is how many counts go out in one tick, the most changed first: about
// four kilobytes.
const maxCountsPerTick = 512

func (t *tally) setCount(s presence.Session, n int64) {
	t.updateCount(s, func(int64) int64 { return n })
}

func (t *tally) addToCount(s presence.Session, n int64) {
	t.updateCount(s, func(was int64) int64 { return was + n })
}

func (t *tally) updateCount(s presence.Session, f func(int64) int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.counts[s]
	x.current = min(max(0, f(x.current)), presence.MaxCount)
	t.storeCount(s, x)
}

// storeCount keeps what is not nothing, and queues what is to be sent.
func (t *tally) storeCount(s presence.Session, x sessionCount) {
	if x == (sessionCount{}) {
		delete(t.counts, s)
		return
	}
	if !x.queued && x.current != x.sent {
		x.queued = true
		t.queue = append(t.queue, s)
	}
	t.counts[s] = x
}

// takeChanged returns what is to be sent now, and of which sessions. Those that the
// registry does not know of wait: the log may have lost them for a while.
func (t *tally) takeChanged(r *presence.Registry) (out []presence.Count, of []presence.Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) > maxCountsPerTick {
		t.sortByChange()
	}
	var rest []presence.Session
	for i, s := range t.queue {
		if len(out) == maxCountsPerTick {
			rest = append(rest, t.queue[i:]...)
			break
		}
		x := t.counts[s]
		st := r.StreamBySession(s)
		switch {
		case st == nil && r.EndedSession(s) != nil:
			delete(t.counts, s)
			continue
		case st == nil:
			rest = append(rest, s)
			continue
		case x.current != x.sent:
			out, of = append(out, presence.Count{Lease: st.Lease(), N: x.current}), append(of, s)
		}
		x.sent, x.queued = x.current, false
		t.storeCount(s, x)
	}
	t.queue = append(t.queue[:0], rest...)
	return out, of
}

// sortByChange puts those first that changed most.
func (t *tally) sortByChange() {
	type moved struct {
		presence.Session
		by int64
	}
	all := make([]moved, len(t.queue))
	for i, s := range t.queue {
		x := t.counts[s]
		all[i] = moved{s, max(x.current-x.sent, x.sent-x.current)}
	}
	slices.SortFunc(all, func(a, b moved) int {
		return cmp.Or(cmp.Compare(b.by, a.by), bytes.Compare(a.Session[:], b.Session[:]))
	})
	for i, m := range all {
		t.queue[i] = m.Session
	}
}

// requeue puts back what was taken of these sessions and not written.
func (t *tally) requeue(of []presence.Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range of {
		x := t.counts[s]
		x.sent = unknownSent
		t.storeCount(s, x)
	}
}

// resendAll has all numbers go again, and no viewers for the sessions of which the
// log has numbers that are not known here.
func (t *tally) resendAll(known []presence.Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s, x := range t.counts {
		x.sent = unknownSent
		t.storeCount(s, x)
	}
	for _, s := range known {
		x := t.counts[s]
		x.sent = unknownSent
		t.storeCount(s, x)
	}
}

// dropSession lets go of a session that has ended.
func (t *tally) dropSession(s presence.Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x, ok := t.counts[s]; ok {
		delete(t.counts, s)
		if x.queued {
			t.queue = slices.DeleteFunc(t.queue, func(q presence.Session) bool { return q == s })
		}
	}
}

// dropNotLive lets go of all sessions but those that are live.
func (t *tally) dropNotLive(r *presence.Registry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.counts {
		if r.StreamBySession(s) == nil {
			delete(t.counts, s)
		}
	}
	t.queue = slices.DeleteFunc(t.queue, func(s presence.Session) bool { _, there := t.counts[s]; return !there })
}
