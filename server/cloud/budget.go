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
	full    rate.Limit
	limiter *rate.Limiter
	turn    chan struct{} // held by the one who waits, so that a new rate holds for the next at once

	mu      sync.Mutex // guards what follows
	sent    uint64
	lowered rate.Limit // what the rate was lowered to
	limited time.Time  // when that was; zero: never
}

const (
	// rest is for how long nothing is asked after the provider has said that it is
	// too much: providers count by the second.
	rest = time.Second

	// recovery is how long it takes to come from nothing to the whole rate.
	recovery = time.Minute

	// leastShare is the part of the rate that is left whatever the provider says:
	// less would never find out that it is better.
	leastShare = 64
)

// NewBudget returns a budget of so many requests a second, more than 0.
func NewBudget(perSecond float64) *Budget {
	return &Budget{full: rate.Limit(perSecond), limiter: rate.NewLimiter(rate.Limit(perSecond), 1), turn: make(chan struct{}, 1)}
}

// PerSecond is what NewBudget was given.
func (b *Budget) PerSecond() float64 { return float64(b.full) }

// Sent is how many requests have had their turn so far.
func (b *Budget) Sent() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sent
}

// wait returns when it is the caller's turn. It returns ErrNoTurn when ctx ends
// before, or is known to.
func (b *Budget) wait(ctx context.Context) error {
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrNoTurn, context.Cause(ctx))
	}
	for {
		resting := b.resting()
		if resting <= 0 {
			break
		}
		select {
		case <-time.After(resting):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrNoTurn, context.Cause(ctx))
		}
	}
	b.limiter.SetLimit(b.limit())
	if b.limiter.Wait(ctx) != nil {
		return ErrNoTurn
	}
	b.mu.Lock()
	b.sent++
	b.mu.Unlock()
	return nil
}

// resting is for how long nothing is to be asked yet.
func (b *Budget) resting() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.limited.IsZero() {
		return 0
	}
	return rest - time.Since(b.limited)
}

// limit is the rate of this moment.
func (b *Budget) limit() rate.Limit {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.limitLocked()
}

func (b *Budget) limitLocked() rate.Limit {
	if b.limited.IsZero() {
		return b.full
	}
	grown := b.full * rate.Limit(time.Since(b.limited).Seconds()/recovery.Seconds())
	return min(b.full, b.lowered+grown)
}

// tooMuch takes the provider's word that it is asked too often. Those who were under
// way at the same time are told the same, which counts once.
func (b *Budget) tooMuch() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.limited.IsZero() && time.Since(b.limited) < rest {
		return
	}
	b.lowered, b.limited = max(b.limitLocked()/2, b.full/leastShare), time.Now()
}
