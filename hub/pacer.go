package hub

import (
	"sync/atomic"
	"time"
)

const (
	// maxFanOutShare is the share of the shards' time that fan-out may take. The
	// rest is for the list, for reading and for new sockets.
	maxFanOutShare = 0.5
	// maxTick bounds the tick that the pacer sets, unless options.Tick is longer.
	maxTick = time.Second
	// adjustInterval is the least time between two adjustments of the tick.
	adjustInterval = 500 * time.Millisecond
	// overloadDuration is how long an overload lasts: the pacer measures only
	// while there are frames.
	overloadDuration = 2 * time.Second
)

// pacer measures the time that fan-out takes, and makes the tick of all views
// longer when it is too much. Fewer diffs with more changes each cost less.
type pacer struct {
	busy atomic.Int64 // nanoseconds of fan-out since adjustedAt

	// Guarded by Hub.mu.
	adjustedAt time.Time
	tick       time.Duration

	overloadedUntil atomic.Int64 // Unix nanoseconds
}

// adjustTickAndOverload sets the tick so that fan-out takes at most its share of the
// shards' time. The time falls as the tick grows, so the tick grows in proportion
// to the excess. It moves half of the way, so that one long broadcast has
// little effect.
func (p *pacer) adjustTickAndOverload(now time.Time, shardCount int, minTick time.Duration) {
	elapsed := now.Sub(p.adjustedAt)
	if elapsed < adjustInterval {
		return
	}
	share := float64(p.busy.Swap(0)) / (float64(elapsed) * float64(shardCount))
	p.adjustedAt = now
	needed := time.Duration(float64(p.tick) * share / maxFanOutShare)
	limit := max(maxTick, minTick)
	p.tick = min(max((p.tick+needed)/2, minTick), limit)
	if share > maxFanOutShare && needed > limit {
		p.overloadedUntil.Store(now.Add(overloadDuration).UnixNano())
	}
}

// isOverloaded reports whether even the longest tick is too short.
func (p *pacer) isOverloaded(now time.Time) bool { return now.UnixNano() < p.overloadedUntil.Load() }

// recordFanOutTime adds time that one shard has spent on a broadcast.
func (h *Hub) recordFanOutTime(d time.Duration) {
	h.fanout.pacer.busy.Add(int64(d))
	h.metrics.fanOutSeconds.Observe(d.Seconds())
}

// IsOverloaded reports whether fan-out takes more than half of the machine with
// the longest tick. More viewers would then delay the diffs of all.
func (h *Hub) IsOverloaded() bool { return h.fanout.pacer.isOverloaded(time.Now()) }
