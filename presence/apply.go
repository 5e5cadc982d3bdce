package presence

import "cmp"

// commands applies a batch's commands in order.
func (r *Registry) commands(b *Batch, p *peer) []Result {
	if len(b.Commands) == 0 {
		return nil
	}
	results := make([]Result, 0, len(b.Commands))
	for _, c := range b.Commands {
		results = append(results, r.command(c, p))
	}
	return results
}

func (r *Registry) command(c Command, p *peer) Result {
	switch c := c.(type) {
	case *Start:
		return r.start(c, p)
	case *Resume:
		return r.resume(c, p)
	case *Stop:
		return r.stop(c)
	case *Update:
		return r.update(c, p)
	case *Ban:
		return r.ban(c)
	case *Unban:
		r.unban(c)
	case *Restore:
		return r.restore(c)
	case *Bury:
		return r.bury(c)
	case *SetSettings:
		r.set(c.Settings)
	case *RaiseRules:
		r.rules = max(r.rules, c.Rules)
		r.mark(recordMeta, 0)
	case *Observe:
		return r.observe(c, p)
	case *Adopt:
		return r.adopt(c, p)
	case *AddRecording:
		return r.addRecording(c)
	case *Conclude:
		r.conclude(c)
	case *Reopen:
		r.reopen(c)
	case *Leave:
		r.leave(p)
	}
	return Result{}
}

// granted is the answer about a live session.
func (r *Registry) granted(i uint32) Result {
	st := r.sessions[i].stream
	a := Result{Stream: st, Lease: st.Lease()}
	if t := r.leases.terms[r.leases.all[i].terms]; r.sessions[i].sources.Has(FromBeats) {
		a.Term = t.missed*t.interval + t.grace
	}
	return a
}

// gone is the answer about a session that is not the live one.
func (r *Registry) gone(s Session) Result {
	return Result{Refusal: SessionGone, Ended: r.ended.bySession[s]}
}

// start begins a session, unless its key has begun one, the anchor is banned
// or live on an attached socket that may not be taken over, or another anchor
// has the code.
func (r *Registry) start(c *Start, p *peer) Result {
	if k, known := r.known(startKey, c.Anchor, c.Key); known {
		return r.again(k.session, c, p)
	}
	if _, ok := r.bySession[c.Session]; ok || r.ended.bySession[c.Session] != nil {
		return r.again(c.Session, c, p)
	}
	if _, banned := r.Banned(c.Anchor); banned {
		return Result{Refusal: AnchorBanned}
	}
	if i, ok := r.byCode[c.Code]; ok && r.sessions[i].stream.Anchor != c.Anchor {
		return Result{Refusal: CodeTaken}
	}
	if i, ok := r.byAnchor[c.Anchor]; ok {
		if r.settings.RefuseTakeover && r.attached(i) {
			return Result{Refusal: AlreadyLive, Stream: r.sessions[i].stream}
		}
		r.end(i, TakenOver, "")
	}
	i := r.begin(c, p)
	r.learn(startKey, c.Anchor, c.Key, c.Session)
	return r.granted(i)
}

// learn remembers which session a client's key was for. It reports false when
// the key was used before.
func (r *Registry) learn(kind keyKind, user, key string, s Session) bool {
	if key == "" {
		return true
	}
	if _, known := r.known(kind, user, key); known {
		return false
	}
	r.mark(recordStartKey, r.keys.add(keyName(kind, user, key), s, r.clock))
	return true
}

// known finds out whether a client's key was used before, and for what.
func (r *Registry) known(kind keyKind, user, key string) (k keyed, known bool) {
	if key != "" {
		k, known = r.keys.byName[keyName(kind, user, key)]
	}
	return k, known
}

// attached reports whether a socket holds the session, as far as is known: one
// on a node that was lost since does not.
func (r *Registry) attached(i uint32) bool {
	return r.sessions[i].attached && r.leases.all[i].via != 0
}

// again answers a start that is a repeat. It brings back a stream that is away,
// but is no beat of one that nothing was heard from.
func (r *Registry) again(s Session, c *Start, p *peer) Result {
	i, ok := r.bySession[s]
	if !ok {
		return r.gone(s)
	}
	if r.overtaken(i, c.Holder, c.Seen) {
		return Result{Refusal: Overtaken}
	}
	r.hold(i, c.Holder)
	r.sessions[i].moved = r.last.Num // its client is told of it
	r.touch(i)
	r.adoptTerms(i)
	if r.sessions[i].stream.State == Starting {
		r.leases.all[i].renew(r.clock, r.clock, p.via)
	} else {
		r.hear(i, p, ByResume)
	}
	a := r.granted(i)
	a.Again = true
	return a
}

