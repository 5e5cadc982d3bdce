package presencetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"onair/presence"
)

// Faulty is a log whose disk can be full, and whose entries can be kept from
// its readers, as long as the test wants.
type Faulty struct {
	presence.Log

	mu   sync.Mutex // guards all below
	full bool
	open chan struct{} // closed while entries are let through
}

// NewFaulty gives a log that behaves.
func NewFaulty(log presence.Log) *Faulty {
	f := &Faulty{Log: log, open: make(chan struct{})}
	close(f.open)
	return f
}

// Full makes durable appends fail, or succeed again.
func (f *Faulty) Full(full bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.full = full
}

// Cut keeps entries from readers, or lets them through again.
func (f *Faulty) Cut(cut bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if cut {
		f.open = make(chan struct{})
	} else {
		close(f.open)
	}
}

var errFull = errors.New("no space left on device")

// Append implements presence.Log.
func (f *Faulty) Append(ctx context.Context, b presence.Sealed) error {
	f.mu.Lock()
	full := f.full
	f.mu.Unlock()
	if full && b.Durable {
		return fmt.Errorf("%w: %w", presence.ErrNotWritten, errFull)
	}
	return f.Log.Append(ctx, b)
}

// Tail implements presence.Log.
func (f *Faulty) Tail(ctx context.Context, after presence.Entry) iter.Seq2[presence.Entry, error] {
	return func(yield func(presence.Entry, error) bool) {
		for e, err := range f.Log.Tail(ctx, after) {
			f.mu.Lock()
			open := f.open
			f.mu.Unlock()
			select {
			case <-open:
			case <-ctx.Done():
				return
			}
			if !yield(e, err) {
				return
			}
		}
	}
}
