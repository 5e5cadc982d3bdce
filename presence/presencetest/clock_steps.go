package presencetest

import (
	"context"
	"iter"
	"time"

	"onair/presence"
)

// WithClockSteps returns a log with shifted times of entries, as after a step of the
// clock. It calls offset once for each entry that is read.
func WithClockSteps(log presence.Log, offset func() time.Duration) presence.Log {
	return &shiftedLog{log, offset}
}

type shiftedLog struct {
	presence.Log
	offset func() time.Duration
}

// Tail implements presence.Log.
func (s *shiftedLog) Tail(ctx context.Context, after presence.Entry) iter.Seq2[presence.Entry, error] {
	return func(yield func(presence.Entry, error) bool) {
		for e, err := range s.Log.Tail(ctx, after) {
			e.Time += s.offset().Milliseconds()
			if !yield(e, err) {
				return
			}
		}
	}
}
