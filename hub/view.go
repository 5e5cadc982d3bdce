package hub

import (
	"time"

	"onair/presence"
)

// view is one normalised query with its window as of its last frame, and no
// history. It is guarded by Hub.mu.
type view struct {
	// Static after construction.
	query  *query
	order  *order
	player player

	last   moment             // what the last frame led to
	edge   place              // the last one of its window, if that is full
	spare  []*presence.Stream // for the next window
	count  int                // of cursors
	flying int                // frames that are still being handed out
	parts  [][]*cursor        // by shard, whose lock guards each

	// What may differ from last, since when; zero: nothing.
	textSince     time.Time // membership, state, text or play URLs
	countersSince time.Time // viewers or likes of streams that stay in

	nextSwitch int64 // no play URL of the window changes before this log time

	// When things happened, for flushing.
	diffed time.Time // a diff with changes went; zero: none did
	spoke  time.Time // any frame went to all, or the view began
	quiet  time.Time // its last cursor left, or a page was made of it

	due  time.Time // when it is to be looked at next
	slot int       // in the agenda

	// Frames that lead to last, or are last.
	snapshot *frame
	catchUps map[presence.Position]*frame // by prev
}

// keepUnused is how long a view without cursors is kept.
const keepUnused = time.Minute

// maxCatchUps bounds the catch-ups that a view keeps for others that come from
// the same position.
const maxCatchUps = 1024

func (v *view) dirty() bool { return !v.textSince.IsZero() || !v.countersSince.IsZero() }

// note marks the view dirty if a change may touch its window: old and new are
// where a stream stood and stands, zero where it does not match. It reports
// whether that made the view due sooner.
//
// Streams behind the edge of a full window are not in it. As long as no change
// has touched it, its edge is that of the tree; and changes that leave a stream
// before the edge leave it in.
func (v *view) note(old, new place, now time.Time) bool {
	was, is := v.within(old), v.within(new)
	switch {
	case !was && !is:
		return false
	case was && is && old.st.Session == new.st.Session:
		text, counters := contrast(old.st, new.st)
		switch {
		case text:
			return v.noteText(now)
		case counters && v.countersSince.IsZero():
			v.countersSince = now
			return true
		}
		return false
	}
	return v.noteText(now)
}

func (v *view) noteText(now time.Time) bool {
	if !v.textSince.IsZero() {
		return false
	}
	v.textSince = now
	return true
}

// within tells whether a place would be in the last window.
func (v *view) within(p place) bool {
	return p.st != nil && (v.edge.st == nil || !before(v.edge, p))
}

// due says when a view is to be looked at next: not before its last frame has
// been handed out, so that there is never a queue of them.
func (h *Hub) due(v *view) time.Time {
	if v.count == 0 {
		return v.quiet.Add(keepUnused)
	}
	due := v.spoke.Add(h.options.Idle)
	if v.flying > 0 {
		return due.Add(time.Hour)
	}
	tick := v.diffed.Add(h.pace.tick)
	if !v.textSince.IsZero() {
		due = earlier(due, later(tick, v.textSince))
	}
	if !v.countersSince.IsZero() {
		due = earlier(due, later(tick, v.countersSince.Add(h.options.Counters)))
	}
	return due
}

func earlier(a, b time.Time) time.Time {
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

// now is what the tree has at the hub's position. It uses v.spare.
func (h *Hub) now(v *view) moment {
	step := h.ring.last()
	return moment{
		pos: step.pos, history: h.ring.history, time: step.time,
		total: v.order.tree.Len(), window: v.order.window(v.spare, v.query.limit),
	}
}

// show makes m the view's last frame.
func (h *Hub) show(v *view, m moment) {
	v.become(m)
	h.watchSwitch(v, v.player.nextSwitch(m.window, m.time))
}

// become makes m what the last frame led to.
func (v *view) become(m moment) {
	v.spare, v.last, v.edge = v.last.window, m, place{}
	if len(m.window) == v.query.limit {
		v.edge = v.order.place(m.window[len(m.window)-1])
	}
	v.textSince, v.countersSince = time.Time{}, time.Time{}
	v.snapshot = nil
	clear(v.catchUps)
}

// switched tells whether a stream that stays in the window may have another
// play URL at a log time than in the last frame.
func (v *view) switched(time int64) bool {
	return !v.player.none() && (time < v.last.time || time >= v.nextSwitch)
}

// watchSwitch has the view looked at when the log reaches the next switch of a
// play URL.
func (h *Hub) watchSwitch(v *view, next int64) {
	if v.player.none() {
		return
	}
	h.switches.Delete(v)
	v.nextSwitch = next
	h.switches.Set(v)
}

// sooner orders views by their next switch.
func sooner(a, b *view) bool {
	if a.nextSwitch != b.nextSwitch {
		return a.nextSwitch < b.nextSwitch
	}
	return a.query.id < b.query.id
}

// refresh brings a view that nobody stands on to the hub's position.
func (h *Hub) refresh(v *view) {
	if v.dirty() && v.count == 0 {
		h.show(v, h.now(v))
	}
}

// snapshotOf encodes the view as of its last frame, once.
func (h *Hub) snapshotOf(v *view) *frame {
	if v.snapshot == nil {
		h.encoder.player = v.player
		v.snapshot = h.encoder.snapshot(v.query.id, &v.last, 256*(1+len(v.last.window)))
		h.encoded++
	}
	return v.snapshot
}

// smallestEntry is less than the bytes of any entry in a snapshot.
const smallestEntry = 84

// bring returns the frame that leads from a position in the ring to the view's
// last frame: the ring is undone to there, and the window that there was is
// compared with the last. It is the snapshot where that is smaller.
func (h *Hub) bring(v *view, from presence.Position) *frame {
	if f := v.catchUps[from]; f != nil {
		return f
	}
	then := v.last
	if from != v.last.pos {
		n, ok := h.ring.find(from)
		if !ok {
			return h.snapshotOf(v)
		}
		then = moment{
			pos: from, time: h.ring.steps.at(n).time,
			window: v.order.windowBefore(h.ring.since(n), v.query.limit),
		}
	}
	h.delta.compare(v.order, &then, &v.last, v.player)
	h.encoder.player = v.player
	f := h.encoder.diff(v.query.id, catchUpMessage, &then, &v.last, &h.delta)
	h.encoded++
	if !h.delta.empty() && len(f.text) > smallestEntry*len(v.last.window) {
		if s := h.snapshotOf(v); len(s.text) < len(f.text) {
			f = s
		}
	}
	v.keep(from, f)
	return f
}

// keep remembers a frame that leads to the last one.
func (v *view) keep(from presence.Position, f *frame) {
	if v.catchUps == nil {
		v.catchUps = map[presence.Position]*frame{}
	}
	if len(v.catchUps) < maxCatchUps {
		v.catchUps[from] = f
	}
}
