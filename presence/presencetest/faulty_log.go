package presencetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"onair/presence"
)

// FaultyLog is a log that can refuse durable batches, as on a full disk, and that
// can block its readers. All methods may be called concurrently.
type FaultyLog struct {
	presence.Log

	mu        sync.Mutex // guards all below
	diskFull  bool
	unblocked chan struct{} // closed while readers get entries
}

// NewFaultyLog wraps a log, without faults at first.
func NewFaultyLog(log presence.Log) *FaultyLog {
	f := &FaultyLog{Log: log, unblocked: make(chan struct{})}
	close(f.unblocked)
	return f
}

// SetDiskFull makes durable appends fail, or succeed again.
func (f *FaultyLog) SetDiskFull(full bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.diskFull = full
}

// SetTailBlocked blocks the readers of Tail, or unblocks them.
func (f *FaultyLog) SetTailBlocked(blocked bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if blocked {
		f.unblocked = make(chan struct{})
	} else {
		close(f.unblocked)
	}
}

var errDiskFull = errors.New("no space left on device")

// Append implements presence.Log.
func (f *FaultyLog) Append(ctx context.Context, b presence.SealedBatch) error {
	f.mu.Lock()
	diskFull := f.diskFull
	f.mu.Unlock()
	if diskFull && b.Durable {
		return fmt.Errorf("%w: %w", presence.ErrNotWritten, errDiskFull)
	}
	return f.Log.Append(ctx, b)
}

// Tail implements presence.Log.
func (f *FaultyLog) Tail(ctx context.Context, after presence.Entry) iter.Seq2[presence.Entry, error] {
	return func(yield func(presence.Entry, error) bool) {
		for e, err := range f.Log.Tail(ctx, after) {
			f.mu.Lock()
			unblocked := f.unblocked
			f.mu.Unlock()
			select {
			case <-unblocked:
			case <-ctx.Done():
				return
			}
			if !yield(e, err) {
				return
			}
		}
	}
}
