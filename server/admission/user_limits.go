package admission

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// UserLimits are rate limits of those who have no socket that would remember
// them: one for each user who was seen lately. Whoever is forgotten begins
// anew. It may be used concurrently.
type UserLimits struct {
	limiters *lru.Cache[string, *rate.Limiter]
}

// maxUsers is how many are remembered, about 150 bytes each.
const maxUsers = 100_000

// NewUserLimits remembers nobody yet.
func NewUserLimits() UserLimits {
	limiters, _ := lru.New[string, *rate.Limiter](maxUsers) // its one error is a size of 0
	return UserLimits{limiters}
}

// Allow takes n from a user's allowance of so many a second and so many at
// once; it reports false, and takes nothing, when they are not there.
func (l UserLimits) Allow(user string, n int, perSecond float64, burst int, now time.Time) bool {
	limiter := rate.NewLimiter(rate.Limit(perSecond), burst)
	if was, known, _ := l.limiters.PeekOrAdd(user, limiter); known {
		limiter = was
		l.limiters.Get(user) // it was seen
	}
	return limiter.AllowN(now, n)
}
