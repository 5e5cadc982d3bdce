package webhooks

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"onair/presence"
)

const (
	// stopTimeout bounds the attempts in progress after the stop of a dispatcher.
	stopTimeout = time.Second

	// maxRememberedResults is larger than the outbox, so that an event which is enqueued
	// again before the log has its result is not sent again.
	maxRememberedResults = 1 << 17

	// maxIdleWait is the longest time between two iterations of Run.
	maxIdleWait = time.Minute
)

// OnResult receives the result of an event: the reason of its failure when it is dead, and
// no reason when it is delivered. It is called concurrently, without locks. Until it returns, the next event of the live code
// waits and one concurrent attempt is occupied. After the end of the dispatcher's
// context it must return soon.
type OnResult func(id presence.EventID, failure string)

// Dispatcher sends the events that it receives, in order for each live code, while the
// node is the leader. It is safe for concurrent use.
type Dispatcher struct {
	// Static after construction.
	sender   *Sender
	onResult OnResult
	wake     chan struct{} // never closed

	mu            sync.Mutex // guards the fields below
	openEvents    map[presence.EventID]*list.Element
	enqueueOrder  *list.List            // of *openEvent, in the order of Enqueue
	queues        map[string]*codeQueue // by live code
	readyQueues   queueList             // in order of arrival
	delayedQueues queueList             // ordered by retryAt
	attempts      int                   // in progress
	breaker       circuitBreaker
	results       *simplelru.LRU[presence.EventID, *deliveryResult]
	unreported    []*deliveryResult // Run reports them
}

// deliveryResult is the result of an event.
type deliveryResult struct {
	eventID  presence.EventID
	failure  string // why the event is dead; empty: it is delivered
	isQueued bool   // it is in unreported
}

// NewDispatcher returns a dispatcher for one term of the leader. It calls onResult for
// each event.
func (s *Sender) NewDispatcher(onResult OnResult) *Dispatcher {
	results, _ := simplelru.NewLRU[presence.EventID, *deliveryResult](maxRememberedResults, nil) // it fails only for a size of 0
	return &Dispatcher{
		sender: s, onResult: onResult, wake: make(chan struct{}, 1),
		openEvents: map[presence.EventID]*list.Element{}, enqueueOrder: list.New(), queues: map[string]*codeQueue{},
		breaker: circuitBreaker{failedCodes: map[string]struct{}{}}, results: results,
	}
}

// Enqueue adds events, which must not change, in the order of each live code: each attempt
// encodes its event again, so that an open event holds no bytes. It does not block. It ignores an
// event that is open already. For an event that has a result, it reports the result again
// and sends nothing.
func (p *Dispatcher) Enqueue(events ...*presence.OutboxEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range events {
		if _, ok := p.openEvents[e.ID]; ok {
			continue
		}
		if result, ok := p.results.Get(e.ID); ok {
			p.queueReportLocked(result)
			continue
		}
		open := &openEvent{OutboxEvent: e}
		p.openEvents[e.ID] = p.enqueueOrder.PushBack(open)
		code := codeOfEvent(e)
		q := p.queues[code]
		if q == nil {
			q = &codeQueue{code: code}
			p.queues[q.code] = q
			p.readyQueues.append(q)
		}
		q.events = append(q.events, open)
	}
	p.wakeRun()
}

// wakeRun starts the next iteration of Run.
func (p *Dispatcher) wakeRun() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// queueReportLocked adds a result for Run to report.
func (p *Dispatcher) queueReportLocked(result *deliveryResult) {
	if !result.isQueued {
		result.isQueued = true
		p.unreported = append(p.unreported, result)
	}
}

