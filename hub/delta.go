package hub

import (
	"onair/presence"
)

// moment is what a view shows at one position. Its window must not be changed
// while anybody may still compare with it.
type moment struct {
	pos     presence.Position
	history uint64 // the ring's, of pos
	time    int64  // log time, on which play URLs depend
	total   int    // streams that match, without the limit
	window  []*presence.Stream
}

// delta is the difference between two windows. It is reused.
type delta struct {
	put []*presence.Stream
	set []pair
	del []string

	// While comparing: what is in one window only, or has moved.
	left, came []*presence.Stream
	index      map[string]*presence.Stream // of left
}

// pair is a stream in two windows; renewed says that its play URLs differ.
type pair struct {
	old, new *presence.Stream
	renewed  bool
}

func (d *delta) empty() bool { return len(d.put)+len(d.set)+len(d.del) == 0 }

// compare makes d lead from one moment to another of an order. Both windows are
// sorted by it, so that one walk along both finds what is not in both at the
// same place; only that is looked up. Most streams are the same, and not even
// looked at.
func (d *delta) compare(o *order, from, to *moment, p player) {
	clear(d.put)
	clear(d.set)
	clear(d.left)
	clear(d.came)
	d.put, d.set, d.del, d.left, d.came = d.put[:0], d.set[:0], d.del[:0], d.left[:0], d.came[:0]
	old, new := from.window, to.window
	for len(old) > 0 && len(new) > 0 {
		was, is := old[0], new[0]
		if was != is {
			a, b := o.place(was), o.place(is)
			if before(a, b) {
				d.left, old = append(d.left, was), old[1:]
				continue
			}
			if before(b, a) {
				d.came, new = append(d.came, is), new[1:]
				continue
			}
		}
		if was != is || !p.none() {
			d.both(was, is, from.time, to.time, p)
		}
		old, new = old[1:], new[1:]
	}
	d.left, d.came = append(d.left, old...), append(d.came, new...)
	d.match(from.time, to.time, p)
}

// match finds those that have moved among what has left and come.
func (d *delta) match(then, now int64, p player) {
	if d.index == nil {
		d.index = map[string]*presence.Stream{}
	}
	for _, st := range d.left {
		d.index[st.Code] = st
	}
	for _, st := range d.came {
		was, ok := d.index[st.Code]
		if !ok {
			d.put = append(d.put, st)
			continue
		}
		d.both(was, st, then, now, p)
		delete(d.index, st.Code)
	}
	for _, st := range d.left {
		if _, gone := d.index[st.Code]; gone {
			d.del = append(d.del, st.Code)
		}
	}
	clear(d.index)
}

// both compares a stream that is in both windows. Another session under the
// same code replaces the first as a whole.
func (d *delta) both(was, is *presence.Stream, then, now int64, p player) {
	if was.Session != is.Session {
		d.put = append(d.put, is)
		return
	}
	renewed := p.renewed(is.Code, then, now)
	text, counters := contrast(was, is)
	if text || counters || renewed {
		d.set = append(d.set, pair{was, is, renewed})
	}
}

// player makes play URLs of some protocols; the zero player makes none.
type player struct {
	signer Signer
	play   []string
}

func (p player) none() bool { return len(p.play) == 0 }

// renewed tells whether a stream has other URLs at now than it had then.
func (p player) renewed(code string, then, now int64) bool {
	return !p.none() && then != now && p.signer.Expiry(code, then) != p.signer.Expiry(code, now)
}

// nextSwitch is when the first URL of a window changes after at.
func (p player) nextSwitch(window []*presence.Stream, at int64) int64 {
	next := int64(1<<63 - 1)
	if !p.none() {
		for _, st := range window {
			next = min(next, p.signer.NextRenewal(st.Code, at))
		}
	}
	return next
}
