package main

import (
	"context"
	"math/rand/v2"
	"time"

	"onair/presence"
)

// moderator is a cloud, or a media server, that does what it is told to pushes.
type moderator interface {
	// Cut ends the push under a live code, if there is one; it may begin again.
	Cut(ctx context.Context, code string) error
	// Forbid ends it, and refuses others until a time; zero: for as long as the
	// provider can.
	Forbid(ctx context.Context, code string, until time.Time, reason string) error
	// Allow undoes Forbid.
	Allow(ctx context.Context, code string) error
}

// deed is something that a moderator is to do.
type deed func(ctx context.Context) error

// moderation is what the moderator is to do for an effect, nil: nothing.
func (s *server) moderation(e *presence.Effect) deed {
	switch {
	case s.moderator == nil:
		return nil
	case e.Ended != nil:
		if e.Ended.Reason != presence.Kicked && e.Ended.Reason != presence.Banned {
			return nil
		}
		return func(ctx context.Context) error { return s.moderator.Cut(ctx, e.Stream.Code) }
	case e.Ban == nil:
		return nil
	}
	code, err := s.code.make(e.Ban.Anchor, "", presence.Session{})
	if err != nil || s.code.bySession() {
		return nil // the anchor has no live code that is always the same
	}
	if e.Kind == presence.BanLifted {
		return func(ctx context.Context) error { return s.moderator.Allow(ctx, code) }
	}
	var until time.Time
	if e.Ban.Until != 0 {
		until = time.UnixMilli(e.Ban.Until)
	}
	return func(ctx context.Context) error {
		if !until.IsZero() && !time.Now().Before(until) {
			return nil // it is over before the provider could be told
		}
		return s.moderator.Forbid(ctx, code, until, e.Ban.Reason)
	}
}

// Times of acts.
const (
	actWithin = 15 * time.Second // one try
	actFor    = time.Hour        // since what it is for happened
	actRest   = 2 * time.Minute  // between two tries at the most
)

// insist does something until it succeeds. It returns why it was given up.
func (s *server) insist(ctx context.Context, e *presence.Effect, do deed) (why string) {
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