// begin enters a new session.
func (r *Registry) begin(c *Start, p *peer) uint32 {
	i := r.free.get()
	for int(i) >= len(r.sessions) {
		r.sessions = append(r.sessions, nil)
	}
	st := &Stream{
		Session: c.Session, Code: c.Code, Anchor: c.Anchor, List: c.List, Title: c.Title, Cover: c.Cover,
		Tags: c.Tags, Extra: c.Extra, StartedAt: r.last.Time, Index: i, State: Starting,
		Listed: c.Listed, Shown: c.Listed && !r.settings.ShowPublished,
	}
	s := &session{stream: st, sources: c.Sources, media: media{since: r.clock}, born: r.last.Num}
	if s.sources == 0 {
		s.sources = SourcesOf(FromBeats)
	}
	r.sessions[i] = s
	r.bySession[c.Session], r.byCode[c.Code], r.byAnchor[c.Anchor] = i, i, i
	r.leases.begin(i, c.Session.tag(), p.via, r.clock, !s.sources.Has(FromBeats))
	r.attach(s, c.Holder)
	r.appoint(i)
	r.touch(i)
	r.changes = append(r.changes, Change{New: st, Cause: ByStart, Holder: c.Holder})
	r.tellStream(StreamStarted, st)
	return i
}

// attach notes that a socket holds the session.
func (r *Registry) attach(s *session, holder string) {
	s.holder, s.attached, s.moved = holder, holder != "", r.last.Num
	if s.attached {
		s.witness(Evidence{Source: FromSocket, Sign: Attached, At: r.last.Time, Detail: holder})
	}
}

// hold moves a session to another socket, and says so.
func (r *Registry) hold(i uint32, holder string) {
	s := r.sessions[i]
	if s.holder == holder && s.attached == (holder != "") {
		return
	}
	r.attach(s, holder)
	r.touch(i)
	r.changes = append(r.changes, Change{Old: s.stream, New: s.stream, Cause: ByResume, Holder: holder})
}

// witness keeps the last thing that each source said.
func (s *session) witness(e Evidence) {
	for i := range s.evidence {
		if s.evidence[i].Source == e.Source {
			s.evidence[i] = e
			return
		}
	}
	s.evidence = append(s.evidence, e)
}

func (r *Registry) resume(c *Resume, p *peer) Result {
	i, ok := r.bySession[c.Session]
	if !ok {
		if e := r.ended.bySession[c.Session]; e != nil && e.Stream.Anchor != c.Anchor {
			return Result{Refusal: NotYours}
		}
		return r.gone(c.Session)
	}
	if r.sessions[i].stream.Anchor != c.Anchor {
		return Result{Refusal: NotYours}
	}
	if r.overtaken(i, c.Holder, c.Seen) {
		return Result{Refusal: Overtaken}
	}
	r.hold(i, c.Holder)
	r.adoptTerms(i)
	r.hear(i, p, ByResume)
	return r.granted(i)
}

// overtaken reports whether a session has moved to another socket, which holds it
// still, since its client asked for it to move to this one.
func (r *Registry) overtaken(i uint32, holder string, seen uint64) bool {
	s := r.sessions[i]
	return seen != 0 && r.attached(i) && s.holder != holder && s.moved > seen
}

// mine finds the live session that a command may change: an old socket's say
// about a session that moved on counts no more than one about an ended session.
func (r *Registry) mine(s Session, holder string) (uint32, bool) {
	i, ok := r.bySession[s]
	return i, ok && (holder == "" || r.sessions[i].holder == holder)
}

func (r *Registry) stop(c *Stop) Result {
	if k, known := r.known(stopKey, c.By, c.Key); known {
		if e := r.ended.bySession[k.session]; e != nil {
			return Result{Stream: e.Stream, Ended: e, Again: true}
		}
		return r.gone(k.session)
	}
	i, ok := r.mine(c.Session, c.Holder)
	if !ok {
		return r.gone(c.Session)
	}
	r.learn(stopKey, c.By, c.Key, r.sessions[i].stream.Session)
	a := r.granted(i)
	a.Ended = r.end(i, cmp.Or(c.Reason, Stopped), c.By)
	return a
}

