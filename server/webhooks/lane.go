package webhooks

import "time"

// waiting is an event that was neither delivered nor given up.
type waiting struct {
	Event
	tries int // that failed
}

// lane holds what is open of one live code, in order. The first may be under
// way. A lane is under way itself, or in one of the pump's queues; one that is
// empty is no longer among the pump's lanes, and is thrown away when its turn
// comes. The pump's mutex guards it.
type lane struct {
	code   string
	events []*waiting
	way    bool      // the first is under way
	due    time.Time // not again before
}

// pop takes the first event out.
func (l *lane) pop() {
	l.events[0] = nil
	l.events = l.events[1:]
}

// laneQueue gives lanes in the order in which they came.
type laneQueue struct{ lanes []*lane }

func (q *laneQueue) push(l *lane) { q.lanes = append(q.lanes, l) }

func (q *laneQueue) pop() *lane {
	l := q.lanes[0]
	q.lanes[0] = nil
	q.lanes = q.lanes[1:]
	return l
}

// laneHeap is a [heap.Interface] with the lane first that is due first.
type laneHeap []*lane

// Len is that of [heap.Interface].
func (h laneHeap) Len() int { return len(h) }

// Less is that of [heap.Interface].
func (h laneHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }

// Swap is that of [heap.Interface].
func (h laneHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push is that of [heap.Interface].
func (h *laneHeap) Push(l any) { *h = append(*h, l.(*lane)) }

// Pop is that of [heap.Interface].
func (h *laneHeap) Pop() any {
	last := len(*h) - 1
	l := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return l
}
