package hub

import (
	"fmt"
	"slices"
)

// inconsistency compares what the hub knows in two places.
func (h *Hub) inconsistency() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.schedule.views) != len(h.views) || len(h.schedule.deferred) > 0 {
		return fmt.Sprintf("%d views, %d due, %d requests wait", len(h.views), len(h.schedule.views), len(h.schedule.deferred))
	}
	for _, st := range h.list.streams {
		for _, tag := range st.Tags {
			if _, ok := h.list.codesByTag[filterKey{byTag, st.List, tag}][st.Code]; ok != st.Shown {
				return fmt.Sprintf("%s with tag %s: %v, want %v", st.Code, tag, ok, st.Shown)
			}
		}
	}
	for k, codes := range h.list.codesByTag {
		for code := range codes {
			if st := h.list.streams[code]; st == nil || st.List != k.list || !slices.Contains(st.Tags, k.value) {
				return fmt.Sprintf("tag %s still has %s", k.value, code)
			}
		}
	}
	for _, v := range h.views {
		n := 0
		for _, st := range h.list.streams {
			if v.order.matches(st) {
				n++
				if got, ok := v.order.tree.Get(v.order.ranked(st)); !ok || got.stream != st {
					return fmt.Sprintf("%s: tree has not %s", v.query.orderName, st.Code)
				}
			}
		}
		if n != v.order.tree.Len() {
			return fmt.Sprintf("%s: tree has %d, want %d", v.query.orderName, v.order.tree.Len(), n)
		}
		if v.published.epoch != h.ring.epoch && v.cursorCount > 0 {
			return v.query.viewID + " stands in a history that is over"
		}
		if h.schedule.views[v.heapIndex] != v {
			return v.query.viewID + " is not where it is in the agenda"
		}
		count := 0
		for _, part := range v.cursorsByShard {
			for i, c := range part {
				if count++; c.shardIndex != i {
					return v.query.viewID + " has lost a cursor"
				}
			}
		}
		if count != v.cursorCount || v.broadcasts > 0 {
			return fmt.Sprintf("%s has %d cursors, and counts %d; %d frames fly", v.query.viewID, count, v.cursorCount, v.broadcasts)
		}
	}
	return ""
}
