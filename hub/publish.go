package hub

import (
	"time"

	"onair/presence"
)

// frameCache has frames that lead to a view's published state.
type frameCache struct {
	snapshot *frame
	catchUps map[presence.Position]*frame // by prev
}

// maxCachedCatchUps bounds the catch-ups of one view that wait for other cursors
// at the same position.
const maxCachedCatchUps = 1024

func (c *frameCache) cacheCatchUp(from presence.Position, f *frame) {
	if c.catchUps == nil {
		c.catchUps = map[presence.Position]*frame{}
	}
	if len(c.catchUps) < maxCachedCatchUps {
		c.catchUps[from] = f
	}
}

// currentState is the state of a view at the hub's position. Its window uses
// v.spareWindow.
func (h *Hub) currentState(v *view) viewState {
	last := h.ring.lastEntry()
	return viewState{
		pos: last.pos, epoch: h.ring.epoch, logTime: last.logTime,
		total: v.order.tree.Len(), window: v.order.window(v.spareWindow, v.query.limit),
	}
}

// publishWithoutFrame publishes the current state of a view without cursors. It makes no
// frame.
func (h *Hub) publishWithoutFrame(v *view) {
	v.setPublished(h.currentState(v))
	h.scheduleURLRenewal(v, v.urls.nextRenewal(v.published.window, v.published.logTime))
}

func (v *view) setPublished(s viewState) {
	v.spareWindow, v.published, v.edge = v.published.window, s, rankedStream{}
	if len(s.window) == v.query.limit {
		v.edge = v.order.ranked(s.window[len(s.window)-1])
	}
	v.pending = pendingChanges{}
	v.frames.snapshot = nil
	clear(v.frames.catchUps)
}

// publishChangesOrIdleDiff moves a view to the hub's position, and sends the difference to
// all cursors at its last frame.
//
// Without a difference it sends nothing and the view stays, so cursors stay at
// its last frame. Two cases send an empty diff. After options.IdleInterval, it keeps
// connections alive and positions recent. In a new epoch, it leads cursors out
// of the old one, whose positions other nodes do not know.
func (h *Hub) publishChangesOrIdleDiff(v *view, now time.Time) {
	state := h.currentState(v)
	nextRenewal := h.setDeltaFromPublished(v, &state)
	changedAt, kind := v.pending.textSince, diffMessage
	if h.delta.isEmpty() {
		if kind = idleMessage; state.epoch == v.published.epoch && now.Before(v.times.lastFrame.Add(h.options.IdleInterval)) {
			v.spareWindow = state.window
			v.pending = pendingChanges{}
			h.scheduleURLRenewal(v, nextRenewal)
			return
		}
	} else {
		v.times.lastDiff = now
	}
	f := h.encoder.encodeDiff(v, kind, &v.published, &state, &h.delta)
	v.times.lastFrame = now
	v.setPublished(state)
	h.scheduleURLRenewal(v, nextRenewal)
	v.frames.cacheCatchUp(f.prev, f)
	h.enqueueBroadcast(&broadcast{
		view: v, outgoing: outgoing{f.message(""), messageInfo{f.kind, changedAt}}, prev: f.prev, next: state.pos,
	})
	h.metrics.observeDiff(f)
}

// setDeltaFromPublished sets h.delta to the difference between a view's published
// state and another, and returns the log time of the next URL renewal. Unless a
// renewal has passed, only new streams need their times computed.
func (h *Hub) setDeltaFromPublished(v *view, to *viewState) (nextRenewalLogTime int64) {
	if v.urls.hasURLs() && (to.logTime < v.published.logTime || to.logTime >= v.nextRenewal) {
		h.delta.setToWindowDifference(v.order, &v.published, to, v.urls)
		return v.urls.nextRenewal(to.window, to.logTime)
	}
	h.delta.setToWindowDifference(v.order, &v.published, to, viewURLs{})
	return min(v.nextRenewal, v.urls.nextRenewal(h.delta.put, to.logTime))
}

// snapshotFrame is the snapshot of a view's published state, encoded once.
func (h *Hub) snapshotFrame(v *view) *frame {
	if v.frames.snapshot == nil {
		v.frames.snapshot = h.encoder.encodeSnapshot(v)
	}
	return v.frames.snapshot
}

// minEntryBytes is less than the size of any entry in a snapshot.
const minEntryBytes = 84

// catchUpOrSnapshotFrame is a frame from a position to a view's published state. It undoes
// the ring to the position, and compares the window of that time with the
// published one. It is the snapshot if that is smaller, or if the ring does not
// have the position.
func (h *Hub) catchUpOrSnapshotFrame(v *view, from presence.Position) *frame {
	if f := v.frames.catchUps[from]; f != nil {
		return f
	}
	old := v.published
	if from != v.published.pos {
		entry, ok := h.ring.entryNumber(from)
		if !ok {
			return h.snapshotFrame(v)
		}
		old = viewState{
			pos: from, logTime: h.ring.entries.item(entry).logTime,
			window: v.order.windowBefore(h.ring.changesSince(entry), v.query.limit),
		}
	}
	h.delta.setToWindowDifference(v.order, &old, &v.published, v.urls)
	f := h.encoder.encodeDiff(v, catchUpMessage, &old, &v.published, &h.delta)
	if !h.delta.isEmpty() && len(f.text) > minEntryBytes*len(v.published.window) {
		if snapshot := h.snapshotFrame(v); len(snapshot.text) < len(f.text) {
			f = snapshot
		}
	}
	v.frames.cacheCatchUp(from, f)
	return f
}
