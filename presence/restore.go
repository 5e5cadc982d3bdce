package presence

import "slices"

// Restore puts back a session that the log has lost, or the parts of it that
// changed in what was lost. It never undoes what the log has come to since: it
// is refused when the session has ended, when its anchor is banned, when
// another anchor has its code, and when its anchor has started since.
type Restore struct {
	// Lost is the number of the first entry that the log has lost.
	Lost  uint64
	Terms LeaseParams
	Keys  []string // by which its client may ask for it again, see keyName

	session *session
}

func (*Restore) kind() kind { return kindRestore }

func (*Restore) durable() bool { return true }

func (c *Restore) encode(b []byte) []byte {
	b = appendStrings(appendUint(b, c.Lost), c.Keys)
	b = appendLeaseParams(b, c.Terms)
	return appendLikes(appendSession(b, c.session), c.session.likes)
}

func (c *Restore) decode(r *reader) {
	c.Lost, c.Keys = r.uint(), r.strings()
	c.Terms = r.leaseParams()
	c.session = r.whole()
	c.session.likes = r.likes()
	if !c.Terms.areValid() {
		r.fail()
	}
}

// restore puts back a session, or what of it was lost.
func (c *Restore) apply(r *Registry, _ *peer) Result {
	was := c.session.stream
	if i, live := r.bySession[was.Session]; live {
		r.mend(i, c)
		return r.granted(i)
	}
	if r.ended.bySession[was.Session] != nil {
		return r.gone(was.Session)
	}
	if _, banned := r.Banned(was.Anchor); banned {
		return Result{Refusal: AnchorBanned}
	}
	if i, taken := r.byCode[was.Code]; taken && r.sessions[i].stream.Anchor != was.Anchor {
		return Result{Refusal: CodeTaken}
	}
	if i, live := r.byAnchor[was.Anchor]; live {
		if !r.twin(i, c) && r.newer(i, c) {
			return Result{Refusal: AlreadyLive, Stream: r.sessions[i].stream}
		}
		r.end(i, TakenOver, "")
	}
	i := r.putBack(c)
	r.relearn(c.Keys, was.Session)
	return r.granted(i)
}

// newer reports whether a live session is to stay rather than to give way to
// an older node's one of the same anchor. One that was put back as well, and is
// heard again, is where its anchor is, whatever the clock said at their starts.
func (r *Registry) newer(i uint32, c *Restore) bool {
	live := r.sessions[i]
	if live.born != 0 {
		return live.born >= c.Lost
	}
	return r.leases.all[i].via != 0 || live.stream.StartedAt >= c.session.stream.StartedAt
}

// twin reports whether a live session was begun by the same start as one that is
// put back, which was tried twice, and only of the latter there is a sign that its
// client was told of it.
func (r *Registry) twin(i uint32, c *Restore) bool {
	s := r.sessions[i]
	return !s.takenUp() && c.session.takenUp() && slices.ContainsFunc(c.Keys, func(name string) bool {
		k, known := r.keys.byName[name]
		return known && k.session == s.stream.Session
	})
}

// takenUp reports whether a client has beaten for a session, or asked for it again.
func (s *session) takenUp() bool { return s.stream.State != Starting || s.moved != s.born }

// putBack enters a lost session under an index of its own, with its lease in
// full: whoever held it may have been beating all the while.
func (r *Registry) putBack(c *Restore) uint32 {
	i := r.allocate()
	s, st := *c.session, *c.session.stream
	st.Index, st.Viewers = i, 0 // whoever has viewers of it says so again
	s.stream, s.born = &st, 0
	s.back = nil
	r.repaired(&s, partTold, c.Lost, c.session.told)
	r.repaired(&s, partMoved, c.Lost, c.session.moved)
	r.repaired(&s, partFilmed, c.Lost, c.session.filmed)
	s.media.inClock(r.clock)
	s.likes = slices.Clone(s.likes)
	r.insert(i, &s)
	r.leases.begin(i, st.Session.tag(), 0, r.clock, !s.sources.Has(FromBeats))
	le := &r.leases.all[i]
	if st.State == Live {
		le.flags &^= leaseQuiet
	}
	// A shorter interval than the present one would end before the lease is looked
	// at, which it is by the present terms: then they are what it gets.
	if c.Terms.Interval >= r.settings.Interval {
		if use, room := r.leases.fit(c.Terms); room {
			le.terms = use
		}
	}
	r.appoint(i)
	r.touch(i)
	r.changes = append(r.changes, Change{New: &st, Cause: ByRepair, Holder: s.holder})
	return i
}

// mend takes over the parts of a live session that changed in what was lost,
// unless they have changed again since.
func (r *Registry) mend(i uint32, c *Restore) {
	s, was := r.sessions[i], c.session
	if s.lags(was, partTold, c.Lost) {
		r.repaired(s, partTold, c.Lost, was.told)
		r.change(i, ByRepair, func(st *Stream) {
			st.Details = was.stream.Details
		})
	}
	if was.stream.State != Starting && s.stream.State == Starting {
		r.enliven(i, ByRepair) // it was heard, and its lease is full
	}
	if s.lags(was, partMoved, c.Lost) {
		r.repaired(s, partMoved, c.Lost, was.moved)
		s.holder, s.attached = was.holder, was.attached
		s.rewitness(was, FromSocket)
		r.touch(i)
		r.changes = append(r.changes, Change{Old: s.stream, New: s.stream, Cause: ByRepair, Holder: s.holder})
	}
	if s.lags(was, partFilmed, c.Lost) {
		r.repaired(s, partFilmed, c.Lost, was.filmed)
		r.mendMedia(i, was)
	}
	if first := was.stream.StartedAt; first < s.stream.StartedAt { // its start came again
		r.change(i, ByRepair, func(st *Stream) { st.StartedAt = first })
	}
	liked := int64(0)
	for _, l := range was.likes {
		liked += max(0, s.like(l.by, l.n))
	}
	if liked > 0 {
		r.change(i, ByCounts, func(st *Stream) { st.Likes += liked })
	}
}

