package cloud

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Budget limits the rate of requests to a provider, without bursts: any period t has at
// most 1 + t × rate requests. Clients of one account share one. It is safe for concurrent
// use.
//
// When the provider reports that the rate is too high, the budget pauses for a second.
// Then it continues at half the rate, which recovers within half a minute. A provider's
// limit belongs to the account, which others use too.
type Budget struct {
	// Static after construction.
	configuredLimit rate.Limit
	limiter         *rate.Limiter
	waiting         chan struct{} // locked by the one waiting caller, so that the next waits by the new rate

	mu           sync.Mutex // guards the fields below
	requests     uint64
	reducedLimit rate.Limit
	reducedAt    time.Time // zero: never, which counts as long ago
}

const (
	// pause is the time without requests after a reduction: providers count by the
	// second.
	pause = time.Second

	// recovery is the time in which the rate grows from zero to the configured one.
	recovery = time.Minute

	// minLimitDivisor bounds the reduction: a lower rate would detect an improvement too
	// late.
	minLimitDivisor = 64
)

// NewBudget returns a budget of perSecond requests per second, which must be positive.
func NewBudget(perSecond float64) *Budget {
	return &Budget{configuredLimit: rate.Limit(perSecond), limiter: rate.NewLimiter(rate.Limit(perSecond), 1), waiting: make(chan struct{}, 1)}
}

// ConfiguredRate returns the configured number of requests per second.
func (b *Budget) ConfiguredRate() (perSecond float64) { return float64(b.configuredLimit) }

// RequestCount returns the number of requests so far.
func (b *Budget) RequestCount() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.requests
}

// waitAndCountRequest returns when the budget permits a request, and counts it. It returns ErrBudgetWait if
// ctx ends before, or would.
func (b *Budget) waitAndCountRequest(ctx context.Context) error {
	select {
	case b.waiting <- struct{}{}:
		defer func() { <-b.waiting }()
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrBudgetWait, context.Cause(ctx))
	}
	for {
		left := b.pauseLeft()
		if left <= 0 {
			break
		}
		select {
		case <-time.After(left):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrBudgetWait, context.Cause(ctx))
		}
	}
	b.limiter.SetLimit(b.currentLimit())
	if b.limiter.Wait(ctx) != nil {
		return ErrBudgetWait
	}
	b.mu.Lock()
	b.requests++
	b.mu.Unlock()
	return nil
}

// pauseLeft returns the rest of the pause.
func (b *Budget) pauseLeft() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return pause - time.Since(b.reducedAt)
}

// currentLimit returns the present rate.
func (b *Budget) currentLimit() rate.Limit {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.currentLimitLocked()
}

func (b *Budget) currentLimitLocked() rate.Limit {
	recovered := b.configuredLimit * rate.Limit(time.Since(b.reducedAt).Seconds()/recovery.Seconds())
	return min(b.configuredLimit, b.reducedLimit+recovered)
}

// halveRateAndPause halves the rate and starts a pause. During a pause it does nothing:
// concurrent requests get the same response.
func (b *Budget) halveRateAndPause() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Since(b.reducedAt) < pause {
		return
	}
	b.reducedLimit, b.reducedAt = max(b.currentLimitLocked()/2, b.configuredLimit/minLimitDivisor), time.Now()
}
