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

	"onair/presence"
	"onair/server/cloud"
)

// TestRound: listed sessions are online; the others are queried once per round, if they
// matter.
func TestRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeProvider{online: func(c string) bool { return c < code(7) }}
		var recorded resultRecorder
		p := NewPoller(Options{
			Provider: Provider{ForEachOnline: f.forEachOnline(5), IsOnline: f.IsOnline, Budget: cloud.NewBudget(50)}, Interval: interval, OnResult: recorded.record,
			Targets: func() []presence.PollTarget {
				all := targets(11)
				all[9].OfflineCounts, all[0].OfflineCounts = false, false
				return all
			},
		})
		runFor(t, p, rounds(4))
		for n := range 11 {
			online, offline := 4, 0
			switch {
			case n == 9:
				online = 0
			case n >= 7:
				online, offline = 0, 4
			}
			if recorded.count(n, presence.PollOnline) != online || recorded.count(n, presence.PollOffline) != offline {
				t.Errorf("session %d is online %d times and offline %d", n, recorded.count(n, presence.PollOnline), recorded.count(n, presence.PollOffline))
			}
			if queries := len(f.queryTimes(code(n))); n < 5 && queries != 0 || n == 9 && queries != 0 || n >= 5 && n != 9 && queries != 4 {
				t.Errorf("session %d has %d single queries", n, queries)
			}
		}
		if lists := f.queryTimes(""); len(lists) != 4 || recorded.total(presence.PollFailed) != 0 {
			t.Errorf("%d lists, %d failed", len(lists), recorded.total(presence.PollFailed))
		}
	})
}

// TestForbiddenIsOffline: a forbidden stream has no push.
func TestForbiddenIsOffline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var recorded resultRecorder
		runFor(t, newPoller(Provider{IsOnline: func(context.Context, string) (bool, error) { return false, nil }}, 1, &recorded), rounds(2))
		if recorded.count(0, presence.PollOffline) != 2 || len(recorded.results) != 2 {
			t.Errorf("%v", recorded.results)
		}
	})
}

// TestQueriesAreSpread evenly over the interval.
func TestQueriesAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 600
		f := &fakeProvider{online: func(string) bool { return false }}
		var recorded resultRecorder
		began := time.Now()
		runFor(t, newPoller(Provider{ForEachOnline: f.forEachOnline(n), IsOnline: f.IsOnline}, n, &recorded), rounds(1))
		perSecond := map[int]int{}
		for _, a := range f.queries {
			if a.code != "" {
				perSecond[int(a.at.Sub(began).Seconds())]++
			}
		}
		for second := range 50 {
			if got := perSecond[second]; got < n/51-3 || got > n/51+3 {
				t.Errorf("%d queries in second %d", got, second)
			}
		}
		if recorded.total(presence.PollOffline) != n {
			t.Errorf("%d results", len(recorded.results))
		}
	})
}

// TestOutage: an outage of the provider for ten minutes, at any time and in any form,
// reports nothing.
func TestOutage(t *testing.T) {
	for name, responseTime := range map[string]time.Duration{"errors": 0, "timeouts": 5 * time.Second} {
		for _, from := range []time.Duration{0, 30 * time.Millisecond, 25 * time.Second, 70 * time.Second, 125 * time.Second} {
			for _, lists := range []bool{true, false} {
				synctest.Test(t, func(t *testing.T) {
					const n = 40
					began := time.Now()
					isDown := func() bool { d := time.Since(began); return d >= from && d < from+10*time.Minute }
					f := &fakeProvider{online: func(c string) bool { return c < code(n/2) }}
					var recorded resultRecorder
					query := func(ctx context.Context, respond func() error) error {
						if !isDown() {
							return respond()
						}
						if err := sleep(ctx, responseTime); err != nil {
							return err
						}
						return errDown
					}
					c := Provider{IsOnline: func(ctx context.Context, code string) (isOnline bool, err error) {
						err = query(ctx, func() (err error) { isOnline, err = f.IsOnline(ctx, code); return err })
						return isOnline, err
					}}
					if lists {
						c.ForEachOnline = func(ctx context.Context, yield func(string)) error {
							return query(ctx, func() error { return f.forEachOnline(n)(ctx, yield) })
						}
					}
					runFor(t, newPoller(c, n, &recorded), 20*time.Minute)
					resultsAfter := 0
					for i, result := range recorded.results {
						since := recorded.times[i].Sub(began)
						if result.signal == presence.PollFailed {
							t.Fatalf("%s from %v on, lists %v: no answer after %v", name, from, lists, since)
						}
						if result.signal == presence.PollOffline && result.Code < code(n/2) {
							t.Fatalf("%s is offline", result.Code)
						}
						if since > from+latency && since < from+10*time.Minute {
							t.Fatalf("%s from %v on: a result after %v", name, from, since)
						}
						if since > from+12*time.Minute {
							resultsAfter++
						}
					}
					if resultsAfter < 5*n {
						t.Errorf("%s from %v on: only %d results after the outage", name, from, resultsAfter)
					}
				})
			}
		}
	}
}

