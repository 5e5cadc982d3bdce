package hub

import (
	"sort"

	"onair/presence"
)

// keepHistory is how long a position can be resumed from, in milliseconds of
// log time.
const keepHistory = 2 * 60 * 1000

// ring is the list's one undo history: for each entry of the log its position,
// its time, and the streams that it changed as they were before. It is bounded
// by time and by count, and guarded by Hub.mu.
type ring struct {
	most    int    // of steps, and of touches
	history uint64 // counted: positions of different ones are in no order
	steps   queue[step]
	touches queue[touch]
}

// step is one entry of the log.
type step struct {
	pos  presence.Position
	time int64
	end  uint64 // the number of the first touch after it
}

// touch is a change of one stream; old or new may be nil.
type touch struct{ old, new *presence.Stream }

func (t touch) code() string {
	if t.old != nil {
		return t.old.Code
	}
	return t.new.Code
}

// reset begins a history.
func (r *ring) reset(pos presence.Position, time int64) {
	r.history++
	end := r.touches.end()
	r.touches.dropTo(end)
	r.steps.dropTo(r.steps.end())
	r.steps.push(step{pos, time, end})
}

// push adds an entry of the log, whose touches follow. An id that is not higher
// than the last one belongs to another history.
func (r *ring) push(pos presence.Position, time int64) {
	if pos.ID.Compare(r.last().pos.ID) <= 0 {
		r.reset(pos, time)
		return
	}
	r.steps.push(step{pos, time, r.touches.end()})
}

// touch adds a change to the last entry.
func (r *ring) touch(old, new *presence.Stream) {
	r.touches.push(touch{old, new})
	r.last().end = r.touches.end()
}

// trim drops what is too old or too much. A position stays for keepHistory
// after the next one has come.
func (r *ring) trim() {
	oldest := r.last().time - keepHistory
	for r.steps.len() > 1 {
		second := *r.steps.at(r.steps.first + 1)
		if second.time >= oldest && r.steps.len() <= r.most && r.touches.len() <= r.most {
			return
		}
		r.steps.dropTo(r.steps.first + 1)
		r.touches.dropTo(second.end)
	}
}

// last is the newest entry; reset must have been called.
func (r *ring) last() *step { return r.steps.at(r.steps.end() - 1) }

// find returns the number of the step at pos, if it is of this history and
// still known.
func (r *ring) find(pos presence.Position) (n uint64, ok bool) {
	i := sort.Search(r.steps.len(), func(i int) bool {
		return r.steps.at(r.steps.first+uint64(i)).pos.ID.Compare(pos.ID) >= 0
	})
	n = r.steps.first + uint64(i)
	return n, i < r.steps.len() && r.steps.at(n).pos == pos
}

// has tells whether a position is of this history and still known.
func (r *ring) has(pos presence.Position) bool {
	_, ok := r.find(pos)
	return ok
}

// since are the touches after step n, oldest first.
func (r *ring) since(n uint64) []touch { return r.touches.from(r.steps.at(n).end) }

// queue is a first-in-first-out whose elements have rising numbers.
type queue[T any] struct {
	buf   []T
	head  int
	first uint64 // the number of buf[head]
}

func (q *queue[T]) len() int          { return len(q.buf) - q.head }
func (q *queue[T]) end() uint64       { return q.first + uint64(q.len()) }
func (q *queue[T]) at(n uint64) *T    { return &q.buf[q.head+int(n-q.first)] }
func (q *queue[T]) push(v T)          { q.buf = append(q.buf, v) }
func (q *queue[T]) from(n uint64) []T { return q.buf[q.head+int(n-q.first):] }

// dropTo drops all before number n. What is moved for it is less than what was
// dropped since the last move.
func (q *queue[T]) dropTo(n uint64) {
	if n <= q.first {
		return
	}
	k := int(n - q.first)
	clear(q.buf[q.head : q.head+k])
	q.head += k
	q.first = n
	if q.head > len(q.buf)/2 {
		kept := copy(q.buf, q.buf[q.head:])
		clear(q.buf[kept:])
		q.buf, q.head = q.buf[:kept], 0
	}
}
