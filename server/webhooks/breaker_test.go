package webhooks

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestRetryAfterPauses all live codes for the requested time; then one attempt follows.
func TestRetryAfterPauses(t *testing.T) {
	for _, status := range []int{429, 503} {
		first := true
		withDispatcher(t, func(request) response {
			if first {
				first = false
				return response{status: status, retryAfter: "120"}
			}
			return response{after: time.Second, status: 200}
		}, func(s *dispatcherTest) {
			began := time.Now()
			s.dispatcher.Enqueue(event("a", 0))
			synctest.Wait()
			for i := range 20 {
				s.dispatcher.Enqueue(event(fmt.Sprint("k", i), 0))
			}
			time.Sleep(119 * time.Second)
			if got := s.receivedIDs(""); len(got) != 1 {
				t.Fatalf("%d: received %v in the pause", status, got)
			}
			time.Sleep(30 * time.Second)
			requests := s.received()
			requireBetween(t, "second attempt", requests[1].at.Sub(began), 120*time.Second, 121*time.Second)
			requireBetween(t, "third attempt after the second", requests[2].at.Sub(requests[1].at), time.Second, time.Second)
			if len(s.results()) != 21 {
				t.Errorf("%d results, want 21", len(s.results()))
			}
			if s.logOutput.String() != "" {
				t.Errorf("log: %s", s.logOutput)
			}
		})
	}
}

// TestPauseAndLateResponses: attempts from before a pause do not end or shorten it, but may
// extend it.
func TestPauseAndLateResponses(t *testing.T) {
	delay := time.Second
	for name, test := range map[string]struct {
		late response
		want time.Duration
	}{
		"a success":       {response{after: delay, status: 200}, 120 * time.Second},
		"a failure":       {response{after: delay, status: 500}, 120 * time.Second},
		"a shorter pause": {response{after: delay, status: 503, retryAfter: "5"}, 120 * time.Second},
		"a longer pause":  {response{after: delay, status: 503, retryAfter: "300"}, 301 * time.Second},
		"a fast response": {response{status: 200}, 120 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			withDispatcher(t, func(r request) response {
				if r.subject == "late" {
					return test.late
				}
				return response{status: 503, retryAfter: "120"}
			}, func(s *dispatcherTest) {
				began := time.Now()
				s.dispatcher.Enqueue(event("late", 0), event("a", 0), event("b", 0))
				time.Sleep(10 * time.Second)
				if got := s.receivedIDs(""); len(got) != 3 {
					t.Fatalf("received %v", got)
				}
				s.respondWith(accept)
				time.Sleep(time.Hour)
				requireBetween(t, "first attempt after the pause", s.received()[3].at.Sub(began), test.want, test.want)
			})
		})
	}
}

// TestDown: a back end that is down receives one probe at a time, at least every thirty
// seconds, and causes one log line. After the recovery all events are sent.
func TestDown(t *testing.T) {
	withDispatcher(t, func(request) response { return response{after: time.Millisecond, err: errConnection} }, func(s *dispatcherTest) {
		for i := range 1000 {
			s.dispatcher.Enqueue(event(fmt.Sprint("k", i), 0))
		}
		time.Sleep(time.Minute)
		if n := len(s.receivedIDs("")); n < maxConcurrentAttempts || n > maxConcurrentAttempts+60 {
			t.Errorf("%d attempts in the first minute", n)
		}
		s.maxConcurrent() // resets the peak
		before := len(s.received())
		time.Sleep(time.Hour)
		if n := s.maxConcurrent(); n != 1 {
			t.Errorf("%d concurrent probes", n)
		}
		requests := s.received()[before-1:]
		for i, r := range requests[1:] {
			requireBetween(t, "time since the previous probe", r.at.Sub(requests[i].at), 0, 30*time.Second+time.Millisecond)
		}
		// At most 30 s apart, 15 s in the mean.
		if n := len(requests); n < 180 || n > 320 {
			t.Errorf("%d probes in an hour", n)
		}
		if n := s.metric("onair_webhook_oldest_seconds"); n != 3660 {
			t.Errorf("oldest event age %v s", n)
		}
		const wantLog = `{"level":"warn","error":"no response: connection reset","message":"webhook back end down, probing"}` + "\n"
		if got := s.logOutput.String(); got != wantLog {
			t.Errorf("log: %s", got)
		}
		s.respondWith(accept)
		time.Sleep(31 * time.Second)
		// The few live codes that were probed have a backoff of their own.
		if n := len(s.results()); n < 600 {
			t.Errorf("%d delivered half a minute after the recovery", n)
		}
		time.Sleep(5 * time.Minute)
		if n := len(s.results()); n != 1000 {
			t.Errorf("%d delivered", n)
		}
		if n := s.metric("onair_webhook_oldest_seconds"); n != 0 {
			t.Errorf("oldest event age %v s without open events", n)
		}
		if got := s.logOutput.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "webhook back end recovered") {
			t.Errorf("log: %s", got)
		}
	})
}

