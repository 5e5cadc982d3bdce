package poll

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"onair/server/cloud"
)

// TestRound: those that the list names are online; the others are asked for singly,
// once a round, if they matter.
func TestRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{online: func(c string) bool { return c < code(7) }}
		var h heard
		p := New(Options{
			Provider: Provider{ForEachOnline: f.Online(5), PushState: f.State, Budget: cloud.NewBudget(50)}, Interval: interval, OnResult: h.tell,
			Targets: func() []Target {
				all := targets(11)
				all[9].Matters, all[0].Matters = false, false
				return all
			},
		})
		run(t, p, rounds(4))
		for n := range 11 {
			online, offline := 4, 0
			switch {
			case n == 9:
				online = 0
			case n >= 7:
				online, offline = 0, 4
			}
			if h.count(n, Online) != online || h.count(n, Offline) != offline {
				t.Errorf("session %d is online %d times and offline %d", n, h.count(n, Online), h.count(n, Offline))
			}
			if singly := len(f.of(code(n))); n < 5 && singly != 0 || n == 9 && singly != 0 || n >= 5 && n != 9 && singly != 4 {
				t.Errorf("session %d was asked for %d times", n, singly)
			}
		}
		if lists := f.of(""); len(lists) != 4 || h.all(NoAnswer) != 0 {
			t.Errorf("%d lists, %d failed", len(lists), h.all(NoAnswer))
		}
	})
}

// TestForbidden: who may not push does not.
func TestForbidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h heard
		run(t, newPoller(Provider{PushState: func(context.Context, string) (cloud.State, error) { return cloud.Forbidden, nil }}, 1, &h), rounds(2))
		if h.count(0, Offline) != 2 || len(h.words) != 2 {
			t.Errorf("%v", h.words)
		}
	})
}

// TestSpread: single queries are spread over the interval.
func TestSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 600
		f := &fake{online: func(string) bool { return false }}
		var h heard
		began := time.Now()
		run(t, newPoller(Provider{ForEachOnline: f.Online(n), PushState: f.State}, n, &h), rounds(1))
		perSecond := map[int]int{}
		for _, a := range f.asked {
			if a.code != "" {
				perSecond[int(a.at.Sub(began).Seconds())]++
			}
		}
		for second := range 50 {
			if got := perSecond[second]; got < n/51-3 || got > n/51+3 {
				t.Errorf("%d queries in second %d", got, second)
			}
		}
		if h.all(Offline) != n {
			t.Errorf("%d words", len(h.words))
		}
	})
}

// TestAway: a cloud that is down for ten minutes, from any moment on and in whatever
// way, says nothing of anybody.
func TestAway(t *testing.T) {
	for name, silence := range map[string]time.Duration{"refuses": 0, "hangs": 5 * time.Second} {
		for _, from := range []time.Duration{0, 30 * time.Millisecond, 25 * time.Second, 70 * time.Second, 125 * time.Second} {
			for _, lists := range []bool{true, false} {
				synctest.Test(t, func(t *testing.T) {
					const n = 40
					began := time.Now()
					away := func() bool { d := time.Since(began); return d >= from && d < from+10*time.Minute }
					f := &fake{online: func(c string) bool { return c < code(n/2) }}
					var h heard
					ask := func(ctx context.Context, then func() error) error {
						if !away() {
							return then()
						}
						if err := pause(ctx, silence); err != nil {
							return err
						}
						return errDown
					}
					c := Provider{PushState: func(ctx context.Context, code string) (state cloud.State, err error) {
						err = ask(ctx, func() (err error) { state, err = f.State(ctx, code); return err })
						return state, err
					}}
					if lists {
						c.ForEachOnline = func(ctx context.Context, each func(string)) error {
							return ask(ctx, func() error { return f.Online(n)(ctx, each) })
						}
					}
					run(t, newPoller(c, n, &h), 20*time.Minute)
					last := 0
					for i, w := range h.words {
						since := h.times[i].Sub(began)
						if w.Status == NoAnswer {
							t.Fatalf("%s from %v on, lists %v: failed after %v", name, from, lists, since)
						}
						if w.Status == Offline && w.Code < code(n/2) {
							t.Fatalf("%s is offline", w.Code)
						}
						if since > from+latency && since < from+10*time.Minute {
							t.Fatalf("%s from %v on: a word after %v", name, from, since)
						}
						if since > from+12*time.Minute {
							last++
						}
					}
					if last < 5*n {
						t.Errorf("%s from %v on: only %d words when it is back", name, from, last)
					}
				})
			}
		}
	}
}

