package poll

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"onair/presence"
	"onair/server/cloud"
)

// TestResultsHaveEvidence: PollOffline follows the provider's response in the same round.
// PollFailed follows a query without response between two responses that are close together.
func TestResultsHaveEvidence(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		seed := rapid.Uint64().Draw(r, "seed")
		n := rapid.IntRange(1, 40).Draw(r, "sessions")
		faultRate := rapid.Float64Range(0, 1).Draw(r, "trouble")
		lists, single := rapid.Bool().Draw(r, "lists"), rapid.Bool().Draw(r, "single")
		if !lists && !single {
			single = true
		}
		synctest.Test(t, func(t *testing.T) {
			provider := &randomProvider{rng: rand.New(rand.NewPCG(seed, 1)), n: n, faultRate: faultRate, unansweredAt: map[string][]time.Time{}, offlineAt: map[string]time.Time{}}
			c := Provider{Budget: cloud.NewBudget(50)}
			if lists {
				c.ForEachOnline = provider.forEachOnline
			}
			if single {
				c.IsOnline = provider.IsOnline
			}
			var results int
			p := NewPoller(Options{Provider: c, Interval: interval, Targets: func() []presence.PollTarget { return targets(n) }, OnResult: func(target presence.PollTarget, signal presence.Signal) {
				results++
				provider.checkResult(t, result{target, signal}, single)
			}})
			runFor(t, p, rounds(15))
			if faultRate == 0 && results != 15*n {
				t.Errorf("%d results of %d sessions in 15 rounds without faults", results, n)
			}
		})
	})
}

// randomProvider responds at random.
type randomProvider struct {
	n         int
	faultRate float64

	mu           sync.Mutex
	rng          *rand.Rand
	downUntil    time.Time
	unansweredAt map[string][]time.Time // end times of queries without a response
	offlineAt    map[string]time.Time   // time of the latest offline response
	answeredAt   []time.Time
}

// nextFault returns whether the next query fails, and its response time.
func (p *randomProvider) nextFault() (isFault bool, delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delay = time.Duration(p.rng.IntN(2000)) * time.Millisecond
	if time.Now().Before(p.downUntil) {
		return true, delay
	}
	if p.rng.Float64() < p.faultRate/50 {
		p.downUntil = time.Now().Add(time.Duration(p.rng.IntN(400)) * time.Second)
		return true, delay
	}
	return p.rng.Float64() < p.faultRate/4, delay
}

func (p *randomProvider) IsOnline(ctx context.Context, code string) (bool, error) {
	isFault, delay := p.nextFault()
	if err := sleep(ctx, delay); err != nil {
		return false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if isFault {
		p.unansweredAt[code] = append(p.unansweredAt[code], time.Now())
		return false, errDown
	}
	if p.rng.IntN(10) == 0 && p.faultRate > 0 {
		return false, cloud.ErrRateLimited
	}
	p.answeredAt = append(p.answeredAt, time.Now())
	if p.rng.IntN(2) == 0 {
		return true, nil
	}
	p.offlineAt[code] = time.Now()
	return false, nil
}

func (p *randomProvider) forEachOnline(ctx context.Context, yield func(string)) error {
	isFault, delay := p.nextFault()
	if err := sleep(ctx, delay); err != nil {
		return err
	}
	online, err := p.readList(isFault)
	for _, code := range online {
		yield(code)
	}
	return err
}

func (p *randomProvider) readList(isFault bool) (online []string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.n {
		if p.rng.IntN(2) == 0 {
			online = append(online, code(i))
		} else if !isFault {
			p.offlineAt[code(i)] = time.Now()
		}
	}
	if isFault {
		return online, []error{errDown, cloud.ErrIncomplete, cloud.ErrRateLimited, cloud.ErrBudgetWait}[p.rng.IntN(4)]
	}
	p.answeredAt = append(p.answeredAt, time.Now())
	return online, nil
}

func (p *randomProvider) checkResult(t *testing.T, result result, single bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	switch result.signal {
	case presence.PollOffline:
		if respondedAt := p.offlineAt[result.Code]; !respondedAt.Equal(now) {
			t.Errorf("%s is PollOffline, the response came %v ago", result.Code, now.Sub(respondedAt))
		}
	case presence.PollFailed:
		if !single {
			t.Error("PollFailed without single queries")
		}
		unanswered := p.unansweredAt[result.Code]
		before, delay := false, false
		for _, at := range p.answeredAt {
			since := now.Sub(at)
			before = before || since <= 2*interval && len(unanswered) > 0 && !at.After(unanswered[len(unanswered)-1]) // a query may take no time
			delay = delay || at.Equal(now)
		}
		if !before || !delay {
			t.Errorf("%s is PollFailed: responses before %v, after %v", result.Code, before, delay)
		}
	}
}
