package presence

import "slices"

// afterLoss is for how long after a push has ended the cloud's word that it goes
// on is not believed, in milliseconds of presence time: the answer may be older.
const afterLoss = 10_000

// pollEvery is how often the cloud's word that a push goes on is worth an entry
// where it changes nothing, in milliseconds of log time: so much older than it is
// may `why` show it.
const pollEvery = 5 * 60_000

// online takes the cloud's word that something is pushed. It is a beat of a
// session that does not live by beats.
func (r *Registry) online(i uint32, c *Observe, p *peer) {
	s := r.sessions[i]
	if s.media.lost && r.clock-s.media.since < afterLoss {
		return
	}
	if s.media.lost {
		r.conflicts[PollAgainstCallback]++
	}
	r.published(i, c)
	switch {
	case !s.sources.Has(FromBeats):
		r.hear(i, p, ByEvidence)
	case s.stream.State == Starting:
		r.enliven(i, ByEvidence)
	}
}

// offline takes the cloud's word that nothing is pushed. Said so often in a row,
// it ends a session of which there was a picture once and no beat since.
func (r *Registry) offline(i uint32, c *Observe) {
	s := r.sessions[i]
	m := &s.media
	if !r.isRound(m) {
		return
	}
	if m.offline == 0 {
		m.quiet = r.clock
		if len(m.open) > 0 {
			r.conflicts[PollAgainstCallback]++
		}
	}
	m.offline, m.blind = min(m.offline+1, maxPolls), 0
	r.noted(i, c)
	if int64(m.offline) < max(1, r.settings.OfflineAfter) {
		return
	}
	beats := s.sources.Has(FromBeats)
	switch {
	case r.settings.MediaRequired:
	case !m.seen && (beats || r.clock-m.since < r.settings.StartWithin):
		return
	case beats && r.leases.all[i].lastAt(r.clock) >= m.quiet:
		return
	}
	r.end(i, StreamLost, "")
}

// isRound reports whether a word that counts is of another round of polls than the
// last one: two pollers for a moment, or one after the other, make no two rounds.
func (r *Registry) isRound(m *media) bool {
	if m.offline+m.blind > 0 && r.clock-m.polled < r.settings.PollEvery/2 {
		return false
	}
	m.polled = r.clock
	return true
}

// unknown notes that the cloud was asked and gave no answer, while it answered
// others. It is no word about the push, but a session that lives by nothing else
// cannot go on for ever.
func (r *Registry) unknown(i uint32, c *Observe) {
	s := r.sessions[i]
	if !r.isRound(&s.media) {
		return
	}
	s.media.blind = min(s.media.blind+1, maxPolls)
	r.noted(i, c)
	if s.sources == SourcesOf(FromPoll) && r.settings.BlindAfter > 0 && int64(s.media.blind) >= r.settings.BlindAfter {
		r.end(i, StreamLost, "")
	}
}

// noted keeps a word about a session's push that changes nothing in the list.
func (r *Registry) noted(i uint32, c *Observe) {
	s := r.sessions[i]
	s.filmed = r.last.Num
	s.witness(Evidence{Source: c.Source, Sign: c.Sign, At: r.last.Time, Detail: c.Detail})
	r.touch(i)
}

// pictured gives a stream a cover that has none.
func (r *Registry) pictured(i uint32, c *Observe) {
	if s := r.sessions[i]; s.stream.Cover == "" && c.Detail != "" {
		s.told = r.last.Num
		r.change(i, ByEvidence, func(st *Stream) { st.Cover = c.Detail })
	}
}

// Polled is a session that the status poller is to ask for.
type Polled struct {
	Session Session
	Code    string
	// Matters: that nothing is pushed would count. Of one who beats it would not,
	// and need not be asked for if it is in no list.
	Matters bool
}

// ToPoll are the sessions that live by polls, among others or alone, in the
// order of their indexes.
func (r *Registry) ToPoll() (all []Polled) {
	for i, s := range r.sessions {
		if s != nil && s.sources.Has(FromPoll) {
			matters := !s.sources.Has(FromBeats) || r.leases.all[i].misses > 0 || s.stream.State != Live || r.settings.MediaRequired
			all = append(all, Polled{s.stream.Session, s.stream.Code, matters})
		}
	}
	return all
}

// IsNews reports whether a poller's word about a session would change anything,
// or is to be noted all the same since the last is old.
func (r *Registry) IsNews(s Session, sign Sign) bool {
	i, live := r.bySession[s]
	if !live {
		return false
	}
	x := r.sessions[i]
	m := &x.media
	if sign != Online || !x.sources.Has(FromBeats) || !m.seen || m.lost || m.offline > 0 || m.blind > 0 || x.stream.State == Starting {
		return true
	}
	at := slices.IndexFunc(x.evidence, func(e Evidence) bool { return e.Source == FromPoll })
	return at < 0 || x.evidence[at].At+pollEvery < r.last.Time
}