// Run sends events until ctx ends. Then it starts no more attempts, gives those in
// progress a second, and returns when none is left. Events without a result may or may not
// have reached the back end.
//
// A dispatcher runs once: the next leader sends the events that are left.
func (p *Dispatcher) Run(ctx context.Context) {
	p.sender.activeDispatcher.Store(p)
	defer p.sender.activeDispatcher.CompareAndSwap(p, nil)
	defer p.sender.client.CloseIdleConnections()
	attemptCtx, cancelAttempts := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelAttempts()
	var running sync.WaitGroup
	timer := time.NewTimer(maxIdleWait)
	defer timer.Stop()
	for ctx.Err() == nil {
		p.giveUpOverdueEventsWhileDown(time.Now())
		p.reportResults()
		timer.Reset(p.startAttempts(attemptCtx, &running))
		select {
		case <-ctx.Done():
		case <-p.wake:
		case <-timer.C:
		}
	}
	defer time.AfterFunc(stopTimeout, cancelAttempts).Stop()
	running.Wait()
}

// startAttempts starts all attempts that may start, and returns the time until the next
// one may.
func (p *Dispatcher) startAttempts(ctx context.Context, running *sync.WaitGroup) (nextStartIn time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for len(p.delayedQueues) > 0 && !now.Before(p.delayedQueues[0].retryAt) {
		p.readyQueues.append(p.delayedQueues.removeFirst())
	}
	for p.attempts < maxConcurrentAttempts && len(p.readyQueues) > 0 && p.breaker.canAttempt(now) {
		q := p.readyQueues.removeFirst()
		if len(q.events) == 0 {
			continue
		}
		q.inFlight = true
		p.attempts++
		first, isProbe := q.events[0], p.breaker.startAttempt()
		running.Go(func() { p.attemptEvent(ctx, q, first, isProbe) })
	}
	wait := maxIdleWait
	if len(p.delayedQueues) > 0 {
		wait = min(wait, p.delayedQueues[0].retryAt.Sub(now))
	}
	if len(p.readyQueues) > 0 && p.attempts < maxConcurrentAttempts && !p.breaker.isProbing {
		wait = min(wait, p.breaker.nextProbeAt.Sub(now))
	}
	return wait
}

// giveUpOverdueEventsWhileDown makes events dead after their deadline while the back end is down, without
// an attempt, which would fail as the probes do.
func (p *Dispatcher) giveUpOverdueEventsWhileDown(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.breaker.isBackEndDown() {
		return
	}
	for element := p.enqueueOrder.Front(); element != nil; {
		open := element.Value.(*openEvent)
		if now.Before(p.retryDeadline(open.OutboxEvent)) {
			return
		}
		element = element.Next()
		// The oldest event is the first of its queue.
		if q := p.queues[codeOfEvent(open.OutboxEvent)]; !q.inFlight {
			result := p.expiredResult(open.OutboxEvent, p.breaker.lastReason)
			p.recordFirstResultLocked(q, result)
			p.queueReportLocked(result)
			p.sender.metrics.countResult(open.Kind, result.failure)
		}
	}
}

// reportResults calls onResult for the queued results.
func (p *Dispatcher) reportResults() {
	p.mu.Lock()
	results := p.unreported
	p.unreported = nil
	for _, result := range results {
		result.isQueued = false
	}
	p.mu.Unlock()
	for _, result := range results {
		p.onResult(result.eventID, result.failure)
	}
}

// recordFirstResultLocked removes the first event of a queue and remembers its result.
func (p *Dispatcher) recordFirstResultLocked(q *codeQueue, result *deliveryResult) {
	p.enqueueOrder.Remove(p.openEvents[result.eventID])
	delete(p.openEvents, result.eventID)
	p.results.Add(result.eventID, result)
	if q.removeFirstEvent(); len(q.events) == 0 {
		delete(p.queues, q.code)
	}
}

// retryDeadline returns the time after which an event is not retried.
func (p *Dispatcher) retryDeadline(e *presence.OutboxEvent) time.Time {
	return time.UnixMilli(e.At).Add(p.sender.Retry)
}

// oldestEventAge returns the age of the oldest open event, or 0.
func (p *Dispatcher) oldestEventAge(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if first := p.enqueueOrder.Front(); first != nil {
		return max(0, now.Sub(time.UnixMilli(first.Value.(*openEvent).At)))
	}
	return 0
}
