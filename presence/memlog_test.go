package presence

import (
	"context"
	"iter"
	"sync"
	"time"
)

// memLog is a log in memory, with faults to order.
type memLog struct {
	mu       sync.Mutex // guards all below
	entries  []Entry
	appended []Sealed
	last     map[speaker]uint64 // the number of its last batch
	boots    uint64
	more     chan struct{}
	reg      *Registry          // that the next node starts from
	fail     func(Sealed) error // nil: no fault; an error says what became of the batch
	order    func(Sealed) bool  // nil: always
}

// speaker is one boot of one node.
type speaker struct {
	node string
	boot uint64
}

func newMemLog() *memLog {
	return &memLog{last: map[speaker]uint64{}, more: make(chan struct{}), reg: NewRegistry()}
}

func (l *memLog) Load(context.Context, *Registry) (*Registry, uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, err := DecodeRegistry(l.reg.Encode())
	return r, r.Num(), err
}

func (l *memLog) Join(_ context.Context, _ string, above uint64) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.boots = max(l.boots, above) + 1
	return l.boots, nil
}

func (l *memLog) Append(_ context.Context, b Sealed) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.appended = append(l.appended, b)
	var err error
	if l.fail != nil {
		err = l.fail(b)
	}
	if (l.order == nil || l.order(b)) && err == nil && b.No > l.last[speaker{b.Node, b.Boot}] {
		l.put(b)
	}
	return err
}

// put orders a batch; the caller holds mu.
func (l *memLog) put(b Sealed) {
	l.last[speaker{b.Node, b.Boot}] = b.No
	n := uint64(len(l.entries)) + 1
	l.entries = append(l.entries, Entry{ID: ID{n, 0}, Num: n, Time: time.Now().UnixMilli(), Repl: "r", Batch: b.Bytes})
	close(l.more)
	l.more = make(chan struct{})
}

func (l *memLog) Tail(ctx context.Context, after Entry) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for at := int(after.ID.MS); ; {
			l.mu.Lock()
			entries, more := l.entries[at:], l.more
			l.mu.Unlock()
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
				at++
			}
			if len(entries) > 0 {
				continue
			}
			select {
			case <-more:
			case <-ctx.Done():
				yield(Entry{}, ctx.Err())
				return
			}
		}
	}
}

func (l *memLog) Applied(*Registry, Entry) {}

func (l *memLog) Close() error { return nil }

func (l *memLog) batches() (all []*Batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		b, err := DecodeBatch(e.Batch)
		if err != nil {
			panic(err)
		}
		all = append(all, b)
	}
	return all
}

func (l *memLog) set(fail func(Sealed) error, order func(Sealed) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail, l.order = fail, order
}