// TestExpiryWhileDown: events expire while the back end is down, also without an attempt,
// within about a minute, and in order for each live code.
func TestExpiryWhileDown(t *testing.T) {
	withDispatcher(t, func(request) response { return response{err: errConnection} }, func(s *dispatcherTest) {
		for i := range 1000 {
			s.dispatcher.Enqueue(events(fmt.Sprint("k", i), 2)...)
		}
		time.Sleep(23 * time.Hour)
		s.dispatcher.Enqueue(event("k0", 2))
		if n := len(s.results()); n != 0 {
			t.Fatalf("%d dead too early", n)
		}
		time.Sleep(time.Hour + time.Minute)
		seen := map[string]bool{}
		for _, d := range s.results() {
			if code, ok := strings.CutSuffix(d.eventID, "-1"); ok && !seen[code+"-0"] {
				t.Errorf("%s is dead before its predecessor", d.eventID)
			}
			if seen[d.eventID] || d.failure == "" || d.failure != "not delivered within 24h0m0s: no response: connection reset" {
				t.Fatalf("results: %+v", d)
			}
			seen[d.eventID] = true
		}
		if len(seen) != 2000 {
			t.Errorf("%d dead, want 2000", len(seen))
		}
		s.respondWith(accept)
		time.Sleep(5 * time.Minute)
		if got := s.results(); len(got) != 2001 || got[2000] != (testResult{eventID: "k0-2"}) {
			t.Errorf("%d results, the last %+v", len(got), got[len(got)-1])
		}
		s.stop()
		p := s.dispatcher
		if len(p.openEvents)+len(p.queues)+p.enqueueOrder.Len()+p.attempts > 0 || len(p.delayedQueues) > 0 {
			t.Errorf("left over: %d open, %d queues, %d in order, %d in progress, %d delayed", len(p.openEvents), len(p.queues), p.enqueueOrder.Len(), p.attempts, len(p.delayedQueues))
		}
	})
}

// TestGoneEndsOutage: status 410 to a probe shows that the back end works.
func TestGoneEndsOutage(t *testing.T) {
	withDispatcher(t, func(request) response { return response{err: errConnection} }, func(s *dispatcherTest) {
		for i := range 1000 {
			s.dispatcher.Enqueue(event(fmt.Sprint("k", i), 0))
		}
		time.Sleep(time.Minute)
		s.respondWith(func(request) response { return response{status: http.StatusGone} })
		time.Sleep(10 * time.Minute)
		if n := len(s.results()); n != 1000 {
			t.Errorf("%d results", n)
		}
	})
}

// TestExpiryDuringAttempt: the attempt in progress decides the result of an expired event.
func TestExpiryDuringAttempt(t *testing.T) {
	withDispatcher(t, accept, func(s *dispatcherTest) {
		s.stop()
		s.respondWith(func(request) response { return response{after: time.Second, status: 200} })
		p := s.sender.NewDispatcher(s.recordResult)
		p.Enqueue(events("a", 2)...)
		for i := range downThreshold {
			p.breaker.failedCodes[fmt.Sprint(i)] = struct{}{}
		}
		var running sync.WaitGroup
		ctx, cancel := cancelableContext()
		defer cancel()
		p.startAttempts(ctx, &running)
		p.giveUpOverdueEventsWhileDown(time.Now().Add(25 * time.Hour))
		p.reportResults()
		if got := s.results(); len(got) != 0 {
			t.Errorf("result during the attempt: %+v", got)
		}
		running.Wait()
		for i := range downThreshold { // the success cleared them
			p.breaker.failedCodes[fmt.Sprint(i)] = struct{}{}
		}
		p.giveUpOverdueEventsWhileDown(time.Now().Add(25 * time.Hour))
		p.reportResults()
		if got := s.results(); len(got) != 2 || got[0].failure != "" || got[1].failure == "" {
			t.Errorf("results: %+v", got)
		}
	})
}
