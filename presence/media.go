package presence

import (
	"cmp"
	"slices"

	"github.com/tidwall/btree"
)

// mediaState is what is known of a session's pushes. The zero value is nothing.
type mediaState struct {
	// openPushes are the ongoing pushes, in the order in which they became
	// known. There can be a second one for a moment, until its media server
	// refuses it.
	openPushes []push
	// closedPushes are the last unique pushes that ended. Late signals about
	// them change nothing.
	closedPushes []string
	newestStart  int64 // latest Observe.PushStartedAt
	wasPublished bool  // there was a push
	isLost       bool  // there was a push, and all have ended
	// updatedAt is a presence time: of the session's start, then of the last
	// signal that changed the state; while isLost, of the loss.
	updatedAt int64

	lastPoll     int64 // presence time of the last poll that counted
	offlineSince int64 // presence time of the first of offlinePolls
	offlinePolls int32 // consecutive polls that found no push
	failedPolls  int32 // consecutive polls without an answer
}

// push is one connection that publishes.
type push struct {
	name      string
	startedAt int64 // Observe.PushStartedAt
}

// Limits of a session's pushes; the last ones are remembered.
const (
	maxOpenPushes   = 4
	maxClosedPushes = 8
)

// ongoingInterval is how often PushOngoing is recorded when it changes nothing,
// in milliseconds of presence time.
const ongoingInterval = 60_000

// maxClockLag is how far a cloud's clock may be behind log time, in
// milliseconds. Its times are whole seconds.
const maxClockLag = 10_000

// maxClockLead is how far a cloud's clock may be ahead of log time, in
// milliseconds. A later start is ignored: no push could ever be newer.
const maxClockLead = 5 * 60_000

// openPushIndex is the index of an open push, -1 when there is none of that name.
func (m *mediaState) openPushIndex(name string) int {
	return slices.IndexFunc(m.openPushes, func(p push) bool { return p.name == name })
}

// addClosedPush adds a push to the closed ones.
func (m *mediaState) addClosedPush(name string) {
	if slices.Contains(m.closedPushes, name) {
		return
	}
	if len(m.closedPushes) == maxClosedPushes {
		m.closedPushes = m.closedPushes[1:]
	}
	m.closedPushes = append(slices.Clip(m.closedPushes), name)
}

// applyPushStarted adds a push to a session. It counts as a beat, and makes the
// stream live again when its media was lost. It ignores a push that is open
// already, is older than the session or another push, or has ended.
func (r *Registry) applyPushStarted(index uint32, c *Observe, node *nodeState) {
	s := r.sessions[index]
	m := &s.media
	switch {
	case c.PushStartedAt != 0 && c.PushStartedAt+maxClockLag < s.stream.StartedAt, c.PushStartedAt > r.last.Time+maxClockLead:
		return // it belongs to another session
	case c.IsUnique && slices.Contains(m.closedPushes, c.Push):
		if c.PushStartedAt != 0 && len(m.openPushes) == 0 && !m.wasPublished {
			r.markMediaLost(index, c) // there was a push after all
		}
		return
	case c.PushStartedAt != 0 && c.PushStartedAt < m.newestStart:
		m.addClosedPush(c.Push)
		r.recordEvidence(index, c)
		return
	}
	m.newestStart = max(m.newestStart, c.PushStartedAt)
	r.renewLeaseAndMarkLive(index, node, ByEvidence)
	if m.openPushIndex(c.Push) < 0 {
		m.openPushAndCloseOlder(c)
	}
	r.markPublished(index, c)
}

// openPushAndCloseOlder adds a push to the open ones, and closes those that it replaces.
func (m *mediaState) openPushAndCloseOlder(c *Observe) {
	var open []push
	for _, o := range m.openPushes {
		if c.PushStartedAt != 0 && o.startedAt != 0 && o.startedAt < c.PushStartedAt {
			m.addClosedPush(o.name)
		} else {
			open = append(open, o)
		}
	}
	m.openPushes = append(open[max(0, len(open)-maxOpenPushes+1):], push{c.Push, c.PushStartedAt})
}

