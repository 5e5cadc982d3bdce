package embedded

import (
	"cmp"
	"slices"
	"sync"

	"github.com/tidwall/btree"

	"onair/presence"
)

// memory is the archive of a log in memory.
type memory struct {
	mu    sync.Mutex // guards all below
	byID  map[string]presence.Recording
	order *btree.BTreeG[presence.Cursor]
}

func (m *memory) init() {
	m.byID = map[string]presence.Recording{}
	less := func(a, b presence.Cursor) bool { return a.Compare(b) < 0 }
	m.order = btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})
}

func (m *memory) keep(recordings []presence.Recording) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, rec := range recordings {
		m.remove(rec.ID)
		m.byID[rec.ID] = rec
		m.order.Set(rec.Cursor())
	}
}

// remove takes one out, if it is there. The caller holds mu.
func (m *memory) remove(id string) {
	if rec, ok := m.byID[id]; ok {
		delete(m.byID, id)
		m.order.Delete(rec.Cursor())
	}
}

func (m *memory) recording(id string) (rec presence.Recording, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rec, ok = m.byID[id]
	return rec, ok
}

// recordings goes through all from a place on: what is in memory alone is not
// much.
func (m *memory) recordings(q *presence.RecordingQuery, start *presence.Cursor) (found []presence.Recording) {
	m.mu.Lock()
	defer m.mu.Unlock()
	look := func(c presence.Cursor) bool {
		if q.From != 0 && c.StartedAt < q.From {
			return false
		}
		rec := m.byID[c.ID]
		if (start == nil || start.Compare(c) < 0) && (q.Anchor == "" || q.Anchor == rec.Anchor) && (q.Code == "" || q.Code == rec.Code) {
			found = append(found, rec)
		}
		return len(found) <= q.Most()
	}
	if start == nil {
		m.order.Scan(look)
	} else {
		m.order.Ascend(*start, look)
	}
	return found
}

// discard removes at most limit of those that ended before a time, those first
// that ended first.
func (m *memory) discard(before int64, limit int) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var old []presence.Recording
	for _, rec := range m.byID {
		if rec.EndedAt < before {
			old = append(old, rec)
		}
	}
	slices.SortFunc(old, func(a, b presence.Recording) int { return cmp.Compare(a.EndedAt, b.EndedAt) })
	n = min(len(old), max(limit, 0))
	for _, rec := range old[:n] {
		m.remove(rec.ID)
	}
	return n
}