// TestFailed: one that the cloud is silent about, while it answers others, is told to
// have failed once a round: also if the list is all that it answers.
func TestFailed(t *testing.T) {
	for name, others := range map[string]int{"the list alone": 0, "others": 20} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{online: func(string) bool { return false }, state: func(c string) error {
				if c == code(0) {
					return errDown
				}
				return nil
			}}
			var h heard
			run(t, newPoller(Provider{ForEachOnline: f.Online(1 + others), PushState: f.State}, 1+others, &h), rounds(10))
			if got := h.count(0, NoAnswer); got < 9 || got > 10 || h.all(NoAnswer) != got {
				t.Errorf("%s: it has failed %d times in ten rounds", name, got)
			}
			if h.all(Offline) != others*10 {
				t.Errorf("%s: %d are offline", name, h.all(Offline))
			}
		})
	}
}

// TestAlone: where nobody else is answered, nobody knows whether it is the cloud.
func TestAlone(t *testing.T) {
	for name, c := range map[string]func(f *fake) Provider{
		"no list":     func(f *fake) Provider { return Provider{PushState: f.State} },
		"half a list": func(f *fake) Provider { return Provider{PushState: f.State, ForEachOnline: f.Online(1)} },
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{
				online: func(string) bool { return false }, state: func(string) error { return errDown },
				list: func() error { return cloud.ErrIncomplete },
			}
			var h heard
			run(t, newPoller(c(f), 1, &h), rounds(10))
			if len(h.words) != 0 || f.singly() != 10 {
				t.Errorf("%s: %d words of %d queries", name, len(h.words), f.singly())
			}
		})
	}
}

// TestHalfAList: a list that fails says nothing of those it does not name, and is true
// of those it does.
func TestHalfAList(t *testing.T) {
	for _, err := range []error{errDown, cloud.ErrIncomplete, cloud.ErrRateLimited, context.DeadlineExceeded} {
		synctest.Test(t, func(t *testing.T) {
			const n = 40
			f := &fake{online: func(string) bool { return true }, list: func() error { return err }}
			var h heard
			run(t, newPoller(Provider{ForEachOnline: f.Online(n), PushState: f.State}, n, &h), rounds(3))
			if h.all(Online) != 3*n || len(h.words) != 3*n || f.singly() != 3*n/2 {
				t.Errorf("%v: %d words, %d queries", err, len(h.words), f.singly())
			}
		})
	}
}

// TestBegunMeanwhile: one that begins while the list is read is not in it, and online.
func TestBegunMeanwhile(t *testing.T) {
	for name, single := range map[string]bool{"single": true, "second list": false} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			f := &fake{online: func(c string) bool { return c != code(1) || time.Since(began) >= latency/2 }}
			c := Provider{ForEachOnline: f.Online(3)}
			if single {
				c.PushState = f.State
			}
			var h heard
			run(t, newPoller(c, 3, &h), rounds(2))
			if h.all(Offline) != 0 || h.count(1, Online) != 2 {
				t.Errorf("%s: %v", name, h.words)
			}
		})
	}
}

