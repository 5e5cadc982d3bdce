package main

import (
	"context"
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"time"

	"onair/presence"
)

// moderator is a cloud, or a media server, that does what it is told to pushes.
type moderator interface {
	// CutPush ends the push under a live code, if there is one; it may begin again.
	CutPush(ctx context.Context, code string) error
	// ForbidPush ends it, and refuses others until a time; zero: for as long as the
	// provider can.
	ForbidPush(ctx context.Context, code string, until time.Time, reason string) error
	// AllowPush undoes Forbid.
	AllowPush(ctx context.Context, code string) error
}

// deed is something that a moderator is to do, if it is still to be done.
type deed func(ctx context.Context) error

// moderation is what the moderator is to do for an effect, nil: nothing. Tries may
// come late, and those for one anchor in any order: each looks at how it is now.
func (s *server) moderation(e *presence.OutboxEvent) deed {
	switch {
	case s.moderator == nil:
		return nil
	case e.Ended != nil:
		if e.Ended.Reason != presence.Kicked && e.Ended.Reason != presence.Banned {
			return nil
		}
		return func(ctx context.Context) error {
			if st := s.hub.StreamByCode(e.Stream.Code); st != nil && st.Session != e.Stream.Session {
				return nil // the push under this code is another session's
			}
			return s.moderator.CutPush(ctx, e.Stream.Code)
		}
	case e.Ban == nil:
		return nil
	}
	code, err := s.code.make(e.Ban.Anchor, "", presence.Session{})
	if err != nil || s.code.bySession() {
		return nil // the anchor has no live code that is always the same
	}
	return func(ctx context.Context) error {
		turn := s.moderating.of(e.Ban.Anchor)
		turn.Lock()
		defer turn.Unlock()
		var ban presence.Ban
		banned := false
		s.node.Read(func(r *presence.Registry) { ban, banned = r.ActiveBan(e.Ban.Anchor) })
		switch {
		case banned != (e.Kind == presence.BanSet):
			return nil // what has changed since is an effect of its own
		case !banned:
			return s.moderator.AllowPush(ctx, code)
		}
		var until time.Time
		if ban.Until != 0 {
			until = time.UnixMilli(ban.Until)
		}
		return s.moderator.ForbidPush(ctx, code, until, ban.Reason)
	}
}

// turns are locks by name, so many that few names share one.
type turns struct {
	seed maphash.Seed
	all  [64]sync.Mutex
}

func (t *turns) of(name string) *sync.Mutex {
	return &t.all[maphash.String(t.seed, name)%uint64(len(t.all))]
}

// Times of acts.
const (
	actWithin = 15 * time.Second // one try
	actFor    = time.Hour        // since what it is for happened
	actRest   = 2 * time.Minute  // between two tries at the most
)

// insist does something until it succeeds. It returns why it was given up.
func (s *server) insist(ctx context.Context, e *presence.OutboxEvent, do deed) (why string) {
	for rest := time.Second; ; rest = min(2*rest, actRest) {
		within, cancel := context.WithTimeout(ctx, actWithin)
		err := do(within)
		cancel()
		result := "done"
		if err != nil {
			result = "failed"
		}
		s.metrics.moderations.WithLabelValues(effectNames[e.Kind], result).Inc()
		switch {
		case err == nil:
			return ""
		case time.Since(time.UnixMilli(e.At)) > actFor:
			return "the provider: " + err.Error()
		}
		s.log.Warn().Err(err).Str("event", effectNames[e.Kind]).Msg("the provider did not do what it was told, trying again")
		select {
		case <-ctx.Done():
			return ""
		case <-time.After(rest/2 + rand.N(rest)):
		}
	}
}
