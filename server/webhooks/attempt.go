package webhooks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"onair/presence"
)

// attemptEvent sends the first event of a queue once. An attempt that the stop of the
// dispatcher cancels has an unknown result.
func (p *Dispatcher) attemptEvent(ctx context.Context, q *codeQueue, e *openEvent, isProbe bool) {
	if e.failedAttempts > 0 {
		p.sender.metrics.retries.Inc()
	}
	attempt := p.sender.attemptDelivery(ctx, e.OutboxEvent)
	if !attempt.delivered && ctx.Err() != nil {
		return
	}
	now := time.Now()
	result := p.finalResult(e.OutboxEvent, attempt, now)
	if result == nil {
		p.scheduleRetry(q, e, attempt, isProbe, now)
		return
	}
	// The report comes before the next event of the queue, so the results of a live code
	// are in order.
	p.onResult(result.eventID, result.failure)
	p.sender.metrics.countResult(e.Kind, result.failure)
	p.finishEvent(q, result, attempt, isProbe, now)
}

// finalResult returns the result of an event after an attempt, or nil for a retry.
func (p *Dispatcher) finalResult(e *presence.OutboxEvent, attempt attemptResult, now time.Time) *deliveryResult {
	switch {
	case attempt.delivered:
		return &deliveryResult{eventID: e.ID}
	case attempt.rejected:
		return &deliveryResult{eventID: e.ID, failure: attempt.reason}
	case !now.Before(p.retryDeadline(e)):
		return p.expiredResult(e, attempt.reason)
	}
	return nil
}

// expiredResult returns the result of an event after its deadline.
func (p *Dispatcher) expiredResult(e *presence.OutboxEvent, lastReason string) *deliveryResult {
	return &deliveryResult{eventID: e.ID, failure: fmt.Sprintf("not delivered within %v: %s", p.sender.Retry, lastReason)}
}

// finishEvent removes an event that has a result, and makes the next one of its queue
// ready.
func (p *Dispatcher) finishEvent(q *codeQueue, result *deliveryResult, attempt attemptResult, isProbe bool, now time.Time) {
	p.finishAttempt(q, attempt, isProbe, now, func() {
		p.recordFirstResultLocked(q, result)
		if len(q.events) > 0 {
			p.readyQueues.append(q)
		}
	})
}

// scheduleRetry delays a queue by the backoff, but not beyond the deadline of its first
// event. A pause that the back end requested applies to all queues, by the breaker.
func (p *Dispatcher) scheduleRetry(q *codeQueue, e *openEvent, attempt attemptResult, isProbe bool, now time.Time) {
	p.sender.Logger.Debug().Str("event", e.ID.String()).Str("type", e.Kind.String()).Int("attempt", e.failedAttempts+1).Str("reason", attempt.reason).
		Msg("webhook delivery failed, retrying")
	p.finishAttempt(q, attempt, isProbe, now, func() {
		q.retryAt = now.Add(min(jitteredBackoff(e.failedAttempts, maxBackoff), p.retryDeadline(e.OutboxEvent).Sub(now)))
		e.failedAttempts++
		p.delayedQueues.insertByRetryAt(q)
	})
}

// finishAttempt updates the breaker after an attempt, calls updateLocked with the mutex locked,
// and logs when the back end went down or recovered.
func (p *Dispatcher) finishAttempt(q *codeQueue, attempt attemptResult, isProbe bool, now time.Time, updateLocked func()) {
	p.mu.Lock()
	wasDown := p.breaker.isBackEndDown()
	if attempt.delivered || attempt.rejected { // the back end works
		p.breaker.recordSuccess(isProbe)
	} else {
		p.breaker.recordFailure(q.code, isProbe, attempt.pause, attempt.reason, now)
	}
	isDown := p.breaker.isBackEndDown()
	q.inFlight = false
	p.attempts--
	updateLocked()
	p.mu.Unlock()
	switch {
	case isDown && !wasDown:
		p.sender.Logger.Warn().Err(errors.New(attempt.reason)).Msg("webhook back end down, probing")
	case wasDown && !isDown:
		p.sender.Logger.Info().Msg("webhook back end recovered")
	}
	p.wakeRun()
}
