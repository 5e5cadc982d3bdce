package broadcast

import (
	"golang.org/x/time/rate"

	"onair/hub/wire"
)

// Limits of the likes of one socket, or of one user over HTTP.
const (
	LikesPerSecond = 100
	LikesBurst     = 200
)

// NewLikeLimiter returns the limiter of one socket.
func NewLikeLimiter() *rate.Limiter { return rate.NewLimiter(LikesPerSecond, LikesBurst) }

// NewLikeLimitError is the error for rejectedLikes likes above the limit. Its retry time is the time in
// which rejectedLikes likes become available.
func NewLikeLimitError(rejectedLikes int) error {
	return &wire.Error{
		Code: wire.CodeRateLimited, Message: "too many likes", RetryAfterMS: int64(rejectedLikes) * 1000 / LikesPerSecond,
	}
}
