package redislog

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// outage is a time in which Redis cannot be used: it does not reply, refuses commands, or
// has damaged data. Its methods may be called concurrently.
type outage struct {
	logger zerolog.Logger
	since  atomic.Int64 // Unix milliseconds; 0: no outage

	mu     sync.Mutex
	logged map[string]bool // kinds of errors since the outage began
}

// recordError begins an outage unless one has begun. It logs one error of each kind:
// Redis may be down at first, and load its data later for a long time.
func (o *outage) recordError(err error) {
	begins := o.since.CompareAndSwap(0, time.Now().UnixMilli())
	message, kind := "redis unreachable, will retry", ""
	switch {
	case isErrorReply(err):
		message = "redis refuses commands, will retry"
		if kind = temporaryReplies.FindString(err.Error()); kind == "" {
			kind, _, _ = strings.Cut(err.Error(), " ")
		}
	case isDataError(err):
		message, kind = "list in redis unreadable, will retry", "data"
	}
	o.mu.Lock()
	if begins || o.logged == nil {
		o.logged = map[string]bool{}
	}
	isNew := !o.logged[kind]
	o.logged[kind] = true
	o.mu.Unlock()
	if isNew {
		o.logger.Warn().Err(err).Msg(message)
	}
}

// end ends the outage, if there is one.
func (o *outage) end() {
	if since := o.since.Swap(0); since != 0 {
		o.logger.Info().Int64("after_ms", time.Now().UnixMilli()-since).Msg("redis reachable again")
	}
}

// duration returns 0 without an outage.
func (o *outage) duration() time.Duration {
	if since := o.since.Load(); since != 0 {
		return time.Since(time.UnixMilli(since))
	}
	return 0
}
