package hub

import (
	"bytes"
	"slices"

	"github.com/tidwall/btree"

	"onair/hub/wire"
	"onair/presence"
)

// order is one filter and one sort: the streams that match, in a tree that the
// views of it share. It is guarded by Hub.mu.
type order struct {
	// Static after construction.
	query *query // its filter and sort; limit and play are the views' own
	less  func(a, b *presence.Stream) bool

	tree    *btree.BTreeG[*presence.Stream]
	views   []*view
	visited uint64 // the last change that it has seen, see Hub.change
}

func newOrder(q *query) *order {
	o := &order{query: q, less: lessBy(q.sort)}
	o.tree = btree.NewBTreeGOptions(o.less, btree.Options{NoLocks: true})
	return o
}

// lessBy compares streams as a sort wants them: descending, newer start first,
// then code by bytes, ascending.
func lessBy(sort string) func(a, b *presence.Stream) bool {
	by := func(*presence.Stream) int64 { return 0 }
	switch sort {
	case wire.SortViewers:
		by = func(st *presence.Stream) int64 { return st.Viewers }
	case wire.SortLikes:
		by = func(st *presence.Stream) int64 { return st.Likes }
	}
	return func(a, b *presence.Stream) bool {
		if x, y := by(a), by(b); x != y {
			return x > y
		}
		if a.StartedAt != b.StartedAt {
			return a.StartedAt > b.StartedAt
		}
		return a.Code < b.Code
	}
}

// inOrder sorts streams.
func (o *order) inOrder(streams []*presence.Stream) {
	slices.SortFunc(streams, func(a, b *presence.Stream) int {
		switch {
		case o.less(a, b):
			return -1
		case o.less(b, a):
			return 1
		}
		return 0
	})
}

// match tells whether a stream, which may be nil, is one of the order's.
func (o *order) match(st *presence.Stream) bool {
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
	if q.follow {
		_, ok := slices.BinarySearch(q.anchors, st.Anchor)
		return ok
	}
	return true
}

// load fills the tree. Appending sorted streams is several times as fast as
// setting them.
func (o *order) load(streams []*presence.Stream) {
	o.inOrder(streams)
	for _, st := range streams {
		o.tree.Load(st)
	}
}

// replace changes the tree: old and new match, or are nil.
func (o *order) replace(old, new *presence.Stream) {
	if old != nil && (new == nil || o.less(old, new) || o.less(new, old)) {
		o.tree.Delete(old)
	}
	if new != nil {
		o.tree.Set(new)
	}
}

// window returns the first streams, in the space of dst.
func (o *order) window(dst []*presence.Stream, limit int) []*presence.Stream {
	dst = dst[:0]
	o.tree.Scan(func(st *presence.Stream) bool {
		dst = append(dst, st)
		return len(dst) < limit
	})
	return dst
}

// contrast says in what viewers see two states of one session differ.
func contrast(a, b *presence.Stream) (text, counters bool) {
	if a == b {
		return false, false
	}
	text = a.Title != b.Title || a.State != b.State || a.Away != b.Away || a.Cover != b.Cover ||
		a.StartedAt != b.StartedAt || a.Anchor != b.Anchor ||
		!slices.Equal(a.Tags, b.Tags) || !bytes.Equal(a.Extra, b.Extra)
	return text, a.Viewers != b.Viewers || a.Likes != b.Likes
}
