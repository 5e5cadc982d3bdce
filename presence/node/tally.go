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
	counts map[presence.Session]tallied
	queue  []presence.Session // those that changed since they were sent
}

type tallied struct {
	now, sent int64
	queued    bool
}

// nobodys is sent for a number that goes again, whatever it is by then.
const nobodys = -1

// maxTally is how many counts go out in one tick, the most changed first: about
// four kilobytes.
const maxTally = 512

func (t *tally) set(s presence.Session, n int64) { t.edit(s, func(int64) int64 { return n }) }
func (t *tally) add(s presence.Session, n int64) { t.edit(s, func(was int64) int64 { return was + n }) }

func (t *tally) edit(s presence.Session, f func(int64) int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.counts[s]
	x.now = min(max(0, f(x.now)), presence.MaxCount)
	t.put(s, x)
}

// put keeps what is not nothing, and queues what is to be sent.
func (t *tally) put(s presence.Session, x tallied) {
	if x == (tallied{}) {
		delete(t.counts, s)
		return
	}
	if !x.queued && x.now != x.sent {
		x.queued = true
		t.queue = append(t.queue, s)
	}
	t.counts[s] = x
}

// take returns what is to be sent now, and of which sessions. Those that the
// registry does not know of wait: the log may have lost them for a while.
func (t *tally) take(r *presence.Registry) (out []presence.Count, of []presence.Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) > maxTally {
		t.sort()
	}
	var rest []presence.Session
	for i, s := range t.queue {
		if len(out) == maxTally {
			rest = append(rest, t.queue[i:]...)
			break
		}
		x := t.counts[s]
		st := r.Session(s)
		switch {
		case st == nil && r.Ended(s) != nil:
			delete(t.counts, s)
			continue
		case st == nil:
			rest = append(rest, s)
			continue
		case x.now != x.sent:
			out, of = append(out, presence.Count{Lease: st.Lease(), N: x.now}), append(of, s)
		}
		x.sent, x.queued = x.now, false
		t.put(s, x)
	}
	t.queue = append(t.queue[:0], rest...)
	return out, of
}

// sort puts those first that changed most.
func (t *tally) sort() {
	type moved struct {
		presence.Session
		by int64
	}
	all := make([]moved, len(t.queue))
	for i, s := range t.queue {
		x := t.counts[s]
		all[i] = moved{s, max(x.now-x.sent, x.sent-x.now)}
	}
	slices.SortFunc(all, func(a, b moved) int {
		return cmp.Or(cmp.Compare(b.by, a.by), bytes.Compare(a.Session[:], b.Session[:]))
	})
	for i, m := range all {
		t.queue[i] = m.Session
	}
}

// untake puts back what was taken of these sessions and not written.
func (t *tally) untake(of []presence.Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range of {
		x := t.counts[s]
		x.sent = nobodys
		t.put(s, x)
	}
}

// resend has all numbers go again, and no viewers for the sessions of which the
// log has numbers that are not known here.
func (t *tally) resend(known []presence.Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s, x := range t.counts {
		x.sent = nobodys
		t.put(s, x)
	}
	for _, s := range known {
		x := t.counts[s]
		x.sent = nobodys
		t.put(s, x)
	}
}

// forget lets go of a session that has ended.
func (t *tally) forget(s presence.Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x, ok := t.counts[s]; ok {
		delete(t.counts, s)
		if x.queued {
			t.queue = slices.DeleteFunc(t.queue, func(q presence.Session) bool { return q == s })
		}
	}
}

// keep lets go of all sessions but those that are live.
func (t *tally) keep(r *presence.Registry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.counts {
		if r.Session(s) == nil {
			delete(t.counts, s)
		}
	}
	t.queue = slices.DeleteFunc(t.queue, func(s presence.Session) bool { _, there := t.counts[s]; return !there })
}
