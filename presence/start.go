package presence

// Start begins a session. A repeated start, with a Key or Session that was used
// before, gets the result of the first one. It is refused when the anchor is
// banned, when another anchor has the code, or when the anchor is live on an
// attached socket and takeover is off.
type Start struct {
	Session    Session // made by the node that appends it
	Anchor     string
	Code       string
	List       string
	Title      string
	Cover      string
	Tags       []string
	Extra      []byte
	Listed     bool
	Sources    Sources  // none stands for beats alone
	Key        string   // chosen by the client, so that it can repeat a start; may be empty
	Socket     string   // socket that asked; empty for apps without sockets
	AskedAfter EntryRef // as in Resume
}

func (*Start) kind() commandKind { return kindStart }

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
	return appendEntryRef(appendString(b, c.Socket), c.AskedAfter)
}

func (c *Start) decode(r *decoder) {
	c.Session = r.sessionID()
	c.Anchor, c.Code, c.List = r.string(), r.string(), r.string()
	c.Title, c.Cover, c.Tags, c.Extra = r.string(), r.string(), r.strings(), r.bytes()
	c.Listed, c.Sources, c.Key, c.Socket, c.AskedAfter = r.bool(), r.sources(), r.string(), r.string(), r.entryRef()
}

func (c *Start) apply(r *Registry, node *nodeState) Result {
	if k, known := r.findClientKey(startKey, c.Anchor, c.Key); known {
		return r.applyRepeatedStart(k.session, c, node)
	}
	if _, ok := r.bySession[c.Session]; ok || r.ended.bySession[c.Session] != nil {
		return r.applyRepeatedStart(c.Session, c, node)
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
	i := r.beginSession(c, node)
	r.addClientKey(startKey, c.Anchor, c.Key, c.Session)
	return r.liveResult(i)
}

// applyRepeatedStart answers a start that was applied before. It makes an away stream
// live, but leaves a starting one as it is.
func (r *Registry) applyRepeatedStart(s Session, c *Start, node *nodeState) Result {
	i, ok := r.bySession[s]
	if !ok {
		return r.goneResult(s)
	}
	if r.isRequestSuperseded(i, c.Socket, c.AskedAfter) {
		return Result{Refusal: Superseded}
	}
	r.changeSocket(i, c.Socket, c.AskedAfter)
	r.sessions[i].socketNum = r.last.Num // the result tells its client
	r.markSessionChanged(i)
	r.adoptLeaseParams(i)
	if r.sessions[i].stream.State == Starting {
		r.leases.all[i].renew(r.clock, r.clock, node.renewer)
	} else {
		r.renewLeaseAndMarkLive(i, node, ByResume)
	}
	a := r.liveResult(i)
	a.Repeated = true
	return a
}

// beginSession enters a new session and returns its index.
func (r *Registry) beginSession(c *Start, node *nodeState) (index uint32) {
	i := r.allocateIndex()
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
	r.insertSession(i, s)
	r.leases.start(i, c.Session.leaseTag(), node.renewer, r.clock, !s.sources.Has(FromBeats))
	r.setSocket(s, c.Socket)
	r.updateMediaDeadline(i)
	r.markSessionChanged(i)
	r.changes = append(r.changes, Change{New: st, Cause: ByStart, Socket: c.Socket})
	r.addStreamEvent(StreamStarted, st)
	return i
}

// Resume attaches a live session to another socket. It counts as a beat.
type Resume struct {
	Session Session
	Anchor  string // must be the session's anchor
	Socket  string
	// AskedAfter is the last entry that the node had applied when the client
	// asked; Node.Do sets it. A resume is superseded when the session was
	// attached to another socket by a later entry: its client got no answer, and
	// asked again elsewhere. Without AskedAfter it is never superseded.
	AskedAfter EntryRef
}

func (*Resume) kind() commandKind { return kindResume }

func (c *Resume) encode(b []byte) []byte {
	return appendEntryRef(appendString(appendString(append(b, c.Session[:]...), c.Anchor), c.Socket), c.AskedAfter)
}

func (c *Resume) decode(r *decoder) {
	c.Session, c.Anchor, c.Socket, c.AskedAfter = r.sessionID(), r.string(), r.string(), r.entryRef()
}

func (c *Resume) apply(r *Registry, node *nodeState) Result {
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
	if r.isRequestSuperseded(i, c.Socket, c.AskedAfter) {
		return Result{Refusal: Superseded}
	}
	r.changeSocket(i, c.Socket, c.AskedAfter)
	r.adoptLeaseParams(i)
	r.renewLeaseAndMarkLive(i, node, ByResume)
	return r.liveResult(i)
}

// isRequestSuperseded reports whether the session was attached to another socket, which
// is still open, after the client asked for this one.
func (r *Registry) isRequestSuperseded(index uint32, socketID string, askedAfter EntryRef) bool {
	s := r.sessions[index]
	return askedAfter.Num != 0 && r.isAttached(index) && s.socket != socketID && r.isChangedAfter(s, partSocket, askedAfter)
}

// isAttached reports whether the session has an open socket. A socket on a lost
// node does not count.
func (r *Registry) isAttached(index uint32) bool {
	return r.sessions[index].attached && r.leases.all[index].renewer != 0
}

// setSocket attaches a socket to the session.
func (r *Registry) setSocket(s *liveSession, socketID string) {
	s.socket, s.attached, s.socketNum = socketID, socketID != "", r.last.Num
	if s.attached {
		s.setEvidence(Evidence{Source: FromSocket, Signal: Attached, At: r.last.Time, Detail: socketID})
	}
}

// changeSocket attaches another socket, and puts out a change.
func (r *Registry) changeSocket(index uint32, socketID string, askedAfter EntryRef) {
	s := r.sessions[index]
	if s.socket == socketID && s.attached == (socketID != "") {
		return
	}
	r.setSocket(s, socketID)
	r.markAskedBeforeLoss(s, partSocket, askedAfter)
	r.markSessionChanged(index)
	r.changes = append(r.changes, Change{Old: s.stream, New: s.stream, Cause: ByResume, Socket: socketID})
}
