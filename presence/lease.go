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

// ttl is the time from the last renewal to the end, in milliseconds.
func (p LeaseParams) ttl() int64 { return p.Missed*p.Interval + p.Grace }

func appendLeaseParams(b []byte, p LeaseParams) []byte {
	return appendInt(appendInt(appendInt(b, p.Interval), p.Missed), p.Grace)
}

func (r *reader) leaseParams() LeaseParams { return LeaseParams{r.int(), r.int(), r.int()} }

// lease is one session's claim to be live, 16 bytes. Beats move last and
// nothing else. Times are the low 32 bits of the presence clock: no lease is
// ever further from it than maxLeaseLength.
type lease struct {
	last    uint32 // when the last beat, start or resume was heard
	next    uint32 // the next lease in the same bucket of the wheel, plus one
	tag     uint16 // 16 bits of the session: a beat that carries others is a stray
	renewer uint16 // the node through which it was last renewed, 0: none living
	params  uint8  // index into leases.params
	misses  uint8  // beats missed since last, as far as they have fired
	flags   uint8
}

const (
	leaseUsed      = 1 << iota
	leaseNotLive   // the stream is not Live: a beat changes its state
	leaseUntimed   // its session does not live by beats: no silence ends it, and it stands in no bucket
	leaseScheduled // it stands in the wheel, maybe from a session that has ended
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
	all          []lease
	params       []LeaseParams // those in use by leases, and the present ones
	currentIndex uint8         // index of the present terms
	wheel        [wheelSize]uint32
	bucketMS     int64 // milliseconds a bucket
	nextBucket   int64 // all buckets below this one have been emptied
}

// wheelSize buckets of a quarter tick make 17 minutes at a one-second tick; a
// longer lease is looked at once a turn, which costs nanoseconds.
const wheelSize = 4096

// maxLeaseParams is how many settings may be in use by sessions at once.
const maxLeaseParams = 256

// setParams makes t the present terms, and parks every lease anew: a shorter
// interval bounds how long any may be parked. It reports false, having changed
// nothing that counts, when sessions hold to too many different terms already.
func (l *leases) setParams(t LeaseParams, tick, heard, clock int64) bool {
	now, ok := l.makeRoomAndAddParams(t)
	if !ok {
		return false
	}
	l.currentIndex = now
	l.rebuildWheel(tick, heard, clock)
	return true
}

// rebuildWheel builds the wheel from the leases alone. What is due by now, since the
// buckets have become finer, stands in the last bucket before the heard time.
func (l *leases) rebuildWheel(tick, heard, clock int64) {
	l.bucketMS = max(1, tick/4)
	l.nextBucket = max(0, heard/l.bucketMS-1)
	l.wheel = [wheelSize]uint32{}
	for i := range l.all {
		l.all[i].flags &^= leaseScheduled
		if l.all[i].flags&(leaseUsed|leaseUntimed) == leaseUsed {
			l.schedule(uint32(i), clock)
		}
	}
}

// makeRoomAndAddParams is use, and lets go of terms that nobody uses where there is no room: so
// whether there is does not depend on which there were.
func (l *leases) makeRoomAndAddParams(t LeaseParams) (uint8, bool) {
	if len(l.params) == maxLeaseParams && !slices.Contains(l.params, t) {
		l.dropUnusedParams()
	}
	return l.addParams(t)
}

// dropUnusedParams keeps the terms that leases use, and the present ones.
func (l *leases) dropUnusedParams() {
	old := l.params
	l.params = nil
	l.currentIndex, _ = l.addParams(old[l.currentIndex])
	for i := range l.all {
		if le := &l.all[i]; le.flags&leaseUsed != 0 {
			le.params, _ = l.addParams(old[le.params])
		}
	}
}

// addParams finds or adds terms and returns their index; it reports false when there
// is no room.
func (l *leases) addParams(t LeaseParams) (uint8, bool) {
	if i := slices.Index(l.params, t); i >= 0 {
		return uint8(i), true
	}
	if len(l.params) == maxLeaseParams {
		return 0, false
	}
	l.params = append(l.params, t)
	return uint8(len(l.params) - 1), true
}

