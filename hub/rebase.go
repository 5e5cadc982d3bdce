package hub

import (
	"bytes"
	"iter"
	"slices"
	"time"

	"onair/presence"
)

// Freeze freezes the list until Rebase: the log may have lost entries that this
// node had applied. Apply must not be called meanwhile. Views, snapshots, idle
// diffs and resumes from known positions continue. A resume from another
// position waits for Rebase, for at most ten seconds: the position may be of the
// next epoch, and the frozen list would take the viewer back in time. Another
// Freeze has no effect.
func (h *Hub) Freeze() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.frozen = true
}

// Rebase replaces the list by these live streams, listed or not, at a position
// and its log time. It begins an epoch, and ends a Freeze if there is one. It
// compares streams by content. Every view moves to pos at its next tick, with one
// diff from its last frame, which may be empty. Other positions before pos become
// unknown. Apply continues from there.
//
// Rebase compares the lists before it locks the hub. So viewers wait in
// proportion to the changes and the views, not to the list.
func (h *Hub) Rebase(streams iter.Seq[*presence.Stream], pos presence.Position, logTime int64) {
	h.applyChangesInNewEpoch(h.listChangesTo(streams), pos, logTime)
}

// listChangesTo returns the difference from the list to another. It reads the
// list without mu, as only the caller of Apply may do.
func (h *Hub) listChangesTo(streams iter.Seq[*presence.Stream]) (changes []streamChange) {
	stay := make(map[string]struct{}, len(h.list.streams))
	for st := range streams {
		old := h.list.streams[st.Code]
		if old != nil {
			stay[st.Code] = struct{}{}
		}
		if old == nil || !haveSameFields(old, st) {
			changes = append(changes, streamChange{old, st})
		}
	}
	if len(stay) == len(h.list.streams) {
		return changes
	}
	for code, old := range h.list.streams {
		if _, ok := stay[code]; !ok {
			changes = append(changes, streamChange{old, nil})
		}
	}
	return changes
}

// applyChangesInNewEpoch applies the result of listChangesTo, and begins an epoch.
func (h *Hub) applyChangesInNewEpoch(changes []streamChange, pos presence.Position, logTime int64) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.frozen = false
	oldLogTime, oldEpoch := h.ring.lastEntry().logTime, h.ring.epoch
	for _, c := range changes {
		h.replaceStreamWithoutUndo(c.old, c.new, now)
	}
	h.ring.beginEpoch(pos, logTime)
	h.scheduleAfterPositionChange(oldLogTime, oldEpoch, now)
}

// haveSameFields compares all fields, also those that viewers do not see: beats,
// counts and likes depend on session and index.
func haveSameFields(a, b *presence.Stream) bool {
	return a == b || a.Session == b.Session && a.Code == b.Code && a.Anchor == b.Anchor && a.List == b.List &&
		a.Title == b.Title && a.Cover == b.Cover && slices.Equal(a.Tags, b.Tags) && bytes.Equal(a.Extra, b.Extra) &&
		a.StartedAt == b.StartedAt && a.Viewers == b.Viewers && a.PeakViewers == b.PeakViewers && a.Likes == b.Likes &&
		a.Index == b.Index && a.State == b.State && a.Away == b.Away && a.Listed == b.Listed && a.Shown == b.Shown
}
