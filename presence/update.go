package presence

// Update replaces the members that it has; nil leaves one as it is. It counts as
// a beat.
type Update struct {
	Session Session
	Socket  string // if set, it must be the attached socket
	Key     string // chosen by the client, may be empty: a repeated update changes nothing
	Title   *string
	Cover   *string
	Tags    *[]string
	Extra   *[]byte
	// AskedAfter is as in Resume. A lost update that is newer is restored over
	// this one.
	AskedAfter EntryRef
}

func (*Update) kind() commandKind { return kindUpdate }

// The bits of an encoded Update say which members it has.
const (
	updateTitle = 1 << iota
	updateCover
	updateTags
	updateExtra
)

func (c *Update) encode(b []byte) []byte {
	b = appendEntryRef(appendString(appendString(append(b, c.Session[:]...), c.Socket), c.Key), c.AskedAfter)
	at := len(b)
	b = append(b, 0)
	if c.Title != nil {
		b[at] |= updateTitle
		b = appendString(b, *c.Title)
	}
	if c.Cover != nil {
		b[at] |= updateCover
		b = appendString(b, *c.Cover)
	}
	if c.Tags != nil {
		b[at] |= updateTags
		b = appendStrings(b, *c.Tags)
	}
	if c.Extra != nil {
		b[at] |= updateExtra
		b = appendBytes(b, *c.Extra)
	}
	return b
}

func (c *Update) decode(r *decoder) {
	c.Session, c.Socket, c.Key, c.AskedAfter = r.sessionID(), r.string(), r.string(), r.entryRef()
	bits := r.byte()
	if bits >= updateExtra<<1 {
		r.fail()
	}
	if bits&updateTitle != 0 {
		c.Title = new(r.string())
	}
	if bits&updateCover != 0 {
		c.Cover = new(r.string())
	}
	if bits&updateTags != 0 {
		c.Tags = new(r.strings())
	}
	if bits&updateExtra != 0 {
		c.Extra = new(r.bytes())
	}
}

func (c *Update) apply(r *Registry, node *nodeState) Result {
	i, ok := r.findLiveSession(c.Session, c.Socket)
	if !ok {
		return r.goneResult(c.Session)
	}
	if !r.addClientKey(updateKey, r.sessions[i].stream.Anchor, c.Key, c.Session) {
		a := r.liveResult(i)
		a.Repeated = true
		return a
	}
	r.sessions[i].detailsNum = r.last.Num
	r.markAskedBeforeLoss(r.sessions[i], partDetails, c.AskedAfter)
	r.changeStream(i, ByUpdate, func(st *Stream) {
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
	r.renewLeaseAndMarkLive(i, node, ByBeat)
	return r.liveResult(i)
}
