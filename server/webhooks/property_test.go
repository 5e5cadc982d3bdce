package webhooks

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"onair/presence"
)

// TestDeliveryUnderFaults: the back end fails in all ways, leaders are replaced before they
// notice, and the log applies results late. Every event arrives, and the first arrivals of
// each live code are in order. Without faults each event arrives once.
func TestDeliveryUnderFaults(t *testing.T) {
	offset := time.Duration(time.Now().UnixNano() % 1e9)
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(offset) // rapid seeds from the clock, which starts equally in each bubble
		// Hide the Deadline of T, which rapid would call: a bubble has none.
		rapid.Check(struct{ testing.TB }{t}, func(rt *rapid.T) {
			sim := newSimulation(rt)
			defer sim.end()
			for range rapid.IntRange(10, 100).Draw(rt, "steps") {
				sim.step()
			}
			sim.finishDeliveries()
			sim.checkReceived()
		})
	})
}

// simulation is one random run of the outbox, its leaders and the back end.
type simulation struct {
	*rapid.T
	withoutFaults bool // no faults are injected
	seed          uint32
	eventCounts   map[string]int // number of events by live code
	leader        *dispatcherTest
	formerLeaders sync.WaitGroup // leaders that have not noticed their replacement
	lateRequests  sync.WaitGroup // requests that arrive after their timeout

	mu        sync.Mutex // guards the fields below
	hasFaults bool
	open      []*presence.OutboxEvent // in order
	unapplied []presence.EventID      // results that the log has not applied
	received  []request
	attempts  map[string]int
}

func newSimulation(t *rapid.T) *simulation {
	sim := &simulation{
		T: t, withoutFaults: rapid.Bool().Draw(t, "calm"), seed: rapid.Uint32().Draw(t, "seed"),
		eventCounts: map[string]int{}, attempts: map[string]int{},
	}
	sim.hasFaults = !sim.withoutFaults
	sim.electLeader()
	return sim
}

// electLeader replaces the leader by another, which enqueues all open events.
func (sim *simulation) electLeader() {
	endpoint := newEndpoint(sim, "https://app.example.com/")
	sender := NewSender(Options{Retry: 24 * time.Hour, Endpoint: func() *Endpoint { return endpoint }, Transport: &backEnd{respond: sim.respond}})
	dispatcher := sender.NewDispatcher(func(id presence.EventID, failure string) {
		sim.mu.Lock()
		defer sim.mu.Unlock()
		if failure != "" {
			sim.Errorf("%s is dead: %s", id, failure)
		}
		sim.unapplied = append(sim.unapplied, id)
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		dispatcher.Run(ctx)
	}()
	sim.leader = &dispatcherTest{dispatcher: dispatcher, stop: func() {
		cancel()
		<-done
	}}
	sim.enqueueOpen(0)
}

// enqueueOpen enqueues the open events, except for the first ones.
func (sim *simulation) enqueueOpen(from int) {
	sim.mu.Lock()
	open := slices.Clone(sim.open[from:])
	sim.mu.Unlock()
	sim.leader.dispatcher.Enqueue(open...)
}

func (sim *simulation) step() {
	switch rapid.IntRange(0, 9).Draw(sim.T, "step") {
	case 0, 1, 2, 3:
		sim.mu.Lock()
		from := len(sim.open)
		sim.mu.Unlock()
		for range rapid.IntRange(1, 5).Draw(sim.T, "events") {
			code := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "h"}).Draw(sim.T, "code")
			e := event(code, sim.eventCounts[code])
			sim.eventCounts[code]++
			sim.mu.Lock()
			sim.open = append(sim.open, e)
			sim.mu.Unlock()
		}
		sim.enqueueOpen(from)
	case 4:
		sim.enqueueOpen(0)
	case 5:
		sim.applyResults()
	case 6:
		if !sim.withoutFaults {
			former, noticesAfter := sim.leader, time.Duration(rapid.IntRange(0, 20_000).Draw(sim.T, "notices after"))*time.Millisecond
			sim.formerLeaders.Go(func() {
				time.Sleep(noticesAfter)
				former.stop()
			})
			sim.electLeader()
		}
	default:
		time.Sleep(time.Duration(rapid.IntRange(1, 30_000).Draw(sim.T, "sleep")) * time.Millisecond)
	}
	synctest.Wait()
}

// applyResults applies all results to the outbox.
func (sim *simulation) applyResults() {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	sim.open = slices.DeleteFunc(sim.open, func(e *presence.OutboxEvent) bool { return slices.Contains(sim.unapplied, e.ID) })
	sim.unapplied = nil
}

// respond returns the response of the back end, random but the same in each run with this
// seed.
func (sim *simulation) respond(received request) response {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	sim.attempts[received.id]++
	h := fnv.New32a()
	fmt.Fprint(h, sim.seed, received.id, sim.attempts[received.id])
	random := h.Sum32()
	if !sim.hasFaults {
		random = random>>8<<3 | 7
	}
	resp := response{after: time.Duration(random>>8%2000) * time.Millisecond, status: 200}
	arrives := true
	switch random % 8 {
	case 0:
		arrives, resp.err = false, errConnection
	case 1: // it arrives, and the response is lost
		resp.err = errConnection
	case 2:
		arrives, resp.status = false, 500
	case 3:
		arrives, resp.status, resp.retryAfter = false, 503, "7"
	case 4: // it hangs
		arrives, resp.after = false, time.Hour
	case 5: // it arrives, and the response is too late
		resp.after = time.Hour
	case 6: // it arrives after the timeout
		arrives, resp.after = false, time.Hour
		sim.lateRequests.Go(func() {
			time.Sleep(10*time.Second + time.Duration(random>>8%20)*time.Second)
			sim.receive(received)
		})
	}
	if arrives {
		sim.received = append(sim.received, received)
	}
	return resp
}

func (sim *simulation) receive(received request) {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	sim.received = append(sim.received, received)
}

// finishDeliveries waits for all open events, without faults.
func (sim *simulation) finishDeliveries() {
	sim.formerLeaders.Wait()
	sim.mu.Lock()
	sim.hasFaults = false
	sim.mu.Unlock()
	// Sleep in short steps: rapid stops after a day of the bubble's time.
	for left := time.Hour; left > 0 && sim.hasOpenEvents(); left -= time.Second {
		time.Sleep(time.Second)
	}
	sim.lateRequests.Wait()
}

// hasOpenEvents applies all results and reports whether events are open.
func (sim *simulation) hasOpenEvents() bool {
	sim.applyResults()
	sim.mu.Lock()
	defer sim.mu.Unlock()
	return len(sim.open) > 0
}

// checkReceived checks the requests that arrived.
func (sim *simulation) checkReceived() {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	if len(sim.open) > 0 {
		sim.Fatalf("still open: %v", sim.open)
	}
	first := map[string][]string{}
	times := map[string]int{}
	for _, c := range sim.received {
		if times[c.id]++; times[c.id] == 1 {
			first[c.subject] = append(first[c.subject], c.id)
		} else if sim.withoutFaults {
			sim.Errorf("%s arrived twice", c.id)
		}
	}
	for code, n := range sim.eventCounts {
		var want []string
		for i := range n {
			want = append(want, fmt.Sprintf("%s-%d", code, i))
		}
		if !slices.Equal(first[code], want) {
			sim.Errorf("arrivals of %s: %v, want %v", code, first[code], want)
		}
	}
}

func (sim *simulation) end() {
	sim.formerLeaders.Wait()
	sim.leader.stop()
	sim.lateRequests.Wait()
}
