package redislog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"onair/presence"
)

// errUnfounded is why nothing is appended where Redis has neither log nor
// snapshot: somebody who knows the list must begin its history first.
var errUnfounded = errors.New("redis holds no history of the list yet")

// Append implements presence.Log.
func (l *Log) Append(ctx context.Context, b presence.Sealed) error {
	if l.ctx.Err() != nil {
		return fmt.Errorf("%w: the log is closed", presence.ErrNotWritten)
	}
	began := time.Now()
	ctx, doubt := doubting(ctx)
	num, err := l.scripts.append.Run(ctx, l.redis,
		[]string{l.keys.log, l.keys.head, l.keys.nodes, l.keys.snapshots}, b.Node, b.Boot, b.No, b.Bytes).Int64()
	switch {
	case err != nil && refused(err) && !doubt.Load():
		l.metrics.appends.WithLabelValues("refused").Inc()
		return fmt.Errorf("%w: %w", presence.ErrNotWritten, err)
	case err != nil:
		l.metrics.appends.WithLabelValues("unknown").Inc()
		return fmt.Errorf("redislog: append: %w", err)
	case num < 0:
		l.metrics.appends.WithLabelValues("refused").Inc()
		return fmt.Errorf("%w: %w", presence.ErrNotWritten, errUnfounded)
	case num == 0:
		l.metrics.appends.WithLabelValues("repeated").Inc()
		return nil
	}
	l.metrics.appends.WithLabelValues("ok").Inc()
	l.metrics.append.Observe(time.Since(began).Seconds())
	l.appended.Store(uint64(num))
	l.mu.Lock()
	if l.applied.Load().num < uint64(num) {
		l.mine, l.since = uint64(num), time.Now()
	}
	l.mu.Unlock()
	return nil
}
