package hub

import (
	"iter"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidwall/btree"

	"onair/presence"
)

// Hub has the list as viewers may see it, and all who look at it. Its methods
// may be called concurrently, but for Run, and for Load, Apply, Hold and Rebase,
// which one goroutine calls.
type Hub struct {
	// Static after construction, but for options.Limits, which mu guards.
	options Options
	metrics *metrics
	wake    chan struct{} // of size one: something is due before Run wakes
	window  atomic.Int64  // options.Window, for those that do not hold mu
	shards  []*shard

	attached atomic.Uint64 // sockets, counted

	mu sync.Mutex // guards all below, and what hangs on it

	// The list. Only who calls Apply writes to it, and so may read it without mu.
	streams  map[string]*presence.Stream // by code, also those that are not listed
	byAnchor map[string]*presence.Stream
	tagged   tagged
	ring     ring
	changes  uint64 // counted, so that a change meets an order once
	held     bool   // from Hold to Rebase

	// Those who look at it.
	orders   orders
	views    map[string]*view // by id
	switches *btree.BTreeG[*view]
	waiting  []*request     // whose position was not shown here yet, oldest first
	watchers map[string]int // sockets that watch, by code
	heard    bool           // the log has moved on since the waiting were looked at
	flushes  uint64         // counted, to know which cursor fell behind first
	pace     pace

	// When Run has something to do.
	agenda agenda
	armed  time.Time // when Run wakes by itself

	// Scratch space, and what was encoded in it.
	delta   delta
	encoder encoder
	encoded int // frames
}

// New gives a hub with an empty list.
func New(options Options) *Hub {
	o := options.withDefaults()
	h := &Hub{
		options:  o,
		metrics:  newMetrics(o.Metrics),
		wake:     make(chan struct{}, 1),
		shards:   newShards(),
		streams:  map[string]*presence.Stream{},
		byAnchor: map[string]*presence.Stream{},
		tagged:   tagged{},
		ring:     ring{most: o.History},
		orders:   newOrders(),
		views:    map[string]*view{},
		switches: btree.NewBTreeGOptions(sooner, btree.Options{NoLocks: true}),
		watchers: map[string]int{},
		encoder:  encoder{player: player{signer: o.Signer}},
	}
	h.ring.reset(presence.Position{}, 0)
	h.window.Store(int64(o.Window))
	h.pace.tick = o.Tick
	return h
}

// SetLimits replaces the limits. What is over them already stays.
func (h *Hub) SetLimits(l Limits) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.options.Limits = l.withDefaults()
	h.window.Store(int64(h.options.Window))
}

// Load takes over the live streams, listed or not, as they are at a position
// and its log time. It is called once, before anything else.
func (h *Hub) Load(streams iter.Seq[*presence.Stream], pos presence.Position, logTime int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for st := range streams {
		h.enter(nil, st)
	}
	h.ring.reset(pos, logTime)
}

