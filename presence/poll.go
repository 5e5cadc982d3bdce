package presence

// onlineIgnoredAfterLoss is how long after the last push ended PollOnline is
// ignored, in milliseconds of presence time: the answer may be older than the
// end.
const onlineIgnoredAfterLoss = 10_000

// pollEvidenceInterval is how often PollOnline is recorded when it changes
// nothing, in milliseconds of log time. An explanation may show evidence of that
// age.
const pollEvidenceInterval = 5 * 60_000

// applyPollOnline applies an answer that a push is ongoing. It renews the lease
// of a session that needs no beats.
func (r *Registry) applyPollOnline(index uint32, c *Observe, node *nodeState) {
	s := r.sessions[index]
	if s.media.isLost && r.clock-s.media.updatedAt < onlineIgnoredAfterLoss {
		return
	}
	if s.media.isLost {
		r.conflicts[PollAgainstCallback]++
	}
	r.markPublished(index, c)
	switch {
	case !s.sources.Has(FromBeats):
		r.renewLeaseAndMarkLive(index, node, ByEvidence)
	case s.stream.State == Starting:
		r.markLiveUnlessMediaLost(index, ByEvidence)
	}
}

// applyPollOffline applies an answer that there is no push. After
// Settings.OfflineAfter of them in a row it ends a session that had a push and
// has had no beat since the first of them.
func (r *Registry) applyPollOffline(index uint32, c *Observe) {
	s := r.sessions[index]
	m := &s.media
	if !r.beginPollRound(m) {
		return
	}
	if m.offlinePolls == 0 {
		m.offlineSince = r.clock
		if len(m.openPushes) > 0 {
			r.conflicts[PollAgainstCallback]++
		}
	}
	m.offlinePolls, m.failedPolls = min(m.offlinePolls+1, maxPolls), 0
	r.recordEvidence(index, c)
	if int64(m.offlinePolls) < max(1, r.settings.OfflineAfter) {
		return
	}
	beats := s.sources.Has(FromBeats)
	switch {
	case r.settings.MediaRequired:
	case !m.wasPublished && (beats || r.clock-m.updatedAt < r.settings.StartWithin):
		return
	case beats && r.leases.all[index].lastRenewal(r.clock) >= m.offlineSince:
		return
	}
	r.endSession(index, StreamLost, "")
}

// beginPollRound reports whether a poll's result belongs to another round of
// polls than the last one, and remembers its time if so. Two pollers in one
// round count once.
func (r *Registry) beginPollRound(m *mediaState) (isNewRound bool) {
	if m.offlinePolls+m.failedPolls > 0 && r.clock-m.lastPoll < r.settings.PollEvery/2 {
		return false
	}
	m.lastPoll = r.clock
	return true
}

// applyPollFailed records that the cloud gave no answer about this session, but
// answered about others. It is no evidence about the push, but ends a session
// that lives by polls alone after Settings.BlindAfter of them in a row.
func (r *Registry) applyPollFailed(index uint32, c *Observe) {
	s := r.sessions[index]
	if !r.beginPollRound(&s.media) {
		return
	}
	s.media.failedPolls = min(s.media.failedPolls+1, maxPolls)
	r.recordEvidence(index, c)
	if s.sources == SourcesOf(FromPoll) && r.settings.BlindAfter > 0 && int64(s.media.failedPolls) >= r.settings.BlindAfter {
		r.endSession(index, StreamLost, "")
	}
}

// recordEvidence records a signal about a session's push that does not change
// the stream.
func (r *Registry) recordEvidence(index uint32, c *Observe) {
	s := r.sessions[index]
	s.mediaNum = r.last.Num
	s.setEvidence(Evidence{Source: c.Source, Signal: c.Signal, At: r.last.Time, Detail: c.Detail})
	r.markSessionChanged(index)
}

// setCoverIfMissing sets a stream's cover to a screenshot, if it has no cover.
func (r *Registry) setCoverIfMissing(index uint32, screenshot *Observe) {
	if s := r.sessions[index]; s.stream.Cover == "" && screenshot.Detail != "" {
		s.detailsNum = r.last.Num
		r.changeStream(index, ByEvidence, func(st *Stream) { st.Cover = screenshot.Detail })
	}
}

// PollTarget is a session that the status poller polls.
type PollTarget struct {
	Session Session
	Code    string
	// OfflineCounts: PollOffline would count. It does not count while beats
	// come; the poller may then skip a session that the cloud's list lacks.
	OfflineCounts bool
}

// PollTargets returns the live sessions whose sources have polls, in the order
// of indexes.
func (r *Registry) PollTargets() (all []PollTarget) {
	for i, s := range r.sessions {
		if s != nil && s.sources.Has(FromPoll) {
			matters := !s.sources.Has(FromBeats) || r.leases.all[i].misses > 0 || s.stream.State != Live || r.settings.MediaRequired
			all = append(all, PollTarget{s.stream.Session, s.stream.Code, matters})
		}
	}
	return all
}

// NeedsPollSignal reports whether a poll's signal would change a session, or must be
// recorded because the last evidence is old.
func (r *Registry) NeedsPollSignal(s Session, signal Signal) bool {
	i, live := r.bySession[s]
	if !live {
		return false
	}
	x := r.sessions[i]
	m := &x.media
	if signal != PollOnline || !x.sources.Has(FromBeats) || !m.wasPublished || m.isLost || m.offlinePolls > 0 || m.failedPolls > 0 || x.stream.State == Starting {
		return true
	}
	at := x.evidenceIndex(FromPoll)
	return at < 0 || x.evidence[at].Signal != signal || x.evidence[at].At+pollEvidenceInterval < r.last.Time
}
