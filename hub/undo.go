package hub

import (
	"sort"

	"onair/presence"
)

// maxResumeAge is the age up to which a position can be resumed from, in
// milliseconds of log time.
const maxResumeAge = 2 * 60 * 1000

// undoRing stores recent log entries, so that their changes can be undone: for each
// its position, log time, and changed streams, old and new. Hub.mu guards it.
type undoRing struct {
	maxLen  int    // of entries, and of changes
	epoch   uint64 // number of the epoch: positions of different epochs have no order
	entries numberedQueue[undoEntry]
	changes numberedQueue[streamChange]
}

// undoEntry is one log entry.
type undoEntry struct {
	pos        presence.Position
	logTime    int64
	changesEnd uint64 // number of the first change after the entry
}

// streamChange is a change of one stream; old or new may be nil.
type streamChange struct{ old, new *presence.Stream }

func (c streamChange) code() string {
	if c.old != nil {
		return c.old.Code
	}
	return c.new.Code
}

// beginEpoch discards all entries but a first one.
func (r *undoRing) beginEpoch(pos presence.Position, logTime int64) {
	r.epoch++
	end := r.changes.endNumber()
	r.changes.discardBefore(end)
	r.entries.discardBefore(r.entries.endNumber())
	r.entries.push(undoEntry{pos, logTime, end})
}

// appendEntryOrBeginEpoch adds a log entry; its changes follow. An id that is not higher
// than the last one begins an epoch.
func (r *undoRing) appendEntryOrBeginEpoch(pos presence.Position, logTime int64) {
	if pos.ID.Compare(r.lastEntry().pos.ID) <= 0 {
		r.beginEpoch(pos, logTime)
		return
	}
	r.entries.push(undoEntry{pos, logTime, r.changes.endNumber()})
}

// appendChange adds a change to the last entry.
func (r *undoRing) appendChange(old, new *presence.Stream) {
	r.changes.push(streamChange{old, new})
	r.lastEntry().changesEnd = r.changes.endNumber()
}

// discardOldAndExcessEntries discards entries beyond maxResumeAge and maxLen. The age of a
// position counts from the entry after it.
func (r *undoRing) discardOldAndExcessEntries() {
	oldest := r.lastEntry().logTime - maxResumeAge
	for r.entries.len() > 1 {
		second := *r.entries.item(r.entries.firstNumber + 1)
		if second.logTime >= oldest && r.entries.len() <= r.maxLen && r.changes.len() <= r.maxLen {
			return
		}
		r.entries.discardBefore(r.entries.firstNumber + 1)
		r.changes.discardBefore(second.changesEnd)
	}
}

// lastEntry is the newest entry. There is always one after beginEpoch.
func (r *undoRing) lastEntry() *undoEntry { return r.entries.item(r.entries.endNumber() - 1) }

// entryNumber finds the entry at a position. ok is false if the position is of
// another epoch, or discarded.
func (r *undoRing) entryNumber(pos presence.Position) (number uint64, ok bool) {
	i := sort.Search(r.entries.len(), func(i int) bool {
		return r.entries.item(r.entries.firstNumber+uint64(i)).pos.ID.Compare(pos.ID) >= 0
	})
	number = r.entries.firstNumber + uint64(i)
	return number, i < r.entries.len() && r.entries.item(number).pos == pos
}

// changesSince are the changes after an entry, oldest first.
func (r *undoRing) changesSince(entryNumber uint64) []streamChange {
	return r.changes.itemsFrom(r.entries.item(entryNumber).changesEnd)
}

// numberedQueue is a first-in-first-out queue whose elements have consecutive
// numbers.
type numberedQueue[T any] struct {
	buf         []T
	head        int
	firstNumber uint64 // number of buf[head]
}

func (q *numberedQueue[T]) len() int              { return len(q.buf) - q.head }
func (q *numberedQueue[T]) endNumber() uint64     { return q.firstNumber + uint64(q.len()) }
func (q *numberedQueue[T]) item(number uint64) *T { return &q.buf[q.head+int(number-q.firstNumber)] }
func (q *numberedQueue[T]) push(v T)              { q.buf = append(q.buf, v) }
func (q *numberedQueue[T]) itemsFrom(number uint64) []T {
	return q.buf[q.head+int(number-q.firstNumber):]
}

// discardBefore discards the elements before a number. It moves fewer elements
// than were discarded since the last move.
func (q *numberedQueue[T]) discardBefore(number uint64) {
	if number <= q.firstNumber {
		return
	}
	n := int(number - q.firstNumber)
	clear(q.buf[q.head : q.head+n])
	q.head += n
	q.firstNumber = number
	if q.head > len(q.buf)/2 {
		rest := copy(q.buf, q.buf[q.head:])
		clear(q.buf[rest:])
		q.buf, q.head = q.buf[:rest], 0
	}
}

// undoDepth is the depth in windows to which windowBefore undoes changes at first.
const undoDepth = 4

// windowBefore returns the window that was there before some changes.
//
// In a long list most changes are far behind any window. So the first attempt
// skips streams that were, and are, behind a bound some windows deep. Its result
// is right if it ends before the bound: then no skipped stream was in the window,
// and the result has none. A stream that came from behind the bound may be seen
// first at a later change. Before that change it was behind the bound, too.
func (o *order) windowBefore(changes []streamChange, limit int) []*presence.Stream {
	if bound, ok := o.tree.GetAt(undoDepth * limit); ok && len(changes) > limit {
		w := o.windowBeforeIgnoringBehind(changes, limit, bound)
		if len(w) == limit && precedes(o.ranked(w[limit-1]), bound) {
			return w
		}
	}
	return o.windowBeforeIgnoringBehind(changes, limit, rankedStream{})
}

// windowBeforeIgnoringBehind returns the window before changes. It skips streams that are
// behind bound before and after; the zero value is no bound.
func (o *order) windowBeforeIgnoringBehind(changes []streamChange, limit int, bound rankedStream) []*presence.Stream {
	isNear := func(st *presence.Stream) bool {
		return st != nil && (bound.stream == nil || precedes(o.ranked(st), bound)) && o.matches(st)
	}
	changed := map[string]bool{}
	var olds []*presence.Stream
	for _, c := range changes {
		wasNear := isNear(c.old)
		if !wasNear && !isNear(c.new) {
			continue
		}
		code := c.code()
		if changed[code] {
			continue // the oldest change has the state before all of them
		}
		changed[code] = true
		if wasNear {
			olds = append(olds, c.old)
		}
	}
	return o.mergeWindow(o.sortedRanks(olds), changed, limit)
}

// mergeWindow returns the first streams among olds and the tree without the
// codes in skipCodes.
func (o *order) mergeWindow(olds []rankedStream, skipCodes map[string]bool, limit int) []*presence.Stream {
	w := make([]*presence.Stream, 0, min(limit, len(olds)+o.tree.Len()))
	o.tree.Scan(func(r rankedStream) bool {
		if skipCodes[r.stream.Code] {
			return true
		}
		for len(olds) > 0 && len(w) < limit && precedes(olds[0], r) {
			w = append(w, olds[0].stream)
			olds = olds[1:]
		}
		if len(w) < limit {
			w = append(w, r.stream)
		}
		return len(w) < limit
	})
	for len(olds) > 0 && len(w) < limit {
		w = append(w, olds[0].stream)
		olds = olds[1:]
	}
	return w
}
