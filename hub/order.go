package hub

import (
	"bytes"
	"slices"

	"github.com/tidwall/btree"

	"onair/hub/wire"
	"onair/presence"
)

// order is one filter and one sort: the matching streams, in a tree that all
// views of that filter and sort share. Hub.mu guards it.
type order struct {
	// Static after construction.
	query   *query // only its filter and sort apply: views have their own limit and protocols
	sortKey func(*presence.Stream) int64

	tree      *btree.BTreeG[rankedStream]
	views     []*view
	lastVisit uint64 // see orderIndex.visits
}

// rankedStream is a stream with its sort key. The key is beside the pointer, so
// that a search of the tree does not have to load each stream from memory. The
// zero value stands for no stream.
type rankedStream struct {
	key    int64
	stream *presence.Stream
}

// precedes reports whether a comes before b in the order that the protocol
// specifies: key descending, newer start first, then live code by bytes, ascending.
// The compiler inlines it into tree searches.
func precedes(a, b rankedStream) bool {
	if a.key != b.key {
		return a.key > b.key
	}
	if a.stream.StartedAt != b.stream.StartedAt {
		return a.stream.StartedAt > b.stream.StartedAt
	}
	return a.stream.Code < b.stream.Code
}

func compareRanked(a, b rankedStream) int {
	switch {
	case precedes(a, b):
		return -1
	case precedes(b, a):
		return 1
	}
	return 0
}

func newOrder(q *query) *order {
	o := &order{query: q, tree: btree.NewBTreeGOptions(precedes, btree.Options{NoLocks: true})}
	switch q.sort {
	case wire.SortViewers:
		o.sortKey = func(st *presence.Stream) int64 { return st.Viewers }
	case wire.SortLikes:
		o.sortKey = func(st *presence.Stream) int64 { return st.Likes }
	default:
		o.sortKey = func(st *presence.Stream) int64 { return st.StartedAt }
	}
	return o
}

// findOrCreateOrder returns the order of a query. A new order takes time in
// proportion to its candidates, with Hub.mu locked.
func (h *Hub) findOrCreateOrder(q *query) *order {
	if o := h.orders.byName[q.orderName]; o != nil {
		return o
	}
	o := newOrder(q)
	var matching []*presence.Stream
	for st := range h.list.candidateStreams(q) {
		if o.matches(st) {
			matching = append(matching, st)
		}
	}
	for _, r := range o.sortedRanks(matching) { // several times as fast as Set in any order
		o.tree.Load(r)
	}
	h.orders.addOrder(o)
	return o
}

func (o *order) ranked(st *presence.Stream) rankedStream { return rankedStream{o.sortKey(st), st} }

// rankedIfMatching is ranked, or the zero value if st is nil or does not match.
func (o *order) rankedIfMatching(st *presence.Stream) rankedStream {
	if !o.matches(st) {
		return rankedStream{}
	}
	return o.ranked(st)
}

func (o *order) sortedRanks(matchingStreams []*presence.Stream) []rankedStream {
	ranks := make([]rankedStream, len(matchingStreams))
	for i, st := range matchingStreams {
		ranks[i] = o.ranked(st)
	}
	slices.SortFunc(ranks, compareRanked)
	return ranks
}

// matches reports whether a stream passes the order's filter; nil does not.
func (o *order) matches(st *presence.Stream) bool {
	q := o.query
	switch {
	case st == nil:
		return false
	case q.code != "":
		return st.Code == q.code
	case !st.Shown || st.List != q.list:
		return false
	}
	for _, tag := range q.tags {
		if !slices.Contains(st.Tags, tag) {
			return false
		}
	}
	if q.byAnchors {
		_, ok := slices.BinarySearch(q.anchors, st.Anchor)
		return ok
	}
	return true
}

// replaceRanked updates the tree. Both streams match the filter or are zero.
func (o *order) replaceRanked(old, new rankedStream) {
	if old.stream != nil && (new.stream == nil || precedes(old, new) || precedes(new, old)) {
		o.tree.Delete(old)
	}
	if new.stream != nil {
		o.tree.Set(new)
	}
}

// window returns the first streams, at most limit. It overwrites reuse.
func (o *order) window(reuse []*presence.Stream, limit int) []*presence.Stream {
	reuse = reuse[:0]
	o.tree.Scan(func(r rankedStream) bool {
		reuse = append(reuse, r.stream)
		return len(reuse) < limit
	})
	return reuse
}

// visibleChanges reports whether viewers see two states of one session differ:
// in text, state or other members, and in counters.
func visibleChanges(old, new *presence.Stream) (textChanged, countersChanged bool) {
	if old == new {
		return false, false
	}
	textChanged = old.Title != new.Title || old.State != new.State || old.Away != new.Away || old.Cover != new.Cover ||
		old.StartedAt != new.StartedAt || old.Anchor != new.Anchor ||
		!slices.Equal(old.Tags, new.Tags) || !bytes.Equal(old.Extra, new.Extra)
	return textChanged, old.Viewers != new.Viewers || old.Likes != new.Likes
}
