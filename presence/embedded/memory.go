package embedded

import (
	"cmp"
	"slices"
	"sync"

	"github.com/tidwall/btree"

	"onair/presence"
)

// memoryStore replaces the store of a log in memory.
type memoryStore struct {
	mu              sync.Mutex // guards all below
	recordings      map[string]presence.Recording
	cursors         *btree.BTreeG[presence.RecordingCursor] // of all recordings
	lastIncarnation uint64
}

func newMemoryStore() memoryStore {
	less := func(a, b presence.RecordingCursor) bool { return a.CompareNewestFirst(b) < 0 }
	return memoryStore{
		recordings: map[string]presence.Recording{},
		cursors:    btree.NewBTreeGOptions(less, btree.Options{NoLocks: true}),
	}
}

func (m *memoryStore) nextIncarnation(above uint64) (incarnation uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lastIncarnation = max(m.lastIncarnation, above) + 1
	return m.lastIncarnation
}

func (m *memoryStore) putRecordings(recordings []presence.Recording) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, rec := range recordings {
		m.deleteRecordingLocked(rec.ID)
		m.recordings[rec.ID] = rec
		m.cursors.Set(rec.Cursor())
	}
}

// deleteRecordingLocked does nothing for an unknown id. The caller holds mu.
func (m *memoryStore) deleteRecordingLocked(id string) {
	if rec, ok := m.recordings[id]; ok {
		delete(m.recordings, id)
		m.cursors.Delete(rec.Cursor())
	}
}

func (m *memoryStore) recording(id string) (rec presence.Recording, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rec, ok = m.recordings[id]
	return rec, ok
}

// queryRecordings returns the recordings that match after a cursor, at most one
// more than a page has. It checks each recording: a process has few in memory.
func (m *memoryStore) queryRecordings(q *presence.RecordingQuery, after *presence.RecordingCursor) (found []presence.Recording) {
	m.mu.Lock()
	defer m.mu.Unlock()
	visit := func(c presence.RecordingCursor) (goOn bool) {
		if q.From != 0 && c.StartedAt < q.From {
			return false
		}
		rec := m.recordings[c.ID]
		if (after == nil || after.CompareNewestFirst(c) < 0) && (q.Anchor == "" || q.Anchor == rec.Anchor) && (q.Code == "" || q.Code == rec.Code) {
			found = append(found, rec)
		}
		return len(found) <= q.PageSize()
	}
	if after == nil {
		m.cursors.Scan(visit)
	} else {
		m.cursors.Ascend(*after, visit)
	}
	return found
}

// deleteRecordingsEndedBefore deletes at most limit recordings, the first to end first.
func (m *memoryStore) deleteRecordingsEndedBefore(before int64, limit int) (deleted int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var expired []presence.Recording
	for _, rec := range m.recordings {
		if rec.EndedAt < before {
			expired = append(expired, rec)
		}
	}
	slices.SortFunc(expired, func(a, b presence.Recording) int { return cmp.Compare(a.EndedAt, b.EndedAt) })
	deleted = min(len(expired), max(limit, 0))
	for _, rec := range expired[:deleted] {
		m.deleteRecordingLocked(rec.ID)
	}
	return deleted
}
