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
)

// TestWhateverFails: with a back end that fails in every way, keepers that are
// replaced, also before the one before has noticed, and a log that is slow to
// hear, each event arrives, and those of one live code arrive first in the order
// in which they happened. While nothing fails each arrives once.
func TestWhateverFails(t *testing.T) {
	vary := time.Duration(time.Now().UnixNano() % 1e9)
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(vary) // rapid makes its seed of the time, which in a bubble is always the same
		// A bubble's T has no Deadline, which rapid would ask for: so hide it.
		rapid.Check(struct{ testing.TB }{t}, func(rt *rapid.T) {
			w := newWorld(rt)
			defer w.end()
			for range rapid.IntRange(10, 100).Draw(rt, "steps") {
				w.step()
			}
			w.clearUp()
			w.check()
		})
	})
}

// world is one random run: the outbox, its keepers and the back end.
type world struct {
	*rapid.T
	calm   bool // nothing fails
	seed   uint32
	happen map[string]int // how many events each live code has had
	keeper *stage
	past   sync.WaitGroup // keepers that have not noticed yet
	late   sync.WaitGroup // requests that the back end has not looked at yet

	mu      sync.Mutex // guards the following fields
	failing bool
	open    []Event  // in the order in which they happened
	untold  []string // settled, and the log has not heard
	arrived []call
	tries   map[string]int
}

func newWorld(t *rapid.T) *world {
	w := &world{
		T: t, calm: rapid.Bool().Draw(t, "calm"), seed: rapid.Uint32().Draw(t, "seed"),
		happen: map[string]int{}, tries: map[string]int{},
	}
	w.failing = !w.calm
	w.elect()
	return w
}

// elect makes another node the keeper, which offers what is open.
func (w *world) elect() {
	target := newTarget(w, "https://app.example.com/")
	sender := NewSender(Options{Target: func() *Target { return target }, Transport: &backEnd{reply: w.answer}})
	pump := sender.NewPump(func(id string, dead bool, why string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if dead {
			w.Errorf("%s was given up: %s", id, why)
		}
		w.untold = append(w.untold, id)
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		pump.Run(ctx)
	}()
	w.keeper = &stage{pump: pump, stop: func() {
		cancel()
		<-done
	}}
	w.offer(0)
}

// offer has the keeper offer what is open, but for the first few.
func (w *world) offer(from int) {
	w.mu.Lock()
	open := slices.Clone(w.open[from:])
	w.mu.Unlock()
	w.keeper.pump.Enqueue(open...)
}

func (w *world) step() {
	switch rapid.IntRange(0, 9).Draw(w.T, "step") {
	case 0, 1, 2, 3:
		w.mu.Lock()
		from := len(w.open)
		w.mu.Unlock()
		for range rapid.IntRange(1, 5).Draw(w.T, "events") {
			code := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "h"}).Draw(w.T, "code")
			e := event(code, w.happen[code])
			w.happen[code]++
			w.mu.Lock()
			w.open = append(w.open, e)
			w.mu.Unlock()
		}
		w.offer(from)
	case 4:
		w.offer(0)
	case 5:
		w.hear()
	case 6:
		if !w.calm {
			before, notices := w.keeper, time.Duration(rapid.IntRange(0, 20_000).Draw(w.T, "notices"))*time.Millisecond
			w.past.Go(func() {
				time.Sleep(notices)
				before.stop()
			})
			w.elect()
		}
	default:
		time.Sleep(time.Duration(rapid.IntRange(1, 30_000).Draw(w.T, "sleep")) * time.Millisecond)
	}
	synctest.Wait()
}

// hear has the log hear of all that was settled.
func (w *world) hear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open = slices.DeleteFunc(w.open, func(e Event) bool { return slices.Contains(w.untold, e.ID) })
	w.untold = nil
}

// answer is the back end's, by a throw of dice that is the same in each run of
// this seed.
func (w *world) answer(c call) reply {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tries[c.id]++
	h := fnv.New32a()
	fmt.Fprint(h, w.seed, c.id, w.tries[c.id])
	dice := h.Sum32()
	if !w.failing {
		dice = dice>>8<<3 | 7
	}
	a := reply{after: time.Duration(dice>>8%2000) * time.Millisecond, status: 200}
	arrives := true
	switch dice % 8 {
	case 0:
		arrives, a.err = false, errBroken
	case 1: // it arrives, and the answer is lost
		a.err = errBroken
	case 2:
		arrives, a.status = false, 500
	case 3:
		arrives, a.status, a.retryAfter = false, 503, "7"
	case 4: // it hangs
		arrives, a.after = false, time.Hour
	case 5: // it arrives, and the answer comes too late
		a.after = time.Hour
	case 6: // it arrives when nobody waits for the answer any more
		arrives, a.after = false, time.Hour
		w.late.Go(func() {
			time.Sleep(10*time.Second + time.Duration(dice>>8%20)*time.Second)
			w.arrive(c)
		})
	}
	if arrives {
		w.arrived = append(w.arrived, c)
	}
	return a
}

func (w *world) arrive(c call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.arrived = append(w.arrived, c)
}

// clearUp lets all that is open arrive, with a back end that works again.
func (w *world) clearUp() {
	w.past.Wait()
	w.mu.Lock()
	w.failing = false
	w.mu.Unlock()
	// No longer than it takes: rapid ends after a day of the bubble's time.
	for left := time.Hour; left > 0 && w.waiting(); left -= time.Second {
		time.Sleep(time.Second)
	}
	w.late.Wait()
}

// waiting reports whether anything is open, once the log has heard.
func (w *world) waiting() bool {
	w.hear()
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.open) > 0
}

// check looks at what has arrived.
func (w *world) check() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.open) > 0 {
		w.Fatalf("still open: %v", w.open)
	}
	first := map[string][]string{}
	times := map[string]int{}
	for _, c := range w.arrived {
		if times[c.id]++; times[c.id] == 1 {
			first[c.subject] = append(first[c.subject], c.id)
		} else if w.calm {
			w.Errorf("%s arrived twice", c.id)
		}
	}
	for code, n := range w.happen {
		var want []string
		for i := range n {
			want = append(want, fmt.Sprintf("%s-%d", code, i))
		}
		if !slices.Equal(first[code], want) {
			w.Errorf("of %s arrived %v, want %v", code, first[code], want)
		}
	}
}

func (w *world) end() {
	w.past.Wait()
	w.keeper.stop()
	w.late.Wait()
}
