package hub

import (
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"onair/presence"
)

// Hub serves the live list to viewers. Its methods are safe for concurrent use,
// except for Run, which is called once, and for Load, Apply, Freeze and Rebase,
// which one goroutine calls.
type Hub struct {
	options   Options // static, except for Limits, which mu guards
	metrics   *metrics
	maxWindow atomic.Int64 // options.Window, for readers without mu
	fanout    fanout

	mu sync.Mutex // guards the fields below and all that they refer to

	list     list
	ring     undoRing
	frozen   bool // from Freeze to Rebase
	orders   orderIndex
	views    map[string]*view // by id
	watchers map[string]int   // number of sockets that watch, by live code
	schedule schedule
	delta    delta // scratch space
	encoder  encoder
}

// New returns a hub with an empty list.
func New(options Options) *Hub {
	o := options.withDefaults()
	h := &Hub{
		options:  o,
		metrics:  newMetrics(o.Metrics),
		fanout:   fanout{shards: newShardPerCPU()},
		list:     newList(),
		ring:     undoRing{maxLen: o.UndoRingSize},
		orders:   newOrderIndex(),
		views:    map[string]*view{},
		watchers: map[string]int{},
		schedule: newSchedule(),
		encoder:  encoder{urls: viewURLs{signer: o.Signer}},
	}
	h.ring.beginEpoch(presence.Position{}, 0)
	h.maxWindow.Store(int64(o.Window))
	h.fanout.pacer.tick = o.Tick
	return h
}

// SetLimits replaces the limits. Views, watches and windows that exceed them
// already stay open.
func (h *Hub) SetLimits(l Limits) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.options.Limits = l.withDefaults()
	h.maxWindow.Store(int64(h.options.Window))
}

// Load sets the initial list: all live streams, listed or not, at a position and
// its log time. It is called at most once, before all other methods.
func (h *Hub) Load(streams iter.Seq[*presence.Stream], pos presence.Position, logTime int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for st := range streams {
		h.list.replaceStream(nil, st)
	}
	h.ring.beginEpoch(pos, logTime)
}

// Apply applies the changes of one log entry; there may be none. One goroutine
// calls it, in the order of the log. The hub ignores the content of Change.Old.
// receivedAt is the time at which this node received the first of the commands,
// for metrics; zero means now.
func (h *Hub) Apply(pos presence.Position, logTime int64, changes []presence.Change, receivedAt time.Time) {
	now := time.Now()
	if receivedAt.IsZero() {
		receivedAt = now
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	oldLogTime, oldEpoch := h.ring.lastEntry().logTime, h.ring.epoch
	h.ring.appendEntryOrBeginEpoch(pos, logTime)
	for i := range changes {
		h.applyAndRecordChange(&changes[i], receivedAt)
	}
	h.ring.discardOldAndExcessEntries()
	h.scheduleAfterPositionChange(oldLogTime, oldEpoch, now)
}

// applyAndRecordChange applies one change of one stream and adds it to the ring.
func (h *Hub) applyAndRecordChange(c *presence.Change, receivedAt time.Time) {
	if c.Old == c.New {
		return
	}
	old, new := (*presence.Stream)(nil), c.New
	if new != nil {
		old = h.list.streams[new.Code]
	} else {
		old = h.list.streams[c.Old.Code]
	}
	if old == new {
		return
	}
	h.ring.appendChange(old, new)
	h.replaceStreamWithoutUndo(old, new, receivedAt)
}

// replaceStreamWithoutUndo updates the list, the orders and the views. Either stream may
// be nil.
func (h *Hub) replaceStreamWithoutUndo(old, new *presence.Stream, changedAt time.Time) {
	h.list.replaceStream(old, new)
	h.orders.forEachCandidateOrder(old, new, func(o *order) { h.updateOrderAndViews(o, old, new, changedAt) })
	if new != nil && (old == nil || old.Session != new.Session || old.Index != new.Index) && h.watchers[new.Code] > 0 {
		h.options.OnViewersChange(new, h.watchers[new.Code])
	}
}

// updateOrderAndViews replaces a stream in an order, and marks the affected views.
func (h *Hub) updateOrderAndViews(o *order, oldStream, newStream *presence.Stream, changedAt time.Time) {
	old, new := o.rankedIfMatching(oldStream), o.rankedIfMatching(newStream)
	if old.stream == nil && new.stream == nil {
		return
	}
	o.replaceRanked(old, new)
	for _, v := range o.views {
		if v.markChange(old, new, changedAt) {
			h.updateViewDueTime(v)
		}
	}
}

// scheduleAfterPositionChange schedules what depends on the position alone: play URLs,
// deferred requests and, in a new epoch, all views.
func (h *Hub) scheduleAfterPositionChange(oldLogTime int64, oldEpoch uint64, now time.Time) {
	newLogTime, isNewEpoch := h.ring.lastEntry().logTime, h.ring.epoch != oldEpoch
	if isNewEpoch || newLogTime < oldLogTime {
		for _, v := range h.views {
			if isNewEpoch || v.urls.hasURLs() {
				h.markTextChangeAndReschedule(v, now)
			}
		}
	} else {
		h.markViewsDueForURLRenewal(newLogTime, now)
	}
	h.schedule.recheckDeferred = true
	h.schedule.wakeRunIfDueEarlier()
}

// markViewsDueForURLRenewal marks the views in which a play URL has changed by a log
// time.
func (h *Hub) markViewsDueForURLRenewal(logTime int64, now time.Time) {
	for {
		v, ok := h.schedule.renewals.Min()
		if !ok || v.nextRenewal > logTime {
			return
		}
		h.schedule.renewals.Delete(v) // until it is flushed
		h.markTextChangeAndReschedule(v, now)
	}
}

// StreamByCode returns the live stream with a live code, or nil.
func (h *Hub) StreamByCode(code string) *presence.Stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.list.streams[code]
}
