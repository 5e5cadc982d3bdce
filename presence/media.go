package presence

import (
	"cmp"
	"slices"

	"github.com/tidwall/btree"
)

// mediaState is what the cloud or a media server said of a session's video. Its
// zero value: nothing.
type mediaState struct {
	// openPushes are the pushes that are under way, in the order in which they became
	// known. There is one, but for a second publisher that its media server is
	// about to refuse.
	openPushes []push
	// closedPushes are the last pushes that have ended, of those whose names never come
	// again: what is said of them late changes nothing.
	closedPushes []string
	newestStart  int64 // Since of the last of all
	wasPublished bool  // something was published once
	isLost       bool  // something was published, and nothing is any more
	// updatedAt is the presence time of the session's start; then of the last word
	// from the cloud, as far as it counts; while lost, of the loss.
	updatedAt int64

	lastPoll     int64 // the presence time of the last poll that counted
	offlineSince int64 // the presence time of the first poll of these:
	offlinePolls int32 // how many polls in a row said that nothing is published
	failedPolls  int32 // how many polls in a row brought no answer
}

// push is one connection that publishes.
type push struct {
	name      string
	startedAt int64 // as Observe.PushStartedAt
}

// Bounds of what is known of a session's pushes: the last ones are.
const (
	maxOpenPushes   = 4
	maxClosedPushes = 8
)

// ongoingInterval is how often a media server's word that a push goes on is noted
// when it tells nothing new, in milliseconds of presence time.
const ongoingInterval = 60_000

// maxClockLag is by how much a cloud's clock may be behind the log's, in
// milliseconds; its times are whole seconds.
const maxClockLag = 10_000

// maxClockLead is by how much it may be ahead, at the most. A push that says to begin
// later than that is made up: no other could ever be newer.
const maxClockLead = 5 * 60_000

// pushIndex is where a push stands among the open ones, -1: it does not.
func (m *mediaState) pushIndex(name string) int {
	return slices.IndexFunc(m.openPushes, func(p push) bool { return p.name == name })
}

// closePush notes that a push has ended.
func (m *mediaState) closePush(name string) {
	if slices.Contains(m.closedPushes, name) {
		return
	}
	if len(m.closedPushes) == maxClosedPushes {
		m.closedPushes = m.closedPushes[1:]
	}
	m.closedPushes = append(slices.Clip(m.closedPushes), name)
}

// applyPushStarted binds a push to a session. It counts as a beat, and brings the picture
// back. Nothing is changed by one that has begun already, that is older than the
// session or than another one, or whose end came before.
func (r *Registry) applyPushStarted(i uint32, c *Observe, p *nodeState) {
	s := r.sessions[i]
	m := &s.media
	switch {
	case c.PushStartedAt != 0 && c.PushStartedAt+maxClockLag < s.stream.StartedAt, c.PushStartedAt > r.last.Time+maxClockLead:
		return // its session was another one, or will be
	case c.IsUnique && slices.Contains(m.closedPushes, c.Push):
		if c.PushStartedAt != 0 && len(m.openPushes) == 0 && !m.wasPublished {
			r.markMediaLost(i, c) // there was a picture, after all
		}
		return
	case c.PushStartedAt != 0 && c.PushStartedAt < m.newestStart:
		m.closePush(c.Push)
		r.recordEvidence(i, c)
		return
	}
	m.newestStart = max(m.newestStart, c.PushStartedAt)
	r.renewLease(i, p, ByEvidence)
	if m.pushIndex(c.Push) < 0 {
		m.openPush(c)
	}
	r.markPublished(i, c)
}

// openPush adds a push to those that are open, in the place of those that the
// cloud has ended for it.
func (m *mediaState) openPush(c *Observe) {
	var open []push
	for _, o := range m.openPushes {
		if c.PushStartedAt != 0 && o.startedAt != 0 && o.startedAt < c.PushStartedAt {
			m.closePush(o.name)
		} else {
			open = append(open, o)
		}
	}
	m.openPushes = append(open[max(0, len(open)-maxOpenPushes+1):], push{c.Push, c.PushStartedAt})
}

