package webhooks

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"onair/presence"
)

// requireBetween fails the test unless minimum <= got <= maximum.
func requireBetween(t testing.TB, name string, got, minimum, maximum time.Duration) {
	t.Helper()
	if got < minimum || got > maximum {
		t.Errorf("%s: %v, want %v to %v", name, got, minimum, maximum)
	}
}

// requireDelivered fails the test unless exactly these events were delivered, in any order.
func (s *dispatcherTest) requireDelivered(ids ...string) {
	s.t.Helper()
	var got []string
	for _, d := range s.results() {
		if d.failure != "" {
			s.t.Errorf("%s is dead: %s", d.eventID, d.failure)
		}
		got = append(got, d.eventID)
	}
	slices.Sort(got)
	slices.Sort(ids)
	if !slices.Equal(got, ids) {
		s.t.Errorf("delivered %v, want %v", got, ids)
	}
}

// TestDelivery: an enqueued event is sent, reported and counted once.
func TestDelivery(t *testing.T) {
	withDispatcher(t, accept, func(s *dispatcherTest) {
		s.dispatcher.Enqueue(event("a", 0), event("b", 0))
		synctest.Wait()
		s.requireDelivered("a-0", "b-0")
		if got := s.receivedIDs(""); len(got) != 2 {
			t.Errorf("received %v", got)
		}
		if n := s.metric("onair_webhooks_total", "delivered", "stream.away"); n != 2 {
			t.Errorf("%v counted as delivered", n)
		}
		if n := s.metric("onair_webhook_seconds"); n != 2 {
			t.Errorf("%v attempts counted", n)
		}
	})
}

// TestOrder: the next event of a live code is sent after the delivery of the previous one,
// whatever fails; other live codes do not wait.
func TestOrder(t *testing.T) {
	withDispatcher(t, failFirst(4, 500), func(s *dispatcherTest) {
		s.dispatcher.Enqueue(events("a", 5)...)
		s.dispatcher.Enqueue(events("b", 5)...)
		time.Sleep(time.Hour)
		var want []string
		for i := range 5 {
			want = append(want, slices.Repeat([]string{fmt.Sprint("a-", i)}, 5)...)
		}
		if got := s.receivedIDs("a"); !slices.Equal(got, want) {
			t.Errorf("received %v, want %v", got, want)
		}
		if len(s.results()) != 10 {
			t.Errorf("results: %v", s.results())
		}
		if n := s.metric("onair_webhook_retries_total"); n != 40 {
			t.Errorf("%v retries counted, want 40", n)
		}
	})
}

// TestFailingCodeDelaysOnlyItself: an event that always fails delays only its own live
// code, even without other traffic.
func TestFailingCodeDelaysOnlyItself(t *testing.T) {
	failBad := func(r request) response {
		if r.subject == "bad" {
			return response{status: 500}
		}
		return response{status: 200}
	}
	withDispatcher(t, failBad, func(s *dispatcherTest) {
		s.dispatcher.Enqueue(event("bad", 0), event("bad", 1))
		time.Sleep(time.Hour)
		began := time.Now()
		s.dispatcher.Enqueue(events("good", 3)...)
		synctest.Wait()
		s.requireDelivered("good-0", "good-1", "good-2")
		requireBetween(t, "delay of the others", time.Since(began), 0, 0)
		if got := s.receivedIDs("bad"); slices.Contains(got, "bad-1") {
			t.Errorf("bad-1 was sent before bad-0 was delivered: %v", got)
		}
	})
}

// TestBackoff: the nth delay is random, up to 2ⁿ seconds and up to five minutes.
func TestBackoff(t *testing.T) {
	withDispatcher(t, func(request) response { return response{status: 500} }, func(s *dispatcherTest) {
		s.dispatcher.Enqueue(event("a", 0))
		time.Sleep(20 * time.Hour)
		requests := s.received()
		var sum time.Duration
		for i, r := range requests[1:] {
			wait := r.at.Sub(requests[i].at)
			maximum := 5 * time.Minute
			if i < 8 {
				maximum = time.Second << i
			}
			requireBetween(t, fmt.Sprint("delay ", i), wait, 0, maximum)
			sum += wait
		}
		// The mean of about 480 delays from 0 to 300 s is 150 s, ±4 s.
		requireBetween(t, "mean delay", sum/time.Duration(len(requests)-1), 120*time.Second, 180*time.Second)
	})
}

// TestConcurrentAttempts: events of different live codes are sent concurrently, sixteen at
// most.
func TestConcurrentAttempts(t *testing.T) {
	slow := func(request) response { return response{after: time.Second, status: 200} }
	withDispatcher(t, slow, func(s *dispatcherTest) {
		began := time.Now()
		for i := range 160 {
			s.dispatcher.Enqueue(event(fmt.Sprint("k", i), 0))
		}
		for len(s.results()) < 160 {
			time.Sleep(100 * time.Millisecond)
		}
		if n := s.maxConcurrent(); n != maxConcurrentAttempts {
			t.Errorf("%d concurrent attempts, want %d", n, maxConcurrentAttempts)
		}
		requireBetween(t, "160 attempts of a second each", time.Since(began), 10*time.Second, 10100*time.Millisecond)
	})
}