// TestNoAnswer: a stream without a response, while the provider answers other queries or
// only the list, is reported once per round.
func TestNoAnswer(t *testing.T) {
	for name, others := range map[string]int{"only the list": 0, "others": 20} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeProvider{online: func(string) bool { return false }, stateErr: func(c string) error {
				if c == code(0) {
					return errDown
				}
				return nil
			}}
			var recorded resultRecorder
			runFor(t, newPoller(Provider{ForEachOnline: f.forEachOnline(1 + others), IsOnline: f.IsOnline}, 1+others, &recorded), rounds(10))
			if got := recorded.count(0, presence.PollFailed); got < 9 || got > 10 || recorded.total(presence.PollFailed) != got {
				t.Errorf("%s: PollFailed %d times in ten rounds", name, got)
			}
			if recorded.total(presence.PollOffline) != others*10 {
				t.Errorf("%s: %d are offline", name, recorded.total(presence.PollOffline))
			}
		})
	}
}

// TestNoOtherAnswer: without a response to another query, a missing response may be an
// outage and is not reported.
func TestNoOtherAnswer(t *testing.T) {
	for name, c := range map[string]func(f *fakeProvider) Provider{
		"no list": func(f *fakeProvider) Provider { return Provider{IsOnline: f.IsOnline} },
		"incomplete list": func(f *fakeProvider) Provider {
			return Provider{IsOnline: f.IsOnline, ForEachOnline: f.forEachOnline(1)}
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeProvider{
				online: func(string) bool { return false }, stateErr: func(string) error { return errDown },
				listErr: func() error { return cloud.ErrIncomplete },
			}
			var recorded resultRecorder
			runFor(t, newPoller(c(f), 1, &recorded), rounds(10))
			if len(recorded.results) != 0 || f.singleQueries() != 10 {
				t.Errorf("%s: %d results of %d queries", name, len(recorded.results), f.singleQueries())
			}
		})
	}
}

// TestIncompleteList: a list with an error is valid for the streams in it, and says nothing
// about others.
func TestIncompleteList(t *testing.T) {
	for _, err := range []error{errDown, cloud.ErrIncomplete, cloud.ErrRateLimited, context.DeadlineExceeded} {
		synctest.Test(t, func(t *testing.T) {
			const n = 40
			f := &fakeProvider{online: func(string) bool { return true }, listErr: func() error { return err }}
			var recorded resultRecorder
			runFor(t, newPoller(Provider{ForEachOnline: f.forEachOnline(n), IsOnline: f.IsOnline}, n, &recorded), rounds(3))
			if recorded.total(presence.PollOnline) != 3*n || len(recorded.results) != 3*n || f.singleQueries() != 3*n/2 {
				t.Errorf("%v: %d results, %d queries", err, len(recorded.results), f.singleQueries())
			}
		})
	}
}

// TestPushBeginsDuringList: a push that begins while the list is read is online.
func TestPushBeginsDuringList(t *testing.T) {
	for name, single := range map[string]bool{"single": true, "second list": false} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			f := &fakeProvider{online: func(c string) bool { return c != code(1) || time.Since(began) >= latency/2 }}
			c := Provider{ForEachOnline: f.forEachOnline(3)}
			if single {
				c.IsOnline = f.IsOnline
			}
			var recorded resultRecorder
			runFor(t, newPoller(c, 3, &recorded), rounds(2))
			if recorded.total(presence.PollOffline) != 0 || recorded.count(1, presence.PollOnline) != 2 {
				t.Errorf("%s: %v", name, recorded.results)
			}
		})
	}
}

