package webhooks

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"time"
)

// try sends the first event of a lane once. One that is broken off because the
// pump stops is not known to have failed.
func (p *Pump) try(ctx context.Context, l *lane, w *waiting, probe bool) {
	if w.tries > 0 {
		p.sender.metrics.retries.Inc()
	}
	o := p.sender.send(ctx, &w.Event)
	if !o.delivered && ctx.Err() != nil {
		return
	}
	now := time.Now()
	s := p.judge(&w.Event, o, now)
	if s == nil {
		p.failed(l, w, o, probe, now)
		return
	}
	// Told before the next of the lane may begin: the log hears of them in order.
	p.settled(s.id, s.dead, s.why)
	p.sender.metrics.settled(w.Type, s.dead)
	p.concluded(l, s, o, probe, now)
}

// judge says whether an event is settled by what became of a try.
func (p *Pump) judge(e *Event, o outcome, now time.Time) *settlement {
	switch {
	case o.delivered:
		return &settlement{id: e.ID}
	case o.gone:
		return &settlement{id: e.ID, dead: true, why: o.why}
	case !now.Before(p.deadline(e)):
		return p.gaveUp(e, o.why)
	}
	return nil
}

// gaveUp settles an event that was open for too long.
func (p *Pump) gaveUp(e *Event, last string) *settlement {
	return &settlement{id: e.ID, dead: true, why: fmt.Sprintf("not taken within %v; at last: %s", p.sender.retry, last)}
}

// concluded takes an event that is settled out, and lets the next go.
func (p *Pump) concluded(l *lane, s *settlement, o outcome, probe bool, now time.Time) {
	p.mu.Lock()
	wasDown := p.gate.down()
	if o.delivered || o.gone {
		p.gate.succeeded(probe) // it answers
	} else {
		p.gate.failed(l.code, probe, o.pause, o.why, now)
	}
	isDown := p.gate.down()
	p.settle(l, s)
	l.way = false
	p.way--
	if len(l.events) > 0 {
		p.ready.push(l)
	}
	p.mu.Unlock()
	p.say(wasDown, isDown, o.why)
	p.rouse()
}

// failed lets the lane wait until it may be tried again: for the back-off, but
// no longer than the event has. A pause that the back end asks for is for all,
// and the breaker's.
func (p *Pump) failed(l *lane, w *waiting, o outcome, probe bool, now time.Time) {
	p.sender.log.Debug().Str("event", w.ID).Str("type", string(w.Type)).Int("tries", w.tries+1).Str("why", o.why).
		Msg("a webhook was not taken, trying again")
	p.mu.Lock()
	wasDown := p.gate.down()
	p.gate.failed(l.code, probe, o.pause, o.why, now)
	isDown := p.gate.down()
	left := p.deadline(&w.Event).Sub(now)
	l.due = now.Add(min(backoff(w.tries, backoffCap), left))
	w.tries++
	l.way = false
	p.way--
	heap.Push(&p.later, l)
	p.mu.Unlock()
	p.say(wasDown, isDown, o.why)
	p.rouse()
}

// say logs that the back end has gone down, or is back.
func (p *Pump) say(was, is bool, why string) {
	switch {
	case is && !was:
		p.sender.log.Warn().Err(errors.New(why)).Msg("the back end takes no webhooks, probing until it does")
	case was && !is:
		p.sender.log.Info().Msg("the back end takes webhooks again")
	}
}