// TestListAlone: a server that has nothing but a list is asked for it twice where one
// is missing; and one list says that nobody is offline.
func TestListAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 6
		f := &fake{online: func(c string) bool { return c < code(4) }}
		var h heard
		run(t, newPoller(Provider{ForEachOnline: f.Online(n)}, n, &h), rounds(3))
		if h.all(Online) != 4*3 || h.all(Offline) != 2*3 || h.all(NoAnswer) != 0 || len(f.of("")) != 6 {
			t.Errorf("%d words, %d lists", len(h.words), len(f.of("")))
		}
	})
	for name, fails := range map[string]int{"first": 1, "second": 2, "both": 3} {
		for _, err := range []error{errDown, cloud.ErrIncomplete} {
			synctest.Test(t, func(t *testing.T) {
				lists := 0
				f := &fake{online: func(string) bool { return false }, list: func() error {
					if lists++; fails&(1<<((lists-1)%2)) != 0 {
						return err
					}
					return nil
				}}
				var h heard
				run(t, newPoller(Provider{ForEachOnline: f.Online(2)}, 2, &h), rounds(1))
				if len(h.words) != 0 {
					t.Errorf("the %s list fails, %v: %v", name, err, h.words)
				}
			})
		}
	}
}

// TestRateLimited: that the cloud is asked too often is no word of anybody.
func TestRateLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{online: func(string) bool { return false }, state: func(c string) error {
			if c < code(5) {
				return fmt.Errorf("busy: %w", cloud.ErrRateLimited)
			}
			return nil
		}}
		var h heard
		run(t, newPoller(Provider{ForEachOnline: f.Online(10), PushState: f.State}, 10, &h), rounds(5))
		for n := range 5 {
			if h.count(n, NoAnswer)+h.count(n, Offline) != 0 {
				t.Errorf("%v", h.words)
			}
		}
		if h.all(Offline) != 25 {
			t.Errorf("%d words", len(h.words))
		}
	})
}

// TestOverload: where more is to be asked than fits into an interval, everybody has a
// turn before anybody has the next, and who is new comes first.
func TestOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		f := &fake{online: func(string) bool { return true }}
		var h heard
		var mu sync.Mutex
		live := n
		turn := make(chan struct{}, 5)
		p := New(Options{
			Provider: Provider{Budget: cloud.NewBudget(50), PushState: func(ctx context.Context, code string) (cloud.State, error) {
				select { // five at once, a second each: 300 a round
				case turn <- struct{}{}:
					defer func() { <-turn }()
				case <-ctx.Done():
					return 0, cloud.ErrBudgetWait
				}
				if err := pause(ctx, time.Second-latency); err != nil {
					return 0, err
				}
				return f.State(ctx, code)
			}},
			Interval: interval, OnResult: h.tell,
			Targets: func() []Target {
				mu.Lock()
				defer mu.Unlock()
				return targets(live)
			},
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { p.Run(ctx); close(done) }()
		time.Sleep(rounds(4))
		counts := map[int]int{}
		for i := range n {
			counts[h.count(i, Online)]++
		}
		if counts[0] != 0 || counts[1]+counts[2] != n {
			t.Errorf("in four rounds, how many were asked how often: %v", counts)
		}
		mu.Lock()
		live++
		mu.Unlock()
		time.Sleep(10 * time.Second)
		if h.count(n, Online) != 1 {
			t.Error("who is new has to wait")
		}
		cancel()
		<-done
	})
}

// TestFailingDoNotCrowd: those about whom the cloud is silent do not take the turns of
// others.
func TestFailingDoNotCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 3000
		f := &fake{online: func(string) bool { return true }, state: func(c string) error {
			if c < code(2500) {
				return errDown
			}
			return nil
		}}
		var h heard
		slow := func(ctx context.Context, c string) (cloud.State, error) {
			if c < code(2500) { // 128 at once, 5 s each: 1536 a round
				if err := pause(ctx, 5*time.Second-latency); err != nil {
					return 0, err
				}
			}
			return f.State(ctx, c)
		}
		run(t, newPoller(Provider{PushState: slow}, n, &h), rounds(4))
		for i := 2500; i < n; i++ {
			if h.count(i, Online) == 0 {
				t.Fatalf("session %d was not asked for in four rounds", i)
			}
		}
	})
}

