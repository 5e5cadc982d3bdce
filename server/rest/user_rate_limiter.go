package rest

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// userRateLimiter limits the rate of users, who have no socket with a limiter of its own.
// It has the limiters of the users seen last; a user that drops out begins with a full
// burst. It may be used concurrently.
type userRateLimiter struct {
	limiters *lru.Cache[string, *rate.Limiter]
}

// maxLimitedUsers bounds the memory: a limiter takes about 150 bytes.
const maxLimitedUsers = 100_000

func newUserRateLimiter() userRateLimiter {
	limiters, _ := lru.New[string, *rate.Limiter](maxLimitedUsers) // it fails only for a size of 0
	return userRateLimiter{limiters}
}

// allow reports whether a user may do n things now, and counts them if so.
func (l userRateLimiter) allow(user string, n int, perSecond float64, burst int, now time.Time) bool {
	limiter := rate.NewLimiter(rate.Limit(perSecond), burst)
	if existing, isKnown, _ := l.limiters.PeekOrAdd(user, limiter); isKnown {
		limiter = existing
		l.limiters.Get(user) // marks the user as seen
	}
	return limiter.AllowN(now, n)
}