// TestOnlyList: a provider that has only a list is read twice if a session is missing; one
// list is not sufficient for PollOffline.
func TestOnlyList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 6
		f := &fakeProvider{online: func(c string) bool { return c < code(4) }}
		var recorded resultRecorder
		runFor(t, newPoller(Provider{ForEachOnline: f.forEachOnline(n)}, n, &recorded), rounds(3))
		if recorded.total(presence.PollOnline) != 4*3 || recorded.total(presence.PollOffline) != 2*3 || recorded.total(presence.PollFailed) != 0 || len(f.queryTimes("")) != 6 {
			t.Errorf("%d results, %d lists", len(recorded.results), len(f.queryTimes("")))
		}
	})
	for name, errorLists := range map[string]int{"first": 1, "second": 2, "both": 3} {
		for _, err := range []error{errDown, cloud.ErrIncomplete} {
			synctest.Test(t, func(t *testing.T) {
				lists := 0
				f := &fakeProvider{online: func(string) bool { return false }, listErr: func() error {
					if lists++; errorLists&(1<<((lists-1)%2)) != 0 {
						return err
					}
					return nil
				}}
				var recorded resultRecorder
				runFor(t, newPoller(Provider{ForEachOnline: f.forEachOnline(2)}, 2, &recorded), rounds(1))
				if len(recorded.results) != 0 {
					t.Errorf("error in the %s list, %v: %v", name, err, recorded.results)
				}
			})
		}
	}
}

// TestRateLimited: rate limiting reports nothing.
func TestRateLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeProvider{online: func(string) bool { return false }, stateErr: func(c string) error {
			if c < code(5) {
				return fmt.Errorf("busy: %w", cloud.ErrRateLimited)
			}
			return nil
		}}
		var recorded resultRecorder
		runFor(t, newPoller(Provider{ForEachOnline: f.forEachOnline(10), IsOnline: f.IsOnline}, 10, &recorded), rounds(5))
		for n := range 5 {
			if recorded.count(n, presence.PollFailed)+recorded.count(n, presence.PollOffline) != 0 {
				t.Errorf("%v", recorded.results)
			}
		}
		if recorded.total(presence.PollOffline) != 25 {
			t.Errorf("%d results", len(recorded.results))
		}
	})
}

// TestOverload: if the interval is too short for all queries, every session is queried
// before any is queried again, and new sessions come first.
func TestOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		f := &fakeProvider{online: func(string) bool { return true }}
		var recorded resultRecorder
		var mu sync.Mutex
		live := n
		slots := make(chan struct{}, 5)
		p := NewPoller(Options{
			Provider: Provider{Budget: cloud.NewBudget(50), IsOnline: func(ctx context.Context, code string) (bool, error) {
				select { // five at a time, a second each: 300 per round
				case slots <- struct{}{}:
					defer func() { <-slots }()
				case <-ctx.Done():
					return false, cloud.ErrBudgetWait
				}
				if err := sleep(ctx, time.Second-latency); err != nil {
					return false, err
				}
				return f.IsOnline(ctx, code)
			}},
			Interval: interval, OnResult: recorded.record,
			Targets: func() []presence.PollTarget {
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
			counts[recorded.count(i, presence.PollOnline)]++
		}
		if counts[0] != 0 || counts[1]+counts[2] != n {
			t.Errorf("sessions by number of queries in four rounds: %v", counts)
		}
		mu.Lock()
		live++
		mu.Unlock()
		time.Sleep(10 * time.Second)
		if recorded.count(n, presence.PollOnline) != 1 {
			t.Error("a new session has to wait")
		}
		cancel()
		<-done
	})
}

