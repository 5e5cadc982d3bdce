package webhooks

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// within fails unless a time lies between two others, both included.
func within(t testing.TB, what string, got, least, most time.Duration) {
	t.Helper()
	if got < least || got > most {
		t.Errorf("%s: %v, want %v to %v", what, got, least, most)
	}
}

// delivered fails unless exactly these were said to be delivered, in any order.
func (s *stage) delivered(ids ...string) {
	s.t.Helper()
	var got []string
	for _, d := range s.said() {
		if d.isDead {
			s.t.Errorf("%s was given up: %s", d.eventID, d.reason)
		}
		got = append(got, d.eventID)
	}
	slices.Sort(got)
	slices.Sort(ids)
	if !slices.Equal(got, ids) {
		s.t.Errorf("delivered %v, want %v", got, ids)
	}
}

// TestDelivers: what is offered is sent once, told once, and counted.
func TestDelivers(t *testing.T) {
	perform(t, up, func(s *stage) {
		s.pump.Enqueue(event("a", 0), event("b", 0))
		synctest.Wait()
		s.delivered("a-0", "b-0")
		if got := s.got(""); len(got) != 2 {
			t.Errorf("the back end got %v", got)
		}
		if n := s.metric("onair_webhooks_total", "delivered", "stream.away"); n != 2 {
			t.Errorf("%v counted as delivered", n)
		}
		if n := s.metric("onair_webhook_seconds"); n != 2 {
			t.Errorf("%v tries counted", n)
		}
	})
}

// TestOrder: of one live code the next goes when the one before is delivered,
// whatever fails; another live code does not wait for it.
func TestOrder(t *testing.T) {
	perform(t, failing(4, 500), func(s *stage) {
		s.pump.Enqueue(events("a", 5)...)
		s.pump.Enqueue(events("b", 5)...)
		time.Sleep(time.Hour)
		var want []string
		for i := range 5 {
			want = append(want, slices.Repeat([]string{fmt.Sprint("a-", i)}, 5)...)
		}
		if got := s.got("a"); !slices.Equal(got, want) {
			t.Errorf("the back end got %v, want %v", got, want)
		}
		if len(s.said()) != 10 {
			t.Errorf("settled: %v", s.said())
		}
		if n := s.metric("onair_webhook_retries_total"); n != 40 {
			t.Errorf("%v retries counted, want 40", n)
		}
	})
}

// TestOthersGoOn: an event that its receiver chokes on holds back its own live
// code alone, also when little else happens.
func TestOthersGoOn(t *testing.T) {
	choke := func(c call) reply {
		if c.subject == "bad" {
			return reply{status: 500}
		}
		return reply{status: 200}
	}
	perform(t, choke, func(s *stage) {
		s.pump.Enqueue(event("bad", 0), event("bad", 1))
		time.Sleep(time.Hour)
		began := time.Now()
		s.pump.Enqueue(events("good", 3)...)
		synctest.Wait()
		s.delivered("good-0", "good-1", "good-2")
		within(t, "the others waited", time.Since(began), 0, 0)
		if got := s.got("bad"); slices.Contains(got, "bad-1") {
			t.Errorf("bad-1 was sent before bad-0 was delivered: %v", got)
		}
	})
}

// TestBackOff: the nth wait is at most 2ⁿ seconds, and at most five minutes, and
// as long as that calls for.
func TestBackOff(t *testing.T) {
	perform(t, func(call) reply { return reply{status: 500} }, func(s *stage) {
		s.pump.Enqueue(event("a", 0))
		time.Sleep(20 * time.Hour)
		calls := s.log()
		var sum time.Duration
		for i, c := range calls[1:] {
			wait := c.at.Sub(calls[i].at)
			most := 5 * time.Minute
			if i < 8 {
				most = time.Second << i
			}
			within(t, fmt.Sprint("wait ", i), wait, 0, most)
			sum += wait
		}
		// The mean of some 480 waits of 0 to 300 s is 150 s, ±4 s.
		within(t, "mean wait", sum/time.Duration(len(calls)-1), 120*time.Second, 180*time.Second)
	})
}

// TestAtOnce: different live codes go at once, but no more than sixteen.
func TestAtOnce(t *testing.T) {
	slow := func(call) reply { return reply{after: time.Second, status: 200} }
	perform(t, slow, func(s *stage) {
		began := time.Now()
		for i := range 160 {
			s.pump.Enqueue(event(fmt.Sprint("k", i), 0))
		}
		for len(s.said()) < 160 {
			time.Sleep(100 * time.Millisecond)
		}
		if n := s.peak(); n != maxConcurrentAttempts {
			t.Errorf("%d tries were under way at once, want %d", n, maxConcurrentAttempts)
		}
		within(t, "160 of a second each", time.Since(began), 10*time.Second, 10100*time.Millisecond)
	})
}

