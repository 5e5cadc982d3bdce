package presence

import (
	"cmp"
	"slices"
)

// LeaseParams are what a session's lease runs by: the part of the settings that
// a session keeps until its client has acknowledged newer ones. Interval and Grace
// are in milliseconds.
type LeaseParams struct{ Interval, Missed, Grace int64 }

func (s Settings) leaseParams() LeaseParams { return LeaseParams{s.Interval, s.Missed, s.Grace} }

func (p LeaseParams) areValid() bool {
	return Settings{Interval: p.Interval, Missed: p.Missed, Grace: p.Grace}.Check() == nil
}

// length is the time from the last renewal to the end, in milliseconds.
func (p LeaseParams) length() int64 { return p.Missed*p.Interval + p.Grace }

func appendLeaseParams(b []byte, p LeaseParams) []byte {
	return appendInt(appendInt(appendInt(b, p.Interval), p.Missed), p.Grace)
}

func (r *reader) leaseParams() LeaseParams { return LeaseParams{r.int(), r.int(), r.int()} }

// lease is one session's claim to be live, 16 bytes. Beats move last and
// nothing else. Times are the low 32 bits of the presence clock: no lease is
// ever further from it than maxPresence.
type lease struct {
	last   uint32 // when the last beat, start or resume was heard
	next   uint32 // the next lease in the same bucket of the wheel, plus one
	tag    uint16 // 16 bits of the session: a beat that carries others is a stray
	via    uint16 // the node through which it was last renewed, 0: none living
	terms  uint8  // index into leases.terms
	misses uint8  // beats missed since last, as far as they have fired
	flags  uint8
}

const (
	leaseUsed   = 1 << iota
	leaseQuiet  // the stream is not Live: a beat changes its state
	leaseMute   // its session does not live by beats: no silence ends it, and it stands in no bucket
	leaseParked // it stands in the wheel, maybe from a session that has ended
)

// leases are all leases by the session's index, and a lazy timing wheel over
// them. A beat does not move a lease in the wheel: when its bucket comes up,
// its deadline is computed again, and it fires or is parked anew. So firing
// depends on deadlines only, never on how the wheel came to be, and a node that
// started from a snapshot fires as the others do.
//
// A miss fires once the bucket of its deadline has passed: up to a quarter tick
// after the deadline itself.
//
// A lease is parked no later than its next miss and no later than one interval
// from now, both by its own terms and by the present ones. Nothing can make it
// due before that: a beat is younger than the heard time of the last miss that
// fired, since its node had not spoken since, and gives an interval from there;
// whatever gives a lease other terms renews it as well. So a lease stands in one
// bucket at a time and is never moved forward.
type leases struct {
	all   []lease
	terms []LeaseParams // those in use by leases, and the present ones
	now   uint8         // index of the present terms
	wheel [wheelSize]uint32
	grain int64 // milliseconds a bucket
	done  int64 // all buckets below this one have been emptied
}

// wheelSize buckets of a quarter tick make 17 minutes at a one-second tick; a
// longer lease is looked at once a turn, which costs nanoseconds.
const wheelSize = 4096

// maxTerms is how many settings may be in use by sessions at once.
const maxTerms = 256

// set makes t the present terms, and parks every lease anew: a shorter
// interval bounds how long any may be parked. It reports false, having changed
// nothing that counts, when sessions hold to too many different terms already.
func (l *leases) set(t LeaseParams, tick, heard, clock int64) bool {
	now, ok := l.fit(t)
	if !ok {
		return false
	}
	l.now = now
	l.rewind(tick, heard, clock)
	return true
}

// rewind builds the wheel from the leases alone. What is due by now, since the
// buckets have become finer, stands in the last bucket before the heard time.
func (l *leases) rewind(tick, heard, clock int64) {
	l.grain = max(1, tick/4)
	l.done = max(0, heard/l.grain-1)
	l.wheel = [wheelSize]uint32{}
	for i := range l.all {
		l.all[i].flags &^= leaseParked
		if l.all[i].flags&(leaseUsed|leaseMute) == leaseUsed {
			l.park(uint32(i), clock)
		}
	}
}

// fit is use, and lets go of terms that nobody uses where there is no room: so
// whether there is does not depend on which there were.
func (l *leases) fit(t LeaseParams) (uint8, bool) {
	if len(l.terms) == maxTerms && !slices.Contains(l.terms, t) {
		l.compact()
	}
	return l.use(t)
}

// compact keeps the terms that leases use, and the present ones.
func (l *leases) compact() {
	old := l.terms
	l.terms = nil
	l.now, _ = l.use(old[l.now])
	for i := range l.all {
		if le := &l.all[i]; le.flags&leaseUsed != 0 {
			le.terms, _ = l.use(old[le.terms])
		}
	}
}

