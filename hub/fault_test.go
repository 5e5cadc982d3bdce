package hub

import (
	"fmt"
	"slices"
)

// fault compares what the hub knows in two places.
func (h *Hub) fault() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.agenda) != len(h.views) || len(h.waiting) > 0 {
		return fmt.Sprintf("%d views, %d due, %d requests wait", len(h.views), len(h.agenda), len(h.waiting))
	}
	for _, st := range h.streams {
		for _, tag := range st.Tags {
			if _, ok := h.tagged[orderKey{byTag, st.List, tag}][st.Code]; ok != st.Shown {
				return fmt.Sprintf("%s with tag %s: %v, want %v", st.Code, tag, ok, st.Shown)
			}
		}
	}
	for k, codes := range h.tagged {
		for code := range codes {
			if st := h.streams[code]; st == nil || st.List != k.list || !slices.Contains(st.Tags, k.value) {
				return fmt.Sprintf("tag %s still has %s", k.value, code)
			}
		}
	}
	for _, v := range h.views {
		n := 0
		for _, st := range h.streams {
			if v.order.match(st) {
				n++
				if got, ok := v.order.tree.Get(v.order.place(st)); !ok || got.st != st {
					return fmt.Sprintf("%s: tree has not %s", v.query.order, st.Code)
				}
			}
		}
		if n != v.order.tree.Len() {
			return fmt.Sprintf("%s: tree has %d, want %d", v.query.order, v.order.tree.Len(), n)
		}
		if v.last.history != h.ring.history && v.count > 0 {
			return v.query.id + " stands in a history that is over"
		}
		if h.agenda[v.slot] != v {
			return v.query.id + " is not where it is in the agenda"
		}
		count := 0
		for _, part := range v.parts {
			for i, c := range part {
				if count++; c.slot != i {
					return v.query.id + " has lost a cursor"
				}
			}
		}
		if count != v.count || v.flying > 0 {
			return fmt.Sprintf("%s has %d cursors, and counts %d; %d frames fly", v.query.id, count, v.count, v.flying)
		}
	}
	return ""
}