// applyPushOngoing makes a push the only open one: a media server accepts one
// publisher under a name. It is no beat, but makes a starting stream live.
func (r *Registry) applyPushOngoing(index uint32, c *Observe) {
	s := r.sessions[index]
	m := &s.media
	if len(m.openPushes) == 1 && m.openPushes[0].name == c.Push && r.clock-m.updatedAt < ongoingInterval {
		return
	}
	m.openPushes = []push{{c.Push, c.PushStartedAt}}
	r.markPublished(index, c)
	if s.stream.State == Starting {
		r.markLiveUnlessMediaLost(index, ByEvidence)
	}
}

// markPublished records that there is a push, and makes the stream live again
// when its media was lost.
func (r *Registry) markPublished(index uint32, c *Observe) {
	s := r.sessions[index]
	lost := s.media.isLost
	s.media.wasPublished, s.media.isLost, s.media.updatedAt = true, false, r.clock
	s.media.offlinePolls, s.media.failedPolls = 0, 0
	s.mediaNum = r.last.Num
	s.setEvidence(Evidence{Source: c.Source, Signal: c.Signal, At: r.last.Time, Detail: c.Push})
	r.markSessionChanged(index)
	r.updateMediaDeadline(index)
	switch le := &r.leases.all[index]; {
	case !lost:
	case le.misses > 0:
		r.changeStream(index, ByEvidence, func(st *Stream) { st.State, st.Away = Away, MissedBeat })
	default:
		r.markLiveUnlessMediaLost(index, ByEvidence)
	}
}

// applyPushEnded closes a push. Only the end of the last open push changes the
// stream. Ends of older pushes, of refused second publishers, and repeated ends
// do not.
func (r *Registry) applyPushEnded(index uint32, c *Observe) {
	s := r.sessions[index]
	m := &s.media
	at := m.openPushIndex(c.Push)
	if c.IsUnique && !slices.Contains(m.closedPushes, c.Push) {
		m.addClosedPush(c.Push) // its start may come later
		s.mediaNum = r.last.Num
		r.markSessionChanged(index)
	}
	if at < 0 {
		return
	}
	m.openPushes = slices.Delete(slices.Clone(m.openPushes), at, at+1)
	s.mediaNum = r.last.Num
	r.markSessionChanged(index)
	if len(m.openPushes) == 0 {
		r.markMediaLost(index, c)
	}
}

// markMediaLost makes a stream away because its last push has ended.
func (r *Registry) markMediaLost(index uint32, c *Observe) {
	s := r.sessions[index]
	m := &s.media
	if s.sources.Has(FromBeats) && r.leases.all[index].misses == 0 {
		r.conflicts[MediaEndAgainstBeats]++
	}
	m.wasPublished, m.isLost, m.updatedAt = true, true, r.clock
	m.offlinePolls, m.failedPolls = 0, 0
	r.recordEvidence(index, c)
	r.updateMediaDeadline(index)
	r.leases.all[index].flags |= leaseNotLive
	r.changeStream(index, ByEvidence, func(st *Stream) { st.State, st.Away = Away, MediaEnded })
}

// clampTimes moves times from a lost part of the log that lie in the future to
// the present.
func (m *mediaState) clampTimes(presenceNow int64) {
	m.updatedAt, m.lastPoll, m.offlineSince = min(m.updatedAt, presenceNow), min(m.lastPoll, presenceNow), min(m.offlineSince, presenceNow)
}

// HasOpenPush reports whether a session has an open push of that name.
func (r *Registry) HasOpenPush(s Session, name string) bool {
	i, live := r.bySession[s]
	return live && r.sessions[i].media.openPushIndex(name) >= 0
}

// HasAnyOpenPush reports whether a session has an open push.
func (r *Registry) HasAnyOpenPush(s Session) bool {
	i, live := r.bySession[s]
	return live && len(r.sessions[i].media.openPushes) > 0
}