// TestResponses: the effect of each kind of response.
func TestResponses(t *testing.T) {
	for name, test := range map[string]struct {
		first     response
		delivered bool
		attempts  int // within an hour
	}{
		"200":                {response{status: 200}, true, 1},
		"299":                {response{status: 299}, true, 1},
		"410":                {response{status: 410}, false, 1},
		"302":                {response{status: 302}, true, 2},
		"400":                {response{status: 400}, true, 2},
		"401":                {response{status: 401}, true, 2},
		"500":                {response{status: 500}, true, 2},
		"503 with a pause":   {response{status: 503, retryAfter: "100"}, true, 2},
		"no response":        {response{err: errConnection}, true, 2},
		"a hanging back end": {response{after: time.Hour}, true, 2},
		"a slow success":     {response{after: 9 * time.Second, status: 200}, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			first := true
			respond := func(request) response {
				if first {
					first = false
					return test.first
				}
				return response{status: 200}
			}
			withDispatcher(t, respond, func(s *dispatcherTest) {
				s.dispatcher.Enqueue(event("a", 0))
				time.Sleep(time.Hour)
				results := s.results()
				if len(results) != 1 || results[0].failure == "" != test.delivered {
					t.Fatalf("results: %+v", results)
				}
				if n := len(s.receivedIDs("")); n != test.attempts {
					t.Errorf("%d attempts, want %d", n, test.attempts)
				}
			})
		})
	}
}

// TestAttemptTimeout: an attempt takes ten seconds at most.
func TestAttemptTimeout(t *testing.T) {
	first := true
	withDispatcher(t, func(request) response {
		if first {
			first = false
			return response{after: time.Hour}
		}
		return response{status: 200}
	}, func(s *dispatcherTest) {
		s.dispatcher.Enqueue(event("a", 0))
		time.Sleep(time.Minute)
		requests := s.received()
		requireBetween(t, "second attempt", requests[1].at.Sub(requests[0].at), 10*time.Second, 11*time.Second)
	})
}

// TestGone: an event is dead after status 410, and the next one is sent.
func TestGone(t *testing.T) {
	withDispatcher(t, func(r request) response {
		if r.id == "a-0" {
			return response{status: http.StatusGone}
		}
		return response{status: 200}
	}, func(s *dispatcherTest) {
		s.dispatcher.Enqueue(events("a", 2)...)
		synctest.Wait()
		want := []testResult{{eventID: "a-0", failure: "HTTP status 410 Gone"}, {eventID: "a-1"}}
		if got := s.results(); !slices.Equal(got, want) {
			t.Errorf("results: %+v", got)
		}
		if n := s.metric("onair_webhooks_total", "dead", "stream.away"); n != 1 {
			t.Errorf("%v counted as dead", n)
		}
	})
}

// TestDeadLetters: an event is dead 24 hours after its time, not before, with a last
// attempt then; each event has its own 24 hours.
func TestDeadLetters(t *testing.T) {
	withDispatcher(t, func(request) response { return response{status: 500} }, func(s *dispatcherTest) {
		began := time.Now()
		s.dispatcher.Enqueue(event("a", 0))
		time.Sleep(time.Hour)
		s.dispatcher.Enqueue(event("a", 1))
		time.Sleep(23*time.Hour - time.Second)
		if got := s.results(); len(got) != 0 {
			t.Fatalf("dead too early: %+v", got)
		}
		time.Sleep(2 * time.Second)
		got := s.results()
		if len(got) != 1 || got[0].eventID != "a-0" || got[0].failure == "" ||
			got[0].failure != "not delivered within 24h0m0s: HTTP status 500 Internal Server Error" {
			t.Fatalf("results: %+v", got)
		}
		last := slices.IndexFunc(s.received(), func(r request) bool { return r.id == "a-1" }) - 1
		requireBetween(t, "last attempt", s.received()[last].at.Sub(began), 24*time.Hour, 24*time.Hour)
		s.respondWith(accept)
		time.Sleep(10 * time.Minute)
		if got := s.results(); len(got) != 2 || got[1].failure != "" {
			t.Errorf("results: %+v", got)
		}
	})
}

// TestOldEvent: an event that is too old when it is enqueued gets one attempt.
func TestOldEvent(t *testing.T) {
	for _, status := range []int{200, 500} {
		withDispatcher(t, func(request) response { return response{status: status} }, func(s *dispatcherTest) {
			old := event("a", 0)
			old.At -= (25 * time.Hour).Milliseconds()
			s.dispatcher.Enqueue(old)
			synctest.Wait()
			if got := s.results(); len(got) != 1 || got[0].failure != "" != (status == 500) || len(s.receivedIDs("")) != 1 {
				t.Errorf("%d: results %+v", status, got)
			}
		})
	}
}

