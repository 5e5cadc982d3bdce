package hub

import (
	"sync/atomic"
	"time"
)

const (
	// mostFanOut is the share of the shards' time that handing out frames may
	// take. The rest is for the list, for reading, and for who comes in.
	mostFanOut = 0.5
	// longestTick is how far the tick stretches to keep to that.
	longestTick = time.Second
	// lookEvery is how often the tick is fitted.
	lookEvery = 500 * time.Millisecond
	// overFor is how long the hub counts as overloaded once it was: it is looked
	// at only while there are frames.
	overFor = 2 * time.Second
)

// pace measures what fan-out takes, and stretches the tick of all views when
// that is too much: fewer diffs, each of more changes, cost as much less.
type pace struct {
	busy atomic.Int64 // nanoseconds, since the last look

	// Guarded by Hub.mu.
	looked time.Time
	tick   time.Duration

	overUntil atomic.Int64 // Unix nanoseconds: until then it counts as too much even so
}

// spent notes what a shard's goroutine has spent.
func (h *Hub) spent(d time.Duration) {
	h.pace.busy.Add(int64(d))
	h.metrics.busy.Observe(d.Seconds())
}

// look fits the tick. What is spent falls as the tick grows, so the tick is to
// grow in proportion to what is too much; half of the way at a time, so that
// one long flight does not slow all down.
func (p *pace) look(now time.Time, shards int, shortest time.Duration) {
	elapsed := now.Sub(p.looked)
	if elapsed < lookEvery {
		return
	}
	share := float64(p.busy.Swap(0)) / (float64(elapsed) * float64(shards))
	p.looked = now
	wanted := time.Duration(float64(p.tick) * share / mostFanOut)
	longest := max(longestTick, shortest)
	p.tick = min(max((p.tick+wanted)/2, shortest), longest)
	if share > mostFanOut && wanted > longest {
		p.overUntil.Store(now.Add(overFor).UnixNano())
	}
}

// over says whether fan-out is too much even with the longest tick.
func (p *pace) over(now time.Time) bool { return now.UnixNano() < p.overUntil.Load() }

// Overloaded says whether fan-out takes more than its share of the machine
// although the tick has been stretched as far as it goes: more viewers would
// cost those that are here.
func (h *Hub) Overloaded() bool { return h.pace.over(time.Now()) }
