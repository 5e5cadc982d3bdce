package node

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"onair/presence"
)

// memLog is a log in memory, with faults to order.
type memLog struct {
	mu       sync.Mutex // guards all below
	entries  []presence.Entry
	appended []presence.Sealed
	last     map[speaker]uint64 // the number of its last batch
	boots    uint64
	behind   bool // Load knows of no entry after the image
	losses   int  // that there were: each begins another history
	more     chan struct{}
	reg      *presence.Registry          // that the next node starts from
	fail     func(presence.Sealed) error // nil: no fault; an error says what became of the batch
	order    func(presence.Sealed) bool  // nil: always
	takes    time.Duration               // an append
}

// speaker is one boot of one node.
type speaker struct {
	node string
	boot uint64
}

func newMemLog() *memLog {
	return &memLog{last: map[speaker]uint64{}, more: make(chan struct{}), reg: presence.NewRegistry()}
}

func (l *memLog) Load(_ context.Context, have *presence.Registry) (*presence.Registry, uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reg == nil { // it was emptied
		l.reg = have
		if have == nil {
			l.reg = presence.NewRegistry()
		}
		l.entries = make([]presence.Entry, l.reg.Num()) // what is before it is never looked at
		if n := len(l.entries); n > 0 {
			l.entries[n-1] = l.reg.Last()
		}
	}
	r, err := presence.DecodeRegistry(l.reg.Encode())
	if l.behind {
		return r, r.Num(), err
	}
	return r, uint64(len(l.entries)), err
}

// lose has the log lose its newest n entries, and go on without.
func (l *memLog) lose(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = slices.Clone(l.entries[:len(l.entries)-n])
	l.forget()
	for _, e := range l.entries {
		if b, err := presence.DecodeBatch(e.Batch); err == nil {
			l.last[speaker{b.Node, b.Boot}] = b.No
		}
	}
}

// empty has it lose everything.
func (l *memLog) empty() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries, l.reg = nil, nil
	l.forget()
}

// forget begins another history, and wakes the readers. The caller holds mu.
func (l *memLog) forget() {
	l.losses++
	clear(l.last)
	close(l.more)
	l.more = make(chan struct{})
}

func (l *memLog) Join(_ context.Context, _ string, above uint64) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.boots = max(l.boots, above) + 1
	return l.boots, nil
}

func (l *memLog) Append(_ context.Context, b presence.Sealed) error {
	l.mu.Lock()
	takes := l.takes
	l.mu.Unlock()
	time.Sleep(takes)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.appended = append(l.appended, b)
	if l.reg == nil {
		return presence.ErrNotWritten
	}
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
func (l *memLog) put(b presence.Sealed) {
	l.last[speaker{b.Node, b.Boot}] = b.No
	n := uint64(len(l.entries)) + 1
	l.entries = append(l.entries, presence.Entry{ID: presence.ID{MS: n}, Num: n, Time: time.Now().UnixMilli(), Repl: fmt.Sprint("r", l.losses), Batch: b.Bytes})
	close(l.more)
	l.more = make(chan struct{})
}

func (l *memLog) Tail(ctx context.Context, after presence.Entry) iter.Seq2[presence.Entry, error] {
	return func(yield func(presence.Entry, error) bool) {
		for last := after; ; {
			l.mu.Lock()
			at := int(last.Num)
			forked := l.reg == nil || at > len(l.entries) || at > 0 && l.entries[at-1].Repl != last.Repl
			var entries []presence.Entry
			if !forked {
				entries = l.entries[at:]
			}
			more := l.more
			l.mu.Unlock()
			if forked {
				yield(presence.Entry{}, presence.ErrForked)
				return
			}
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
				last = e
			}
			if len(entries) > 0 {
				continue
			}
			select {
			case <-more:
			case <-ctx.Done():
				yield(presence.Entry{}, ctx.Err())
				return
			}
		}
	}
}

func (l *memLog) Applied(*presence.Registry, presence.Entry) {}

func (l *memLog) Close() error { return nil }

func (l *memLog) batches() (all []*presence.Batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		b, err := presence.DecodeBatch(e.Batch)
		if err != nil {
			panic(err)
		}
		all = append(all, b)
	}
	return all
}

func (l *memLog) set(fail func(presence.Sealed) error, order func(presence.Sealed) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail, l.order = fail, order
}
