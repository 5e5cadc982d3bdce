package presence

// Update replaces each member that it names as a whole; nil leaves it. It
// counts as a beat.
type Update struct {
	Session Session
	Holder  string // when set, only the connection that holds the session may
	Key     string // repeated under it, the update changes nothing; or empty
	Title   *string
	Cover   *string
	Tags    *[]string
	Extra   *[]byte
}

func (*Update) kind() kind { return kindUpdate }

func (*Update) durable() bool { return true }

// The bits of an encoded Update say which members it names.
const (
	updateTitle = 1 << iota
	updateCover
	updateTags
	updateExtra
)

func (c *Update) encode(b []byte) []byte {
	b = appendString(appendString(append(b, c.Session[:]...), c.Holder), c.Key)
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

func (c *Update) decode(r *reader) {
	c.Session, c.Holder, c.Key = r.session(), r.string(), r.string()
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

func (c *Update) apply(r *Registry, p *peer) Result {
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