func (r *Registry) update(c *Update, p *peer) Result {
	i, ok := r.mine(c.Session, c.Holder)
	if !ok {
		return r.gone(c.Session)
	}
	if !r.learn(updateKey, r.sessions[i].stream.Anchor, c.Key, c.Session) {
		a := r.granted(i)
		a.Again = true
		return a
	}
	r.sessions[i].told = r.last.Num
	r.change(i, ByUpdate, func(st *Stream) {
		if c.Title != nil {
			st.Title = *c.Title
		}
		if c.Cover != nil {
			st.Cover = *c.Cover
		}
		if c.Tags != nil {
			st.Tags = *c.Tags
		}
		if c.Extra != nil {
			st.Extra = *c.Extra
		}
	})
	r.hear(i, p, ByBeat)
	return r.granted(i)
}

func (r *Registry) ban(c *Ban) Result {
	if c.Lost != 0 && r.bans[c.Anchor].num >= c.Lost {
		return Result{Again: true} // something was said of the anchor since
	}
	if !r.learn(banKey, c.By, c.Key, Session{}) {
		return Result{Again: true}
	}
	b := banned{*c, r.last.Num}
	b.Key, b.Lost = "", 0 // they are remembered elsewhere, for as long as they count
	r.bans[c.Anchor] = b
	r.markName(recordBan, c.Anchor)
	r.tellBan(BanSet, &b.Ban)
	i, ok := r.byAnchor[c.Anchor]
	if _, banned := r.Banned(c.Anchor); !ok || !banned {
		return Result{}
	}
	a := r.granted(i)
	a.Ended = r.end(i, Banned, c.By)
	return a
}

func (r *Registry) unban(c *Unban) {
	if c.Lost != 0 && r.bans[c.Anchor].num >= c.Lost {
		return
	}
	_, banned := r.bans[c.Anchor]
	if r.learn(unbanKey, c.By, c.Key, Session{}) {
		delete(r.bans, c.Anchor)
		r.markName(recordBan, c.Anchor)
		if banned || c.Lost == 0 { // who lifts a ban that is none wants the cloud to hear it
			r.tellBan(BanLifted, &Ban{Anchor: c.Anchor, By: c.By})
		}
	}
}

// set takes settings of a higher revision. Sessions go on by the terms that
// their clients know, until each is heard to have adopted these.
func (r *Registry) set(s Settings) {
	if s.Revision <= r.settings.Revision || s.Check() != nil || !r.leases.set(s.terms(), s.Tick(), r.peers.heard(r.clock), r.clock) {
		return
	}
	r.settings = s
	r.appointAll()
	r.mark(recordMeta, 0)
}

func (r *Registry) observe(c *Observe, p *peer) Result {
	i, ok := r.mine(c.Session, c.Holder)
	if !ok {
		return r.gone(c.Session)
	}
	switch c.Sign {
	case Heard:
		r.hear(i, p, ByBeat)
	case Begun:
		r.begun(i, c, p)
	case Going:
		r.going(i, c)
	case Finished:
		r.finished(i, c)
	case Pictured:
		r.pictured(i, c)
	case Online:
		r.online(i, c, p)
	case Offline:
		r.offline(i, c)
	case Unknown:
		r.unknown(i, c)
	case Detached:
		s := r.sessions[i]
		s.attached, s.moved = false, r.last.Num
		s.witness(Evidence{Source: c.Source, Sign: c.Sign, At: r.last.Time, Detail: c.Detail})
		r.touch(i)
	}
	if _, live := r.bySession[c.Session]; !live {
		return r.gone(c.Session) // this was its end
	}
	return r.granted(i)
}

func (r *Registry) adopt(c *Adopt, p *peer) Result {
	i, ok := r.bySession[c.Session]
	if !ok {
		return r.gone(c.Session)
	}
	r.adoptTerms(i)
	r.hear(i, p, ByBeat)
	return r.granted(i)
}

// adoptTerms lets a lease run by the present settings: its client has heard of
// them, by a socket's welcome or by a settings message. Whoever calls it renews
// the lease, too.
func (r *Registry) adoptTerms(i uint32) {
	r.leases.all[i].terms = r.leases.now
	r.touch(i)
}
