package rest

import (
	"net/http"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/broadcast"
	"onair/server/response"
)

// likeLimiter limits likes over HTTP, where no socket holds a limiter. It may be used
// concurrently.
type likeLimiter struct {
	limits userRateLimiter               // by user, or by address without a token
	keys   *lru.Cache[string, time.Time] // when a key was used
}

// Limits of remembered idempotency keys.
const (
	maxLikeKeys = 100_000
	likeKeyTTL  = 10 * time.Minute
)

func newLikeLimiter() *likeLimiter {
	keys, _ := lru.New[string, time.Time](maxLikeKeys) // fails only for a size of 0
	return &likeLimiter{newUserRateLimiter(), keys}
}

// isRepeatedKey reports whether a user has used a key before.
func (l *likeLimiter) isRepeatedKey(user, key string, now time.Time) bool {
	usedAt, found := l.keys.Get(user + "\n" + key)
	return key != "" && found && now.Sub(usedAt) < likeKeyTTL
}

// addKey remembers a user's key.
func (l *likeLimiter) addKey(user, key string, now time.Time) {
	if key != "" {
		l.keys.Add(user+"\n"+key, now)
	}
}

// likeStream answers POST /v1/streams/{code}/likes. Idempotency keys of likes are known only to
// the node that received them.
func (a *API) likeStream(w http.ResponseWriter, r *http.Request, who auth.Identity) error {
	if err := a.checkOrigin(r); err != nil {
		return err
	}
	// The live code is in the path.
	m, err := readDecoded(w, r, func(body []byte) (*wire.Like, error) { return wire.DecodeLikeBody(r.PathValue("code"), body) })
	if err != nil {
		return err
	}
	key, err := idempotencyKey(r, "")
	if err != nil {
		return err
	}
	st := a.Hub.StreamByCode(m.Code)
	if st == nil {
		return broadcast.NewNotLiveError()
	}
	user := "user " + who.Subject
	if who.Subject == "" {
		user = "address " + a.clientAddress(r)
	}
	now := time.Now()
	if !a.likeLimiter.isRepeatedKey(user, key, now) {
		if !a.likeLimiter.limits.allow(user, m.N, broadcast.LikesPerSecond, broadcast.LikesBurst, now) {
			return broadcast.NewLikeLimitError(m.N)
		}
		a.likeLimiter.addKey(user, key, now)
		a.Node.AddLikes(st.Session, m.N)
	}
	response.WriteMessage(w, http.StatusOK, &wire.Liked{Code: m.Code})
	return nil
}
