package presencetest

import (
	"context"
	"iter"
	"time"

	"onair/presence"
)

// Stepped shifts the times of a log's entries by what step says when each is
// read, as a clock does that somebody sets.
func Stepped(log presence.Log, step func() time.Duration) presence.Log {
	return &stepped{log, step}
}

type stepped struct {
	presence.Log
	step func() time.Duration
}

// Tail implements presence.Log.
func (s *stepped) Tail(ctx context.Context, after presence.Entry) iter.Seq2[presence.Entry, error] {
	return func(yield func(presence.Entry, error) bool) {
		for e, err := range s.Log.Tail(ctx, after) {
			e.Time += s.step().Milliseconds()
			if !yield(e, err) {
				return
			}
		}
	}
}
