package hub

import (
	"context"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"onair/presence"
)

// shard is a part of the sockets, and the goroutine that hands frames to them.
type shard struct {
	// Static after construction.
	number int
	wake   chan struct{} // of size one: there are flights

	mu      sync.Mutex // guards flights, and this shard's part of all views
	flights []*flight  // that are to be handed out, the first first
}

// flight is a frame of a view on its way to those who stand at its prev.
type flight struct {
	// Static after construction.
	view *view
	outgoing
	prev, next presence.Position
	number     uint64 // of the flush

	ahead  atomic.Int32 // shards that are not done
	handed atomic.Int64 // sockets that it was given to
}

func newShards() []*shard {
	all := make([]*shard, runtime.GOMAXPROCS(0))
	for i := range all {
		all[i] = &shard{number: i, wake: make(chan struct{}, 1)}
	}
	return all
}

// anyShard is each in turn.
func (h *Hub) anyShard() *shard {
	return h.shards[h.attached.Add(1)%uint64(len(h.shards))]
}

// join adds a cursor to its shard's part of its view. The caller holds Hub.mu.
func (sh *shard) join(c *cursor) {
	sh.mu.Lock()
	part := &c.view.parts[sh.number]
	c.slot = len(*part)
	*part = append(*part, c)
	sh.mu.Unlock()
	c.view.count++
}

// part takes a cursor off its view: the last takes its place. The caller holds
// Hub.mu.
func (sh *shard) part(c *cursor) {
	sh.mu.Lock()
	part := c.view.parts[sh.number]
	end := len(part) - 1
	part[c.slot], part[end].slot = part[end], c.slot
	part[end] = nil
	c.view.parts[sh.number] = part[:end]
	c.slot = -1
	sh.mu.Unlock()
	c.view.count--
}

// batch is how many cursors are taken from a shard under one hold of its lock,
// and how many share one reading of the clock.
const batch = 64

// before copies out the cursors before one, as many as fit, and returns where
// the first of them was. Going backwards meets all who were there: who leaves
// is replaced by the last, who was met.
func (sh *shard) before(v *view, at int, into []*cursor) (first, n int) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	part := v.parts[sh.number]
	at = min(at, len(part))
	n = copy(into, part[max(0, at-len(into)):at])
	return at - n, n
}

// send puts a flight on its way to all shards that have somebody on its view.
// The caller holds Hub.mu.
func (h *Hub) send(f *flight) {
	f.view.flying++
	f.ahead.Store(1)
	for _, sh := range h.shards {
		sh.mu.Lock()
		if len(f.view.parts[sh.number]) > 0 {
			f.ahead.Add(1)
			sh.flights = append(sh.flights, f)
			select {
			case sh.wake <- struct{}{}:
			default:
			}
		}
		sh.mu.Unlock()
	}
	if f.ahead.Add(-1) == 0 {
		h.landed(f)
	}
}

// landed notes that a flight has been handed to all. The caller holds Hub.mu.
func (h *Hub) landed(f *flight) {
	v := f.view
	v.flying--
	h.metrics.fanout.Observe(float64(f.handed.Load()))
	if h.views[v.query.id] == v {
		h.reschedule(v)
		h.poke()
	}
}

// fan hands out this shard's flights until ctx ends.
func (h *Hub) fan(ctx context.Context, sh *shard) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-sh.wake:
		}
		for f := sh.next(); f != nil; f = sh.next() {
			began := time.Now()
			h.handOut(sh, f, began)
			h.spent(time.Since(began))
			if f.ahead.Add(-1) == 0 {
				h.mu.Lock()
				h.landed(f)
				h.mu.Unlock()
			}
		}
	}
}

func (sh *shard) next() *flight {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if len(sh.flights) == 0 {
		return nil
	}
	f := sh.flights[0]
	sh.flights[0] = nil
	sh.flights = sh.flights[1:]
	return f
}

// handOut hands a flight to the shard's part of its view.
func (h *Hub) handOut(sh *shard, f *flight, now time.Time) {
	var some [batch]*cursor
	handed, behind := 0, 0
	for at := math.MaxInt; at > 0; now = time.Now() {
		var n int
		at, n = sh.before(f.view, at, some[:])
		for _, c := range some[:n] {
			switch c.socket.hand(c, f, now) {
			case given:
				handed++
			case left:
				behind++
			}
		}
	}
	f.handed.Add(int64(handed))
	h.metrics.behind.Add(float64(behind))
}