// TestSlowList: a list that does not come to its end leaves half of the interval to
// the others.
func TestSlowList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{online: func(string) bool { return true }}
		var h heard
		c := Provider{PushState: f.State, ForEachOnline: func(ctx context.Context, _ func(string)) error { <-ctx.Done(); return ctx.Err() }}
		run(t, newPoller(c, 100, &h), rounds(2))
		if h.all(Online) != 200 || len(h.words) != 200 {
			t.Errorf("%d words", len(h.words))
		}
	})
}

// TestLeaves: a poller that is not keeper any more ends at once, says no more, and
// knows nothing when it comes back.
func TestLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{online: func(string) bool { return false }}
		var h heard
		p := newPoller(Provider{ForEachOnline: f.Online(500), PushState: f.State}, 500, &h)
		for _, d := range []time.Duration{latency / 2, 10 * time.Second, 59 * time.Second, 61 * time.Second} {
			began := time.Now()
			run(t, p, d)
			if took := time.Since(began); took != d {
				t.Errorf("it ends after %v, not %v", took, d)
			}
			words := len(h.words)
			time.Sleep(time.Hour)
			if len(h.words) != words || h.all(NoAnswer) != 0 {
				t.Errorf("%d words after its end", len(h.words)-words)
			}
		}
	})
}

// TestNobody: nothing is asked for nobody.
func TestNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{online: func(string) bool { return true }}
		var h heard
		run(t, newPoller(Provider{ForEachOnline: f.Online(5), PushState: f.State}, 0, &h), rounds(5))
		if len(f.asked) != 0 {
			t.Errorf("%d queries", len(f.asked))
		}
	})
}

func TestOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{online: func(c string) bool { return c == code(0) }}
		var h heard
		for name, c := range map[string]Provider{"single": {ForEachOnline: f.Online(2), PushState: f.State}, "list": {ForEachOnline: f.Online(2)}} {
			p := newPoller(c, 0, &h)
			for n, want := range []cloud.State{cloud.Online, cloud.Offline} {
				if got, err := p.QueryNow(t.Context(), code(n)); got != want || err != nil {
					t.Errorf("%s: %s is %v, %v", name, code(n), got, err)
				}
			}
		}
		f.list, f.state = func() error { return errDown }, func(string) error { return errDown }
		f.online = func(string) bool { return true }
		p := newPoller(Provider{ForEachOnline: f.Online(2)}, 0, &h)
		if got, err := p.QueryNow(t.Context(), code(0)); got != cloud.Online || err != nil {
			t.Errorf("half a list that has it: %v, %v", got, err)
		}
		if got, err := p.QueryNow(t.Context(), code(1)); got != 0 || !errors.Is(err, errDown) {
			t.Errorf("half a list that has it not: %v, %v", got, err)
		}
		if got, err := newPoller(Provider{PushState: f.State}, 0, &h).QueryNow(t.Context(), code(0)); got != 0 || !errors.Is(err, errDown) {
			t.Errorf("no answer: %v, %v", got, err)
		}
		if len(h.words) != 0 {
			t.Errorf("%v", h.words)
		}
	})
}

func TestLateFirst(t *testing.T) {
	p := newPoller(Provider{}, 0, &heard{})
	all := targets(6)
	p.retainTargets(all)
	for n, k := range []lastPoll{{2, true}, {1, true}, {}, {2, false}, {1, false}, {3, false}} {
		p.lastPolls[target(n).Session] = k
	}
	p.sortByLastPoll(all)
	var got []string
	for _, x := range all {
		got = append(got, x.Code)
	}
	if want := []string{code(2), code(4), code(1), code(3), code(0), code(5)}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}
