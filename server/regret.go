package main

import (
	"sync"

	"onair/presence"
)

// regrets remembers which ends were found to be false, so that each counts
// once.
type regrets struct {
	mu   sync.Mutex // guards seen
	seen map[presence.Session]int64
}

// regret notes that somebody beat for, or came back to, a session that has
// ended. If that was by missed beats, and no longer ago than an interval, the
// anchor was alive: three missed beats were too few for its network, or we were
// wrong.
func (s *server) regret(e *presence.Ended) {
	if e.Reason != presence.MissedBeats {
		return
	}
	var now, interval int64
	s.node.Read(func(r *presence.Registry) { now, interval = r.LogTime(), r.Settings().Interval })
	if now-e.EndedAt > interval {
		return
	}
	if s.regrets.first(e, now-interval) {
		s.metrics.falseEnds.Inc()
		s.log.Warn().Str("stream", e.Stream.Code).Str("anchor", e.Stream.Anchor).Int64("after_ms", now-e.EndedAt).
			Msg("an anchor came back right after it was taken off the list")
	}
}

// first reports whether an end was not regretted before, and forgets those
// before a log time.
func (r *regrets) first(e *presence.Ended, before int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for session, endedAt := range r.seen {
		if endedAt < before {
			delete(r.seen, session)
		}
	}
	if _, known := r.seen[e.Stream.Session]; known {
		return false
	}
	r.seen[e.Stream.Session] = e.EndedAt
	return true
}
