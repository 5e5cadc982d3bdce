package hub

import "onair/presence"

// viewState is what a view shows at one position. Its window must not change
// while a comparison may still use it.
type viewState struct {
	pos     presence.Position
	epoch   uint64 // of the ring at pos
	logTime int64  // determines play URLs
	total   int    // number of streams that match, without the limit
	window  []*presence.Stream
}

// delta is the difference between two view states. It is reused.
type delta struct {
	put []*presence.Stream
	set []streamPair
	del []string

	// While comparing: streams that are in one window only, or have moved.
	removed, added []*presence.Stream
	removedByCode  map[string]*presence.Stream
}

// streamPair is a stream in two windows.
type streamPair struct {
	old, new   *presence.Stream
	urlsDiffer bool
}

func (d *delta) isEmpty() bool { return len(d.put)+len(d.set)+len(d.del) == 0 }

// compareStates sets d to the difference between two states of an order. Both windows
// are sorted, so one walk along both finds what is not in both at the same
// place, and only that is looked up. It skips identical pointers, the usual case.
func (d *delta) compareStates(o *order, from, to *viewState, s viewSigner) {
	clear(d.put)
	clear(d.set)
	clear(d.removed)
	clear(d.added)
	d.put, d.set, d.del, d.removed, d.added = d.put[:0], d.set[:0], d.del[:0], d.removed[:0], d.added[:0]
	oldWindow, newWindow := from.window, to.window
	for len(oldWindow) > 0 && len(newWindow) > 0 {
		old, new := oldWindow[0], newWindow[0]
		if old != new {
			a, b := o.ranked(old), o.ranked(new)
			if precedes(a, b) {
				d.removed, oldWindow = append(d.removed, old), oldWindow[1:]
				continue
			}
			if precedes(b, a) {
				d.added, newWindow = append(d.added, new), newWindow[1:]
				continue
			}
		}
		if old != new || s.hasURLs() {
			d.compareStreams(old, new, from.logTime, to.logTime, s)
		}
		oldWindow, newWindow = oldWindow[1:], newWindow[1:]
	}
	d.removed, d.added = append(d.removed, oldWindow...), append(d.added, newWindow...)
	d.matchMoved(from.logTime, to.logTime, s)
}

// matchMoved finds the streams that have moved among those removed and added.
func (d *delta) matchMoved(oldTime, newTime int64, s viewSigner) {
	if d.removedByCode == nil {
		d.removedByCode = map[string]*presence.Stream{}
	}
	for _, st := range d.removed {
		d.removedByCode[st.Code] = st
	}
	for _, st := range d.added {
		old, ok := d.removedByCode[st.Code]
		if !ok {
			d.put = append(d.put, st)
			continue
		}
		d.compareStreams(old, st, oldTime, newTime, s)
		delete(d.removedByCode, st.Code)
	}
	for _, st := range d.removed {
		if _, ok := d.removedByCode[st.Code]; ok {
			d.del = append(d.del, st.Code)
		}
	}
	clear(d.removedByCode)
}

// compareStreams compares a stream that is in both windows. Another session
// under the same code is a whole entry.
func (d *delta) compareStreams(old, new *presence.Stream, oldTime, newTime int64, s viewSigner) {
	if old.Session != new.Session {
		d.put = append(d.put, new)
		return
	}
	urlsDiffer := s.urlsDiffer(new.Code, oldTime, newTime)
	text, counters := visibleChanges(old, new)
	if text || counters || urlsDiffer {
		d.set = append(d.set, streamPair{old, new, urlsDiffer})
	}
}
