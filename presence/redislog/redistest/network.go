package redistest

import (
	"time"

	"golang.org/x/time/rate"
)

// network is the state of a proxy's network. A change replaces it.
type network struct {
	disconnected bool
	halfOpen     bool // nothing arrives
	latency      time.Duration
	jitter       time.Duration
	upLimiter    *rate.Limiter // bytes per second to the server; nil: unlimited
	downLimiter  *rate.Limiter // bytes per second to the client; nil: unlimited
	replaced     chan struct{} // closed when another state replaces this one
}

// delay returns how long a packet takes. jitterFactor is between -1 and 1.
func (n *network) delay(jitterFactor float64) time.Duration {
	return max(0, n.latency+time.Duration(jitterFactor*float64(n.jitter)))
}

// maxWriteBytes returns how many bytes one write sends. It is a limiter's burst, so that
// the rate holds within 50 ms.
func maxWriteBytes(limiter *rate.Limiter) (bytes int) {
	if limiter == nil {
		return readSize
	}
	return limiter.Burst()
}

func newLimiter(bytesPerSecond int) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(bytesPerSecond), max(1, bytesPerSecond/20))
}
