package presence

import (
	"cmp"
	"slices"

	"github.com/tidwall/btree"
)

// media is what the cloud or a media server said of a session's video. Its
// zero value: nothing.
type media struct {
	// open are the pushes that are under way, in the order in which they became
	// known. There is one, but for a second publisher that its media server is
	// about to refuse.
	open []push
	// closed are the last pushes that have ended, of those whose names never come
	// again: what is said of them late changes nothing.
	closed []string
	newest int64 // Since of the last of all
	seen   bool  // something was published once
	lost   bool  // something was published, and nothing is any more
	// since is the presence time of the session's start; then of the last word
	// from the cloud, as far as it counts; while lost, of the loss.
	since int64

	polled  int64 // the presence time of the last poll that counted
	quiet   int64 // the presence time of the first poll of these:
	offline int32 // how many polls in a row said that nothing is published
	blind   int32 // how many polls in a row brought no answer
}

// push is one connection that publishes.
type push struct {
	name  string
	since int64 // as Observe.Since
}

// Bounds of what is known of a session's pushes: the last ones are.
const (
	maxOpen   = 4
	maxClosed = 8
)

// goingEvery is how often a media server's word that a push goes on is noted
// when it tells nothing new, in milliseconds of presence time.
const goingEvery = 60_000

// clockSkew is by how much a cloud's clock may be behind the log's, in
// milliseconds; its times are whole seconds.
const clockSkew = 10_000

// maxAhead is by how much it may be ahead, at the most. A push that says to begin
// later than that is made up: no other could ever be newer.
const maxAhead = 5 * 60_000

// at is where a push stands among the open ones, -1: it does not.
func (m *media) at(name string) int {
	return slices.IndexFunc(m.open, func(p push) bool { return p.name == name })
}

// shut notes that a push has ended.
func (m *media) shut(name string) {
	if slices.Contains(m.closed, name) {
		return
	}
	if len(m.closed) == maxClosed {
		m.closed = m.closed[1:]
	}
	m.closed = append(slices.Clip(m.closed), name)
}

// begun binds a push to a session. It counts as a beat, and brings the picture
// back. Nothing is changed by one that has begun already, that is older than the
// session or than another one, or whose end came before.
func (r *Registry) begun(i uint32, c *Observe, p *peer) {
	s := r.sessions[i]
	m := &s.media
	switch {
	case c.Since != 0 && c.Since+clockSkew < s.stream.StartedAt, c.Since > r.last.Time+maxAhead:
		return // its session was another one, or will be
	case c.Unique && slices.Contains(m.closed, c.Media):
		if c.Since != 0 && len(m.open) == 0 && !m.seen {
			r.lost(i, c) // there was a picture, after all
		}
		return
	case c.Since != 0 && c.Since < m.newest:
		m.shut(c.Media)
		r.noted(i, c)
		return
	}
	m.newest = max(m.newest, c.Since)
	r.hear(i, p, ByEvidence)
	if m.at(c.Media) < 0 {
		m.replace(c)
	}
	r.published(i, c)
}

// replace adds a push to those that are open, in the place of those that the
// cloud has ended for it.
func (m *media) replace(c *Observe) {
	var open []push
	for _, o := range m.open {
		if c.Since != 0 && o.since != 0 && o.since < c.Since {
			m.shut(o.name)
		} else {
			open = append(open, o)
		}
	}
	m.open = append(open[max(0, len(open)-maxOpen+1):], push{c.Media, c.Since})
}

// going takes a media server's word that this one publishes, and so no other: a
// server lets one publish under a name. It is no beat, but for a session that
// was not heard before.
func (r *Registry) going(i uint32, c *Observe) {
	s := r.sessions[i]
	m := &s.media
	if len(m.open) == 1 && m.open[0].name == c.Media && r.clock-m.since < goingEvery {
		return
	}
	m.open = []push{{c.Media, c.Since}}
	r.published(i, c)
	if s.stream.State == Starting {
		r.enliven(i, ByEvidence)
	}
}

// published notes that there is a picture, and brings back a stream whose
// picture was lost.
func (r *Registry) published(i uint32, c *Observe) {
	s := r.sessions[i]
	lost := s.media.lost
	s.media.seen, s.media.lost, s.media.since = true, false, r.clock
	s.media.offline, s.media.blind = 0, 0
	s.filmed = r.last.Num
	s.witness(Evidence{Source: c.Source, Sign: c.Sign, At: r.last.Time, Detail: c.Media})
	r.touch(i)
	r.appoint(i)
	switch le := &r.leases.all[i]; {
	case !lost:
	case le.misses > 0:
		r.change(i, ByEvidence, func(st *Stream) { st.State, st.Away = Away, MissedBeat })
	default:
		r.enliven(i, ByEvidence)
	}
}

// finished takes the end of a push. Only the end of the last one that is known
// to publish means anything: an old push's, a refused second publisher's, a
// repeated or late one changes nothing.
func (r *Registry) finished(i uint32, c *Observe) {
	s := r.sessions[i]
	m := &s.media
	at := m.at(c.Media)
	if c.Unique && !slices.Contains(m.closed, c.Media) {
		m.shut(c.Media) // its begin may be on its way yet
		s.filmed = r.last.Num
		r.touch(i)
	}
	if at < 0 {
		return
	}
	m.open = slices.Delete(slices.Clone(m.open), at, at+1)
	s.filmed = r.last.Num
	r.touch(i)
	if len(m.open) == 0 {
		r.lost(i, c)
	}
}

