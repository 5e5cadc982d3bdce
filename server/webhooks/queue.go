package webhooks

import (
	"slices"
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

// queueList is an ordered list of queues.
type queueList []*codeQueue

func (l *queueList) append(q *codeQueue) { *l = append(*l, q) }

// insertByRetryAt inserts a queue into a list that is ordered by retryAt.
func (l *queueList) insertByRetryAt(q *codeQueue) {
	index, _ := slices.BinarySearchFunc(*l, q.retryAt, func(other *codeQueue, at time.Time) int { return other.retryAt.Compare(at) })
	*l = slices.Insert(*l, index, q)
}

func (l *queueList) removeFirst() *codeQueue {
	first := (*l)[0]
	(*l)[0] = nil
	*l = (*l)[1:]
	return first
}
