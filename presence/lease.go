package presence

import (
	"cmp"
	"slices"
)

// LeaseParams are the times of a session's lease. A session keeps them until its
// client has acknowledged newer settings. Interval and Grace are in
// milliseconds.
type LeaseParams struct{ Interval, Missed, Grace int64 }

func (s Settings) leaseParams() LeaseParams { return LeaseParams{s.Interval, s.Missed, s.Grace} }

func (p LeaseParams) isValid() bool {
	return Settings{Interval: p.Interval, Missed: p.Missed, Grace: p.Grace}.Check() == nil
}

// ttl is the time from the last renewal to the end, in milliseconds.
func (p LeaseParams) ttl() (ms int64) { return p.Missed*p.Interval + p.Grace }

func appendLeaseParams(b []byte, p LeaseParams) []byte {
	return appendInt(appendInt(appendInt(b, p.Interval), p.Missed), p.Grace)
}

func (r *decoder) uncheckedLeaseParams() LeaseParams { return LeaseParams{r.int(), r.int(), r.int()} }

// lease is one session's right to stay listed, in 16 bytes. A beat changes last,
// renewer and misses only. Times are the low 32 bits of the presence clock,
// because no lease is longer than maxLeaseLength.
type lease struct {
	last    uint32 // time of the last renewal
	next    uint32 // next lease in the same bucket of the wheel, plus one; 0: none
	tag     uint16 // 16 bits of the session id: a beat with other bits is a stray
	renewer uint16 // number of the node that renewed it last, 0: no living one
	params  uint8  // index into leases.params
	misses  uint8  // misses since the last renewal that were applied
	flags   uint8
}

const (
	leaseUsed      = 1 << iota
	leaseNotLive   // the stream is not Live: a beat changes its state
	leaseUntimed   // the session needs no beats: no miss ends it, and it is in no bucket
	leaseScheduled // it is in the wheel, perhaps since an ended session had this index
)

// leases holds the leases of all sessions by index, and a lazy timing wheel. A
// beat does not move a lease in the wheel. When a lease's bucket comes up its
// deadline is computed again; the lease then misses or is scheduled anew. So
// misses depend on deadlines alone, not on how the wheel was built, and a node
// that loaded a snapshot agrees with the others.
//
// A miss applies when the bucket of its deadline has passed, at most a quarter
// tick after the deadline.
//
// A lease is scheduled no later than its next miss, and no later than one
// interval from now by its own params and by the current ones. Nothing can make
// it due earlier. A beat is younger than the watermark of the last miss, because
// its node had not appended since, and it extends the lease by an interval.
// Whatever changes a lease's params renews it as well. So a lease is in one
// bucket at a time and never moves to an earlier one.
type leases struct {
	all          []lease
	params       []LeaseParams // those that leases use, and the current ones
	currentIndex uint8         // index of the params of the current settings
	wheel        [wheelSize]uint32
	bucketMS     int64 // width of a bucket, in milliseconds
	nextBucket   int64 // all buckets below this one are empty
}

// wheelSize is the number of buckets. With a quarter tick each they span 17
// minutes at a tick of one second. A longer lease is visited once a turn, which
// costs nanoseconds.
const wheelSize = 4096

// maxLeaseParams is how many different params sessions can use at once.
const maxLeaseParams = 256

// setCurrentParams makes p the current params. It reports false, with no effect
// on any lease, when sessions use too many different params. The caller rebuilds
// the wheel, because a shorter interval bounds how late any lease may be
// scheduled.
func (l *leases) setCurrentParams(p LeaseParams) (isSet bool) {
	index, ok := l.findOrAddParamsDroppingUnused(p)
	if ok {
		l.currentIndex = index
	}
	return ok
}

// rebuildWheel builds the wheel from the leases alone. Leases that are due
// already, because buckets are narrower now, go into the last bucket before the
// watermark.
func (l *leases) rebuildWheel(tickMS, watermark, presenceNow int64) {
	l.bucketMS = max(1, tickMS/4)
	l.nextBucket = max(0, watermark/l.bucketMS-1)
	l.wheel = [wheelSize]uint32{}
	for i := range l.all {
		l.all[i].flags &^= leaseScheduled
		if l.all[i].flags&(leaseUsed|leaseUntimed) == leaseUsed {
			l.schedule(uint32(i), presenceNow)
		}
	}
}

// findOrAddParamsDroppingUnused finds or adds params and returns their index. It reports false when
// all are in use. It drops unused params only when there is no room, so that the
// result does not depend on which unused ones there are.
func (l *leases) findOrAddParamsDroppingUnused(p LeaseParams) (index uint8, hasRoom bool) {
	if len(l.params) == maxLeaseParams && !slices.Contains(l.params, p) {
		l.dropUnusedParams()
	}
	return l.findOrAddParams(p)
}

// dropUnusedParams keeps the params that leases use, and the current ones.
func (l *leases) dropUnusedParams() {
	old := l.params
	l.params = nil
	l.currentIndex, _ = l.findOrAddParams(old[l.currentIndex])
	for i := range l.all {
		if le := &l.all[i]; le.flags&leaseUsed != 0 {
			le.params, _ = l.findOrAddParams(old[le.params])
		}
	}
}

