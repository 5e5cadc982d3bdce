package embedded

import (
	"context"
	"iter"
	"sync"

	"onair/presence"
)

// bufferedEntries is how many of the newest entries Tail can read. A reader
// that is further behind gets ErrTrimmed.
const bufferedEntries = 8192

// entryBuffer holds the newest entries for the readers.
type entryBuffer struct {
	mu          sync.Mutex // guards all below
	entries     []presence.Entry
	precedingID presence.ID   // of the entry before entries[0]
	changed     chan struct{} // closed and replaced when entries come
	closed      bool
}

func newEntryBuffer() entryBuffer { return entryBuffer{changed: make(chan struct{})} }

// setPrecedingID sets the id of the entry before the first one.
func (b *entryBuffer) setPrecedingID(id presence.ID) {
	b.mu.Lock()
	b.precedingID = id
	b.mu.Unlock()
}

func (b *entryBuffer) addEntries(entries []presence.Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries = append(b.entries, entries...)
	if excess := len(b.entries) - bufferedEntries; excess > bufferedEntries/4 {
		b.precedingID = b.entries[excess-1].ID
		b.entries = append([]presence.Entry(nil), b.entries[excess:]...)
	}
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *entryBuffer) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		close(b.changed)
	}
}

// entriesAfter returns the entries after an id, and a channel that is closed
// when there are more. isBuffered is false when those entries are not buffered any
// more.
func (b *entryBuffer) entriesAfter(id presence.ID) (entries []presence.Entry, changed <-chan struct{}, isClosed, isBuffered bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id.Compare(b.precedingID) < 0 {
		return nil, nil, false, false
	}
	i := len(b.entries)
	for i > 0 && b.entries[i-1].ID.Compare(id) > 0 {
		i--
	}
	return b.entries[i:len(b.entries):len(b.entries)], b.changed, b.closed, true
}

// Tail implements presence.Log.
func (l *Log) Tail(ctx context.Context, after presence.Entry) iter.Seq2[presence.Entry, error] {
	return func(yield func(presence.Entry, error) bool) {
		lastID := after.ID
		for ctx.Err() == nil {
			entries, changed, closed, ok := l.buffer.entriesAfter(lastID)
			if !ok {
				yield(presence.Entry{}, presence.ErrTrimmed)
				return
			}
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
				lastID = e.ID
			}
			if len(entries) > 0 {
				continue
			}
			if closed {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	}
}
