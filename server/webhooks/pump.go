package webhooks

import (
	"container/heap"
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// stopTimeout is how long tries that are under way may go on when the pump is
	// to stop.
	stopTimeout = time.Second

	// maxRememberedResults is how many settled events a pump knows: more than the outbox
	// holds, so that one which is offered again because the log has not heard yet
	// is not sent again.
	maxRememberedResults = 1 << 17

	// maxIdleWait is how often a pump looks around when there is no other reason to.
	maxIdleWait = time.Minute
)

// OnResult is told what became of an event: it was delivered, or is dead and why.
// It is called by several goroutines, with no lock held. While it does not
// return, the live code's next event waits, and one of the tries that may be
// under way at once is spent; when the pump's context has ended it must return
// soon.
type OnResult func(id string, dead bool, why string)

// Pump sends the events that it is offered, those of one live code in order, as
// long as one node is the keeper. Its methods may be called concurrently.
type Pump struct {
	// Static after construction.
	sender   *Sender
	onResult OnResult
	wake     chan struct{} // never closed

	mu            sync.Mutex // guards the following fields
	openEvents    map[string]*list.Element
	offerOrder    *list.List // of *waiting, as they were offered
	queues        map[string]*codeQueue
	readyQueues   queueFIFO
	delayedQueues retryHeap // those that failed
	attempts      int       // tries under way
	breaker       circuitBreaker
	results       *simplelru.LRU[string, *deliveryResult]
	unreported    []*deliveryResult // that Run is to tell
}

// deliveryResult is what became of an event.
type deliveryResult struct {
	eventID  string
	isDead   bool
	reason   string
	isQueued bool // it is in news
}

// NewPump returns a pump for one term of the keeper; settled is told what becomes
// of what it is offered.
func (s *Sender) NewPump(settled OnResult) *Pump {
	past, _ := simplelru.NewLRU[string, *deliveryResult](maxRememberedResults, nil) // its one error is a size of 0
	return &Pump{
		sender: s, onResult: settled, wake: make(chan struct{}, 1),
		openEvents: map[string]*list.Element{}, offerOrder: list.New(), queues: map[string]*codeQueue{},
		breaker: circuitBreaker{failedCodes: map[string]struct{}{}}, results: past,
	}
}

// Enqueue takes events, in the order in which those of a live code are to be
// sent. It does not wait. An event that the pump has already changes nothing;
// of one that was settled the caller is told again, and it is not sent again.
func (p *Pump) Enqueue(events ...Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range events {
		if _, has := p.openEvents[e.ID]; has {
			continue
		}
		if s, known := p.results.Get(e.ID); known {
			p.queueReport(s)
			continue
		}
		w := &openEvent{Event: e}
		p.openEvents[e.ID] = p.offerOrder.PushBack(w)
		l := p.queues[e.subject()]
		if l == nil {
			l = &codeQueue{code: e.subject()}
			p.queues[l.code] = l
			p.readyQueues.push(l)
		}
		l.events = append(l.events, w)
	}
	p.wakeRun()
}

// wakeRun makes Run look around.
func (p *Pump) wakeRun() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// queueReport has Run tell the caller of a settlement. Callers hold mu.
func (p *Pump) queueReport(s *deliveryResult) {
	if !s.isQueued {
		s.isQueued = true
		p.unreported = append(p.unreported, s)
	}
}

// Run sends what was and is offered until ctx ends. Then it begins no more tries,
// gives those under way a second, and returns when none is left. Of what has not
// been settled by then it is not known whether the back end has it.
//
// A pump runs once: what it has left belongs to the next keeper's.
func (p *Pump) Run(ctx context.Context) {
	p.sender.activePump.Store(p)
	defer p.sender.activePump.CompareAndSwap(p, nil)
	defer p.sender.client.CloseIdleConnections()
	tries, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	var under sync.WaitGroup
	timer := time.NewTimer(maxIdleWait)
	defer timer.Stop()
	for ctx.Err() == nil {
		p.expireEvents(time.Now())
		p.reportResults()
		timer.Reset(p.startAttempts(tries, &under))
		select {
		case <-ctx.Done():
		case <-p.wake:
		case <-timer.C:
		}
	}
	defer time.AfterFunc(stopTimeout, abandon).Stop()
	under.Wait()
}

// startAttempts begins the tries that may begin, and says for how long no other may
// but for news.
func (p *Pump) startAttempts(ctx context.Context, under *sync.WaitGroup) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for len(p.delayedQueues) > 0 && !now.Before(p.delayedQueues[0].retryAt) {
		p.readyQueues.push(heap.Pop(&p.delayedQueues).(*codeQueue))
	}
	for p.attempts < maxConcurrentAttempts && len(p.readyQueues.queues) > 0 && p.breaker.canAttempt(now) {
		l := p.readyQueues.pop()
		if len(l.events) == 0 {
			continue
		}
		l.inFlight = true
		p.attempts++
		first, probe := l.events[0], p.breaker.beginAttempt()
		under.Go(func() { p.attempt(ctx, l, first, probe) })
	}
	wait := maxIdleWait
	if len(p.delayedQueues) > 0 {
		wait = min(wait, p.delayedQueues[0].retryAt.Sub(now))
	}
	if len(p.readyQueues.queues) > 0 && p.attempts < maxConcurrentAttempts && !p.breaker.isProbing {
		wait = min(wait, p.breaker.nextProbeAt.Sub(now))
	}
	return wait
}

// expireEvents gives up what was open for too long while the back end is down, for
// which it is not tried: that would fail as the probes do.
func (p *Pump) expireEvents(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.breaker.isDown() {
		return
	}
	for at := p.offerOrder.Front(); at != nil; {
		w := at.Value.(*openEvent)
		if now.Before(p.deadline(&w.Event)) {
			return
		}
		at = at.Next()
		// What was offered first is the first of its lane.
		if l := p.queues[w.subject()]; !l.inFlight {
			p.queueReport(p.recordResult(l, p.expiredResult(&w.Event, p.breaker.lastReason)))
			p.sender.metrics.countResult(w.Type, true)
		}
	}
}

// reportResults tells the caller what is to be told by Run.
func (p *Pump) reportResults() {
	p.mu.Lock()
	news := p.unreported
	p.unreported = nil
	for _, s := range news {
		s.isQueued = false
	}
	p.mu.Unlock()
	for _, s := range news {
		p.onResult(s.eventID, s.isDead, s.reason)
	}
}

// recordResult takes the first event out of a lane. Callers hold mu.
func (p *Pump) recordResult(l *codeQueue, s *deliveryResult) *deliveryResult {
	p.offerOrder.Remove(p.openEvents[s.eventID])
	delete(p.openEvents, s.eventID)
	p.results.Add(s.eventID, s)
	if l.removeFirst(); len(l.events) == 0 {
		delete(p.queues, l.code)
	}
	return s
}

// deadline is until when an event is tried.
func (p *Pump) deadline(e *Event) time.Time { return time.UnixMilli(e.Time).Add(p.sender.retry) }

// oldestEventAge is the age of the oldest event that is open.
func (p *Pump) oldestEventAge(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if first := p.offerOrder.Front(); first != nil {
		return max(0, now.Sub(time.UnixMilli(first.Value.(*openEvent).Time)))
	}
	return 0
}
