package broadcast

import (
	"maps"

	"onair/presence"
)

// CountIfFalseExpiry counts and logs an ended session whose anchor beats or resumes now, if missed beats
// ended it within the last interval. Its anchor was active: the network lost its beats, or
// the server failed.
func (s *Service) CountIfFalseExpiry(ended *presence.Ended) {
	if ended.Reason != presence.MissedBeats {
		return
	}
	var now, interval int64
	s.node.Read(func(r *presence.Registry) { now, interval = r.LogTime(), r.Settings().Interval })
	if now-ended.EndedAt <= interval && s.addFalseExpiry(ended, now-interval) {
		s.metrics.falseExpiries.Inc()
		s.log.Warn().Str("stream", ended.Stream.Code).Str("anchor", ended.Stream.Anchor).Int64("after_ms", now-ended.EndedAt).
			Msg("false expiry detected")
	}
}

// addFalseExpiry adds a session to falseExpiries, and removes those that ended before
// minEndedAt, a log time. It reports whether the session is new.
func (s *Service) addFalseExpiry(ended *presence.Ended, minEndedAt int64) (isNew bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.falseExpiries, func(_ presence.Session, endedAt int64) bool { return endedAt < minEndedAt })
	_, isKnown := s.falseExpiries[ended.Stream.Session]
	s.falseExpiries[ended.Stream.Session] = ended.EndedAt
	return !isKnown
}
