package wire

import (
	"cmp"
	"maps"
	"slices"
)

// List is the client's side of one view: it applies what the server sends
// exactly as the protocol says. The zero List is empty and ready to use; it is
// not safe for concurrent use.
//
// A client with several views on a socket gives each answer to the List that
// asked for it, and each diff to the List with its View.
type List struct {
	view    string
	pos     string
	total   int
	entries map[string]Entry
}

// Apply applies a [Snapshot], a [Diff] or a [Watching]; any other message, and
// a diff of another view, changes nothing. resync says that the list cannot
// follow: the client sends its Subscribe again, with Pos.
func (l *List) Apply(m Message) (resync bool) {
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

func (l *List) reset(view, pos string, total int) {
	l.view, l.pos, l.total = view, pos, total
	l.entries = map[string]Entry{}
}

func (l *List) applyDiff(m *Diff) (resync bool) {
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
		if e.Apply(p) != nil {
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

// View returns the view's id, "" before the first answer.
func (l *List) View() string { return l.view }

// Pos returns the position to resume from, "" where there is none.
func (l *List) Pos() string { return l.pos }

// Total returns the newest count of entries that match, without the limit.
func (l *List) Total() int { return l.total }

// Len returns how many entries the list holds.
func (l *List) Len() int { return len(l.entries) }

// Get returns the entry of a code.
func (l *List) Get(code string) (e Entry, ok bool) {
	e, ok = l.entries[code]
	return e, ok
}

// Sorted returns the entries in the order of sort.
func (l *List) Sorted(sort string) []Entry {
	return slices.SortedFunc(maps.Values(l.entries), func(a, b Entry) int { return Compare(sort, &a, &b) })
}

// Compare tells which entry comes first in the order of sort, as cmp.Compare
// does: most viewers (also for ""), most likes or newest start first; then
// newest start; then code by bytes, ascending.
func Compare(sort string, a, b *Entry) int {
	var first int
	switch sort {
	case SortViewers, "":
		first = cmp.Compare(b.Viewers, a.Viewers)
	case SortLikes:
		first = cmp.Compare(b.Likes, a.Likes)
	}
	return cmp.Or(first, cmp.Compare(b.StartedAt, a.StartedAt), cmp.Compare(a.Code, b.Code))
}
