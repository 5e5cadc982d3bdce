package redislog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"onair/presence"
)

// errNoEpoch is returned when Redis has neither log nor snapshot. A node that has
// the list must found an epoch before anything is appended.
var errNoEpoch = errors.New("redis has no epoch of the log yet")

// Append implements presence.Log.
func (l *Log) Append(ctx context.Context, b presence.SealedBatch) error {
	if l.shutdown.ctx.Err() != nil {
		return fmt.Errorf("%w: the log is closed", presence.ErrNotWritten)
	}
	start := time.Now()
	ctx, mayBeWritten := watchAttempts(ctx)
	number, err := l.scripts.appendBatch.Run(ctx, l.redis,
		[]string{l.keys.log, l.keys.head, l.keys.nodes, l.keys.snapshots}, b.Node, b.Incarnation, b.Seq, b.Bytes).Int64()
	result := "ok"
	switch {
	case err != nil && isNotWritten(err) && !mayBeWritten.Load():
		result, err = "refused", fmt.Errorf("%w: %w", presence.ErrNotWritten, err)
	case err != nil:
		result, err = "unknown", fmt.Errorf("redislog: append: %w", err)
	case number < 0:
		result, err = "refused", fmt.Errorf("%w: %w", presence.ErrNotWritten, errNoEpoch)
	case number == 0:
		result = "repeated"
	default:
		l.metrics.appendSeconds.Observe(time.Since(start).Seconds())
		l.recordOwnAppend(uint64(number))
	}
	l.metrics.appends.WithLabelValues(result).Inc()
	return err
}