func appendMediaState(b []byte, m *mediaState) []byte {
	b = appendList(b, m.openPushes, func(b []byte, p push) []byte { return appendInt(appendString(b, p.name), p.startedAt) })
	b = appendBool(appendBool(appendStrings(b, m.closedPushes), m.wasPublished), m.isLost)
	for _, v := range [...]int64{m.newestStart, m.updatedAt, m.lastPoll, m.offlineSince, int64(m.offlinePolls), int64(m.failedPolls)} {
		b = appendInt(b, v)
	}
	return b
}

func (r *decoder) mediaState() (m mediaState) {
	m.openPushes = readList(r, func() push { return push{r.string(), r.int()} })
	m.closedPushes, m.wasPublished, m.isLost = r.strings(), r.bool(), r.bool()
	m.newestStart, m.updatedAt, m.lastPoll, m.offlineSince = r.int(), r.int(), r.int(), r.int()
	offline, failed := r.int(), r.int()
	m.offlinePolls, m.failedPolls = int32(offline), int32(failed)
	switch {
	case len(m.openPushes) > maxOpenPushes, len(m.closedPushes) > maxClosedPushes, m.isLost && (!m.wasPublished || len(m.openPushes) > 0), len(m.openPushes) > 0 && !m.wasPublished,
		min(m.updatedAt, m.lastPoll, m.offlineSince, offline, failed) < 0, max(offline, failed) > maxPolls:
		r.fail()
	}
	return m
}

// mediaDeadline is the presence time at which a session ends without further
// media signals.
type mediaDeadline struct {
	at    int64
	index uint32
}

func newMediaDeadlines() *btree.BTreeG[mediaDeadline] {
	return btree.NewBTreeGOptions(func(a, b mediaDeadline) bool {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.index, b.index)) < 0
	}, btree.Options{NoLocks: true})
}

// nextMediaDeadline computes the session's media deadline, 0: none. It depends
// on media state, sources and settings alone, and so is not part of the state.
func (s *liveSession) nextMediaDeadline(settings *Settings) (presenceTime int64) {
	switch {
	case s.media.isLost:
		return max(1, s.media.updatedAt+settings.EndGrace)
	case s.sources.Has(FromBeats):
		return 0
	case s.sources.Has(FromPoll) && (s.media.wasPublished || !s.sources.Has(FromCallback)):
		return 0 // polls end it
	case !s.media.wasPublished:
		return max(1, s.media.updatedAt+settings.StartWithin)
	}
	return max(1, s.media.updatedAt+settings.CallbackOnly)
}

// updateMediaDeadline computes a session's media deadline anew.
func (r *Registry) updateMediaDeadline(index uint32) {
	s := r.sessions[index]
	at := s.nextMediaDeadline(&r.settings)
	if at == s.mediaDeadline {
		return
	}
	if s.mediaDeadline != 0 {
		r.mediaDeadlines.Delete(mediaDeadline{s.mediaDeadline, index})
	}
	if s.mediaDeadline = at; at != 0 {
		r.mediaDeadlines.Set(mediaDeadline{at, index})
	}
}

// updateMediaDeadlines computes all media deadlines anew, after a change of
// the settings.
func (r *Registry) updateMediaDeadlines() {
	for i, s := range r.sessions {
		if s != nil {
			r.updateMediaDeadline(uint32(i))
		}
	}
}

// restartMediaDeadlines gives every session that has a media deadline its full
// time again, because signals may have been lost.
func (r *Registry) restartMediaDeadlines() {
	var all []mediaDeadline
	r.mediaDeadlines.Scan(func(d mediaDeadline) bool {
		all = append(all, d)
		return true
	})
	for _, d := range all {
		r.sessions[d.index].media.updatedAt = r.clock
		r.markSessionChanged(d.index)
		r.updateMediaDeadline(d.index)
	}
}

// endSessionsLackingMedia ends the sessions whose media deadline lies before the watermark,
// in the order of deadlines.
func (r *Registry) endSessionsLackingMedia(watermark int64) {
	for {
		d, ok := r.mediaDeadlines.Min()
		if !ok || d.at >= watermark {
			return
		}
		r.endSession(d.index, StreamLost, "")
		r.changes[len(r.changes)-1].ExpiryLag = r.clock - d.at
	}
}
