package hub

import "onair/presence"

// ample is how many windows deep a change is looked at when the ring is undone.
const ample = 4

// windowBefore returns the window that there was before touches.
//
// In a long list most changes are far behind any window. So those of streams
// that were and are behind a stream some windows deep are passed over at first.
// If the window that comes out ends before that stream, they made no
// difference: none of them was in it, nor is one taken for it now. A stream
// that comes from behind is then known from a later touch than its first, but
// behind it was before that, too.
func (o *order) windowBefore(touches []touch, limit int) []*presence.Stream {
	if bound, ok := o.tree.GetAt(ample * limit); ok && len(touches) > limit {
		w := o.undo(touches, limit, bound)
		if len(w) == limit && before(o.place(w[limit-1]), bound) {
			return w
		}
	}
	return o.undo(touches, limit, place{})
}

// undo returns the window before touches, passing over what is behind bound
// before and after; the zero place is no bound.
func (o *order) undo(touches []touch, limit int, bound place) []*presence.Stream {
	near := func(st *presence.Stream) bool {
		return st != nil && (bound.st == nil || before(o.place(st), bound)) && o.match(st)
	}
	touched := map[string]bool{}
	var olds []*presence.Stream
	for _, t := range touches {
		was := near(t.old)
		if !was && !near(t.new) {
			continue
		}
		code := t.code()
		if touched[code] {
			continue // the oldest touch tells how it was
		}
		touched[code] = true
		if was {
			olds = append(olds, t.old)
		}
	}
	return o.merge(o.places(olds), touched, limit)
}

// merge returns the first of olds and of the tree's streams that are not in
// touched.
func (o *order) merge(olds []place, touched map[string]bool, limit int) []*presence.Stream {
	w := make([]*presence.Stream, 0, min(limit, len(olds)+o.tree.Len()))
	o.tree.Scan(func(p place) bool {
		if touched[p.st.Code] {
			return true
		}
		for len(olds) > 0 && len(w) < limit && before(olds[0], p) {
			w = append(w, olds[0].st)
			olds = olds[1:]
		}
		if len(w) < limit {
			w = append(w, p.st)
		}
		return len(w) < limit
	})
	for len(olds) > 0 && len(w) < limit {
		w = append(w, olds[0].st)
		olds = olds[1:]
	}
	return w
}
