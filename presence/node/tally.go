package node

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"sync"

	"onair/presence"
)

// tally is a node's absolute counts by session. Those that changed are appended
// with each tick. It uses session ids because a session can have another lease
// after a loss.
type tally struct {
	mu     sync.Mutex
	counts map[presence.Session]sessionCount
	queue  []presence.Session // sessions whose count changed since it was sent
}

type sessionCount struct {
	current, sent int64
	queued        bool
}

// unknownSent as the sent count makes a count go again, whatever it is.
const unknownSent = -1

// maxCountsPerTick is how many counts are appended in one tick, the most changed
// first: about four kilobytes.
const maxCountsPerTick = 512

func (t *tally) setCount(s presence.Session, n int64) {
	t.updateCount(s, func(int64) int64 { return n })
}

func (t *tally) addToCount(s presence.Session, n int64) {
	t.updateCount(s, func(current int64) int64 { return current + n })
}

func (t *tally) updateCount(s presence.Session, newCount func(current int64) int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.counts[s]
	x.current = min(max(0, newCount(x.current)), presence.MaxCount)
	t.storeAndQueueCount(s, x)
}

// storeAndQueueCount stores a count that is not zero, and queues it if it must be sent.
func (t *tally) storeAndQueueCount(s presence.Session, x sessionCount) {
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

// takeChangedCounts returns the counts to send, and their sessions. Sessions that the
// registry lacks stay queued, because the log may have lost them for a while. While
// views are frozen, so do those of ended sessions, which may be restored.
func (t *tally) takeChangedCounts(known *presence.Registry, isFrozen bool) (counts []presence.Count, sessions []presence.Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) > maxCountsPerTick {
		t.sortQueueByChange()
	}
	var rest []presence.Session
	for i, s := range t.queue {
		if len(counts) == maxCountsPerTick {
			rest = append(rest, t.queue[i:]...)
			break
		}
		x := t.counts[s]
		st := known.StreamBySession(s)
		switch {
		case st == nil && known.EndedSession(s) != nil && !isFrozen:
			delete(t.counts, s)
			continue
		case st == nil:
			rest = append(rest, s)
			continue
		case x.current != x.sent:
			counts, sessions = append(counts, presence.Count{Lease: st.Lease(), N: x.current}), append(sessions, s)
		}
		x.sent, x.queued = x.current, false
		t.storeAndQueueCount(s, x)
	}
	t.queue = append(t.queue[:0], rest...)
	return counts, sessions
}

// sortQueueByChange sorts the queue by how much counts changed.
func (t *tally) sortQueueByChange() {
	type change struct {
		presence.Session
		by int64
	}
	all := make([]change, len(t.queue))
	for i, s := range t.queue {
		x := t.counts[s]
		all[i] = change{s, max(x.current-x.sent, x.sent-x.current)}
	}
	slices.SortFunc(all, func(a, b change) int {
		return cmp.Or(cmp.Compare(b.by, a.by), bytes.Compare(a.Session[:], b.Session[:]))
	})
	for i, m := range all {
		t.queue[i] = m.Session
	}
}

// requeueCounts queues counts that were taken but not written.
func (t *tally) requeueCounts(sessions []presence.Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requeue(sessions)
}

// requeueAll queues all counts, and zero for sessions that only the log has
// counts of.
func (t *tally) requeueAll(loggedSessions []presence.Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requeue(slices.AppendSeq(loggedSessions, maps.Keys(t.counts)))
}

// requeue queues counts, whatever they are. The caller holds mu.
func (t *tally) requeue(sessions []presence.Session) {
	for _, s := range sessions {
		x := t.counts[s]
		x.sent = unknownSent
		t.storeAndQueueCount(s, x)
	}
}

// dropSession drops the count of a session that has ended.
func (t *tally) dropSession(s presence.Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts[s].queued {
		t.queue = slices.DeleteFunc(t.queue, func(q presence.Session) bool { return q == s })
	}
	delete(t.counts, s)
}

// dropNotLive drops the counts of sessions that are not live.
func (t *tally) dropNotLive(r *presence.Registry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.counts {
		if r.StreamBySession(s) == nil {
			delete(t.counts, s)
		}
	}
	t.queue = slices.DeleteFunc(t.queue, func(s presence.Session) bool { _, ok := t.counts[s]; return !ok })
}
