package hub

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/tidwall/btree"
)

// schedule is the work of Run. Hub.mu guards it, except for wake.
type schedule struct {
	views           viewHeap             // all views, by due time
	renewals        *btree.BTreeG[*view] // views with play URLs, by nextRenewal
	deferred        []*request           // requests for positions ahead of the hub, by deadline
	recheckDeferred bool                 // the position has changed since the last check of deferred
	wakesAt         time.Time            // when Run wakes by itself
	wake            chan struct{}        // capacity 1: something is due before wakesAt
}

func newSchedule() schedule {
	return schedule{
		renewals: btree.NewBTreeGOptions(func(a, b *view) bool {
			if a.nextRenewal != b.nextRenewal {
				return a.nextRenewal < b.nextRenewal
			}
			return a.query.viewID < b.query.viewID
		}, btree.Options{NoLocks: true}),
		wake: make(chan struct{}, 1),
	}
}

// nextDue is when Run must do something next. ok is false if that is never.
func (s *schedule) nextDue() (dueAt time.Time, ok bool) {
	switch {
	case s.recheckDeferred && len(s.deferred) > 0:
		return time.Time{}, true
	case len(s.views) > 0:
		dueAt, ok = s.views[0].due, true
	}
	if len(s.deferred) > 0 && (!ok || s.deferred[0].deadline.Before(dueAt)) {
		dueAt, ok = s.deferred[0].deadline, true
	}
	return dueAt, ok
}

// wakeRunIfDueEarlier wakes Run if something is due before it wakes by itself.
func (s *schedule) wakeRunIfDueEarlier() {
	at, ok := s.nextDue()
	if !ok || !s.wakesAt.IsZero() && !at.Before(s.wakesAt) {
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// updateViewDueTime computes a view's due time anew.
func (h *Hub) updateViewDueTime(v *view) {
	if due := h.dueTime(v); !due.Equal(v.due) {
		h.schedule.views.updateDue(v, due)
	}
}

// scheduleURLRenewal has a view marked when log time reaches its next URL renewal.
func (h *Hub) scheduleURLRenewal(v *view, renewalLogTime int64) {
	if v.urls.hasURLs() {
		h.schedule.renewals.Delete(v)
		v.nextRenewal = renewalLogTime
		h.schedule.renewals.Set(v)
	}
}

// Run flushes views when they are due and writes their frames to the sockets,
// until ctx ends.
func (h *Hub) Run(ctx context.Context) {
	var shards sync.WaitGroup
	defer shards.Wait()
	for _, sh := range h.fanout.shards {
		shards.Go(func() { h.runShard(ctx, sh) })
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.schedule.wake:
		case <-timer.C:
		}
		timer.Reset(h.flushDueViews())
	}
}

// flushDueViews flushes all due views and returns the time until the next is
// due. It unlocks Hub.mu after each view.
func (h *Hub) flushDueViews() (untilNext time.Duration) {
	for untilNext == 0 {
		var answerable []*Socket
		answerable, untilNext = h.flushOrRemoveNextView(time.Now())
		for _, s := range answerable {
			s.writePendingMessages()
		}
	}
	return untilNext
}

// flushOrRemoveNextView flushes one due view, and returns the sockets on which deferred
// requests can be answered now. If nothing is due, it returns the time until
// something is.
func (h *Hub) flushOrRemoveNextView(now time.Time) (answerable []*Socket, untilNext time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at, ok := h.schedule.nextDue()
	if !ok {
		at = now.Add(time.Hour)
	}
	if at.After(now) {
		h.schedule.wakesAt = at
		return nil, at.Sub(now)
	}
	h.fanout.pacer.adjustTickAndOverload(now, len(h.fanout.shards), h.options.Tick)
	h.metrics.tick.Set(h.fanout.pacer.tick.Seconds())
	if views := h.schedule.views; len(views) > 0 && !views[0].due.After(now) {
		if v := views[0]; v.cursorCount == 0 {
			h.removeView(v)
		} else {
			h.publishChangesOrIdleDiff(v, now)
			h.updateViewDueTime(v)
		}
	}
	return h.retryDeferredRequests(now), 0
}

// viewHeap is a heap of views by due time. The exported methods implement
// heap.Interface.
type viewHeap []*view

// Len implements [heap.Interface].
func (q viewHeap) Len() int { return len(q) }

// Less implements [heap.Interface].
func (q viewHeap) Less(i, j int) bool { return q[i].due.Before(q[j].due) }

// Swap implements [heap.Interface].
func (q viewHeap) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].heapIndex, q[j].heapIndex = i, j
}

// Push implements heap.Interface.
func (q *viewHeap) Push(v any) {
	v.(*view).heapIndex = len(*q)
	*q = append(*q, v.(*view))
}

// Pop implements heap.Interface.
func (q *viewHeap) Pop() any {
	last := len(*q) - 1
	v := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return v
}

func (q *viewHeap) addView(v *view, due time.Time) {
	v.due = due
	heap.Push(q, v)
}

func (q *viewHeap) updateDue(v *view, due time.Time) {
	v.due = due
	heap.Fix(q, v.heapIndex)
}

func (q *viewHeap) removeView(v *view) { heap.Remove(q, v.heapIndex) }
