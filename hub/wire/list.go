package wire

import (
	"cmp"
	"maps"
	"slices"
)

// ClientView is the client's side of one view: it applies what the server sends
// exactly as the protocol says. The zero List is empty and ready to use; it is
// not safe for concurrent use.
//
// A client with several views on a socket gives each answer to the List that
// asked for it, and each diff to the List with its View.
type ClientView struct {
	view    string
	pos     string
	total   int
	entries map[string]Entry
}

// Apply applies a [Snapshot], a [Diff] or a [Watching]; any other message, and
// a diff of another view, changes nothing. resync says that the list cannot
// follow: the client sends its Subscribe again, with Pos.
func (l *ClientView) Apply(m Message) (resync bool) {
	switch m := m.(type) {
	case *Snapshot:
		l.reset(m.View, m.Pos, m.Total)
		for _, e := range m.Streams {
			l.entries[e.Code] = e
		}
	case *Watching:
		l.reset(m.View, m.Pos, 1)
		l.entries[m.Entry.Code] = m.Entry
	case *Diff:
		return l.applyDiff(m)
	}
	return false
}

func (l *ClientView) reset(view, pos string, total int) {
	l.view, l.pos, l.total = view, pos, total
	l.entries = map[string]Entry{}
}

func (l *ClientView) applyDiff(m *Diff) (resync bool) {
	if l.pos == "" {
		return true
	}
	if m.View != l.view {
		return false
	}
	if m.Prev != l.pos {
		return true
	}
	for _, e := range m.Put {
		l.entries[e.Code] = e
	}
	for _, p := range m.Set {
		e, ok := l.entries[p.Code]
		if !ok {
			continue
		}
		if e.ApplyPatch(p) != nil {
			l.pos = "" // half applied: only a snapshot helps
			return true
		}
		l.entries[p.Code] = e
	}
	for _, code := range m.Del {
		delete(l.entries, code)
	}
	l.pos = m.Pos
	if m.HasTotal {
		l.total = m.Total
	}
	return false
}

// ID returns the view's id, "" before the first answer.
func (l *ClientView) ID() string { return l.view }

// Pos returns the position to resume from, "" where there is none.
func (l *ClientView) Pos() string { return l.pos }

// Total returns the newest count of entries that match, without the limit.
func (l *ClientView) Total() int { return l.total }

// Len returns how many entries the list holds.
func (l *ClientView) Len() int { return len(l.entries) }

// Entry returns the entry of a code.
func (l *ClientView) Entry(code string) (e Entry, ok bool) {
	e, ok = l.entries[code]
	return e, ok
}

// Sorted returns the entries in the order of sort.
func (l *ClientView) Sorted(sort string) []Entry {
	return slices.SortedFunc(maps.Values(l.entries), func(a, b Entry) int { return CompareEntries(sort, &a, &b) })
}

// CompareEntries tells which entry comes first in the order of sort, as cmp.CompareEntries
// does: most viewers (also for ""), most likes or newest start first; then
// newest start; then code by bytes, ascending.
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
