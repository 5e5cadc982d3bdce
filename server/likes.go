package main

import (
	"net/http"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"onair/hub/wire"
	"onair/server/auth"
)

// Likes that one socket, or over HTTP one user, may give, a second and at once.
const (
	likesPerSecond = 100
	likesBurst     = 200
)

func newLikesLimiter() *rate.Limiter { return rate.NewLimiter(likesPerSecond, likesBurst) }

// likeLimit is the answer to somebody who likes too much.
func likeLimit(n int) *wire.Error {
	return &wire.Error{
		Code: wire.CodeRateLimited, Message: "too many likes", RetryAfterMS: int64(n) * 1000 / likesPerSecond,
	}
}

// likers are those who like over HTTP, where no socket remembers them. It may
// be used concurrently.
type likers struct {
	limits perUser                       // by user, else by address
	keys   *lru.Cache[string, time.Time] // when a key was used
}

// What is remembered of their keys.
const (
	manyLikeKeys = 100_000
	keepLikeKey  = 10 * time.Minute
)

func newLikers() *likers {
	keys, _ := lru.New[string, time.Time](manyLikeKeys) // its one error is a size of 0
	return &likers{newPerUser(), keys}
}

// repeated reports whether a user's key was used before.
func (l *likers) repeated(user, key string, now time.Time) bool {
	at, known := l.keys.Get(user + "\n" + key)
	return key != "" && known && now.Sub(at) < keepLikeKey
}

// used notes a user's key.
func (l *likers) used(user, key string, now time.Time) {
	if key != "" {
		l.keys.Add(user+"\n"+key, now)
	}
}

// likeStream answers POST /v1/streams/{code}/likes. Likes are counted on the
// node that heard them, so a key is known to that node alone.
func (s *server) likeStream(w http.ResponseWriter, r *http.Request, who auth.Identity) *wire.Error {
	if e := s.foreign(r); e != nil {
		return e
	}
	m, e := likeOf(w, r)
	if e != nil {
		return e
	}
	key, e := keyOf(r, "")
	if e != nil {
		return e
	}
	st := s.hub.StreamByCode(m.Code)
	if st == nil {
		return notLive()
	}
	user := "user " + who.Subject
	if who.Subject == "" {
		user = "address " + s.addressOf(r)
	}
	now := time.Now()
	if !s.likers.repeated(user, key, now) {
		if !s.likers.limits.allow(user, m.N, likesPerSecond, likesBurst, now) {
			return likeLimit(m.N)
		}
		s.likers.used(user, key, now)
		s.node.AddLikes(st.Session, m.N)
	}
	writeMessage(w, http.StatusOK, &wire.Liked{Code: m.Code})
	return nil
}

// likeOf reads a like whose code is in the path.
func likeOf(w http.ResponseWriter, r *http.Request) (*wire.Like, *wire.Error) {
	body, e := bodyOf(w, r)
	if e != nil {
		return nil, e
	}
	m, err := wire.DecodeLikeBody(r.PathValue("code"), body)
	if err != nil {
		return nil, err.(*wire.Error)
	}
	return m, nil
}