// findOrAddParams returns the index of params; it reports false when there is
// no room.
func (l *leases) findOrAddParams(p LeaseParams) (index uint8, hasRoom bool) {
	if i := slices.Index(l.params, p); i >= 0 {
		return uint8(i), true
	}
	if len(l.params) == maxLeaseParams {
		return 0, false
	}
	l.params = append(l.params, p)
	return uint8(len(l.params) - 1), true
}

func (l *leases) currentParams() LeaseParams { return l.params[l.currentIndex] }

// start gives the session of an index a full lease. An untimed lease never
// misses.
func (l *leases) start(index uint32, tag, renewer uint16, presenceNow int64, isUntimed bool) {
	for int(index) >= len(l.all) {
		l.all = append(l.all, lease{})
	}
	le := &l.all[index]
	// An ended session's lease may still be in the wheel, no later than this one
	// must be.
	scheduled := le.flags & leaseScheduled
	*le = lease{
		last: uint32(presenceNow), next: le.next, tag: tag, renewer: renewer, params: l.currentIndex,
		flags: leaseUsed | leaseNotLive | scheduled,
	}
	switch {
	case isUntimed:
		le.flags |= leaseUntimed // if it is scheduled, advanceWheel drops it
	case scheduled == 0:
		l.schedule(index, presenceNow)
	}
}

// find returns the lease that a beat names, or nil for a stray beat.
func (l *leases) find(name Lease) *lease {
	if int(name.Index) >= len(l.all) {
		return nil
	}
	le := &l.all[name.Index]
	if le.tag != name.Tag || le.flags&leaseUsed == 0 {
		return nil
	}
	return le
}

// lastRenewal is the presence time of the last renewal.
func (le *lease) lastRenewal(presenceNow int64) (presenceTime int64) {
	return presenceNow - int64(uint32(presenceNow)-le.last)
}

// renew records a beat at a presence time. It never moves the last renewal back.
func (le *lease) renew(beatTime, presenceNow int64, renewer uint16) {
	if beatTime > le.lastRenewal(presenceNow) {
		le.last = uint32(beatTime)
	}
	le.renewer, le.misses = renewer, 0
}

// missTime is the presence time at which the lease's nth beat is missed.
func (l *leases) missTime(le *lease, nth, presenceNow int64) (presenceTime int64) {
	t := l.params[le.params]
	return le.lastRenewal(presenceNow) + nth*t.Interval + t.Grace
}

// schedule puts a lease into the bucket of its next miss, or of one interval
// from now where that is earlier.
func (l *leases) schedule(index uint32, presenceNow int64) {
	le := &l.all[index]
	at := l.missTime(le, int64(le.misses)+1, presenceNow)
	at = min(at, presenceNow+l.params[le.params].Interval, presenceNow+l.currentParams().Interval)
	b := max(at/l.bucketMS, l.nextBucket)
	head := &l.wheel[b%wheelSize]
	le.next = *head
	le.flags |= leaseScheduled
	*head = index + 1
}

// missedBeat is one miss that has come due.
type missedBeat struct {
	dueAt       int64
	index       uint32
	nth         int64 // the first miss since the last renewal is 1
	endsSession bool
}

// advanceWheel moves the wheel to the watermark. It returns every miss whose
// bucket lies before, in the order of deadline and index, and schedules the
// leases that go on.
func (l *leases) advanceWheel(watermark, presenceNow int64) (misses []missedBeat) {
	endBucket := watermark / l.bucketMS
	if endBucket <= l.nextBucket {
		return nil
	}
	from := max(l.nextBucket, endBucket-wheelSize) // one turn visits every lease there is
	l.nextBucket = endBucket
	for b := from; b < endBucket; b++ {
		i := l.wheel[b%wheelSize]
		l.wheel[b%wheelSize] = 0
		for i != 0 {
			at := i - 1
			i = l.all[at].next
			l.all[at].flags &^= leaseScheduled
			var goesOn bool
			if misses, goesOn = l.appendDueMisses(misses, at, endBucket, presenceNow); goesOn {
				l.schedule(at, presenceNow)
			}
		}
	}
	slices.SortFunc(misses, func(a, b missedBeat) int {
		return cmp.Or(cmp.Compare(a.dueAt, b.dueAt), cmp.Compare(a.index, b.index), cmp.Compare(a.nth, b.nth))
	})
	return misses
}

// appendDueMisses appends the misses of a lease whose deadlines lie before a bucket.
// goesOn is false when one of them ends the session, and for a lease without
// misses.
func (l *leases) appendDueMisses(misses []missedBeat, index uint32, endBucket, presenceNow int64) (all []missedBeat, goesOn bool) {
	le := &l.all[index]
	if le.flags&(leaseUsed|leaseUntimed) != leaseUsed {
		return misses, false
	}
	limit := l.params[le.params].Missed
	for {
		k := int64(le.misses) + 1
		at := l.missTime(le, k, presenceNow)
		if at/l.bucketMS >= endBucket {
			return misses, true
		}
		le.misses++
		misses = append(misses, missedBeat{dueAt: at, index: index, nth: k, endsSession: k == limit})
		if k == limit {
			return misses, false
		}
	}
}

// restartMatching gives every lease that matches its full time again.
func (l *leases) restartMatching(presenceNow int64, matches func(*lease) bool) {
	for i := range l.all {
		if le := &l.all[i]; le.flags&leaseUsed != 0 && matches(le) {
			le.last, le.misses = uint32(presenceNow), 0
		}
	}
}
