package leader

import (
	"context"
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"time"

	"onair/presence"
)

// Moderator is a cloud, or a media server, that ends and forbids pushes.
type Moderator interface {
	// CutPush ends the push under a live code, if there is one; it may begin again.
	CutPush(ctx context.Context, code string) error
	// ForbidPush ends it, and refuses others until a time; zero: for as long as the
	// provider can.
	ForbidPush(ctx context.Context, code string, until time.Time, reason string) error
	// AllowPush undoes Forbid.
	AllowPush(ctx context.Context, code string) error
}

// moderationCall is a call of the moderator, if it is still to be made.
type moderationCall func(ctx context.Context) error

// newModerationCall returns what the moderator is to do for an outbox event, nil for
// nothing. Tries may come late, and those for one anchor in any order: each looks at
// the present state.
func (l *Leader) newModerationCall(e *presence.OutboxEvent) moderationCall {
	switch {
	case l.Providers.Moderator == nil:
		return nil
	case e.Ended != nil:
		if e.Ended.Reason != presence.Kicked && e.Ended.Reason != presence.Banned {
			return nil
		}
		return func(ctx context.Context) error {
			if st := l.Hub.StreamByCode(e.Stream.Code); st != nil && st.Session != e.Stream.Session {
				return nil // the push under this code is another session's
			}
			return l.Providers.Moderator.CutPush(ctx, e.Stream.Code)
		}
	case e.Ban == nil:
		return nil
	}
	code, err := l.Codes.Code(e.Ban.Anchor, "", presence.Session{})
	if err != nil || l.Codes.IsPerSession() {
		return nil // the anchor has no live code that is always the same
	}
	return func(ctx context.Context) error {
		lock := l.banLocks.lockOf(e.Ban.Anchor)
		lock.Lock()
		defer lock.Unlock()
		var ban presence.Ban
		banned := false
		l.Node.Read(func(r *presence.Registry) { ban, banned = r.ActiveBan(e.Ban.Anchor) })
		switch {
		case banned != (e.Kind == presence.BanSet):
			return nil // what has changed since is an effect of its own
		case !banned:
			return l.Providers.Moderator.AllowPush(ctx, code)
		}
		var until time.Time
		if ban.Until != 0 {
			until = time.UnixMilli(ban.Until)
		}
		return l.Providers.Moderator.ForbidPush(ctx, code, until, ban.Reason)
	}
}

// anchorLocks are locks by user id, so many that few users share one.
type anchorLocks struct {
	seed  maphash.Seed
	locks [64]sync.Mutex
}

func (t *anchorLocks) lockOf(name string) *sync.Mutex {
	return &t.locks[maphash.String(t.seed, name)%uint64(len(t.locks))]
}

// Times of moderation.
const (
	moderationTimeout    = 15 * time.Second // one try
	maxModerationAge     = time.Hour        // since what it is for happened
	maxModerationBackoff = 2 * time.Minute  // between two tries at the most
)

// moderateWithRetries calls the moderator until it succeeds. It returns why it gave up.
func (l *Leader) moderateWithRetries(ctx context.Context, e *presence.OutboxEvent, do moderationCall) (failure string) {
	for backoff := time.Second; ; backoff = min(2*backoff, maxModerationBackoff) {
		within, cancel := context.WithTimeout(ctx, moderationTimeout)
		err := do(within)
		cancel()
		result := "done"
		if err != nil {
			result = "failed"
		}
		l.moderations.WithLabelValues(e.Kind.String(), result).Inc()
		switch {
		case err == nil:
			return ""
		case time.Since(time.UnixMilli(e.At)) > maxModerationAge:
			return "the provider: " + err.Error()
		}
		l.Log.Warn().Err(err).Str("event", e.Kind.String()).Msg("the provider did not do what it was told, trying again")
		select {
		case <-ctx.Done():
			return ""
		case <-time.After(backoff/2 + rand.N(backoff)):
		}
	}
}
