package broadcast

import (
	"maps"
	"sync"

	"onair/presence"
)

// falseExpiries has the sessions that expired falsely a moment ago, so that each is counted
// once.
type falseExpiries struct {
	mu      sync.Mutex // guards endedAt
	endedAt map[presence.Session]int64
}

// CountFalseExpiry counts an ended session whose anchor beats or resumes now, if missed beats
// ended it within the last interval. Its anchor was active: the network lost its beats, or
// the server failed.
func (s *Service) CountFalseExpiry(ended *presence.Ended) {
	if ended.Reason != presence.MissedBeats {
		return
	}
	var now, interval int64
	s.node.Read(func(r *presence.Registry) { now, interval = r.LogTime(), r.Settings().Interval })
	if now-ended.EndedAt <= interval && s.falseExpiries.addNew(ended, now-interval) {
		s.metrics.falseExpiries.Inc()
		s.log.Warn().Str("stream", ended.Stream.Code).Str("anchor", ended.Stream.Anchor).Int64("after_ms", now-ended.EndedAt).
			Msg("false expiry detected")
	}
}

// addNew adds a session and removes those that ended before minEndedAt, a log time. It
// reports whether the session is new.
func (f *falseExpiries) addNew(ended *presence.Ended, minEndedAt int64) (isNew bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.endedAt, func(_ presence.Session, endedAt int64) bool { return endedAt < minEndedAt })
	if _, isKnown := f.endedAt[ended.Stream.Session]; isKnown {
		return false
	}
	f.endedAt[ended.Stream.Session] = ended.EndedAt
	return true
}
