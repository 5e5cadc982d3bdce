package hub

import (
	"bytes"
	"slices"
	"strings"

	"github.com/tidwall/btree"

	"onair/hub/wire"
	"onair/presence"
)

// order is one filter and one sort: the streams that match, in a tree that the
// views of it share. It is guarded by Hub.mu.
type order struct {
	// Static after construction.
	query *query // its filter and sort; limit and play are the views' own
	by    func(*presence.Stream) int64

	tree    *btree.BTreeG[place]
	views   []*view
	visited uint64 // the last change that it has seen, see Hub.change
}

// place is a stream and what it is sorted by. That stands beside it because
// streams lie all over memory: a search would wait for each that it looks at.
type place struct {
	by int64
	st *presence.Stream
}

// compare puts places as every sort wants them: descending, newer start first,
// then code by bytes, ascending.
func compare(a, b place) int {
	switch {
	case a.by > b.by:
		return -1
	case a.by < b.by:
		return 1
	case a.st.StartedAt > b.st.StartedAt:
		return -1
	case a.st.StartedAt < b.st.StartedAt:
		return 1
	}
	return strings.Compare(a.st.Code, b.st.Code)
}

// before is what compare says, inlined where a tree is searched.
func before(a, b place) bool {
	if a.by != b.by {
		return a.by > b.by
	}
	if a.st.StartedAt != b.st.StartedAt {
		return a.st.StartedAt > b.st.StartedAt
	}
	return a.st.Code < b.st.Code
}

func newOrder(q *query) *order {
	o := &order{query: q, tree: btree.NewBTreeGOptions(before, btree.Options{NoLocks: true})}
	switch q.sort {
	case wire.SortViewers:
		o.by = func(st *presence.Stream) int64 { return st.Viewers }
	case wire.SortLikes:
		o.by = func(st *presence.Stream) int64 { return st.Likes }
	default:
		o.by = func(st *presence.Stream) int64 { return st.StartedAt }
	}
	return o
}

// place is where a stream stands, or would.
func (o *order) place(st *presence.Stream) place { return place{o.by(st), st} }

// places are those of streams, in order.
func (o *order) places(streams []*presence.Stream) []place {
	all := make([]place, len(streams))
	for i, st := range streams {
		all[i] = o.place(st)
	}
	slices.SortFunc(all, compare)
	return all
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
	for _, p := range o.places(streams) {
		o.tree.Load(p)
	}
}

// replace changes the tree: the streams of old and new match, or are nil.
func (o *order) replace(old, new place) {
	if old.st != nil && (new.st == nil || before(old, new) || before(new, old)) {
		o.tree.Delete(old)
	}
	if new.st != nil {
		o.tree.Set(new)
	}
}

// matching is where a stream, which may be nil, stands; the zero place if it
// is not one of the order's.
func (o *order) matching(st *presence.Stream) place {
	if !o.match(st) {
		return place{}
	}
	return o.place(st)
}

// window returns the first streams, in the space of dst.
func (o *order) window(dst []*presence.Stream, limit int) []*presence.Stream {
	dst = dst[:0]
	o.tree.Scan(func(p place) bool {
		dst = append(dst, p.st)
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
