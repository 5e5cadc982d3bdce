package redistest

import (
	"time"

	"golang.org/x/time/rate"
)

// weather is how the network behaves. It is replaced, never changed.
type weather struct {
	cut      bool // there is no network
	halfOpen bool // what is sent does not arrive
	latency  time.Duration
	jitter   time.Duration
	up, down *rate.Limiter // bytes a second each way, nil without limit
	over     chan struct{} // closed when other weather comes
}

// delay is how long a piece is on its way; luck is between -1 and 1.
func (w *weather) delay(luck float64) time.Duration {
	return max(0, w.latency+time.Duration(luck*float64(w.jitter)))
}

// piece is how much is sent at once, so that a limit is kept to within a
// twentieth of a second.
func piece(limit *rate.Limiter) int {
	if limit == nil {
		return readSize
	}
	return limit.Burst()
}

// limiter lets so many bytes through a second.
func limiter(bytes int) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(bytes), max(1, bytes/20))
}
