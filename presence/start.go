package presence

// Start begins a session. With a Key that this anchor used for its live
// session before, it is answered with that session.
type Start struct {
	Session Session // made by the node that was asked
	Anchor  string
	Code    string
	List    string
	Title   string
	Cover   string
	Tags    []string
	Extra   []byte
	Listed  bool
	Sources Sources
	Key     string // the client's own, so that it can repeat a lost start; or empty
	Holder  string // the connection that asked; empty for apps without sockets
	Seen    uint64 // as a Resume's
}

func (*Start) kind() kind { return kindStart }

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
	return appendUint(appendString(b, c.Holder), c.Seen)
}

func (c *Start) decode(r *reader) {
	c.Session = r.session()
	c.Anchor, c.Code, c.List = r.string(), r.string(), r.string()
	c.Title, c.Cover, c.Tags, c.Extra = r.string(), r.string(), r.strings(), r.bytes()
	c.Listed, c.Sources, c.Key, c.Holder, c.Seen = r.bool(), r.sources(), r.string(), r.string(), r.uint()
}

// start begins a session, unless its key has begun one, the anchor is banned
// or live on an attached socket that may not be taken over, or another anchor
// has the code.
func (c *Start) apply(r *Registry, p *peer) Result {
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
	i := r.allocate()
	st := &Stream{
		Session: c.Session, Code: c.Code, Anchor: c.Anchor, List: c.List,
		Details:   Details{Title: c.Title, Cover: c.Cover, Tags: c.Tags, Extra: c.Extra},
		StartedAt: r.last.Time, Index: i, State: Starting,
		Listed: c.Listed, Shown: c.Listed && !r.settings.ShowPublished,
	}
	s := &session{stream: st, sources: c.Sources, media: media{since: r.clock}, born: r.last.Num}
	if s.sources == 0 {
		s.sources = SourcesOf(FromBeats)
	}
	r.insert(i, s)
	r.leases.begin(i, c.Session.tag(), p.via, r.clock, !s.sources.Has(FromBeats))
	r.attach(s, c.Holder)
	r.appoint(i)
	r.touch(i)
	r.changes = append(r.changes, Change{New: st, Cause: ByStart, Holder: c.Holder})
	r.tellStream(StreamStarted, st)
	return i
}

// Resume moves a live session to another socket. It counts as a beat.
type Resume struct {
	Session Session
	Anchor  string // must be the session's
	Holder  string
	// Seen is the number of the newest entry that the node had applied when it
	// was asked; Node.Do sets it. To a socket that holds the session by a later one
	// it may not do any harm: its client asked again elsewhere, since this one
	// was not answered, and is there. 0: it always moves the session.
	Seen uint64
}

func (*Resume) kind() kind { return kindResume }

func (*Resume) durable() bool { return false }

func (c *Resume) encode(b []byte) []byte {
	return appendUint(appendString(appendString(append(b, c.Session[:]...), c.Anchor), c.Holder), c.Seen)
}

func (c *Resume) decode(r *reader) {
	c.Session, c.Anchor, c.Holder, c.Seen = r.session(), r.string(), r.string(), r.uint()
}

func (c *Resume) apply(r *Registry, p *peer) Result {
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

// attached reports whether a socket holds the session, as far as is known: one
// on a node that was lost since does not.
func (r *Registry) attached(i uint32) bool {
	return r.sessions[i].attached && r.leases.all[i].via != 0
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