// applyPushOngoing takes a media server's word that this one publishes, and so no other: a
// server lets one publish under a name. It is no beat, but for a session that
// was not heard before.
func (r *Registry) applyPushOngoing(i uint32, c *Observe) {
	s := r.sessions[i]
	m := &s.media
	if len(m.openPushes) == 1 && m.openPushes[0].name == c.Push && r.clock-m.updatedAt < ongoingInterval {
		return
	}
	m.openPushes = []push{{c.Push, c.PushStartedAt}}
	r.markPublished(i, c)
	if s.stream.State == Starting {
		r.markLive(i, ByEvidence)
	}
}

// markPublished notes that there is a picture, and brings back a stream whose
// picture was lost.
func (r *Registry) markPublished(i uint32, c *Observe) {
	s := r.sessions[i]
	lost := s.media.isLost
	s.media.wasPublished, s.media.isLost, s.media.updatedAt = true, false, r.clock
	s.media.offlinePolls, s.media.failedPolls = 0, 0
	s.mediaNum = r.last.Num
	s.setEvidence(Evidence{Source: c.Source, Signal: c.Signal, At: r.last.Time, Detail: c.Push})
	r.markSessionChanged(i)
	r.scheduleMediaDeadline(i)
	switch le := &r.leases.all[i]; {
	case !lost:
	case le.misses > 0:
		r.changeStream(i, ByEvidence, func(st *Stream) { st.State, st.Away = Away, MissedBeat })
	default:
		r.markLive(i, ByEvidence)
	}
}

// applyPushEnded takes the end of a push. Only the end of the last one that is known
// to publish means anything: an old push's, a refused second publisher's, a
// repeated or late one changes nothing.
func (r *Registry) applyPushEnded(i uint32, c *Observe) {
	s := r.sessions[i]
	m := &s.media
	at := m.pushIndex(c.Push)
	if c.IsUnique && !slices.Contains(m.closedPushes, c.Push) {
		m.closePush(c.Push) // its begin may be on its way yet
		s.mediaNum = r.last.Num
		r.markSessionChanged(i)
	}
	if at < 0 {
		return
	}
	m.openPushes = slices.Delete(slices.Clone(m.openPushes), at, at+1)
	s.mediaNum = r.last.Num
	r.markSessionChanged(i)
	if len(m.openPushes) == 0 {
		r.markMediaLost(i, c)
	}
}

// markMediaLost makes a stream away whose last push has ended.
func (r *Registry) markMediaLost(i uint32, c *Observe) {
	s := r.sessions[i]
	m := &s.media
	if s.sources.Has(FromBeats) && r.leases.all[i].misses == 0 {
		r.conflicts[MediaEndAgainstBeats]++
	}
	m.wasPublished, m.isLost, m.updatedAt = true, true, r.clock
	m.offlinePolls, m.failedPolls = 0, 0
	r.recordEvidence(i, c)
	r.scheduleMediaDeadline(i)
	r.leases.all[i].flags |= leaseNotLive
	r.changeStream(i, ByEvidence, func(st *Stream) { st.State, st.Away = Away, MediaEnded })
}

// clampTimes keeps times of a history that was lost out of this one's future.
func (m *mediaState) clampTimes(clock int64) {
	m.updatedAt, m.lastPoll, m.offlineSince = min(m.updatedAt, clock), min(m.lastPoll, clock), min(m.offlineSince, clock)
}

// HasPush reports whether a push is known to be under way for a session.
func (r *Registry) HasPush(s Session, media string) bool {
	i, live := r.bySession[s]
	return live && r.sessions[i].media.pushIndex(media) >= 0
}

// HasAnyPush reports whether any push is known to be under way for a session.
func (r *Registry) HasAnyPush(s Session) bool {
	i, live := r.bySession[s]
	return live && len(r.sessions[i].media.openPushes) > 0
}

