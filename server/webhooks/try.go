package webhooks

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"time"
)

// attempt sends the first event of a lane once. One that is broken off because the
// pump stops is not known to have failed.
func (p *Pump) attempt(ctx context.Context, l *codeQueue, w *openEvent, probe bool) {
	if w.failedAttempts > 0 {
		p.sender.metrics.retries.Inc()
	}
	o := p.sender.attemptDelivery(ctx, &w.Event)
	if !o.delivered && ctx.Err() != nil {
		return
	}
	now := time.Now()
	s := p.resultOf(&w.Event, o, now)
	if s == nil {
		p.scheduleRetry(l, w, o, probe, now)
		return
	}
	// Told before the next of the lane may begin: the log hears of them in order.
	p.onResult(s.eventID, s.isDead, s.reason)
	p.sender.metrics.countResult(w.Type, s.isDead)
	p.finishEvent(l, s, o, probe, now)
}

// resultOf says whether an event is settled by what became of a try.
func (p *Pump) resultOf(e *Event, o attemptResult, now time.Time) *deliveryResult {
	switch {
	case o.delivered:
		return &deliveryResult{eventID: e.ID}
	case o.rejected:
		return &deliveryResult{eventID: e.ID, isDead: true, reason: o.reason}
	case !now.Before(p.deadline(e)):
		return p.expiredResult(e, o.reason)
	}
	return nil
}

// expiredResult settles an event that was open for too long.
func (p *Pump) expiredResult(e *Event, last string) *deliveryResult {
	return &deliveryResult{eventID: e.ID, isDead: true, reason: fmt.Sprintf("not taken within %v; at last: %s", p.sender.retry, last)}
}

// finishEvent takes an event that is settled out, and lets the next go.
func (p *Pump) finishEvent(l *codeQueue, s *deliveryResult, o attemptResult, probe bool, now time.Time) {
	p.mu.Lock()
	wasDown := p.breaker.isDown()
	if o.delivered || o.rejected {
		p.breaker.recordSuccess(probe) // it answers
	} else {
		p.breaker.recordFailure(l.code, probe, o.pause, o.reason, now)
	}
	isDown := p.breaker.isDown()
	p.recordResult(l, s)
	l.inFlight = false
	p.attempts--
	if len(l.events) > 0 {
		p.readyQueues.push(l)
	}
	p.mu.Unlock()
	p.logBackEndChange(wasDown, isDown, o.reason)
	p.wakeRun()
}

// scheduleRetry lets the lane wait until it may be tried again: for the back-off, but
// no longer than the event has. A pause that the back end asks for is for all,
// and the breaker's.
func (p *Pump) scheduleRetry(l *codeQueue, w *openEvent, o attemptResult, probe bool, now time.Time) {
	p.sender.log.Debug().Str("event", w.ID).Str("type", string(w.Type)).Int("tries", w.failedAttempts+1).Str("why", o.reason).
		Msg("a webhook was not taken, trying again")
	p.mu.Lock()
	wasDown := p.breaker.isDown()
	p.breaker.recordFailure(l.code, probe, o.pause, o.reason, now)
	isDown := p.breaker.isDown()
	left := p.deadline(&w.Event).Sub(now)
	l.retryAt = now.Add(min(backoff(w.failedAttempts, maxBackoff), left))
	w.failedAttempts++
	l.inFlight = false
	p.attempts--
	heap.Push(&p.delayedQueues, l)
	p.mu.Unlock()
	p.logBackEndChange(wasDown, isDown, o.reason)
	p.wakeRun()
}

// logBackEndChange logs that the back end has gone down, or is back.
func (p *Pump) logBackEndChange(was, is bool, why string) {
	switch {
	case is && !was:
		p.sender.log.Warn().Err(errors.New(why)).Msg("the back end takes no webhooks, probing until it does")
	case was && !is:
		p.sender.log.Info().Msg("the back end takes webhooks again")
	}
}