// lost makes a stream away whose last push has ended.
func (r *Registry) lost(i uint32, c *Observe) {
	s := r.sessions[i]
	m := &s.media
	if s.sources.Has(FromBeats) && r.leases.all[i].misses == 0 {
		r.conflicts[MediaEndAgainstBeats]++
	}
	m.seen, m.lost, m.since = true, true, r.clock
	m.offline, m.blind = 0, 0
	r.noted(i, c)
	r.appoint(i)
	r.leases.all[i].flags |= leaseQuiet
	r.change(i, ByEvidence, func(st *Stream) { st.State, st.Away = Away, MediaEnded })
}

// inClock keeps times of a history that was lost out of this one's future.
func (m *media) inClock(clock int64) {
	m.since, m.polled, m.quiet = min(m.since, clock), min(m.polled, clock), min(m.quiet, clock)
}

// Pushing reports whether a push is known to be under way for a session.
func (r *Registry) Pushing(s Session, media string) bool {
	i, live := r.bySession[s]
	return live && r.sessions[i].media.at(media) >= 0
}

// Pushed reports whether any push is known to be under way for a session.
func (r *Registry) Pushed(s Session) bool {
	i, live := r.bySession[s]
	return live && len(r.sessions[i].media.open) > 0
}

func (m *media) append(b []byte) []byte {
	b = appendUint(b, uint64(len(m.open)))
	for _, o := range m.open {
		b = appendInt(appendString(b, o.name), o.since)
	}
	b = appendBool(appendBool(appendStrings(b, m.closed), m.seen), m.lost)
	for _, v := range [...]int64{m.newest, m.since, m.polled, m.quiet, int64(m.offline), int64(m.blind)} {
		b = appendInt(b, v)
	}
	return b
}

func (r *reader) media() (m media) {
	for range r.count() {
		m.open = append(m.open, push{r.string(), r.int()})
	}
	m.closed, m.seen, m.lost = r.strings(), r.bool(), r.bool()
	m.newest, m.since, m.polled, m.quiet = r.int(), r.int(), r.int(), r.int()
	offline, blind := r.int(), r.int()
	m.offline, m.blind = int32(offline), int32(blind)
	switch {
	case len(m.open) > maxOpen, len(m.closed) > maxClosed, m.lost && (!m.seen || len(m.open) > 0), len(m.open) > 0 && !m.seen,
		min(m.since, m.polled, m.quiet, offline, blind) < 0, max(offline, blind) > maxPolls:
		r.fail()
	}
	return m
}

// due is when a session ends for want of a picture, in presence time.
type due struct {
	at    int64
	index uint32
}

func newDues() *btree.BTreeG[due] {
	return btree.NewBTreeGOptions(func(a, b due) bool {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.index, b.index)) < 0
	}, btree.Options{NoLocks: true})
}

// deadline is when the session ends unless the cloud says something, 0: never.
// It is a function of what was said and of the settings, so that it is no
// state.
func (s *session) deadline(by *Settings) int64 {
	switch {
	case s.media.lost:
		return max(1, s.media.since+by.EndGrace)
	case s.sources.Has(FromBeats):
		return 0
	case s.sources.Has(FromPoll) && (s.media.seen || !s.sources.Has(FromCallback)):
		return 0 // the poller ends it, when it knows
	case !s.media.seen:
		return max(1, s.media.since+by.StartWithin)
	}
	return max(1, s.media.since+by.CallbackOnly)
}

// appoint finds out anew when a session ends for want of a picture.
func (r *Registry) appoint(i uint32) {
	s := r.sessions[i]
	at := s.deadline(&r.settings)
	if at == s.due {
		return
	}
	if s.due != 0 {
		r.dues.Delete(due{s.due, i})
	}
	if s.due = at; at != 0 {
		r.dues.Set(due{at, i})
	}
}

// appointAll is appoint for every session, after a change of the settings.
func (r *Registry) appointAll() {
	for i, s := range r.sessions {
		if s != nil {
			r.appoint(uint32(i))
		}
	}
}

// excuse gives every session whose end is due its whole time again: what the
// cloud said meanwhile may be lost.
func (r *Registry) excuse() {
	var all []due
	r.dues.Scan(func(d due) bool {
		all = append(all, d)
		return true
	})
	for _, d := range all {
		r.sessions[d.index].media.since = r.clock
		r.touch(d.index)
		r.appoint(d.index)
	}
}

// losePictures ends the sessions that were without a picture for too long, in the
// order of their deadlines, once every living node has spoken since.
func (r *Registry) losePictures(heard int64) {
	for {
		d, ok := r.dues.Min()
		if !ok || d.at >= heard {
			return
		}
		r.end(d.index, StreamLost, "")
		r.changes[len(r.changes)-1].Lag = r.clock - d.at
	}
}
