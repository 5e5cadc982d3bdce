package presence

import (
	"maps"
	"slices"
)

// Restore puts back a session that the log has lost, or the parts of it that
// changed in what was lost. It never undoes what the log has come to since: it
// is refused when the session has ended, when its anchor is banned, when
// another anchor has its code, and when its anchor has started since.
type Restore struct {
	// Lost is the number of the first entry that the log has lost.
	Lost  uint64
	Terms Terms
	Keys  []string // by which its client may ask for it again, see keyName

	session *session
}

// Terms are what a session's lease runs by, in milliseconds but for Missed.
type Terms struct{ Interval, Missed, Grace int64 }

// Bury ends a session of which the log has lost the end, and has it remembered
// as it was.
type Bury struct {
	Lost uint64 // as a Restore's
	Keys []string

	ended *Ended
}

func (*Restore) kind() kind    { return kindRestore }
func (*Bury) kind() kind       { return kindBury }
func (*Restore) durable() bool { return true }
func (*Bury) durable() bool    { return true }

func (c *Restore) encode(b []byte) []byte {
	b = appendStrings(appendUint(b, c.Lost), c.Keys)
	for _, v := range [...]int64{c.Terms.Interval, c.Terms.Missed, c.Terms.Grace} {
		b = appendInt(b, v)
	}
	return appendLikes(appendSession(b, c.session), c.session.likes)
}

func (c *Restore) decode(r *reader) {
	c.Lost, c.Keys = r.uint(), r.strings()
	c.Terms = Terms{r.int(), r.int(), r.int()}
	c.session = r.whole()
	c.session.likes = r.likes()
	if (Settings{Interval: c.Terms.Interval, Missed: c.Terms.Missed, Grace: c.Terms.Grace}).Check() != nil {
		r.fail()
	}
}

func (c *Bury) encode(b []byte) []byte {
	return appendEnded(appendStrings(appendUint(b, c.Lost), c.Keys), c.ended)
}

func (c *Bury) decode(r *reader) {
	c.Lost, c.Keys, c.ended = r.uint(), r.strings(), r.ended()
}

