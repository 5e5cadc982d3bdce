package cloud

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Budget is how often a provider is asked: evenly, never in bursts, so that of any
// stretch of time t at most 1 + t × the rate requests fall into it. Clients of one
// account share one. All methods may be called concurrently.
//
// When the provider says that it is too much, nobody asks anything for a second, and
// then at half the rate, which grows back to the whole within half a minute. A
// provider's limit is one of the account, which others use too.
type Budget struct {
	// Static after construction.
	configuredLimit rate.Limit
	limiter         *rate.Limiter
	waiting         chan struct{} // held by the one who waits, so that a new rate holds for the next at once

	mu           sync.Mutex // guards what follows
	requests     uint64
	reducedLimit rate.Limit // what the rate was lowered to
	reducedAt    time.Time  // when that was; zero: never
}

const (
	// pause is for how long nothing is asked after the provider has said that it is
	// too much: providers count by the second.
	pause = time.Second

	// recovery is how long it takes to come from nothing to the whole rate.
	recovery = time.Minute

	// minLimitDivisor is the part of the rate that is left whatever the provider says:
	// less would never find out that it is better.
	minLimitDivisor = 64
)

// NewBudget returns a budget of so many requests a second, more than 0.
func NewBudget(perSecond float64) *Budget {
	return &Budget{configuredLimit: rate.Limit(perSecond), limiter: rate.NewLimiter(rate.Limit(perSecond), 1), waiting: make(chan struct{}, 1)}
}

// Rate is what NewBudget was given.
func (b *Budget) Rate() float64 { return float64(b.configuredLimit) }

// Requests is how many requests have had their turn so far.
func (b *Budget) Requests() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.requests
}

// wait returns when it is the caller's turn. It returns ErrBudgetWait when ctx ends
// before, or is known to.
func (b *Budget) wait(ctx context.Context) error {
	select {
	case b.waiting <- struct{}{}:
		defer func() { <-b.waiting }()
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrBudgetWait, context.Cause(ctx))
	}
	for {
		resting := b.pauseLeft()
		if resting <= 0 {
			break
		}
		select {
		case <-time.After(resting):
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

// pauseLeft is for how long nothing is to be asked yet.
func (b *Budget) pauseLeft() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reducedAt.IsZero() {
		return 0
	}
	return pause - time.Since(b.reducedAt)
}

// currentLimit is the rate of this moment.
func (b *Budget) currentLimit() rate.Limit {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.currentLimitLocked()
}

func (b *Budget) currentLimitLocked() rate.Limit {
	if b.reducedAt.IsZero() {
		return b.configuredLimit
	}
	grown := b.configuredLimit * rate.Limit(time.Since(b.reducedAt).Seconds()/recovery.Seconds())
	return min(b.configuredLimit, b.reducedLimit+grown)
}

// reduce takes the provider's word that it is asked too often. Those who were under
// way at the same time are told the same, which counts once.
func (b *Budget) reduce() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.reducedAt.IsZero() && time.Since(b.reducedAt) < pause {
		return
	}
	b.reducedLimit, b.reducedAt = max(b.currentLimitLocked()/2, b.configuredLimit/minLimitDivisor), time.Now()
}