func (l *leases) currentParams() LeaseParams { return l.params[l.currentIndex] }

// start gives the session of that index a full lease; a mute one never fires.
func (l *leases) start(i uint32, tag, via uint16, clock int64, mute bool) {
	for int(i) >= len(l.all) {
		l.all = append(l.all, lease{})
	}
	le := &l.all[i]
	// An ended session's lease may still be in its bucket: that is no later
	// than this one needs.
	parked := le.flags & leaseScheduled
	*le = lease{
		last: uint32(clock), next: le.next, tag: tag, renewer: via, params: l.currentIndex,
		flags: leaseUsed | leaseNotLive | parked,
	}
	switch {
	case mute:
		le.flags |= leaseUntimed // if it is parked, visit lets go of it
	case parked == 0:
		l.schedule(i, clock)
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

// lastRenewal is the presence time at which the lease was last renewed.
func (le *lease) lastRenewal(clock int64) int64 { return clock - int64(uint32(clock)-le.last) }

// renew notes that a beat was heard at a presence time. It never moves a lease
// back.
func (le *lease) renew(at, clock int64, via uint16) {
	if at > le.lastRenewal(clock) {
		le.last = uint32(at)
	}
	le.renewer, le.misses = via, 0
}

// missTime is when the k-th beat of the lease is missed.
func (l *leases) missTime(le *lease, k, clock int64) int64 {
	t := l.params[le.params]
	return le.lastRenewal(clock) + k*t.Interval + t.Grace
}

// schedule puts a lease into the bucket of its next miss, or of one interval from
// now where that is sooner.
func (l *leases) schedule(i uint32, clock int64) {
	le := &l.all[i]
	at := l.missTime(le, int64(le.misses)+1, clock)
	at = min(at, clock+l.params[le.params].Interval, clock+l.currentParams().Interval)
	b := max(at/l.bucketMS, l.nextBucket)
	head := &l.wheel[b%wheelSize]
	le.next = *head
	le.flags |= leaseScheduled
	*head = i + 1
}

// missedBeat is one miss that has come due.
type missedBeat struct {
	dueAt       int64
	index       uint32
	nth         int64
	endsSession bool // it ends the session
}

// collectMisses collects every miss whose bucket lies before that of heard, in the
// order of (deadline, index), and parks the leases that are not over.
func (l *leases) collectMisses(heard, clock int64) []missedBeat {
	to := heard / l.bucketMS
	if to <= l.nextBucket {
		return nil
	}
	var due []missedBeat
	from := max(l.nextBucket, to-wheelSize) // one turn visits every lease there is
	l.nextBucket = to
	for b := from; b < to; b++ {
		i := l.wheel[b%wheelSize]
		l.wheel[b%wheelSize] = 0
		for i != 0 {
			at := i - 1
			i = l.all[at].next
			l.all[at].flags &^= leaseScheduled
			due = l.visit(at, to, clock, due)
		}
	}
	slices.SortFunc(due, func(a, b missedBeat) int {
		return cmp.Or(cmp.Compare(a.dueAt, b.dueAt), cmp.Compare(a.index, b.index), cmp.Compare(a.nth, b.nth))
	})
	return due
}

// visit looks at one lease whose bucket has come up.
func (l *leases) visit(i uint32, to, clock int64, due []missedBeat) []missedBeat {
	le := &l.all[i]
	if le.flags&(leaseUsed|leaseUntimed) != leaseUsed {
		return due
	}
	limit := l.params[le.params].Missed
	for {
		k := int64(le.misses) + 1
		at := l.missTime(le, k, clock)
		if at/l.bucketMS >= to {
			l.schedule(i, clock)
			return due
		}
		le.misses++
		due = append(due, missedBeat{dueAt: at, index: i, nth: k, endsSession: k == limit})
		if k == limit {
			return due
		}
	}
}

// restart starts the count anew for every lease that pick names.
func (l *leases) restart(clock int64, pick func(*lease) bool) {
	for i := range l.all {
		if le := &l.all[i]; le.flags&leaseUsed != 0 && pick(le) {
			le.last, le.misses = uint32(clock), 0
		}
	}
}
