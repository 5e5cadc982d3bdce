package poll

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"onair/server/cloud"
)

// TestWordsAreTrue: whatever the cloud does, at whatever times, it was the cloud that
// said so: of one told offline the cloud said, within that round, that it is; of one told
// failed the cloud was silent, between two answers that are not far apart.
func TestWordsAreTrue(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		seed := rapid.Uint64().Draw(r, "seed")
		n := rapid.IntRange(1, 40).Draw(r, "sessions")
		trouble := rapid.Float64Range(0, 1).Draw(r, "trouble")
		lists, single := rapid.Bool().Draw(r, "lists"), rapid.Bool().Draw(r, "single")
		if !lists && !single {
			single = true
		}
		synctest.Test(t, func(t *testing.T) {
			w := &wild{rng: rand.New(rand.NewPCG(seed, 1)), n: n, trouble: trouble, silent: map[string][]time.Time{}, offline: map[string]time.Time{}}
			c := Provider{Budget: cloud.NewBudget(50)}
			if lists {
				c.ForEachOnline = w.Online
			}
			if single {
				c.PushState = w.State
			}
			var words int
			p := New(Options{Provider: c, Interval: interval, Targets: func() []Target { return targets(n) }, OnResult: func(word Result) {
				words++
				w.check(t, word, single)
			}})
			run(t, p, rounds(15))
			if trouble == 0 && words != 15*n {
				t.Errorf("%d words of %d sessions in 15 rounds without trouble", words, n)
			}
		})
	})
}

// wild is a cloud of which nobody knows what it does next.
type wild struct {
	n       int
	trouble float64

	mu      sync.Mutex
	rng     *rand.Rand
	downTo  time.Time
	silent  map[string][]time.Time // when queries without answer ended
	offline map[string]time.Time   // when it said so last
	answers []time.Time
}

// decide is whether the cloud fails, and how long that takes.
func (w *wild) decide() (fails bool, after time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	after = time.Duration(w.rng.IntN(2000)) * time.Millisecond
	if time.Now().Before(w.downTo) {
		return true, after
	}
	if w.rng.Float64() < w.trouble/50 {
		w.downTo = time.Now().Add(time.Duration(w.rng.IntN(400)) * time.Second)
		return true, after
	}
	return w.rng.Float64() < w.trouble/4, after
}

func (w *wild) State(ctx context.Context, code string) (cloud.State, error) {
	fails, after := w.decide()
	if err := pause(ctx, after); err != nil {
		return 0, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if fails {
		w.silent[code] = append(w.silent[code], time.Now())
		return 0, errDown
	}
	if w.rng.IntN(10) == 0 && w.trouble > 0 {
		return 0, cloud.ErrRateLimited
	}
	w.answers = append(w.answers, time.Now())
	if w.rng.IntN(2) == 0 {
		return cloud.Online, nil
	}
	w.offline[code] = time.Now()
	return cloud.Offline, nil
}

func (w *wild) Online(ctx context.Context, each func(string)) error {
	fails, after := w.decide()
	if err := pause(ctx, after); err != nil {
		return err
	}
	named, err := w.list(fails)
	for _, code := range named {
		each(code)
	}
	return err
}

func (w *wild) list(fails bool) (named []string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.n {
		if w.rng.IntN(2) == 0 {
			named = append(named, code(i))
		} else if !fails {
			w.offline[code(i)] = time.Now()
		}
	}
	if fails {
		return named, []error{errDown, cloud.ErrIncomplete, cloud.ErrRateLimited, cloud.ErrBudgetWait}[w.rng.IntN(4)]
	}
	w.answers = append(w.answers, time.Now())
	return named, nil
}

func (w *wild) check(t *testing.T, word Result, single bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	switch word.Status {
	case Offline:
		if said := w.offline[word.Code]; !said.Equal(now) {
			t.Errorf("%s is told offline, which was last said %v ago", word.Code, now.Sub(said))
		}
	case NoAnswer:
		if !single {
			t.Error("one of many in a list has failed")
		}
		failed := w.silent[word.Code]
		before, after := false, false
		for _, at := range w.answers {
			since := now.Sub(at)
			before = before || since <= 2*interval && len(failed) > 0 && at.Before(failed[len(failed)-1])
			after = after || at.Equal(now)
		}
		if !before || !after {
			t.Errorf("%s is told failed: answers before %v, after %v", word.Code, before, after)
		}
	}
}
