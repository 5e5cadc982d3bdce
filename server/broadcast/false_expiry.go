package broadcast

import (
	"sync"

	"onair/presence"
)

// falseExpiries remembers which sessions expired falsely, so that each counts once.
type falseExpiries struct {
	mu      sync.Mutex // guards endedAt
	endedAt map[presence.Session]int64
}

// CountFalseExpiry takes a session that has ended, and for which somebody beat or
// which somebody resumed. If it ended by missed beats, and no longer ago than an interval, the
// anchor was alive: three missed beats were too few for its network, or we were
// wrong.
func (s *Service) CountFalseExpiry(e *presence.Ended) {
	if e.Reason != presence.MissedBeats {
		return
	}
	var now, interval int64
	s.node.Read(func(r *presence.Registry) { now, interval = r.LogTime(), r.Settings().Interval })
	if now-e.EndedAt > interval {
		return
	}
	if s.falseExpiries.addNew(e, now-interval) {
		s.metrics.falseExpiries.Inc()
		s.log.Warn().Str("stream", e.Stream.Code).Str("anchor", e.Stream.Anchor).Int64("after_ms", now-e.EndedAt).
			Msg("an anchor came back right after it was taken off the list")
	}
}

// addNew reports whether a session is new here, and forgets those that ended before a
// log time.
func (f *falseExpiries) addNew(e *presence.Ended, before int64) (isNew bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for session, endedAt := range f.endedAt {
		if endedAt < before {
			delete(f.endedAt, session)
		}
	}
	if _, known := f.endedAt[e.Stream.Session]; known {
		return false
	}
	f.endedAt[e.Stream.Session] = e.EndedAt
	return true
}
