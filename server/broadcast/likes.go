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

// NewLikesLimiter bounds the likes of one socket.
func NewLikesLimiter() *rate.Limiter { return rate.NewLimiter(LikesPerSecond, LikesBurst) }

// LikesLimitError is what a client gets whose n likes are too many.
func LikesLimitError(n int) error {
	return &wire.Error{
		Code: wire.CodeRateLimited, Message: "too many likes", RetryAfterMS: int64(n) * 1000 / LikesPerSecond,
	}
}