// TestAnswers: what each kind of answer means.
func TestAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		first     reply
		delivered bool
		tries     int // within an hour, at the least: 2 stands for more than one
	}{
		"200":                {reply{status: 200}, true, 1},
		"299":                {reply{status: 299}, true, 1},
		"410":                {reply{status: 410}, false, 1},
		"302":                {reply{status: 302}, true, 2},
		"400":                {reply{status: 400}, true, 2},
		"401":                {reply{status: 401}, true, 2},
		"500":                {reply{status: 500}, true, 2},
		"503 with a pause":   {reply{status: 503, retryAfter: "100"}, true, 2},
		"no answer":          {reply{err: errBroken}, true, 2},
		"a silent back end":  {reply{after: time.Hour}, true, 2},
		"a slow good answer": {reply{after: 9 * time.Second, status: 200}, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			first := true
			answer := func(call) reply {
				if first {
					first = false
					return test.first
				}
				return reply{status: 200}
			}
			perform(t, answer, func(s *stage) {
				s.pump.Enqueue(event("a", 0))
				time.Sleep(time.Hour)
				said := s.said()
				if len(said) != 1 || said[0].isDead == test.delivered {
					t.Fatalf("settled: %+v", said)
				}
				if n := len(s.got("")); n != test.tries {
					t.Errorf("%d tries, want %d", n, test.tries)
				}
			})
		})
	}
}

// TestPatience: a try takes ten seconds at the most.
func TestPatience(t *testing.T) {
	first := true
	perform(t, func(call) reply {
		if first {
			first = false
			return reply{after: time.Hour}
		}
		return reply{status: 200}
	}, func(s *stage) {
		s.pump.Enqueue(event("a", 0))
		time.Sleep(time.Minute)
		calls := s.log()
		within(t, "second try", calls[1].at.Sub(calls[0].at), 10*time.Second, 11*time.Second)
	})
}

// TestGone: 410 gives the event up at once, and the next goes.
func TestGone(t *testing.T) {
	perform(t, func(c call) reply {
		if c.id == "a-0" {
			return reply{status: http.StatusGone}
		}
		return reply{status: 200}
	}, func(s *stage) {
		s.pump.Enqueue(events("a", 2)...)
		synctest.Wait()
		want := []deliveryResult{{eventID: "a-0", isDead: true, reason: "the back end answered 410 Gone"}, {eventID: "a-1"}}
		if got := s.said(); !slices.Equal(got, want) {
			t.Errorf("settled: %+v", got)
		}
		if n := s.metric("onair_webhooks_total", "dead", "stream.away"); n != 1 {
			t.Errorf("%v counted as dead", n)
		}
	})
}

// TestRetryAfterPauses: who asks for a pause gets it, for all live codes, and one
// try after it.
func TestRetryAfterPauses(t *testing.T) {
	for _, status := range []int{429, 503} {
		first := true
		perform(t, func(call) reply {
			if first {
				first = false
				return reply{status: status, retryAfter: "120"}
			}
			return reply{after: time.Second, status: 200}
		}, func(s *stage) {
			began := time.Now()
			s.pump.Enqueue(event("a", 0))
			synctest.Wait()
			for i := range 20 {
				s.pump.Enqueue(event(fmt.Sprint("k", i), 0))
			}
			time.Sleep(119 * time.Second)
			if got := s.got(""); len(got) != 1 {
				t.Fatalf("%d: the back end got %v in its pause", status, got)
			}
			time.Sleep(30 * time.Second)
			calls := s.log()
			within(t, "second try", calls[1].at.Sub(began), 120*time.Second, 121*time.Second)
			within(t, "third try, after the second", calls[2].at.Sub(calls[1].at), time.Second, time.Second)
			if len(s.said()) != 21 {
				t.Errorf("%d settled, want 21", len(s.said()))
			}
			if s.logged.String() != "" {
				t.Errorf("a pause was logged: %s", s.logged)
			}
		})
	}
}

