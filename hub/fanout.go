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

// fanout writes frames to sockets, with one shard for each CPU.
type fanout struct {
	shards     []*shard      // static
	attached   atomic.Uint64 // number of sockets so far
	broadcasts uint64        // number of broadcasts so far; guarded by Hub.mu
	pacer      pacer
}

// shard is a part of the sockets, with a goroutine that writes frames to them.
type shard struct {
	// Static after construction.
	index int
	wake  chan struct{} // capacity 1: there are broadcasts

	mu         sync.Mutex   // guards broadcasts, and this shard's cursors of all views
	broadcasts []*broadcast // to be written, oldest first
}

// broadcast is a frame of a view for all cursors at its prev.
type broadcast struct {
	// Static after construction.
	view *view
	outgoing
	prev, next presence.Position
	number     uint64 // in the order of broadcasts

	pendingShards atomic.Int32
	receivers     atomic.Int64 // sockets that the frame was written to
}

func newShardPerCPU() []*shard {
	shards := make([]*shard, runtime.GOMAXPROCS(0))
	for i := range shards {
		shards[i] = &shard{index: i, wake: make(chan struct{}, 1)}
	}
	return shards
}

// nextShard assigns shards to sockets, each in turn.
func (f *fanout) nextShard() *shard { return f.shards[f.attached.Add(1)%uint64(len(f.shards))] }

// addCursor adds a cursor to the shard's part of its view. The caller holds
// Hub.mu.
func (sh *shard) addCursor(c *cursor) {
	sh.mu.Lock()
	cursors := &c.view.cursorsByShard[sh.index]
	c.shardIndex = len(*cursors)
	*cursors = append(*cursors, c)
	sh.mu.Unlock()
	c.view.cursorCount++
}

// removeCursor removes a cursor from its view: the last one takes its index. The
// caller holds Hub.mu.
func (sh *shard) removeCursor(c *cursor) {
	sh.mu.Lock()
	cursors := c.view.cursorsByShard[sh.index]
	last := len(cursors) - 1
	cursors[c.shardIndex], cursors[last].shardIndex = cursors[last], c.shardIndex
	cursors[last] = nil
	c.view.cursorsByShard[sh.index] = cursors[:last]
	c.shardIndex = -1
	sh.mu.Unlock()
	c.view.cursorCount--
}

// cursorBatch is the number of cursors that writeBroadcastToView copies with one lock of the
// shard, and writes to with one reading of the clock.
const cursorBatch = 64

// copyCursorsBefore copies the cursors before an index, as many as fit in dst.
// It returns the index of the first one and their number. Walking backwards
// reaches all cursors: a removed one is replaced by the last, which was reached.
func (sh *shard) copyCursorsBefore(v *view, end int, dst []*cursor) (start, copied int) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	cursors := v.cursorsByShard[sh.index]
	end = min(end, len(cursors))
	copied = copy(dst, cursors[max(0, end-len(dst)):end])
	return end - copied, copied
}

// enqueueBroadcast numbers a broadcast, and gives it to all shards with cursors on
// its view. The caller holds Hub.mu.
func (h *Hub) enqueueBroadcast(b *broadcast) {
	h.fanout.broadcasts++
	b.number = h.fanout.broadcasts
	b.view.broadcasts++
	b.pendingShards.Store(1)
	for _, sh := range h.fanout.shards {
		sh.mu.Lock()
		if len(b.view.cursorsByShard[sh.index]) > 0 {
			b.pendingShards.Add(1)
			sh.broadcasts = append(sh.broadcasts, b)
			select {
			case sh.wake <- struct{}{}:
			default:
			}
		}
		sh.mu.Unlock()
	}
	if b.pendingShards.Add(-1) == 0 {
		h.finishBroadcast(b)
	}
}

// finishBroadcast is called when all shards are done. The caller holds Hub.mu.
func (h *Hub) finishBroadcast(b *broadcast) {
	v := b.view
	v.broadcasts--
	h.metrics.receivers.Observe(float64(b.receivers.Load()))
	if h.views[v.query.viewID] == v {
		h.updateViewDueTime(v)
		h.schedule.wakeRunIfDueEarlier()
	}
}

// runShard writes a shard's broadcasts until ctx ends.
func (h *Hub) runShard(ctx context.Context, sh *shard) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-sh.wake:
		}
		for b := sh.popBroadcast(); b != nil; b = sh.popBroadcast() {
			start := time.Now()
			h.writeBroadcastToView(sh, b, start)
			h.recordFanOutTime(time.Since(start))
			if b.pendingShards.Add(-1) == 0 {
				h.mu.Lock()
				h.finishBroadcast(b)
				h.mu.Unlock()
			}
		}
	}
}

// popBroadcast returns the oldest broadcast, or nil.
func (sh *shard) popBroadcast() *broadcast {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if len(sh.broadcasts) == 0 {
		return nil
	}
	b := sh.broadcasts[0]
	sh.broadcasts[0] = nil
	sh.broadcasts = sh.broadcasts[1:]
	return b
}

// writeBroadcastToView writes a broadcast to the shard's cursors on its view.
func (h *Hub) writeBroadcastToView(sh *shard, b *broadcast, now time.Time) {
	var cursors [cursorBatch]*cursor
	written, leftBehind := 0, 0
	for end := math.MaxInt; end > 0; now = time.Now() {
		var n int
		end, n = sh.copyCursorsBefore(b.view, end, cursors[:])
		for _, c := range cursors[:n] {
			switch c.socket.writeBroadcast(c, b, now) {
			case outcomeWritten:
				written++
			case outcomeFull:
				leftBehind++
			}
		}
	}
	b.receivers.Add(int64(written))
	h.metrics.leftBehind.Add(float64(leftBehind))
}