// Apply takes over what an entry of the log changed, which may be nothing: its
// position and log time count all the same. One goroutine calls it, in the
// log's order. Change.Old is not looked at: the hub has it. taken is when this
// node was asked for the first of the changes, for metrics; zero is now.
func (h *Hub) Apply(pos presence.Position, logTime int64, changes []presence.Change, taken time.Time) {
	now := time.Now()
	if taken.IsZero() {
		taken = now
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	before, history := h.ring.last().time, h.ring.history
	h.ring.push(pos, logTime)
	for i := range changes {
		h.change(&changes[i], taken)
	}
	h.ring.trim()
	h.moved(before, history, now)
}

// moved has looked at what the list's new position alone may have changed,
// after the one at a log time and in a history.
func (h *Hub) moved(before int64, history uint64, at time.Time) {
	if h.ring.history != history {
		h.noteAll(at)
	} else {
		h.switchURLs(before, h.ring.last().time, at)
	}
	h.heard = true
	h.poke()
}

// noteAll has every view flushed at its next tick.
func (h *Hub) noteAll(at time.Time) {
	for _, v := range h.views {
		if v.noteText(at) {
			h.reschedule(v)
		}
	}
}

// change applies one change of one stream, and writes it into the ring.
func (h *Hub) change(c *presence.Change, now time.Time) {
	if c.Old == c.New {
		return
	}
	old, new := (*presence.Stream)(nil), c.New
	if new != nil {
		old = h.streams[new.Code]
	} else {
		old = h.streams[c.Old.Code]
	}
	if old == new {
		return
	}
	h.ring.touch(old, new)
	h.replace(old, new, now)
}

// replace changes the list and all that is kept of it, but for the ring. Either
// stream may be nil.
func (h *Hub) replace(old, new *presence.Stream, now time.Time) {
	h.enter(old, new)
	h.changes++
	meet := func(o *order) {
		if o.visited != h.changes {
			o.visited = h.changes
			h.meet(o, old, new, now)
		}
	}
	if !sameKeys(old, new) {
		h.orders.meeting(old, meet)
	}
	h.orders.meeting(new, meet)
	if new != nil && (old == nil || old.Session != new.Session || old.Index != new.Index) && h.watchers[new.Code] > 0 {
		h.options.Viewers(new, h.watchers[new.Code])
	}
}

// enter replaces a stream in the list; either may be nil.
func (h *Hub) enter(old, new *presence.Stream) {
	if old != nil {
		delete(h.streams, old.Code)
		if h.byAnchor[old.Anchor] == old {
			delete(h.byAnchor, old.Anchor)
		}
	}
	if new != nil {
		h.streams[new.Code] = new
		h.byAnchor[new.Anchor] = new
	}
	h.tagged.enter(old, new)
}

// meet changes an order, and notes it in its views.
func (h *Hub) meet(o *order, old, new *presence.Stream, now time.Time) {
	was, is := o.matching(old), o.matching(new)
	if was.st == nil && is.st == nil {
		return
	}
	o.replace(was, is)
	for _, v := range o.views {
		if v.note(was, is, now) {
			h.reschedule(v)
		}
	}
}

// switchURLs marks the views of which a play URL changes between two log
// times. When the log's time has gone back, that may be any.
func (h *Hub) switchURLs(before, now int64, at time.Time) {
	if now < before {
		for _, v := range h.views {
			if !v.player.none() && v.noteText(at) {
				h.reschedule(v)
			}
		}
		return
	}
	for {
		v, ok := h.switches.Min()
		if !ok || v.nextSwitch > now {
			return
		}
		h.switches.Delete(v) // until it is flushed
		if v.noteText(at) {
			h.reschedule(v)
		}
	}
}

// Lookup returns the live stream of a code, or nil.
func (h *Hub) Lookup(code string) *presence.Stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.streams[code]
}

// orderOf finds or makes the order of a query.
func (h *Hub) orderOf(q *query) *order {
	if o := h.orders.byName[q.order]; o != nil {
		return o
	}
	o := newOrder(q)
	var match []*presence.Stream
	keep := func(st *presence.Stream) {
		if o.match(st) {
			match = append(match, st)
		}
	}
	switch {
	case q.code != "":
		keep(h.streams[q.code])
	case q.follow:
		for _, a := range q.anchors {
			keep(h.byAnchor[a])
		}
	default:
		for st := range h.among(q) {
			keep(st)
		}
	}
	o.load(match)
	h.orders.add(o)
	return o
}

// among gives the streams that are all looked at for a new order: those of its
// rarest tag, or the whole list. The hub's lock is held for that long.
func (h *Hub) among(q *query) iter.Seq[*presence.Stream] {
	if len(q.tags) == 0 {
		return maps.Values(h.streams)
	}
	codes := h.tagged.rarest(q)
	return func(yield func(*presence.Stream) bool) {
		for code := range codes {
			if !yield(h.streams[code]) {
				return
			}
		}
	}
}

// viewOf finds or makes the view of a query, or returns nil where there are as
// many as there may be. One on which nobody stands is brought to the hub's
// position.
func (h *Hub) viewOf(q *query, now time.Time) *view {
	if v := h.views[q.id]; v != nil {
		h.refresh(v)
		return v
	}
	if len(h.views) >= h.options.Views {
		h.dropUnused()
	}
	if len(h.views) >= h.options.Views {
		return nil
	}
	o := h.orderOf(q)
	v := &view{
		query: q, order: o, player: player{h.options.Signer, q.play},
		spoke: now, quiet: now, parts: make([][]*cursor, len(h.shards)),
	}
	o.views = append(o.views, v)
	h.views[q.id] = v
	h.show(v, h.now(v))
	h.agenda.add(v, h.due(v))
	h.poke()
	h.metrics.views.Set(float64(len(h.views)))
	return v
}
