package leader

import (
	"context"
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"time"

	"onair/presence"
)

// Moderator ends and forbids pushes at a cloud or a media server.
type Moderator interface {
	// CutPush ends the push of a live code, if there is one. It may begin again.
	CutPush(ctx context.Context, code string) error
	// ForbidPush ends the push of a live code and rejects new ones until a time. Zero: for as
	// long as the provider supports.
	ForbidPush(ctx context.Context, code string, until time.Time, reason string) error
	// AllowPush undoes ForbidPush.
	AllowPush(ctx context.Context, code string) error
}

// moderationCall calls the moderator, unless the state of the list no longer requires it.
type moderationCall func(ctx context.Context) error

// newModerationCall returns the call that an outbox event requires, or nil. Calls may run late
// and in any order, so each one checks the present state of the list.
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
				return nil // the push of this code belongs to another session
			}
			return l.Providers.Moderator.CutPush(ctx, e.Stream.Code)
		}
	case e.Ban == nil:
		return nil
	}
	code, err := l.Codes.Code(e.Ban.Anchor, "", presence.Session{})
	if err != nil || l.Codes.IsPerSession() {
		return nil // the live code is not a function of the anchor
	}
	return func(ctx context.Context) error {
		lock := l.banLocks.mutexOf(e.Ban.Anchor)
		lock.Lock()
		defer lock.Unlock()
		var ban presence.Ban
		banned := false
		l.Node.Read(func(r *presence.Registry) { ban, banned = r.ActiveBan(e.Ban.Anchor) })
		switch {
		case banned != (e.Kind == presence.BanSet):
			return nil // the ban has changed since, which has its own event
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

// anchorLocks are locks by user id. Few of the anchors moderated at once share one.
type anchorLocks struct {
	seed  maphash.Seed
	locks [64]sync.Mutex
}

func (a *anchorLocks) mutexOf(anchor string) *sync.Mutex {
	return &a.locks[maphash.String(a.seed, anchor)%uint64(len(a.locks))]
}

// Time limits of moderation.
const (
	moderationTimeout    = 15 * time.Second // of one attempt
	maxModerationAge     = time.Hour        // of the event: the last attempt
	maxModerationBackoff = 2 * time.Minute  // between two attempts
)

// moderateWithRetries calls the moderator until that succeeds, ctx ends, or the event is too
// old. It returns why it gave up, or "".
func (l *Leader) moderateWithRetries(ctx context.Context, e *presence.OutboxEvent, call moderationCall) (failure string) {
	for backoff := time.Second; ; backoff = min(2*backoff, maxModerationBackoff) {
		callCtx, cancel := context.WithTimeout(ctx, moderationTimeout)
		err := call(callCtx)
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
		l.Log.Warn().Err(err).Str("event", e.Kind.String()).Msg("moderation failed, retrying")
		select {
		case <-ctx.Done():
			return ""
		case <-time.After(backoff/2 + rand.N(backoff)):
		}
	}
}
