package hub

import (
	"slices"
	"time"

	"onair/presence"
)

// view is one normalised query and the window of its last frame. It has no
// history. Hub.mu guards it.
type view struct {
	// Static after construction.
	query *query
	order *order
	urls  viewURLs

	published   viewState          // after the last frame
	edge        rankedStream       // last of the published window, if that is full
	spareWindow []*presence.Stream // memory of the next window
	pending     pendingChanges
	nextRenewal int64 // log time before which no play URL of the window changes
	frames      frameCache

	cursorCount    int
	cursorsByShard [][]*cursor // each guarded by its shard's lock, too
	broadcasts     int         // number of frames that shards still write

	times     viewTimes
	due       time.Time // when Run flushes or removes the view
	heapIndex int       // in schedule.views
}

// pendingChanges are the times since which the tree may differ from the published
// state. Zero means no difference.
type pendingChanges struct {
	textSince     time.Time // membership, text, state or play URLs
	countersSince time.Time // viewers or likes of streams that stay in the window
}

// viewTimes are the times on which the next flush depends.
type viewTimes struct {
	lastDiff    time.Time // last diff with changes; zero: none yet
	lastFrame   time.Time // last frame of any kind, or the first cursor
	unusedSince time.Time // the last cursor closed, or the last page was made
}

// unusedViewTTL is how long a view without cursors stays.
const unusedViewTTL = time.Minute

// findOrCreateView returns the view of a query. The error is for the client: there are
// options.Views different ones. A view without cursors is at the hub's position.
func (h *Hub) findOrCreateView(q *query, now time.Time) (*view, error) {
	if v := h.views[q.viewID]; v != nil {
		if v.isDirty() && v.cursorCount == 0 {
			h.publishWithoutFrame(v)
		}
		return v, nil
	}
	if len(h.views) >= h.options.Views {
		h.removeViewsWithoutCursors()
	}
	if len(h.views) >= h.options.Views {
		return nil, limitError("there are %d different views here already", h.options.Views)
	}
	o := h.findOrCreateOrder(q)
	v := &view{
		query: q, order: o, urls: viewURLs{h.options.Signer, q.protocols},
		times: viewTimes{lastFrame: now, unusedSince: now}, cursorsByShard: make([][]*cursor, len(h.fanout.shards)),
	}
	o.views = append(o.views, v)
	h.views[q.viewID] = v
	h.publishWithoutFrame(v)
	h.schedule.views.addView(v, h.dueTime(v))
	h.schedule.wakeRunIfDueEarlier()
	h.metrics.views.Set(float64(len(h.views)))
	return v, nil
}

// removeView removes a view, and its order with the last view of it.
func (h *Hub) removeView(v *view) {
	h.schedule.views.removeView(v)
	h.schedule.renewals.Delete(v)
	delete(h.views, v.query.viewID)
	o := v.order
	o.views = slices.DeleteFunc(o.views, func(other *view) bool { return other == v })
	if len(o.views) == 0 {
		h.orders.removeOrder(o)
	}
	h.metrics.views.Set(float64(len(h.views)))
}

func (h *Hub) removeViewsWithoutCursors() {
	for _, v := range h.views {
		if v.cursorCount == 0 {
			h.removeView(v)
		}
	}
}

// isDirty reports whether the tree may differ from the published state.
func (v *view) isDirty() bool { return v.pending != pendingChanges{} }

// markChange marks the view dirty if a change may affect its window. The old or
// the new state is zero if it does not match. The result reports whether the
// view may be due sooner.
//
// Streams behind the edge of a full window are not in it. The edge is the
// tree's as long as no change has affected the window. A change that leaves a
// stream before the edge leaves it in the window.
func (v *view) markChange(old, new rankedStream, changedAt time.Time) (isDueSooner bool) {
	wasIn, isIn := v.isInWindow(old), v.isInWindow(new)
	switch {
	case !wasIn && !isIn:
		return false
	case wasIn && isIn && old.stream.Session == new.stream.Session:
		text, counters := visibleChanges(old.stream, new.stream)
		switch {
		case text:
			return v.markTextChange(changedAt)
		case counters && v.pending.countersSince.IsZero():
			v.pending.countersSince = changedAt
			return true
		}
		return false
	}
	return v.markTextChange(changedAt)
}

// markTextChange marks a change that is due at the next tick.
func (v *view) markTextChange(changedAt time.Time) (isDueSooner bool) {
	if !v.pending.textSince.IsZero() {
		return false
	}
	v.pending.textSince = changedAt
	return true
}

func (h *Hub) markTextChangeAndReschedule(v *view, changedAt time.Time) {
	if v.markTextChange(changedAt) {
		h.updateViewDueTime(v)
	}
}

// isInWindow reports whether a stream would be in the published window.
func (v *view) isInWindow(r rankedStream) bool {
	return r.stream != nil && (v.edge.stream == nil || !precedes(v.edge, r))
}

// dueTime is when Run must flush or remove a view. While shards still write its
// last frame, that is far in the future, so frames never queue.
func (h *Hub) dueTime(v *view) time.Time {
	if v.cursorCount == 0 {
		return v.times.unusedSince.Add(unusedViewTTL)
	}
	due := v.times.lastFrame.Add(h.options.IdleInterval)
	if v.broadcasts > 0 {
		return due.Add(time.Hour)
	}
	nextTick := v.times.lastDiff.Add(h.fanout.pacer.tick)
	if !v.pending.textSince.IsZero() {
		due = minTime(due, later(nextTick, v.pending.textSince))
	}
	if !v.pending.countersSince.IsZero() {
		due = minTime(due, later(nextTick, v.pending.countersSince.Add(h.options.CounterDelay)))
	}
	return due
}

func minTime(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
