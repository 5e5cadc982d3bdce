package hub

import (
	"bytes"
	"iter"
	"slices"
	"time"

	"onair/presence"
)

// Hold has the list stand still until Rebase: this node has found that the log
// has lost entries that it had applied, or may have. Apply must not be called
// meanwhile. What had been applied is still shown, and views, snapshots, idle
// diffs and resumes from positions that the hub knows go on as ever. A resume
// from any other position waits, for Rebase or ten seconds: it may be of the
// history that is to come, and then the list as it stands would take the viewer
// back in time. To hold twice is harmless.
func (h *Hub) Hold() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held = true
}

// Rebase replaces the whole list by these live streams, listed or not, as they
// are at a position of a history that may be another one, and its log time. It
// ends a Hold, but needs none. The streams may be anew in memory: what differs
// in content is changed, and every view moves to pos at its next tick, by one
// diff from its last frame, which is empty where nothing differs. Other
// positions before pos are not known any more. As with Apply, the log goes on
// from there.
//
// The lists are compared before the hub is locked, so how long viewers wait for
// it depends on the changes and the views, not on the list.
func (h *Hub) Rebase(streams iter.Seq[*presence.Stream], pos presence.Position, logTime int64) {
	h.rebase(h.against(streams), pos, logTime)
}

// against returns what differs between the list and another. It is called by
// who calls Apply, without the lock.
func (h *Hub) against(streams iter.Seq[*presence.Stream]) (changed []touch) {
	stay := make(map[string]struct{}, len(h.streams))
	for st := range streams {
		old := h.streams[st.Code]
		if old != nil {
			stay[st.Code] = struct{}{}
		}
		if old == nil || !same(old, st) {
			changed = append(changed, touch{old, st})
		}
	}
	if len(stay) == len(h.streams) {
		return changed
	}
	for code, old := range h.streams {
		if _, ok := stay[code]; !ok {
			changed = append(changed, touch{old, nil})
		}
	}
	return changed
}

// rebase takes over what against found, and begins a history.
func (h *Hub) rebase(changed []touch, pos presence.Position, logTime int64) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held = false
	before, history := h.ring.last().time, h.ring.history
	for _, t := range changed {
		h.replace(t.old, t.new, now)
	}
	h.ring.reset(pos, logTime)
	h.moved(before, history, now)
}

// same tells whether two streams are the same in all there is of them, also in
// what viewers do not see: whoever is given a stream beats, counts and likes by
// its session and index.
func same(a, b *presence.Stream) bool {
	return a == b || a.Session == b.Session && a.Code == b.Code && a.Anchor == b.Anchor && a.List == b.List &&
		a.Title == b.Title && a.Cover == b.Cover && slices.Equal(a.Tags, b.Tags) && bytes.Equal(a.Extra, b.Extra) &&
		a.StartedAt == b.StartedAt && a.Viewers == b.Viewers && a.Peak == b.Peak && a.Likes == b.Likes &&
		a.Index == b.Index && a.State == b.State && a.Away == b.Away && a.Listed == b.Listed && a.Shown == b.Shown
}
