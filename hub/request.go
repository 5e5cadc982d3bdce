package hub

import (
	"slices"
	"time"

	"onair/hub/wire"
	"onair/presence"
)

// request is a subscription without an answer. The hub makes the answer when the
// socket can accept it. So it leads to the view's last frame, and no frame waits
// for a slow socket. Hub.mu guards it.
type request struct {
	cursor     *cursor
	id         wire.ID
	resumeFrom presence.Position
	canResume  bool      // false: the answer is a snapshot
	deadline   time.Time // of waiting; zero: has not been deferred
}

// maxResumeWait bounds how long a request waits for a position that this node
// has not reached, or for a Rebase. Then a snapshot answers it, which may go
// back in time.
const maxResumeWait = 10 * time.Second

// answerOrDeferRequest makes the answer to a request, unless it defers the
// request. The caller has set Socket.pumping.
func (h *Hub) answerOrDeferRequest(r *request) (answer outgoing, isAnswered bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := r.cursor
	if c.shardIndex < 0 {
		r.canResume = false
	}
	if r.canResume && h.isAheadOfView(r) && h.deferOrFallBackToSnapshot(r) {
		return answer, false
	}
	var f *frame
	if r.canResume {
		f = h.catchUpOrSnapshotFrame(c.view, r.resumeFrom)
	} else {
		f = h.snapshotFrame(c.view)
	}
	h.metrics.observeResume(r, f)
	c.socket.mu.Lock()
	c.unanswered--
	c.pos = c.view.published.pos
	c.socket.mu.Unlock()
	return outgoing{f.message(r.id), messageInfo{kind: f.kind}}, true
}

// isAheadOfView reports whether the view has not reached the request's position, or
// may not have: this node has not applied it, or the view has not published it.
// A view that is clean need not move: its state at that position is the same.
func (h *Hub) isAheadOfView(r *request) bool {
	v := r.cursor.view
	switch {
	case r.resumeFrom == v.published.pos:
		return false
	case v.published.epoch != h.ring.epoch:
		return true // the positions have no order until the view has moved
	case v.frames.catchUps[r.resumeFrom] != nil:
		return false
	case r.resumeFrom.ID.Compare(h.ring.lastEntry().pos.ID) > 0:
		return true
	case h.frozen:
		if _, ok := h.ring.entryNumber(r.resumeFrom); !ok {
			return true // the position may be of the next epoch
		}
	}
	return v.isDirty() && r.resumeFrom.ID.Compare(v.published.pos.ID) > 0
}

// deferOrFallBackToSnapshot has a request wait. It returns false after maxResumeWait.
func (h *Hub) deferOrFallBackToSnapshot(r *request) (isDeferred bool) {
	now := time.Now()
	if r.deadline.IsZero() {
		r.deadline = now.Add(maxResumeWait)
		h.metrics.resumes.WithLabelValues("waited").Inc()
	}
	if !now.Before(r.deadline) {
		r.canResume = false
		return false
	}
	all := h.schedule.deferred
	i, _ := slices.BinarySearchFunc(all, r, func(a, b *request) int { return a.deadline.Compare(b.deadline) })
	h.schedule.deferred = slices.Insert(all, i, r)
	h.flushAtNextTickIfDirty(r.cursor.view, now)
	h.schedule.wakeRunIfDueEarlier()
	return true
}

// flushAtNextTickIfDirty makes a dirty view due at the next tick, even if only
// counters have changed.
func (h *Hub) flushAtNextTickIfDirty(v *view, now time.Time) {
	if v.isDirty() {
		h.markTextChangeAndReschedule(v, now)
	}
}

// retryDeferredRequests enqueues the deferred requests that need not wait longer. The
// caller must call writePendingMessages of their sockets, without Hub.mu.
func (h *Hub) retryDeferredRequests(now time.Time) (answerable []*Socket) {
	h.schedule.recheckDeferred = false
	h.schedule.deferred = slices.DeleteFunc(h.schedule.deferred, func(r *request) bool {
		if now.Before(r.deadline) && h.isAheadOfView(r) {
			h.flushAtNextTickIfDirty(r.cursor.view, now)
			return false
		}
		r.cursor.socket.enqueueRequestOrClose(r)
		answerable = append(answerable, r.cursor.socket)
		return true
	})
	return answerable
}

// enqueueDeferredAsSnapshots enqueues a cursor's deferred requests, to be answered with
// snapshots.
func (h *Hub) enqueueDeferredAsSnapshots(c *cursor) {
	h.schedule.deferred = slices.DeleteFunc(h.schedule.deferred, func(r *request) bool {
		if r.cursor != c {
			return false
		}
		r.canResume = false
		c.socket.enqueueRequestOrClose(r)
		return true
	})
}
