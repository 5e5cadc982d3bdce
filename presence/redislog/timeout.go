package redislog

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

// errTimeout explains a request without a reply. The network's error says that a timeout
// passed, not that a slow connection counts as no connection.
var errTimeout = fmt.Errorf("no reply within %v, in which each round trip to redis must end", replyTimeout)

// timeoutHook counts and explains requests that Redis did not answer in time.
type timeoutHook struct{ timeouts prometheus.Counter }

// wrapTimeout returns a timeout's error with errTimeout, and other errors unchanged.
func (h timeoutHook) wrapTimeout(ctx context.Context, err error) error {
	if netErr, ok := errors.AsType[net.Error](err); !ok || !netErr.Timeout() || errors.Is(ctx.Err(), context.Canceled) {
		return err
	}
	h.timeouts.Inc()
	return fmt.Errorf("%w: %w", errTimeout, err)
}

// DialHook implements redis.Hook.
func (timeoutHook) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (h timeoutHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if err != nil {
			err = h.wrapTimeout(ctx, err)
			cmd.SetErr(err)
		}
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (h timeoutHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { return h.wrapTimeout(ctx, next(ctx, cmds)) }
}
