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

// memoryLog is a log in memory whose faults a test sets.
type memoryLog struct {
	mu              sync.Mutex // guards all below
	entries         []presence.Entry
	appended        []presence.SealedBatch
	lastSeqs        map[nodeIncarnation]uint64 // of their last batches
	lastIncarnation uint64
	loadsNoTail     bool // Load returns no entry after the snapshot
	losses          int  // each started another epoch
	more            chan struct{}
	reg             *presence.Registry               // the snapshot that Load returns
	fail            func(presence.SealedBatch) error // nil: no fault; the error of an append
	order           func(presence.SealedBatch) bool  // whether a batch is ordered; nil: always
	appendDuration  time.Duration
}

// nodeIncarnation is one incarnation of one node.
type nodeIncarnation struct {
	node        string
	incarnation uint64
}

func newMemoryLog() *memoryLog {
	return &memoryLog{lastSeqs: map[nodeIncarnation]uint64{}, more: make(chan struct{}), reg: presence.NewRegistry()}
}

func (l *memoryLog) Load(_ context.Context, have *presence.Registry) (*presence.Registry, uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reg == nil { // it was emptied
		l.reg = have
		if have == nil {
			l.reg = presence.NewRegistry()
		}
		l.entries = make([]presence.Entry, l.reg.LastNum()) // what is before it is never looked at
		if n := len(l.entries); n > 0 {
			l.entries[n-1] = l.reg.LastEntry()
		}
	}
	r, err := presence.DecodeRegistry(l.reg.Encode())
	if l.loadsNoTail {
		return r, r.LastNum(), err
	}
	return r, uint64(len(l.entries)), err
}

// loseTail loses the newest n entries.
func (l *memoryLog) loseTail(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = slices.Clone(l.entries[:len(l.entries)-n])
	l.startEpoch()
	for _, e := range l.entries {
		if b, err := presence.DecodeBatch(e.Batch); err == nil {
			l.lastSeqs[nodeIncarnation{b.Node, b.Incarnation}] = b.Seq
		}
	}
}

// loseAll loses everything.
func (l *memoryLog) loseAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries, l.reg = nil, nil
	l.startEpoch()
}

// startEpoch starts another epoch and wakes the readers. The caller holds mu.
func (l *memoryLog) startEpoch() {
	l.losses++
	clear(l.lastSeqs)
	close(l.more)
	l.more = make(chan struct{})
}

func (l *memoryLog) Join(_ context.Context, _ string, above uint64) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lastIncarnation = max(l.lastIncarnation, above) + 1
	return l.lastIncarnation, nil
}

func (l *memoryLog) Append(_ context.Context, b presence.SealedBatch) error {
	l.mu.Lock()
	takes := l.appendDuration
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
	if (l.order == nil || l.order(b)) && err == nil && b.Seq > l.lastSeqs[nodeIncarnation{b.Node, b.Incarnation}] {
		l.appendEntry(b)
	}
	return err
}

// appendEntry orders a batch. The caller holds mu.
func (l *memoryLog) appendEntry(b presence.SealedBatch) {
	l.lastSeqs[nodeIncarnation{b.Node, b.Incarnation}] = b.Seq
	n := uint64(len(l.entries)) + 1
	l.entries = append(l.entries, presence.Entry{ID: presence.ID{MS: n}, Num: n, Time: time.Now().UnixMilli(), Epoch: fmt.Sprint("r", l.losses), Batch: b.Bytes})
	close(l.more)
	l.more = make(chan struct{})
}

func (l *memoryLog) Tail(ctx context.Context, after presence.Entry) iter.Seq2[presence.Entry, error] {
	return func(yield func(presence.Entry, error) bool) {
		for last := after; ; {
			l.mu.Lock()
			at := int(last.Num)
			forked := l.reg == nil || at > len(l.entries) || at > 0 && l.entries[at-1].Epoch != last.Epoch
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

func (l *memoryLog) ConfirmApplied(*presence.Registry, presence.Entry) {}
func (l *memoryLog) Close() error                                      { return nil }

func (l *memoryLog) batches() (all []*presence.Batch) {
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

func (l *memoryLog) setFaults(fail func(presence.SealedBatch) error, order func(presence.SealedBatch) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail, l.order = fail, order
}
