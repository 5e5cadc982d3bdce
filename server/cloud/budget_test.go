package cloud

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// TestBudgetProperty: no period has more requests than the rate permits, for any callers
// and reductions.
func TestBudgetProperty(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		perSecond := float64(rapid.IntRange(1, 100).Draw(r, "rate"))
		pauses := rapid.SliceOfN(rapid.IntRange(0, 2000), 1, 8).Draw(r, "pauses")
		reductions := rapid.SliceOfN(rapid.IntRange(0, 50), 0, 3).Draw(r, "reductions")
		synctest.Test(t, func(t *testing.T) {
			b := NewBudget(perSecond)
			var mu sync.Mutex
			var sent []time.Time
			var wg sync.WaitGroup
			for i, pause := range pauses {
				wg.Go(func() {
					for n := range 20 {
						if err := b.waitAndCountRequest(t.Context()); err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						sent = append(sent, time.Now())
						mu.Unlock()
						for _, index := range reductions {
							if index == i*20+n {
								b.halveRateAndPause()
							}
						}
						if n%5 == 0 {
							time.Sleep(time.Duration(pause) * time.Millisecond)
						}
					}
				})
			}
			wg.Wait()
			if int(b.RequestCount()) != len(sent) {
				t.Errorf("%d requests, RequestCount() = %d", len(sent), b.RequestCount())
			}
			for i := range sent {
				for j := i + 1; j < len(sent); j++ {
					if most := 1 + sent[j].Sub(sent[i]).Seconds()*perSecond; float64(j-i+1) > most+1e-3 {
						t.Fatalf("%d requests within %v at %v per second", j-i+1, sent[j].Sub(sent[i]), perSecond)
					}
				}
			}
		})
	})
}

func TestBudgetReducesRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(50)
		perSecond := func(d time.Duration) float64 {
			before, began := b.RequestCount(), time.Now()
			for time.Since(began) < d {
				if err := b.waitAndCountRequest(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			return float64(b.RequestCount()-before) / time.Since(began).Seconds()
		}
		if got := perSecond(10 * time.Second); got < 49 || got > 51 {
			t.Errorf("%.1f per second, want 50", got)
		}
		began := time.Now()
		for range 20 { // concurrent rejections reduce the rate once
			b.halveRateAndPause()
		}
		if err := b.waitAndCountRequest(t.Context()); err != nil || time.Since(began) < pause {
			t.Errorf("next request after %v, %v", time.Since(began), err)
		}
		if got := perSecond(2 * time.Second); got < 24 || got > 29 {
			t.Errorf("%.1f per second after a reduction from 50", got)
		}
		for range 20 {
			b.halveRateAndPause()
			time.Sleep(pause)
		}
		if got := b.currentLimit(); got < b.configuredLimit/minLimitDivisor {
			t.Errorf("the limit falls to %.2f per second", float64(got))
		}
		time.Sleep(recovery)
		if got := perSecond(10 * time.Second); got < 49 || got > 51 {
			t.Errorf("%.1f per second after the recovery, want 50", got)
		}
	})
}

// TestBudgetContextEnds: a caller whose context ends first sends no request.
func TestBudgetContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(0.1)
		if err := b.waitAndCountRequest(t.Context()); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				if err := b.waitAndCountRequest(ctx); !errors.Is(err, ErrBudgetWait) {
					t.Errorf("wait: %v", err)
				}
			})
		}
		wg.Wait()
		b.halveRateAndPause()
		ctx, cancel := context.WithTimeout(t.Context(), pause/2)
		defer cancel()
		if err := b.waitAndCountRequest(ctx); !errors.Is(err, ErrBudgetWait) {
			t.Errorf("wait during a pause: %v", err)
		}
		if b.RequestCount() != 1 {
			t.Errorf("RequestCount() = %d", b.RequestCount())
		}
	})
}