// use finds or adds terms and returns their index; it reports false when there
// is no room.
func (l *leases) use(t LeaseParams) (uint8, bool) {
	if i := slices.Index(l.terms, t); i >= 0 {
		return uint8(i), true
	}
	if len(l.terms) == maxTerms {
		return 0, false
	}
	l.terms = append(l.terms, t)
	return uint8(len(l.terms) - 1), true
}

func (l *leases) present() LeaseParams { return l.terms[l.now] }

// begin gives the session of that index a full lease; a mute one never fires.
func (l *leases) begin(i uint32, tag, via uint16, clock int64, mute bool) {
	for int(i) >= len(l.all) {
		l.all = append(l.all, lease{})
	}
	le := &l.all[i]
	// An ended session's lease may still be in its bucket: that is no later
	// than this one needs.
	parked := le.flags & leaseParked
	*le = lease{
		last: uint32(clock), next: le.next, tag: tag, via: via, terms: l.now,
		flags: leaseUsed | leaseQuiet | parked,
	}
	switch {
	case mute:
		le.flags |= leaseMute // if it is parked, visit lets go of it
	case parked == 0:
		l.park(i, clock)
	}
}

// find returns the lease that a beat names, or nil for a stray.
func (l *leases) find(x Lease) *lease {
	if int(x.Index) >= len(l.all) {
		return nil
	}
	le := &l.all[x.Index]
	if le.tag != x.Tag || le.flags&leaseUsed == 0 {
		return nil
	}
	return le
}

// lastAt is the presence time at which the lease was last renewed.
func (le *lease) lastAt(clock int64) int64 { return clock - int64(uint32(clock)-le.last) }

// renew notes that a beat was heard at a presence time. It never moves a lease
// back.
func (le *lease) renew(at, clock int64, via uint16) {
	if at > le.lastAt(clock) {
		le.last = uint32(at)
	}
	le.via, le.misses = via, 0
}

// miss is when the k-th beat of the lease is missed.
func (l *leases) miss(le *lease, k, clock int64) int64 {
	t := l.terms[le.terms]
	return le.lastAt(clock) + k*t.Interval + t.Grace
}

// park puts a lease into the bucket of its next miss, or of one interval from
// now where that is sooner.
func (l *leases) park(i uint32, clock int64) {
	le := &l.all[i]
	at := l.miss(le, int64(le.misses)+1, clock)
	at = min(at, clock+l.terms[le.terms].Interval, clock+l.present().Interval)
	b := max(at/l.grain, l.done)
	head := &l.wheel[b%wheelSize]
	le.next = *head
	le.flags |= leaseParked
	*head = i + 1
}

// missed is one miss that has come due.
type missed struct {
	at    int64
	index uint32
	nth   int64
	last  bool // it ends the session
}

// advance collects every miss whose bucket lies before that of heard, in the
// order of (deadline, index), and parks the leases that are not over.
func (l *leases) advance(heard, clock int64) []missed {
	to := heard / l.grain
	if to <= l.done {
		return nil
	}
	var due []missed
	from := max(l.done, to-wheelSize) // one turn visits every lease there is
	l.done = to
	for b := from; b < to; b++ {
		i := l.wheel[b%wheelSize]
		l.wheel[b%wheelSize] = 0
		for i != 0 {
			at := i - 1
			i = l.all[at].next
			l.all[at].flags &^= leaseParked
			due = l.visit(at, to, clock, due)
		}
	}
	slices.SortFunc(due, func(a, b missed) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.index, b.index), cmp.Compare(a.nth, b.nth))
	})
	return due
}

// visit looks at one lease whose bucket has come up.
func (l *leases) visit(i uint32, to, clock int64, due []missed) []missed {
	le := &l.all[i]
	if le.flags&(leaseUsed|leaseMute) != leaseUsed {
		return due
	}
	limit := l.terms[le.terms].Missed
	for {
		k := int64(le.misses) + 1
		at := l.miss(le, k, clock)
		if at/l.grain >= to {
			l.park(i, clock)
			return due
		}
		le.misses++
		due = append(due, missed{at: at, index: i, nth: k, last: k == limit})
		if k == limit {
			return due
		}
	}
}

// rearm starts the count anew for every lease that pick names.
func (l *leases) rearm(clock int64, pick func(*lease) bool) {
	for i := range l.all {
		if le := &l.all[i]; le.flags&leaseUsed != 0 && pick(le) {
			le.last, le.misses = uint32(clock), 0
		}
	}
}
