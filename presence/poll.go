package presence

import "slices"

// onlineIgnoredAfterLoss is for how long after a push has ended the cloud's word that it goes
// on is not believed, in milliseconds of presence time: the answer may be older.
const onlineIgnoredAfterLoss = 10_000

// pollEvidenceInterval is how often the cloud's word that a push goes on is worth an entry
// where it changes nothing, in milliseconds of log time: so much older than it is
// may `why` show it.
const pollEvidenceInterval = 5 * 60_000

// applyPollOnline takes the cloud's word that something is pushed. It is a beat of a
// session that does not live by beats.
func (r *Registry) applyPollOnline(i uint32, c *Observe, p *nodeState) {
	s := r.sessions[i]
	if s.media.isLost && r.clock-s.media.updatedAt < onlineIgnoredAfterLoss {
		return
	}
	if s.media.isLost {
		r.conflicts[PollAgainstCallback]++
	}
	r.markPublished(i, c)
	switch {
	case !s.sources.Has(FromBeats):
		r.renewLease(i, p, ByEvidence)
	case s.stream.State == Starting:
		r.markLive(i, ByEvidence)
	}
}

// applyPollOffline takes the cloud's word that nothing is pushed. Said so often in a row,
// it ends a session of which there was a picture once and no beat since.
func (r *Registry) applyPollOffline(i uint32, c *Observe) {
	s := r.sessions[i]
	m := &s.media
	if !r.startsPollRound(m) {
		return
	}
	if m.offlinePolls == 0 {
		m.offlineSince = r.clock
		if len(m.openPushes) > 0 {
			r.conflicts[PollAgainstCallback]++
		}
	}
	m.offlinePolls, m.failedPolls = min(m.offlinePolls+1, maxPolls), 0
	r.recordEvidence(i, c)
	if int64(m.offlinePolls) < max(1, r.settings.OfflineAfter) {
		return
	}
	beats := s.sources.Has(FromBeats)
	switch {
	case r.settings.MediaRequired:
	case !m.wasPublished && (beats || r.clock-m.updatedAt < r.settings.StartWithin):
		return
	case beats && r.leases.all[i].lastRenewal(r.clock) >= m.offlineSince:
		return
	}
	r.endSession(i, StreamLost, "")
}

// startsPollRound reports whether a word that counts is of another round of polls than the
// last one: two pollers for a moment, or one after the other, make no two rounds.
func (r *Registry) startsPollRound(m *mediaState) bool {
	if m.offlinePolls+m.failedPolls > 0 && r.clock-m.lastPoll < r.settings.PollEvery/2 {
		return false
	}
	m.lastPoll = r.clock
	return true
}

// applyPollFailed notes that the cloud was asked and gave no answer, while it answered
// others. It is no word about the push, but a session that lives by nothing else
// cannot go on for ever.
func (r *Registry) applyPollFailed(i uint32, c *Observe) {
	s := r.sessions[i]
	if !r.startsPollRound(&s.media) {
		return
	}
	s.media.failedPolls = min(s.media.failedPolls+1, maxPolls)
	r.recordEvidence(i, c)
	if s.sources == SourcesOf(FromPoll) && r.settings.BlindAfter > 0 && int64(s.media.failedPolls) >= r.settings.BlindAfter {
		r.endSession(i, StreamLost, "")
	}
}

// recordEvidence keeps a word about a session's push that changes nothing in the list.
func (r *Registry) recordEvidence(i uint32, c *Observe) {
	s := r.sessions[i]
	s.mediaNum = r.last.Num
	s.setEvidence(Evidence{Source: c.Source, Signal: c.Signal, At: r.last.Time, Detail: c.Detail})
	r.markSessionChanged(i)
}

// applyScreenshot gives a stream a cover that has none.
func (r *Registry) applyScreenshot(i uint32, c *Observe) {
	if s := r.sessions[i]; s.stream.Cover == "" && c.Detail != "" {
		s.detailsNum = r.last.Num
		r.changeStream(i, ByEvidence, func(st *Stream) { st.Cover = c.Detail })
	}
}

// PollTarget is a session that the status poller is to ask for.
type PollTarget struct {
	Session Session
	Code    string
	// OfflineCounts: that nothing is pushed would count. Of one who beats it would not,
	// and need not be asked for if it is in no list.
	OfflineCounts bool
}

// PollTargets are the sessions that live by polls, among others or alone, in the
// order of their indexes.
func (r *Registry) PollTargets() (all []PollTarget) {
	for i, s := range r.sessions {
		if s != nil && s.sources.Has(FromPoll) {
			matters := !s.sources.Has(FromBeats) || r.leases.all[i].misses > 0 || s.stream.State != Live || r.settings.MediaRequired
			all = append(all, PollTarget{s.stream.Session, s.stream.Code, matters})
		}
	}
	return all
}

// IsNewSignal reports whether a poller's word about a session would change anything,
// or is to be noted all the same since the last is old.
func (r *Registry) IsNewSignal(s Session, sign Signal) bool {
	i, live := r.bySession[s]
	if !live {
		return false
	}
	x := r.sessions[i]
	m := &x.media
	if sign != PollOnline || !x.sources.Has(FromBeats) || !m.wasPublished || m.isLost || m.offlinePolls > 0 || m.failedPolls > 0 || x.stream.State == Starting {
		return true
	}
	at := slices.IndexFunc(x.evidence, func(e Evidence) bool { return e.Source == FromPoll })
	return at < 0 || x.evidence[at].At+pollEvidenceInterval < r.last.Time
}
