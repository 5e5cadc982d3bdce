package embedded

import (
	"context"
	"iter"
	"sync"

	"onair/presence"
)

// keptEntries is how many of the newest entries a Tail can start from. A
// reader that falls further behind gets ErrTrimmed.
const keptEntries = 8192

// tail is the newest entries, and who waits for more.
type tail struct {
	mu     sync.Mutex // guards all below
	list   []presence.Entry
	before presence.ID   // of the entry before list[0]
	more   chan struct{} // closed, and made anew, when entries come
	closed bool
}

func (t *tail) init() { t.more = make(chan struct{}) }

func (t *tail) start(at presence.ID) {
	t.mu.Lock()
	t.before = at
	t.mu.Unlock()
}

func (t *tail) add(entries []presence.Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = append(t.list, entries...)
	if over := len(t.list) - keptEntries; over > keptEntries/4 {
		t.before = t.list[over-1].ID
		t.list = append([]presence.Entry(nil), t.list[over:]...)
	}
	close(t.more)
	t.more = make(chan struct{})
}

func (t *tail) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.closed = true
		close(t.more)
	}
}

// after returns the entries after an id, and a channel that tells of more.
// ok is false when those were dropped.
func (t *tail) after(id presence.ID) (entries []presence.Entry, more <-chan struct{}, closed, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if id.Compare(t.before) < 0 {
		return nil, nil, false, false
	}
	i := len(t.list)
	for i > 0 && t.list[i-1].ID.Compare(id) > 0 {
		i--
	}
	return t.list[i:len(t.list):len(t.list)], t.more, t.closed, true
}

// Tail implements presence.Log.
func (l *Log) Tail(ctx context.Context, last presence.Entry) iter.Seq2[presence.Entry, error] {
	return func(yield func(presence.Entry, error) bool) {
		at := last.ID
		for ctx.Err() == nil {
			entries, more, closed, ok := l.tail.after(at)
			if !ok {
				yield(presence.Entry{}, presence.ErrTrimmed)
				return
			}
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
				at = e.ID
			}
			if len(entries) > 0 {
				continue
			}
			if closed {
				return
			}
			select {
			case <-more:
			case <-ctx.Done():
			}
		}
	}
}
