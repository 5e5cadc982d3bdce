package webhooks

import (
	"math/rand/v2"
	"time"
)

// Bounds of the back-off.
const (
	baseBackoff = time.Second

	// maxBackoff is for one live code, maxProbeBackoff for a back end that is down:
	// that is how long what waits for it goes on waiting once it is back.
	maxBackoff      = 5 * time.Minute
	maxProbeBackoff = 30 * time.Second
)

// backoff is exponential with full jitter: after n failures before this one a
// random time of at most base·2^n, and at most limit. So those who failed
// together do not come back together. See
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
func backoff(n int, limit time.Duration) time.Duration {
	most := limit
	if n < 20 { // a million seconds
		most = min(limit, baseBackoff<<n)
	}
	return rand.N(most + 1)
}