// TestPauseHolds: what was under way when the back end asked for a pause neither
// ends it nor makes it shorter, but may make it longer.
func TestPauseHolds(t *testing.T) {
	late := time.Second
	for name, test := range map[string]struct {
		late reply
		want time.Duration
	}{
		"a success":      {reply{after: late, status: 200}, 120 * time.Second},
		"a failure":      {reply{after: late, status: 500}, 120 * time.Second},
		"a shorter one":  {reply{after: late, status: 503, retryAfter: "5"}, 120 * time.Second},
		"a longer one":   {reply{after: late, status: 503, retryAfter: "300"}, 301 * time.Second},
		"a short answer": {reply{status: 200}, 120 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			perform(t, func(c call) reply {
				if c.subject == "late" {
					return test.late
				}
				return reply{status: 503, retryAfter: "120"}
			}, func(s *stage) {
				began := time.Now()
				s.pump.Enqueue(event("late", 0), event("a", 0), event("b", 0))
				time.Sleep(10 * time.Second)
				if got := s.got(""); len(got) != 3 {
					t.Fatalf("the back end got %v", got)
				}
				s.will(up)
				time.Sleep(time.Hour)
				within(t, "the first try after the pause", s.log()[3].at.Sub(began), test.want, test.want)
			})
		})
	}
}

// TestDeadLetters: after 24 hours of its time an event is given up, not before,
// with a last try then; the next one has its own 24 hours.
func TestDeadLetters(t *testing.T) {
	perform(t, func(call) reply { return reply{status: 500} }, func(s *stage) {
		began := time.Now()
		s.pump.Enqueue(event("a", 0))
		time.Sleep(time.Hour)
		s.pump.Enqueue(event("a", 1))
		time.Sleep(23*time.Hour - time.Second)
		if got := s.said(); len(got) != 0 {
			t.Fatalf("given up early: %+v", got)
		}
		time.Sleep(2 * time.Second)
		got := s.said()
		if len(got) != 1 || got[0].eventID != "a-0" || !got[0].isDead ||
			got[0].reason != "not taken within 24h0m0s; at last: the back end answered 500 Internal Server Error" {
			t.Fatalf("settled: %+v", got)
		}
		last := slices.IndexFunc(s.log(), func(c call) bool { return c.id == "a-1" }) - 1
		within(t, "last try", s.log()[last].at.Sub(began), 24*time.Hour, 24*time.Hour)
		s.will(up)
		time.Sleep(10 * time.Minute)
		if got := s.said(); len(got) != 2 || got[1].isDead {
			t.Errorf("settled: %+v", got)
		}
	})
}

// TestOldEvent: one that is too old when it is first offered is tried once.
func TestOldEvent(t *testing.T) {
	for _, status := range []int{200, 500} {
		perform(t, func(call) reply { return reply{status: status} }, func(s *stage) {
			old := event("a", 0)
			old.Time -= (25 * time.Hour).Milliseconds()
			s.pump.Enqueue(old)
			synctest.Wait()
			if got := s.said(); len(got) != 1 || got[0].isDead != (status == 500) || len(s.got("")) != 1 {
				t.Errorf("%d: settled %+v", status, got)
			}
		})
	}
}

// TestDown: a back end that is down is probed by one try at a time, at the least
// every thirty seconds; that is said once; and all goes when it is back.
func TestDown(t *testing.T) {
	perform(t, func(call) reply { return reply{after: time.Millisecond, err: errBroken} }, func(s *stage) {
		for i := range 1000 {
			s.pump.Enqueue(event(fmt.Sprint("k", i), 0))
		}
		time.Sleep(time.Minute)
		if n := len(s.got("")); n < maxConcurrentAttempts || n > maxConcurrentAttempts+60 {
			t.Errorf("%d tries in the first minute", n)
		}
		s.peak() // and anew
		before := len(s.log())
		time.Sleep(time.Hour)
		if n := s.peak(); n != 1 {
			t.Errorf("%d probes were under way at once", n)
		}
		calls := s.log()[before-1:]
		for i, c := range calls[1:] {
			within(t, "a probe, after the one before", c.at.Sub(calls[i].at), 0, 30*time.Second+time.Millisecond)
		}
		// 30 s at the most, 15 s in the mean.
		if n := len(calls); n < 180 || n > 320 {
			t.Errorf("%d probes in an hour", n)
		}
		if n := s.metric("onair_webhook_oldest_seconds"); n != 3660 {
			t.Errorf("the oldest is said to be %v s old", n)
		}
		const said = `{"level":"warn","error":"no answer: the line is broken","message":"the back end takes no webhooks, probing until it does"}` + "\n"
		if got := s.logged.String(); got != said {
			t.Errorf("logged %s", got)
		}
		s.will(up)
		time.Sleep(31 * time.Second)
		// Those few that were tried meanwhile have a back-off of their own.
		if n := len(s.said()); n < 600 {
			t.Errorf("%d delivered half a minute after it was back", n)
		}
		time.Sleep(5 * time.Minute)
		if n := len(s.said()); n != 1000 {
			t.Errorf("%d delivered", n)
		}
		if n := s.metric("onair_webhook_oldest_seconds"); n != 0 {
			t.Errorf("the oldest is said to be %v s old, and there is none", n)
		}
		if got := s.logged.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "takes webhooks again") {
			t.Errorf("logged %s", got)
		}
	})
}

