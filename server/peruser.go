package main

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// perUser are rate limits of those who have no socket that would remember
// them: one for each user who was seen lately. Whoever is forgotten begins
// anew. It may be used concurrently.
type perUser struct {
	limiters *lru.Cache[string, *rate.Limiter]
}

// manyUsers is how many are remembered, about 150 bytes each.
const manyUsers = 100_000

func newPerUser() perUser {
	limiters, _ := lru.New[string, *rate.Limiter](manyUsers) // its one error is a size of 0
	return perUser{limiters}
}

// allow takes n from a user's allowance of so many a second and so many at
// once; it reports false, and takes nothing, when they are not there.
func (p perUser) allow(user string, n int, perSecond float64, burst int, now time.Time) bool {
	limiter := rate.NewLimiter(rate.Limit(perSecond), burst)
	if was, known, _ := p.limiters.PeekOrAdd(user, limiter); known {
		limiter = was
		p.limiters.Get(user) // it was seen
	}
	return limiter.AllowN(now, n)
}
