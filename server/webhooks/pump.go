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
	// stopWithin is how long tries that are under way may go on when the pump is
	// to stop.
	stopWithin = time.Second

	// remembered is how many settled events a pump knows: more than the outbox
	// holds, so that one which is offered again because the log has not heard yet
	// is not sent again.
	remembered = 1 << 17

	// lookEvery is how often a pump looks around when there is no other reason to.
	lookEvery = time.Minute
)

// Settled is told what became of an event: it was delivered, or is dead and why.
// It is called by several goroutines, with no lock held. While it does not
// return, the live code's next event waits, and one of the tries that may be
// under way at once is spent; when the pump's context has ended it must return
// soon.
type Settled func(id string, dead bool, why string)

// Pump sends the events that it is offered, those of one live code in order, as
// long as one node is the keeper. Its methods may be called concurrently.
type Pump struct {
	// Static after construction.
	sender  *Sender
	settled Settled
	wake    chan struct{} // never closed

	mu    sync.Mutex // guards the following fields
	held  map[string]*list.Element
	order *list.List // of *waiting, as they were offered
	lanes map[string]*lane
	ready laneQueue
	later laneHeap // those that failed
	way   int      // tries under way
	gate  breaker
	past  *simplelru.LRU[string, *settlement]
	news  []*settlement // that Run is to tell
}

// settlement is what became of an event.
type settlement struct {
	id      string
	dead    bool
	why     string
	telling bool // it is in news
}

// Pump returns a pump for one term of the keeper; settled is told what becomes
// of what it is offered.
func (s *Sender) Pump(settled Settled) *Pump {
	past, _ := simplelru.NewLRU[string, *settlement](remembered, nil) // its one error is a size of 0
	return &Pump{
		sender: s, settled: settled, wake: make(chan struct{}, 1),
		held: map[string]*list.Element{}, order: list.New(), lanes: map[string]*lane{},
		gate: breaker{failing: map[string]struct{}{}}, past: past,
	}
}

// Offer takes events, in the order in which those of a live code are to be
// sent. It does not wait. An event that the pump has already changes nothing;
// of one that was settled the caller is told again, and it is not sent again.
func (p *Pump) Offer(events ...Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range events {
		if _, has := p.held[e.ID]; has {
			continue
		}
		if s, known := p.past.Get(e.ID); known {
			p.tell(s)
			continue
		}
		w := &waiting{Event: e}
		p.held[e.ID] = p.order.PushBack(w)
		l := p.lanes[e.code()]
		if l == nil {
			l = &lane{code: e.code()}
			p.lanes[l.code] = l
			p.ready.push(l)
		}
		l.events = append(l.events, w)
	}
	p.rouse()
}

// rouse makes Run look around.
func (p *Pump) rouse() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// tell has Run tell the caller of a settlement. Callers hold mu.
func (p *Pump) tell(s *settlement) {
	if !s.telling {
		s.telling = true
		p.news = append(p.news, s)
	}
}

// Run sends what was and is offered until ctx ends. Then it begins no more tries,
// gives those under way a second, and returns when none is left. Of what has not
// been settled by then it is not known whether the back end has it.
//
// A pump runs once: what it has left belongs to the next keeper's.
func (p *Pump) Run(ctx context.Context) {
	p.sender.running.Store(p)
	defer p.sender.running.CompareAndSwap(p, nil)
	defer p.sender.client.CloseIdleConnections()
	tries, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	var under sync.WaitGroup
	timer := time.NewTimer(lookEvery)
	defer timer.Stop()
	for ctx.Err() == nil {
		p.expire(time.Now())
		p.report()
		timer.Reset(p.dispatch(tries, &under))
		select {
		case <-ctx.Done():
		case <-p.wake:
		case <-timer.C:
		}
	}
	defer time.AfterFunc(stopWithin, abandon).Stop()
	under.Wait()
}

// dispatch begins the tries that may begin, and says for how long no other may
// but for news.
func (p *Pump) dispatch(ctx context.Context, under *sync.WaitGroup) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for len(p.later) > 0 && !now.Before(p.later[0].due) {
		p.ready.push(heap.Pop(&p.later).(*lane))
	}
	for p.way < atOnce && len(p.ready.lanes) > 0 && p.gate.admits(now) {
		l := p.ready.pop()
		if len(l.events) == 0 {
			continue
		}
		l.way = true
		p.way++
		first, probe := l.events[0], p.gate.enter()
		under.Go(func() { p.try(ctx, l, first, probe) })
	}
	wait := lookEvery
	if len(p.later) > 0 {
		wait = min(wait, p.later[0].due.Sub(now))
	}
	if len(p.ready.lanes) > 0 && p.way < atOnce && !p.gate.probing {
		wait = min(wait, p.gate.until.Sub(now))
	}
	return wait
}

// expire gives up what was open for too long while the back end is down, for
// which it is not tried: that would fail as the probes do.
func (p *Pump) expire(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.gate.down() {
		return
	}
	for at := p.order.Front(); at != nil; {
		w := at.Value.(*waiting)
		if now.Before(p.deadline(&w.Event)) {
			return
		}
		at = at.Next()
		// What was offered first is the first of its lane.
		if l := p.lanes[w.code()]; !l.way {
			p.tell(p.settle(l, p.gaveUp(&w.Event, p.gate.why)))
			p.sender.metrics.settled(w.Type, true)
		}
	}
}

// report tells the caller what is to be told by Run.
func (p *Pump) report() {
	p.mu.Lock()
	news := p.news
	p.news = nil
	for _, s := range news {
		s.telling = false
	}
	p.mu.Unlock()
	for _, s := range news {
		p.settled(s.id, s.dead, s.why)
	}
}

// settle takes the first event out of a lane. Callers hold mu.
func (p *Pump) settle(l *lane, s *settlement) *settlement {
	p.order.Remove(p.held[s.id])
	delete(p.held, s.id)
	p.past.Add(s.id, s)
	if l.pop(); len(l.events) == 0 {
		delete(p.lanes, l.code)
	}
	return s
}

// deadline is until when an event is tried.
func (p *Pump) deadline(e *Event) time.Time { return time.UnixMilli(e.Time).Add(p.sender.retry) }

// oldest is the age of the oldest event that is open.
func (p *Pump) oldest(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if first := p.order.Front(); first != nil {
		return max(0, now.Sub(time.UnixMilli(first.Value.(*waiting).Time)))
	}
	return 0
}