// TestDownTooLong: what is too old while the back end is down is given up, also
// what was never tried, within a minute or so, and those of one live code in
// order.
func TestDownTooLong(t *testing.T) {
	perform(t, func(call) reply { return reply{err: errBroken} }, func(s *stage) {
		for i := range 1000 {
			s.pump.Enqueue(events(fmt.Sprint("k", i), 2)...)
		}
		time.Sleep(23 * time.Hour)
		s.pump.Enqueue(event("k0", 2))
		if n := len(s.said()); n != 0 {
			t.Fatalf("%d given up early", n)
		}
		time.Sleep(time.Hour + time.Minute)
		seen := map[string]bool{}
		for _, d := range s.said() {
			if code, first := strings.CutSuffix(d.eventID, "-1"); first && !seen[code+"-0"] {
				t.Errorf("%s was given up before the one before it", d.eventID)
			}
			if seen[d.eventID] || !d.isDead || d.reason != "not taken within 24h0m0s; at last: no answer: the line is broken" {
				t.Fatalf("settled: %+v", d)
			}
			seen[d.eventID] = true
		}
		if len(seen) != 2000 {
			t.Errorf("%d given up, want 2000", len(seen))
		}
		s.will(up)
		time.Sleep(5 * time.Minute)
		if got := s.said(); len(got) != 2001 || got[2000] != (deliveryResult{eventID: "k0-2"}) {
			t.Errorf("%d settled, the last %+v", len(got), got[len(got)-1])
		}
		s.stop()
		p := s.pump
		if len(p.openEvents)+len(p.queues)+p.offerOrder.Len()+p.attempts > 0 || len(p.delayedQueues) > 0 {
			t.Errorf("left over: %d held, %d lanes, %d in order, %d under way, %d later", len(p.openEvents), len(p.queues), p.offerOrder.Len(), p.attempts, len(p.delayedQueues))
		}
	})
}

// TestDownAndGone: a back end that answers a probe with 410 is there.
func TestDownAndGone(t *testing.T) {
	perform(t, func(call) reply { return reply{err: errBroken} }, func(s *stage) {
		for i := range 1000 {
			s.pump.Enqueue(event(fmt.Sprint("k", i), 0))
		}
		time.Sleep(time.Minute)
		s.will(func(call) reply { return reply{status: http.StatusGone} })
		time.Sleep(10 * time.Minute)
		if n := len(s.said()); n != 1000 {
			t.Errorf("%d settled", n)
		}
	})
}

// TestExpiresUnderWay: what is too old while it is tried is settled by that try.
func TestExpiresUnderWay(t *testing.T) {
	perform(t, up, func(s *stage) {
		s.stop()
		s.will(func(call) reply { return reply{after: time.Second, status: 200} })
		p := s.sender.NewPump(s.hear)
		p.Enqueue(events("a", 2)...)
		for i := range downThreshold {
			p.breaker.failedCodes[fmt.Sprint(i)] = struct{}{}
		}
		var under sync.WaitGroup
		ctx, cancel := newContext()
		defer cancel()
		p.startAttempts(ctx, &under)
		p.expireEvents(time.Now().Add(25 * time.Hour))
		p.reportResults()
		if told := s.said(); len(told) != 0 {
			t.Errorf("settled while it was tried: %+v", told)
		}
		under.Wait()
		for i := range downThreshold { // the success has cleared them
			p.breaker.failedCodes[fmt.Sprint(i)] = struct{}{}
		}
		p.expireEvents(time.Now().Add(25 * time.Hour))
		p.reportResults()
		if told := s.said(); len(told) != 2 || told[0].isDead || !told[1].isDead {
			t.Errorf("settled: %+v", told)
		}
	})
}