// TestNoAnswerDoesNotDelayOthers: sessions without a response do not use up the queries of
// others.
func TestNoAnswerDoesNotDelayOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 3000
		f := &fakeProvider{online: func(string) bool { return true }, stateErr: func(c string) error {
			if c < code(2500) {
				return errDown
			}
			return nil
		}}
		var recorded resultRecorder
		slow := func(ctx context.Context, c string) (bool, error) {
			if c < code(2500) { // 128 at a time, 5 s each: 1536 per round
				if err := sleep(ctx, 5*time.Second-latency); err != nil {
					return false, err
				}
			}
			return f.IsOnline(ctx, c)
		}
		runFor(t, newPoller(Provider{IsOnline: slow}, n, &recorded), rounds(4))
		for i := 2500; i < n; i++ {
			if recorded.count(i, presence.PollOnline) == 0 {
				t.Fatalf("session %d was not queried in four rounds", i)
			}
		}
	})
}

// TestSlowList: a list without an end leaves half of the interval to single queries.
func TestSlowList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeProvider{online: func(string) bool { return true }}
		var recorded resultRecorder
		c := Provider{IsOnline: f.IsOnline, ForEachOnline: func(ctx context.Context, _ func(string)) error { <-ctx.Done(); return ctx.Err() }}
		runFor(t, newPoller(c, 100, &recorded), rounds(2))
		if recorded.total(presence.PollOnline) != 200 || len(recorded.results) != 200 {
			t.Errorf("%d results", len(recorded.results))
		}
	})
}

// TestStop: Run returns at once when its context ends, reports no more results, and forgets
// earlier ones when it is called again.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeProvider{online: func(string) bool { return false }}
		var recorded resultRecorder
		p := newPoller(Provider{ForEachOnline: f.forEachOnline(500), IsOnline: f.IsOnline}, 500, &recorded)
		for _, d := range []time.Duration{latency / 2, 10 * time.Second, 59 * time.Second, 61 * time.Second} {
			began := time.Now()
			runFor(t, p, d)
			if took := time.Since(began); took != d {
				t.Errorf("Run returned after %v, want %v", took, d)
			}
			before := len(recorded.results)
			time.Sleep(time.Hour)
			if len(recorded.results) != before || recorded.total(presence.PollFailed) != 0 {
				t.Errorf("%d results after Run returned", len(recorded.results)-before)
			}
		}
	})
}

// TestNoTargets: without sessions there is no query.
func TestNoTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeProvider{online: func(string) bool { return true }}
		var recorded resultRecorder
		runFor(t, newPoller(Provider{ForEachOnline: f.forEachOnline(5), IsOnline: f.IsOnline}, 0, &recorded), rounds(5))
		if len(f.queries) != 0 {
			t.Errorf("%d queries", len(f.queries))
		}
	})
}

func TestQueryNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeProvider{online: func(c string) bool { return c == code(0) }}
		var recorded resultRecorder
		for name, c := range map[string]Provider{"single": {ForEachOnline: f.forEachOnline(2), IsOnline: f.IsOnline}, "list": {ForEachOnline: f.forEachOnline(2)}} {
			p := newPoller(c, 0, &recorded)
			for n, want := range []bool{true, false} {
				if got, err := p.QueryIsOnline(t.Context(), code(n)); got != want || err != nil {
					t.Errorf("%s: %s is %v, %v", name, code(n), got, err)
				}
			}
		}
		f.listErr, f.stateErr = func() error { return errDown }, func(string) error { return errDown }
		f.online = func(string) bool { return true }
		p := newPoller(Provider{ForEachOnline: f.forEachOnline(2)}, 0, &recorded)
		if got, err := p.QueryIsOnline(t.Context(), code(0)); !got || err != nil {
			t.Errorf("incomplete list with the code: %v, %v", got, err)
		}
		if got, err := p.QueryIsOnline(t.Context(), code(1)); got || !errors.Is(err, errDown) {
			t.Errorf("incomplete list without the code: %v, %v", got, err)
		}
		if got, err := newPoller(Provider{IsOnline: f.IsOnline}, 0, &recorded).QueryIsOnline(t.Context(), code(0)); got || !errors.Is(err, errDown) {
			t.Errorf("no answer: %v, %v", got, err)
		}
		if len(recorded.results) != 0 {
			t.Errorf("%v", recorded.results)
		}
	})
}

func TestSortByLastPoll(t *testing.T) {
	p := newPoller(Provider{}, 0, &resultRecorder{})
	all := targets(6)
	p.discardLastPollsExcept(all)
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