func (m *mediaState) append(b []byte) []byte {
	b = appendUint(b, uint64(len(m.openPushes)))
	for _, o := range m.openPushes {
		b = appendInt(appendString(b, o.name), o.startedAt)
	}
	b = appendBool(appendBool(appendStrings(b, m.closedPushes), m.wasPublished), m.isLost)
	for _, v := range [...]int64{m.newestStart, m.updatedAt, m.lastPoll, m.offlineSince, int64(m.offlinePolls), int64(m.failedPolls)} {
		b = appendInt(b, v)
	}
	return b
}

func (r *reader) mediaState() (m mediaState) {
	for range r.length() {
		m.openPushes = append(m.openPushes, push{r.string(), r.int()})
	}
	m.closedPushes, m.wasPublished, m.isLost = r.strings(), r.bool(), r.bool()
	m.newestStart, m.updatedAt, m.lastPoll, m.offlineSince = r.int(), r.int(), r.int(), r.int()
	offline, blind := r.int(), r.int()
	m.offlinePolls, m.failedPolls = int32(offline), int32(blind)
	switch {
	case len(m.openPushes) > maxOpenPushes, len(m.closedPushes) > maxClosedPushes, m.isLost && (!m.wasPublished || len(m.openPushes) > 0), len(m.openPushes) > 0 && !m.wasPublished,
		min(m.updatedAt, m.lastPoll, m.offlineSince, offline, blind) < 0, max(offline, blind) > maxPolls:
		r.fail()
	}
	return m
}

// mediaDeadline is when a session ends for want of a picture, in presence time.
type mediaDeadline struct {
	at    int64
	index uint32
}

func newMediaDeadlines() *btree.BTreeG[mediaDeadline] {
	return btree.NewBTreeGOptions(func(a, b mediaDeadline) bool {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.index, b.index)) < 0
	}, btree.Options{NoLocks: true})
}

// nextMediaDeadline is when the session ends unless the cloud says something, 0: never.
// It is a function of what was said and of the settings, so that it is no
// state.
func (s *liveSession) nextMediaDeadline(by *Settings) int64 {
	switch {
	case s.media.isLost:
		return max(1, s.media.updatedAt+by.EndGrace)
	case s.sources.Has(FromBeats):
		return 0
	case s.sources.Has(FromPoll) && (s.media.wasPublished || !s.sources.Has(FromCallback)):
		return 0 // the poller ends it, when it knows
	case !s.media.wasPublished:
		return max(1, s.media.updatedAt+by.StartWithin)
	}
	return max(1, s.media.updatedAt+by.CallbackOnly)
}

// scheduleMediaDeadline finds out anew when a session ends for want of a picture.
func (r *Registry) scheduleMediaDeadline(i uint32) {
	s := r.sessions[i]
	at := s.nextMediaDeadline(&r.settings)
	if at == s.mediaDeadline {
		return
	}
	if s.mediaDeadline != 0 {
		r.mediaDeadlines.Delete(mediaDeadline{s.mediaDeadline, i})
	}
	if s.mediaDeadline = at; at != 0 {
		r.mediaDeadlines.Set(mediaDeadline{at, i})
	}
}

// rescheduleMediaDeadlines is appoint for every session, after a change of the settings.
func (r *Registry) rescheduleMediaDeadlines() {
	for i, s := range r.sessions {
		if s != nil {
			r.scheduleMediaDeadline(uint32(i))
		}
	}
}

// restartDueMediaDeadlines gives every session whose end is due its whole time again: what the
// cloud said meanwhile may be lost.
func (r *Registry) restartDueMediaDeadlines() {
	var all []mediaDeadline
	r.mediaDeadlines.Scan(func(d mediaDeadline) bool {
		all = append(all, d)
		return true
	})
	for _, d := range all {
		r.sessions[d.index].media.updatedAt = r.clock
		r.markSessionChanged(d.index)
		r.scheduleMediaDeadline(d.index)
	}
}

// expireMedia ends the sessions that were without a picture for too long, in the
// order of their deadlines, once every living node has spoken since.
func (r *Registry) expireMedia(heard int64) {
	for {
		d, ok := r.mediaDeadlines.Min()
		if !ok || d.at >= heard {
			return
		}
		r.endSession(d.index, StreamLost, "")
		r.changes[len(r.changes)-1].ExpiryLag = r.clock - d.at
	}
}
