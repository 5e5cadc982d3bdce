package webhooks

import (
	"time"

	"onair/presence"
)

// openEvent is an event that is neither delivered nor dead.
type openEvent struct {
	*presence.OutboxEvent
	failedAttempts int
}

// codeQueue holds the open events of one live code, in order. A queue is in flight or
// in readyQueues or delayedQueues. An empty queue is not in the dispatcher's queues any
// more, and is discarded at its turn. The dispatcher's mutex guards it.
type codeQueue struct {
	code     string
	events   []*openEvent
	inFlight bool      // an attempt of the first event is in progress
	retryAt  time.Time // zero: immediately
}

func (q *codeQueue) removeFirstEvent() {
	q.events[0] = nil
	q.events = q.events[1:]
}

// queueFIFO holds queues in order of arrival.
type queueFIFO struct{ queues []*codeQueue }

func (f *queueFIFO) push(q *codeQueue) { f.queues = append(f.queues, q) }

func (f *queueFIFO) pop() *codeQueue {
	q := f.queues[0]
	f.queues[0] = nil
	f.queues = f.queues[1:]
	return q
}

// retryHeap implements [heap.Interface], ordered by retryAt.
type retryHeap []*codeQueue

// Len implements [heap.Interface].
func (h retryHeap) Len() int { return len(h) }

// Less implements [heap.Interface].
func (h retryHeap) Less(i, j int) bool { return h[i].retryAt.Before(h[j].retryAt) }

// Swap implements [heap.Interface].
func (h retryHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements [heap.Interface].
func (h *retryHeap) Push(queue any) { *h = append(*h, queue.(*codeQueue)) }

// Pop implements [heap.Interface].
func (h *retryHeap) Pop() any {
	last := len(*h) - 1
	q := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return q
}