// mendMedia takes over what the cloud said of a push.
func (r *Registry) mendMedia(i uint32, was *session) {
	s := r.sessions[i]
	s.media = was.media
	s.media.inClock(r.clock)
	s.rewitness(was, FromCallback)
	s.rewitness(was, FromPoll)
	r.appoint(i)
	r.touch(i)
	st := s.stream
	if st.State == was.stream.State && st.Away == was.stream.Away || s.media.lost != (was.stream.Away == MediaEnded) {
		return
	}
	le := &r.leases.all[i]
	if le.flags &^= leaseQuiet; was.stream.State != Live {
		le.flags |= leaseQuiet
	}
	r.change(i, ByRepair, func(st *Stream) {
		st.State, st.Away, st.Shown = was.stream.State, was.stream.Away, was.stream.Shown
	})
}

// rewitness takes over what another registry knows from a source.
func (s *session) rewitness(was *session, source Source) {
	for _, e := range was.evidence {
		if e.Source == source {
			s.witness(e)
		}
	}
}

// The parts of a session that change apart from each other.
const (
	partTold = iota
	partMoved
	partFilmed
	parts
)

// repaired is where a part that was put back comes from: a node that had read
// less of what was lost may have been first.
type repaired struct {
	lost uint64 // the first entry that was lost
	at   uint64 // the entry that put it back
	was  uint64 // the entry, of those that were lost, that changed it
}

// changedAt is the number of the entry that last changed a part.
func (s *session) changedAt(part int) *uint64 {
	return [parts]*uint64{&s.told, &s.moved, &s.filmed}[part]
}

// lags reports whether a part was changed in what was lost, and was neither
// changed since, nor put back as it was at that entry or a later one.
func (s *session) lags(was *session, part int, lost uint64) bool {
	at, then := *s.changedAt(part), *was.changedAt(part)
	if then < lost || at < lost || s.back == nil {
		return then >= lost && at < lost
	}
	b := s.back[part]
	return b.lost == lost && b.at == at && then > b.was
}

// changed reports whether something of a session was changed in what was lost.
func changed(was, is *session, lost uint64) bool {
	return is.lags(was, partTold, lost) || is.lags(was, partMoved, lost) || is.lags(was, partFilmed, lost) ||
		was.stream.State != Starting && is.stream.State == Starting ||
		was.stream.Likes > is.stream.Likes ||
		was.stream.StartedAt < is.stream.StartedAt
}

// repaired notes that a part was put back as it was at an entry.
func (r *Registry) repaired(s *session, part int, lost, was uint64) {
	if s.back == nil {
		s.back = &[parts]repaired{}
	}
	*s.changedAt(part) = r.last.Num
	s.back[part] = repaired{lost: lost, at: r.last.Num, was: was}
}

// Bury ends a session of which the log has lost the end, and has it remembered
// as it was.
type Bury struct {
	Lost uint64 // as a Restore's
	Keys []string

	ended *Ended
}

func (*Bury) kind() kind { return kindBury }

func (*Bury) durable() bool { return true }

func (c *Bury) encode(b []byte) []byte {
	return appendEnded(appendStrings(appendUint(b, c.Lost), c.Keys), c.ended)
}

func (c *Bury) decode(r *reader) {
	c.Lost, c.Keys, c.ended = r.uint(), r.strings(), r.ended()
}

// bury ends a session again. One that was ended by silence stays, when it was
// heard of since: it was alive after all.
func (c *Bury) apply(r *Registry, _ *peer) Result {
	e := *c.ended
	s := e.Stream.Session
	if known := r.ended.bySession[s]; known != nil {
		return Result{Stream: known.Stream, Ended: known, Again: true}
	}
	i, live := r.bySession[s]
	if live && (e.Reason == MissedBeats || e.Reason == StreamLost) && r.heardSince(i, c.Lost) {
		return r.granted(i)
	}
	if live {
		r.finish(i, &e)
	} else {
		r.keep(&e)
	}
	r.relearn(c.Keys, s)
	return Result{Stream: e.Stream, Ended: &e}
}

// heardSince reports whether a lease was renewed after the log lost the entry of
// that number and all that followed.
func (r *Registry) heardSince(i uint32, lost uint64) bool {
	return r.clock-r.leases.all[i].lastAt(r.clock) < r.TimeSinceLoss(lost-1)
}

// relearn remembers keys again. One that was for another session goes over when
// that one is not live.
func (r *Registry) relearn(names []string, s Session) {
	for _, name := range names {
		k, known := r.keys.byName[name]
		_, live := r.bySession[k.session]
		switch {
		case name == "" || live || known && k.session == s:
		case known:
			r.keys.change(name, s)
			if r.dirty != nil {
				r.mark(recordStartKey, r.keys.find(name))
			}
		default:
			r.mark(recordStartKey, r.keys.add(name, s, r.clock))
		}
	}
}
