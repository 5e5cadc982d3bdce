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

// setToWindowDifference sets d to the difference between two states of an order. Both windows
// are sorted, so one walk along both finds what is not in both at the same
// place, and only that is looked up. It skips identical pointers, the usual case.
func (d *delta) setToWindowDifference(o *order, from, to *viewState, urls viewURLs) {
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
		if old != new || urls.hasURLs() {
			d.addStreamDifference(old, new, from.logTime, to.logTime, urls)
		}
		oldWindow, newWindow = oldWindow[1:], newWindow[1:]
	}
	d.removed, d.added = append(d.removed, oldWindow...), append(d.added, newWindow...)
	d.matchRemovedWithAdded(from.logTime, to.logTime, urls)
}

// matchRemovedWithAdded finds the streams that have moved among those removed and
// added. The others are put or deleted.
func (d *delta) matchRemovedWithAdded(oldLogTime, newLogTime int64, urls viewURLs) {
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
		d.addStreamDifference(old, st, oldLogTime, newLogTime, urls)
		delete(d.removedByCode, st.Code)
	}
	for _, st := range d.removed {
		if _, ok := d.removedByCode[st.Code]; ok {
			d.del = append(d.del, st.Code)
		}
	}
	clear(d.removedByCode)
}

// addStreamDifference adds the difference of a stream that is in both windows, if
// there is one. Another session
// under the same code is a whole entry.
func (d *delta) addStreamDifference(old, new *presence.Stream, oldLogTime, newLogTime int64, urls viewURLs) {
	if old.Session != new.Session {
		d.put = append(d.put, new)
		return
	}
	urlsDiffer := urls.urlsDiffer(new.Code, oldLogTime, newLogTime)
	text, counters := visibleChanges(old, new)
	if text || counters || urlsDiffer {
		d.set = append(d.set, streamPair{old, new, urlsDiffer})
	}
}
