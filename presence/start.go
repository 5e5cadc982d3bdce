package presence

// Start begins a session. With a Key that this anchor used for its live
// session before, it is answered with that session.
type Start struct {
	Session    Session // made by the node that was asked
	Anchor     string
	Code       string
	List       string
	Title      string
	Cover      string
	Tags       []string
	Extra      []byte
	Listed     bool
	Sources    Sources
	Key        string // the client's own, so that it can repeat a lost start; or empty
	Socket     string // the connection that asked; empty for apps without sockets
	AppliedNum uint64 // as a Resume's
}

func (*Start) kind() commandKind { return kindStart }

func (*Start) durable() bool { return true }

func (c *Start) encode(b []byte) []byte {
	b = append(b, c.Session[:]...)
	b = appendString(b, c.Anchor)
	b = appendString(b, c.Code)
	b = appendString(b, c.List)
	b = appendString(b, c.Title)
	b = appendString(b, c.Cover)
	b = appendStrings(b, c.Tags)
	b = appendBytes(b, c.Extra)
	b = append(appendBool(b, c.Listed), byte(c.Sources))
	b = appendString(b, c.Key)
	return appendUint(appendString(b, c.Socket), c.AppliedNum)
}

func (c *Start) decode(r *reader) {
	c.Session = r.sessionID()
	c.Anchor, c.Code, c.List = r.string(), r.string(), r.string()
	c.Title, c.Cover, c.Tags, c.Extra = r.string(), r.string(), r.strings(), r.bytes()
	c.Listed, c.Sources, c.Key, c.Socket, c.AppliedNum = r.bool(), r.sources(), r.string(), r.string(), r.uint()
}

// start begins a session, unless its key has begun one, the anchor is banned
// or live on an attached socket that may not be taken over, or another anchor
// has the code.
func (c *Start) apply(r *Registry, p *nodeState) Result {
	if k, known := r.findKey(startKey, c.Anchor, c.Key); known {
		return r.repeatedStart(k.session, c, p)
	}
	if _, ok := r.bySession[c.Session]; ok || r.ended.bySession[c.Session] != nil {
		return r.repeatedStart(c.Session, c, p)
	}
	if _, banned := r.ActiveBan(c.Anchor); banned {
		return Result{Refusal: AnchorBanned}
	}
	if i, ok := r.byCode[c.Code]; ok && r.sessions[i].stream.Anchor != c.Anchor {
		return Result{Refusal: CodeTaken}
	}
	if i, ok := r.byAnchor[c.Anchor]; ok {
		if r.settings.RefuseTakeover && r.isAttached(i) {
			return Result{Refusal: AlreadyLive, Stream: r.sessions[i].stream}
		}
		r.endSession(i, TakenOver, "")
	}
	i := r.beginSession(c, p)
	r.rememberKey(startKey, c.Anchor, c.Key, c.Session)
	return r.liveResult(i)
}

// repeatedStart answers a start that is a repeat. It brings back a stream that is away,
// but is no beat of one that nothing was heard from.
func (r *Registry) repeatedStart(s Session, c *Start, p *nodeState) Result {
	i, ok := r.bySession[s]
	if !ok {
		return r.goneResult(s)
	}
	if r.isSuperseded(i, c.Socket, c.AppliedNum) {
		return Result{Refusal: Superseded}
	}
	r.moveToSocket(i, c.Socket)
	r.sessions[i].socketNum = r.last.Num // its client is told of it
	r.markSessionChanged(i)
	r.adoptSettings(i)
	if r.sessions[i].stream.State == Starting {
		r.leases.all[i].renew(r.clock, r.clock, p.renewer)
	} else {
		r.renewLease(i, p, ByResume)
	}
	a := r.liveResult(i)
	a.Repeated = true
	return a
}

