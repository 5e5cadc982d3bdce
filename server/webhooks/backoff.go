package webhooks

import (
	"math/rand/v2"
	"time"
)

// Bounds of the back-off.
const (
	backoffBase = time.Second

	// backoffCap is for one live code, backoffProbe for a back end that is down:
	// that is how long what waits for it goes on waiting once it is back.
	backoffCap   = 5 * time.Minute
	backoffProbe = 30 * time.Second
)

// backoff is exponential with full jitter: after n failures before this one a
// random time of at most base·2^n, and at most limit. So those who failed
// together do not come back together. See
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
func backoff(n int, limit time.Duration) time.Duration {
	most := limit
	if n < 20 { // a million seconds
		most = min(limit, backoffBase<<n)
	}
	return rand.N(most + 1)
}
