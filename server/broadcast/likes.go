package broadcast

import (
	"golang.org/x/time/rate"

	"onair/hub/wire"
)

// Likes that one socket, or over HTTP one user, may give, a second and at once.
const (
	LikesPerSecond = 100
	LikesBurst     = 200
)

// NewLikeLimiter bounds the likes of one socket.
func NewLikeLimiter() *rate.Limiter { return rate.NewLimiter(LikesPerSecond, LikesBurst) }

// LikeLimitError is what a client gets whose n likes are too many.
func LikeLimitError(n int) error {
	return &wire.Error{
		Code: wire.CodeRateLimited, Message: "too many likes", RetryAfterMS: int64(n) * 1000 / LikesPerSecond,
	}
}
