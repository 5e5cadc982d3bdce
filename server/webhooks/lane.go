package webhooks

import "time"

// openEvent is an event that was neither delivered nor given up.
type openEvent struct {
	Event
	failedAttempts int // that failed
}

// codeQueue holds what is open of one live code, in order. The first may be under
// way. A lane is under way itself, or in one of the pump's queues; one that is
// empty is no longer among the pump's lanes, and is thrown away when its turn
// comes. The pump's mutex guards it.
type codeQueue struct {
	code     string
	events   []*openEvent
	inFlight bool      // the first is under way
	retryAt  time.Time // not again before
}

// removeFirst takes the first event out.
func (l *codeQueue) removeFirst() {
	l.events[0] = nil
	l.events = l.events[1:]
}

// queueFIFO gives lanes in the order in which they came.
type queueFIFO struct{ queues []*codeQueue }

func (q *queueFIFO) push(l *codeQueue) { q.queues = append(q.queues, l) }

func (q *queueFIFO) pop() *codeQueue {
	l := q.queues[0]
	q.queues[0] = nil
	q.queues = q.queues[1:]
	return l
}

// retryHeap is a [heap.Interface] with the lane first that is due first.
type retryHeap []*codeQueue

// Len is that of [heap.Interface].
func (h retryHeap) Len() int { return len(h) }

// Less is that of [heap.Interface].
func (h retryHeap) Less(i, j int) bool { return h[i].retryAt.Before(h[j].retryAt) }

// Swap is that of [heap.Interface].
func (h retryHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push is that of [heap.Interface].
func (h *retryHeap) Push(l any) { *h = append(*h, l.(*codeQueue)) }

// Pop is that of [heap.Interface].
func (h *retryHeap) Pop() any {
	last := len(*h) - 1
	l := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return l
}