// restore puts back a session, or what of it was lost.
func (r *Registry) restore(c *Restore) Result {
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
	i := r.free.get()
	for int(i) >= len(r.sessions) {
		r.sessions = append(r.sessions, nil)
	}
	s, st := *c.session, *c.session.stream
	st.Index, st.Viewers = i, 0 // whoever has viewers of it says so again
	s.stream, s.born = &st, 0
	s.back = nil
	r.repaired(&s, partTold, c.Lost, c.session.told)
	r.repaired(&s, partMoved, c.Lost, c.session.moved)
	r.repaired(&s, partFilmed, c.Lost, c.session.filmed)
	s.media.inClock(r.clock)
	s.likes = slices.Clone(s.likes)
	r.sessions[i] = &s
	r.bySession[st.Session], r.byCode[st.Code], r.byAnchor[st.Anchor] = i, i, i
	r.leases.begin(i, st.Session.tag(), 0, r.clock, !s.sources.Has(FromBeats))
	le := &r.leases.all[i]
	if st.State == Live {
		le.flags &^= leaseQuiet
	}
	// A shorter interval than the present one would end before the lease is looked
	// at, which it is by the present terms: then they are what it gets.
	if c.Terms.Interval >= r.settings.Interval {
		if use, room := r.leases.fit(terms{c.Terms.Interval, c.Terms.Missed, c.Terms.Grace}); room {
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
			st.Title, st.Cover, st.Tags, st.Extra = was.stream.Title, was.stream.Cover, was.stream.Tags, was.stream.Extra
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

// repaired notes that a part was put back as it was at an entry.
func (r *Registry) repaired(s *session, part int, lost, was uint64) {
	if s.back == nil {
		s.back = &[parts]repaired{}
	}
	*s.changedAt(part) = r.last.Num
	s.back[part] = repaired{lost: lost, at: r.last.Num, was: was}
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

// bury ends a session again. One that was ended by silence stays, when it was
// heard of since: it was alive after all.
func (r *Registry) bury(c *Bury) Result {
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

// SessionScope selects the sessions that RestoreCommands restores.
type SessionScope uint8

// The scopes there are.
const (
	OwnSessions SessionScope = iota // those whose lease the node renewed last
	AllSessions
)

// RestoreCommands returns the commands by which a node restores what the old
// registry has and the current one lacks, because the log lost all entries after
// lastShared: ends first, then bans, then the sessions of the scope. Each node
// starts at another session, so that nodes do not restore the same ones at once.
func RestoreCommands(old, current *Registry, lastShared uint64, node string, scope SessionScope) []Command {
	l := &losing{old: old, now: current, lost: lastShared + 1, keys: map[Session][]string{}}
	if have := old.settings; have.Revision > current.settings.Revision {
		l.found = append(l.found, &SetSettings{have}) // by which the sessions are then judged
	}
	l.ends()
	l.bans()
	first := len(l.found)
	l.sessions(node, scope)
	before, of := current.peers.rank(node)
	sessions := l.found[first:]
	from := len(sessions) * before / of
	l.found = slices.Concat(l.found[:first], sessions[from:], sessions[:from])
	l.recordings()
	l.effects()
	l.addKeys()
	return l.found
}

// CanRestore reports whether a command of RestoreCommands still has something to
// restore: while it waits, other nodes restore the same.
func (r *Registry) CanRestore(c Command) bool {
	switch c := c.(type) {
	case *Restore:
		i, live := r.bySession[c.session.stream.Session]
		if live {
			return changed(c.session, r.sessions[i], c.Lost)
		}
		return r.ended.bySession[c.session.stream.Session] == nil
	case *Bury:
		return r.ended.bySession[c.ended.Stream.Session] == nil
	case *AddRecording:
		return r.recordings.byID[c.Recording.ID] == nil
	case *Reopen:
		_, was := r.known(reopenKey, "", c.effect.ID.String())
		return !was
	}
	return true
}

// losing gathers losses.
type losing struct {
	old, now *Registry
	lost     uint64
	found    []Command
	keys     map[Session][]string // of the sessions that were found
}

func (l *losing) ends() {
	for _, e := range l.old.ended.list {
		if e.num >= l.lost && l.now.ended.bySession[e.Stream.Session] == nil {
			l.found = append(l.found, &Bury{Lost: l.lost, ended: e})
			l.keys[e.Stream.Session] = nil
		}
	}
}

func (l *losing) bans() {
	for _, anchor := range slices.Sorted(maps.Keys(l.old.bans)) {
		b := l.old.bans[anchor]
		if b.num >= l.lost && l.now.bans[anchor].num < l.lost && !b.over(l.now.last.Time) {
			again := b.Ban
			again.Lost = l.lost
			l.found = append(l.found, &again)
		}
	}
	for _, anchor := range slices.Sorted(maps.Keys(l.now.bans)) {
		b := l.now.bans[anchor]
		if _, still := l.old.bans[anchor]; !still && b.num < l.lost && !b.over(l.now.last.Time) {
			l.found = append(l.found, &Unban{Anchor: anchor, Lost: l.lost})
		}
	}
}

func (l *losing) sessions(node string, scope SessionScope) {
	var via uint16
	if p, _ := l.old.peers.find(node); p != nil {
		via = p.via
	}
	for i, s := range l.old.sessions {
		if s == nil || l.now.ended.bySession[s.stream.Session] != nil {
			continue
		}
		if at, live := l.now.bySession[s.stream.Session]; live {
			if x := l.now.sessions[at]; !changed(s, x, l.lost) {
				continue
			}
		} else if scope == OwnSessions && (via == 0 || l.old.leases.all[i].via != via) {
			continue
		}
		t := l.old.leases.terms[l.old.leases.all[i].terms]
		l.found = append(l.found, &Restore{Lost: l.lost, Terms: Terms{t.interval, t.missed, t.grace}, session: s})
		l.keys[s.stream.Session] = nil
	}
}

func (l *losing) recordings() {
	for _, t := range l.old.recordings.list {
		if t.num >= l.lost && l.now.recordings.byID[t.ID] == nil {
			l.found = append(l.found, &AddRecording{t.Recording})
		}
	}
}

// effects are those that were still to be done. Those of recordings come again
// with the recordings.
func (l *losing) effects() {
	l.old.effects.open.Scan(func(_ uint64, e *Effect) bool {
		if again := (&Reopen{e}); e.num >= l.lost && e.Recording == nil && l.now.CanRestore(again) {
			l.found = append(l.found, again)
		}
		return true
	})
}

// changed reports whether something of a session was changed in what was lost.
func changed(was, is *session, lost uint64) bool {
	return is.lags(was, partTold, lost) || is.lags(was, partMoved, lost) || is.lags(was, partFilmed, lost) ||
		was.stream.State != Starting && is.stream.State == Starting ||
		was.stream.Likes > is.stream.Likes ||
		was.stream.StartedAt < is.stream.StartedAt
}

// addKeys adds the keys that the clients used.
func (l *losing) addKeys() {
	if len(l.keys) == 0 {
		return
	}
	for _, name := range l.old.keys.names {
		s := l.old.keys.byName[name].session
		if _, found := l.keys[s]; !found {
			continue
		}
		if k, known := l.now.keys.byName[name]; !known || k.session != s {
			l.keys[s] = append(l.keys[s], name)
		}
	}
	for _, c := range l.found {
		switch c := c.(type) {
		case *Restore:
			c.Keys = l.keys[c.session.stream.Session]
		case *Bury:
			c.Keys = l.keys[c.ended.Stream.Session]
		}
	}
}