// TestEnqueueAgain: an open event may be enqueued repeatedly; one with a result is not sent
// again, and its result is reported again.
func TestEnqueueAgain(t *testing.T) {
	withDispatcher(t, func(r request) response {
		if r.id == "b-0" {
			return response{after: time.Second, status: 410}
		}
		return response{after: time.Second, status: 200}
	}, func(s *dispatcherTest) {
		all := append(events("a", 3), event("b", 0))
		for range 100 {
			s.dispatcher.Enqueue(all...)
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		if got := s.receivedIDs(""); len(got) != 4 {
			t.Errorf("received %v", got)
		}
		s.mu.Lock()
		s.recorded = nil
		s.mu.Unlock()
		s.dispatcher.Enqueue(all[1], all[3], all[1], all[3])
		synctest.Wait()
		want := []testResult{{eventID: "a-1"}, {eventID: "b-0", failure: "HTTP status 410 Gone"}}
		if got := s.results(); !slices.Equal(got, want) {
			t.Errorf("results %+v, want %+v", got, want)
		}
		if got := s.receivedIDs(""); len(got) != 4 {
			t.Errorf("received %v", got)
		}
		if n := s.metric("onair_webhooks_total", "delivered", "stream.away"); n != 3 {
			t.Errorf("%v counted as delivered, want 3", n)
		}
	})
}

// TestReportBeforeNextEvent: the next event of a live code waits until OnResult for the
// previous one returns.
func TestReportBeforeNextEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newDispatcherTest(t, accept)
		s.stop()
		release := make(chan struct{})
		s.dispatcher = s.sender.NewDispatcher(func(presence.EventID, string) { <-release })
		done := make(chan struct{})
		ctx, cancel := cancelableContext()
		go func() {
			defer close(done)
			s.dispatcher.Run(ctx)
		}()
		s.dispatcher.Enqueue(events("a", 2)...)
		time.Sleep(time.Hour)
		if got := s.receivedIDs(""); len(got) != 1 {
			t.Errorf("received %v", got)
		}
		s.dispatcher.Enqueue(event("b", 0)) // does not wait
		synctest.Wait()
		if got := s.receivedIDs("b"); len(got) != 1 {
			t.Errorf("received %v of b", got)
		}
		close(release)
		synctest.Wait()
		if got := s.receivedIDs("a"); len(got) != 2 {
			t.Errorf("received %v of a", got)
		}
		cancel()
		<-done
	})
}

// TestStop: a stopped dispatcher starts no attempts, gives those in progress a second,
// and reports no unknown results.
func TestStop(t *testing.T) {
	withDispatcher(t, func(r request) response {
		switch r.subject {
		case "quick":
			return response{after: 600 * time.Millisecond, status: 200}
		case "slow":
			return response{after: 5 * time.Second, status: 200}
		}
		return response{status: 500}
	}, func(s *dispatcherTest) {
		s.dispatcher.Enqueue(events("quick", 2)...)
		s.dispatcher.Enqueue(event("slow", 0), event("bad", 0))
		time.Sleep(100 * time.Millisecond)
		began := time.Now()
		s.stop()
		requireBetween(t, "stop", time.Since(began), stopTimeout, stopTimeout)
		s.requireDelivered("quick-0")
		before := len(s.received())
		time.Sleep(time.Hour)
		s.dispatcher.Enqueue(event("late", 0))
		synctest.Wait()
		if n := len(s.received()); n != before {
			t.Errorf("%d attempts after the stop", n-before)
		}
		if n := s.metric("onair_webhook_oldest_seconds"); n != 0 {
			t.Errorf("oldest event age %v s after the stop", n)
		}
	})
}

// TestStopIdle: without attempts in progress, a stop takes no time.
func TestStopIdle(t *testing.T) {
	withDispatcher(t, accept, func(s *dispatcherTest) {
		s.dispatcher.Enqueue(event("a", 0))
		time.Sleep(time.Second)
		began := time.Now()
		s.stop()
		requireBetween(t, "stop", time.Since(began), 0, 0)
	})
}

// TestReloadedEndpoint: a reload applies from the next attempt on.
func TestReloadedEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hosts []string
		endpoint := newEndpoint(t, "https://old.example.com/")
		first := true
		sender := NewSender(Options{Retry: 24 * time.Hour, Endpoint: func() *Endpoint { return endpoint }, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			hosts = append(hosts, r.URL.Host)
			if first {
				first = false
				endpoint = newEndpoint(t, "https://new.example.com/")
				return nil, errConnection
			}
			return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
		})})
		ctx, cancel := cancelableContext()
		dispatcher := sender.NewDispatcher(func(presence.EventID, string) { cancel() })
		dispatcher.Enqueue(event("a", 0)) // before Run
		dispatcher.Run(ctx)
		if !slices.Equal(hosts, []string{"old.example.com", "new.example.com"}) {
			t.Errorf("sent to %v", hosts)
		}
	})
}
