package redislog

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// outage is a time without replies from Redis. Its methods may be called concurrently.
type outage struct {
	logger zerolog.Logger
	since  atomic.Int64 // Unix milliseconds; 0: no outage

	mu            sync.Mutex
	loggedReplies map[string]bool // first words of error replies since the outage began
}

// recordError begins an outage unless one has begun. It logs the first error, and
// one of each kind of error reply: Redis may be down at first, and load its data
// later for a long time.
func (o *outage) recordError(err error) {
	begins := o.since.CompareAndSwap(0, time.Now().UnixMilli())
	kind := ""
	if isErrorReply(err) {
		kind, _, _ = strings.Cut(err.Error(), " ")
	}
	o.mu.Lock()
	if begins || o.loggedReplies == nil {
		o.loggedReplies = map[string]bool{"": true}
	}
	isNew := !o.loggedReplies[kind]
	o.loggedReplies[kind] = true
	o.mu.Unlock()
	switch {
	case begins:
		o.logger.Warn().Err(err).Msg("redis unreachable, will retry")
	case isNew:
		o.logger.Warn().Err(err).Msg("redis still unreachable, with another error")
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
