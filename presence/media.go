package presence

import (
	"cmp"
	"slices"

	"github.com/tidwall/btree"
)

// media is what the cloud or a media server said of a session's video. Its
// zero value: nothing.
type media struct {
	// open are the media sessions that publish, in the order in which they
	// began. There is one, but for a second publisher that its media server is
	// about to refuse.
	open []string
	seen bool // something was published once
	lost bool // something was published, and nothing is any more
	// since is the presence time of the session's start; then of the last word
	// from the cloud, as far as it counts; while lost, of the loss.
	since int64
}

// maxOpen bounds open: the last to begin are those that are known.
const maxOpen = 4

// goingEvery is how often a media server's word that a push goes on is noted
// when it tells nothing new, in milliseconds of presence time.
const goingEvery = 60_000

// begun binds a media session to ours. It counts as a beat, and brings the
// picture back. One that has begun already changes nothing.
func (r *Registry) begun(i uint32, c *Observe, p *peer) {
	r.hear(i, p, ByEvidence)
	m := &r.sessions[i].media
	if !slices.Contains(m.open, c.Media) {
		if len(m.open) == maxOpen {
			m.open = m.open[1:]
		}
		m.open = append(slices.Clip(m.open), c.Media)
	}
	r.published(i, c)
}

// going takes a media server's word that this one publishes, and so no other: a
// server lets one publish under a name. It is no beat, but for a session that
// was not heard before.
func (r *Registry) going(i uint32, c *Observe) {
	s := r.sessions[i]
	m := &s.media
	if len(m.open) == 1 && m.open[0] == c.Media && r.clock-m.since < goingEvery {
		return
	}
	m.open = []string{c.Media}
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

// finished takes the end of a media session. Only the end of the last one that
// is known to publish means anything: an old push's, a refused second
// publisher's, a repeated or late one changes nothing.
func (r *Registry) finished(i uint32, c *Observe) {
	s := r.sessions[i]
	at := slices.Index(s.media.open, c.Media)
	if at < 0 {
		return
	}
	s.media.open = slices.Delete(slices.Clone(s.media.open), at, at+1)
	s.filmed = r.last.Num
	r.touch(i)
	if len(s.media.open) > 0 {
		return
	}
	s.media.lost, s.media.since = true, r.clock
	s.witness(Evidence{Source: c.Source, Sign: c.Sign, At: r.last.Time, Detail: c.Media})
	r.appoint(i)
	r.leases.all[i].flags |= leaseQuiet
	r.change(i, ByEvidence, func(st *Stream) { st.State, st.Away = Away, MediaEnded })
}

// Pushing reports whether a media session is known to publish for one of ours.
func (r *Registry) Pushing(s Session, media string) bool {
	i, live := r.bySession[s]
	return live && slices.Contains(r.sessions[i].media.open, media)
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
