package webhooks

import (
	"math/rand/v2"
	"time"
)

const (
	baseBackoff = time.Second

	// maxBackoff bounds the delay of one live code, maxProbeBackoff that of a back end
	// which is down. The latter delays all events after its recovery.
	maxBackoff      = 5 * time.Minute
	maxProbeBackoff = 30 * time.Second
)

// jitteredBackoff returns an exponential delay with full jitter: after previous failures,
// a random time from 0 to min(base·2^failures, limit). So simultaneous failures do not cause
// simultaneous retries. See
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
func jitteredBackoff(failures int, limit time.Duration) time.Duration {
	maximum := limit
	if failures < 20 { // 2^20 seconds do not overflow
		maximum = min(limit, baseBackoff<<failures)
	}
	return rand.N(maximum + 1)
}