// beginSession enters a new session.
func (r *Registry) beginSession(c *Start, p *nodeState) uint32 {
	i := r.allocate()
	st := &Stream{
		Session: c.Session, Code: c.Code, Anchor: c.Anchor, List: c.List,
		Details:   Details{Title: c.Title, Cover: c.Cover, Tags: c.Tags, Extra: c.Extra},
		StartedAt: r.last.Time, Index: i, State: Starting,
		Listed: c.Listed, Shown: c.Listed && !r.settings.ShowPublished,
	}
	s := &liveSession{stream: st, sources: c.Sources, media: mediaState{updatedAt: r.clock}, startNum: r.last.Num}
	if s.sources == 0 {
		s.sources = SourcesOf(FromBeats)
	}
	r.insert(i, s)
	r.leases.start(i, c.Session.leaseTag(), p.renewer, r.clock, !s.sources.Has(FromBeats))
	r.setSocket(s, c.Socket)
	r.scheduleMediaDeadline(i)
	r.markSessionChanged(i)
	r.changes = append(r.changes, Change{New: st, Cause: ByStart, Socket: c.Socket})
	r.addStreamEvent(StreamStarted, st)
	return i
}

// Resume moves a live session to another socket. It counts as a beat.
type Resume struct {
	Session Session
	Anchor  string // must be the session's
	Socket  string
	// AppliedNum is the number of the newest entry that the node had applied when it
	// was asked; Node.Do sets it. To a socket that holds the session by a later one
	// it may not do any harm: its client asked again elsewhere, since this one
	// was not answered, and is there. 0: it always moves the session.
	AppliedNum uint64
}

func (*Resume) kind() commandKind { return kindResume }

func (*Resume) durable() bool { return false }

func (c *Resume) encode(b []byte) []byte {
	return appendUint(appendString(appendString(append(b, c.Session[:]...), c.Anchor), c.Socket), c.AppliedNum)
}

func (c *Resume) decode(r *reader) {
	c.Session, c.Anchor, c.Socket, c.AppliedNum = r.sessionID(), r.string(), r.string(), r.uint()
}

func (c *Resume) apply(r *Registry, p *nodeState) Result {
	i, ok := r.bySession[c.Session]
	if !ok {
		if e := r.ended.bySession[c.Session]; e != nil && e.Stream.Anchor != c.Anchor {
			return Result{Refusal: NotOwner}
		}
		return r.goneResult(c.Session)
	}
	if r.sessions[i].stream.Anchor != c.Anchor {
		return Result{Refusal: NotOwner}
	}
	if r.isSuperseded(i, c.Socket, c.AppliedNum) {
		return Result{Refusal: Superseded}
	}
	r.moveToSocket(i, c.Socket)
	r.adoptSettings(i)
	r.renewLease(i, p, ByResume)
	return r.liveResult(i)
}

// isSuperseded reports whether a session has moved to another socket, which holds it
// still, since its client asked for it to move to this one.
func (r *Registry) isSuperseded(i uint32, holder string, seen uint64) bool {
	s := r.sessions[i]
	return seen != 0 && r.isAttached(i) && s.socket != holder && s.socketNum > seen
}

// isAttached reports whether a socket holds the session, as far as is known: one
// on a node that was lost since does not.
func (r *Registry) isAttached(i uint32) bool {
	return r.sessions[i].attached && r.leases.all[i].renewer != 0
}

// setSocket notes that a socket holds the session.
func (r *Registry) setSocket(s *liveSession, holder string) {
	s.socket, s.attached, s.socketNum = holder, holder != "", r.last.Num
	if s.attached {
		s.setEvidence(Evidence{Source: FromSocket, Signal: Attached, At: r.last.Time, Detail: holder})
	}
}

// moveToSocket moves a session to another socket, and says so.
func (r *Registry) moveToSocket(i uint32, holder string) {
	s := r.sessions[i]
	if s.socket == holder && s.attached == (holder != "") {
		return
	}
	r.setSocket(s, holder)
	r.markSessionChanged(i)
	r.changes = append(r.changes, Change{Old: s.stream, New: s.stream, Cause: ByResume, Socket: holder})
}