// TestOfferedAgain: what is open may be offered as often as one likes; what was
// settled is not sent again, and told again.
func TestOfferedAgain(t *testing.T) {
	perform(t, func(c call) reply {
		if c.id == "b-0" {
			return reply{after: time.Second, status: 410}
		}
		return reply{after: time.Second, status: 200}
	}, func(s *stage) {
		all := append(events("a", 3), event("b", 0))
		for range 100 {
			s.pump.Enqueue(all...)
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		if got := s.got(""); len(got) != 4 {
			t.Errorf("the back end got %v", got)
		}
		s.mu.Lock()
		s.settled = nil
		s.mu.Unlock()
		s.pump.Enqueue(all[1], all[3], all[1], all[3])
		synctest.Wait()
		want := []deliveryResult{{eventID: "a-1"}, {eventID: "b-0", isDead: true, reason: "the back end answered 410 Gone"}}
		if got := s.said(); !slices.Equal(got, want) {
			t.Errorf("told %+v, want %+v", got, want)
		}
		if got := s.got(""); len(got) != 4 {
			t.Errorf("the back end got %v", got)
		}
		if n := s.metric("onair_webhooks_total", "delivered", "stream.away"); n != 3 {
			t.Errorf("%v counted as delivered, want 3", n)
		}
	})
}

// TestToldFirst: the next of a live code waits until the caller has taken what
// became of the one before.
func TestToldFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, up)
		s.stop()
		free := make(chan struct{})
		s.pump = s.sender.NewPump(func(string, bool, string) { <-free })
		done := make(chan struct{})
		ctx, cancel := newContext()
		go func() {
			defer close(done)
			s.pump.Run(ctx)
		}()
		s.pump.Enqueue(events("a", 2)...)
		time.Sleep(time.Hour)
		if got := s.got(""); len(got) != 1 {
			t.Errorf("the back end got %v", got)
		}
		s.pump.Enqueue(event("b", 0)) // is not kept waiting
		synctest.Wait()
		if got := s.got("b"); len(got) != 1 {
			t.Errorf("the back end got %v of b", got)
		}
		close(free)
		synctest.Wait()
		if got := s.got("a"); len(got) != 2 {
			t.Errorf("the back end got %v of a", got)
		}
		cancel()
		<-done
	})
}

// TestStop: a pump that is stopped begins nothing more, gives what is under way a
// second, and says nothing of what it does not know.
func TestStop(t *testing.T) {
	perform(t, func(c call) reply {
		switch c.subject {
		case "quick":
			return reply{after: 600 * time.Millisecond, status: 200}
		case "slow":
			return reply{after: 5 * time.Second, status: 200}
		}
		return reply{status: 500}
	}, func(s *stage) {
		s.pump.Enqueue(events("quick", 2)...)
		s.pump.Enqueue(event("slow", 0), event("bad", 0))
		time.Sleep(100 * time.Millisecond)
		began := time.Now()
		s.stop()
		within(t, "stop", time.Since(began), stopTimeout, stopTimeout)
		s.delivered("quick-0")
		calls := len(s.log())
		time.Sleep(time.Hour)
		s.pump.Enqueue(event("late", 0))
		synctest.Wait()
		if n := len(s.log()); n != calls {
			t.Errorf("%d tries after the stop", n-calls)
		}
		if n := s.metric("onair_webhook_oldest_seconds"); n != 0 {
			t.Errorf("a pump that has stopped has something that is %v s old", n)
		}
	})
}

// TestStopIdle: there is nothing to wait for.
func TestStopIdle(t *testing.T) {
	perform(t, up, func(s *stage) {
		s.pump.Enqueue(event("a", 0))
		time.Sleep(time.Second)
		began := time.Now()
		s.stop()
		within(t, "stop", time.Since(began), 0, 0)
	})
}

// TestReloadedTarget: what is reloaded holds from the next try on.
func TestReloadedTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hosts []string
		target := newTarget(t, "https://old.example.com/")
		first := true
		sender := NewSender(Options{Target: func() *Target { return target }, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			hosts = append(hosts, r.URL.Host)
			if first {
				first = false
				target = newTarget(t, "https://new.example.com/")
				return nil, errBroken
			}
			return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
		})})
		ctx, cancel := newContext()
		pump := sender.NewPump(func(string, bool, string) { cancel() })
		pump.Enqueue(event("a", 0)) // before Run
		pump.Run(ctx)
		if !slices.Equal(hosts, []string{"old.example.com", "new.example.com"}) {
			t.Errorf("sent to %v", hosts)
		}
	})
}
