package wire

import (
	"cmp"
	"maps"
	"slices"
)

// ClientView is a client's copy of one view, to which it applies the server's
// messages as the protocol prescribes. The zero ClientView is empty and ready to
// use. It is not safe for concurrent use.
//
// A client with several views on a socket passes each answer to the ClientView
// of the request, and each diff to the ClientView with its view id.
type ClientView struct {
	id      string
	pos     string
	total   int
	entries map[string]Entry
}

// Apply applies a [Snapshot], a [Diff] or a [Watching]. Any other message, and a
// diff of another view, changes nothing. If needsResync is true the client must
// send its Subscribe again, with Pos.
func (v *ClientView) Apply(m Message) (needsResync bool) {
	switch m := m.(type) {
	case *Snapshot:
		v.reset(m.View, m.Pos, m.Total)
		for _, e := range m.Streams {
			v.entries[e.Code] = e
		}
	case *Watching:
		v.reset(m.View, m.Pos, 1)
		v.entries[m.Entry.Code] = m.Entry
	case *Diff:
		return v.applyDiff(m)
	}
	return false
}

func (v *ClientView) reset(id, pos string, total int) {
	v.id, v.pos, v.total = id, pos, total
	v.entries = map[string]Entry{}
}

func (v *ClientView) applyDiff(m *Diff) (needsResync bool) {
	if v.pos == "" {
		return true
	}
	if m.View != v.id {
		return false
	}
	if m.Prev != v.pos {
		return true
	}
	for _, e := range m.Put {
		v.entries[e.Code] = e
	}
	for _, p := range m.Set {
		e, ok := v.entries[p.Code]
		if !ok {
			continue
		}
		if e.ApplyPatch(p) != nil {
			v.pos = "" // partly applied: only a snapshot can repair it
			return true
		}
		v.entries[p.Code] = e
	}
	for _, code := range m.Del {
		delete(v.entries, code)
	}
	v.pos = m.Pos
	if m.HasTotal {
		v.total = m.Total
	}
	return false
}

// ID returns the view's id, "" before the first answer.
func (v *ClientView) ID() string { return v.id }

// Pos returns the position to resume from, or "".
func (v *ClientView) Pos() string { return v.pos }

// Total returns the latest number of entries that match, without the limit.
func (v *ClientView) Total() int { return v.total }

// Len returns the number of entries.
func (v *ClientView) Len() int { return len(v.entries) }

// Entry returns the entry with a code.
func (v *ClientView) Entry(code string) (e Entry, ok bool) {
	e, ok = v.entries[code]
	return e, ok
}

// Sorted returns the entries in the order of sort.
func (v *ClientView) Sorted(sort string) []Entry {
	return slices.SortedFunc(maps.Values(v.entries), func(a, b Entry) int { return CompareEntries(sort, &a, &b) })
}

// CompareEntries compares two entries in the order of sort, like cmp.Compare:
// most viewers (also for ""), most likes or newest start first; then newest
// start; then code by bytes, ascending.
func CompareEntries(sort string, a, b *Entry) int {
	var first int
	switch sort {
	case SortViewers, "":
		first = cmp.Compare(b.Viewers, a.Viewers)
	case SortLikes:
		first = cmp.Compare(b.Likes, a.Likes)
	}
	return cmp.Or(first, cmp.Compare(b.StartedAt, a.StartedAt), cmp.Compare(a.Code, b.Code))
}
