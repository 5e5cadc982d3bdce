package presence

// Command is anything that can change who is live. Ids, texts and limits that
// Apply needs are in the command: Apply reads no clock and draws no lots.
//
// Start, Resume, Stop, Update, Ban, Unban, SetSettings, RaiseRules, Observe,
// Adopt, Leave, Restore, Bury, AddRecording, Conclude and Reopen are the commands there
// are.
type Command interface {
	kind() kind
	// durable: an embedded log has it on disk before it is applied.
	durable() bool
	encode(dst []byte) []byte
	decode(r *reader)
}

// kind is a command's first byte in a batch. Numbers are for ever.
type kind byte

const (
	kindStart        kind = 1
	kindResume       kind = 2
	kindStop         kind = 3
	kindUpdate       kind = 4
	kindBan          kind = 5
	kindUnban        kind = 6
	kindSetSettings  kind = 7
	kindRaiseRules   kind = 8
	kindObserve      kind = 9
	kindAdopt        kind = 10
	kindLeave        kind = 11
	kindRestore      kind = 12
	kindBury         kind = 13
	kindAddRecording kind = 14
	kindConclude     kind = 15
	kindReopen       kind = 16
)

// newCommand gives an empty command to decode into, nil for an unknown kind.
func newCommand(k kind) Command {
	switch k {
	case kindStart:
		return &Start{}
	case kindResume:
		return &Resume{}
	case kindStop:
		return &Stop{}
	case kindUpdate:
		return &Update{}
	case kindBan:
		return &Ban{}
	case kindUnban:
		return &Unban{}
	case kindSetSettings:
		return &SetSettings{}
	case kindRaiseRules:
		return &RaiseRules{}
	case kindObserve:
		return &Observe{}
	case kindAdopt:
		return &Adopt{}
	case kindLeave:
		return &Leave{}
	case kindRestore:
		return &Restore{}
	case kindBury:
		return &Bury{}
	case kindAddRecording:
		return &AddRecording{}
	case kindConclude:
		return &Conclude{}
	case kindReopen:
		return &Reopen{}
	}
	return nil
}

// AppendCommand appends the command's encoding, as a batch holds it.
func AppendCommand(dst []byte, c Command) []byte { return c.encode(append(dst, byte(c.kind()))) }

// IsDurable reports whether an embedded log has the command on disk before it is
// applied.
func IsDurable(c Command) bool { return c.durable() }

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

// Stop ends a session.
type Stop struct {
	Session Session
	Reason  EndReason // NotEnded is taken for Stopped
	By      string
	Holder  string // when set, only the connection that holds the session may
	Key     string // By's own: repeated under it, the stop is answered again; or empty
}

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

// Ban ends the anchor's live session and refuses its starts until the time.
type Ban struct {
	Anchor string
	Until  int64 // Unix milliseconds, log time; 0: for ever
	Reason string
	By     string
	Key    string // By's own: repeated under it, the ban changes nothing; or empty
	// Lost is set by a node that says the ban again, since the log has lost it:
	// the number of the first entry that was lost. What was said since counts more.
	Lost uint64
}

// Unban lets an anchor start again.
type Unban struct {
	Anchor string
	By     string
	Key    string // as a Ban's
	Lost   uint64 // as a Ban's
}

// SetSettings replaces the settings if its revision is higher.
type SetSettings struct{ Settings Settings }

// RaiseRules makes every node apply later entries by these rules. The keeper
// appends it once all living nodes know them.
type RaiseRules struct{ Rules uint64 }

// Observe records what a source said of a session: that a socket is gone, that
// a beat was heard by other ways than a socket, what became of a push.
type Observe struct {
	Session Session
	Source  Source
	Sign    Sign
	Holder  string // Detached: the socket that closed; ignored if another holds the session by now
	Media   string // Begun, Going, Finished: the media server's name for the push
	// Since is when the push began by its provider's clock, in Unix milliseconds;
	// 0: the provider does not say. Of two pushes that say it the later one has
	// replaced the other.
	Since int64
	// Unique: no other push will ever have that name, so that one which has ended
	// does not begin again.
	Unique bool
	Detail string // Pictured: the picture's URL
}

// Adopt says that the session's client has heard of the present settings and
// beaten by them: from here on its lease runs by them. It counts as a beat.
type Adopt struct{ Session Session }

// Leave says that the node goes on purpose: nobody waits for it.
type Leave struct{}

func (*Start) kind() kind       { return kindStart }
func (*Resume) kind() kind      { return kindResume }
func (*Stop) kind() kind        { return kindStop }
func (*Update) kind() kind      { return kindUpdate }
func (*Ban) kind() kind         { return kindBan }
func (*Unban) kind() kind       { return kindUnban }
func (*SetSettings) kind() kind { return kindSetSettings }
func (*RaiseRules) kind() kind  { return kindRaiseRules }
func (*Observe) kind() kind     { return kindObserve }
func (*Adopt) kind() kind       { return kindAdopt }
func (*Leave) kind() kind       { return kindLeave }

func (*Start) durable() bool       { return true }
func (*Resume) durable() bool      { return false }
func (*Stop) durable() bool        { return true }
func (*Update) durable() bool      { return true }
func (*Ban) durable() bool         { return true }
func (*Unban) durable() bool       { return true }
func (*SetSettings) durable() bool { return true }
func (*RaiseRules) durable() bool  { return true }
func (*Observe) durable() bool     { return false }
func (*Adopt) durable() bool       { return false }
func (*Leave) durable() bool       { return false }

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

func (c *Resume) encode(b []byte) []byte {
	return appendUint(appendString(appendString(append(b, c.Session[:]...), c.Anchor), c.Holder), c.Seen)
}

func (c *Resume) decode(r *reader) {
	c.Session, c.Anchor, c.Holder, c.Seen = r.session(), r.string(), r.string(), r.uint()
}

func (c *Stop) encode(b []byte) []byte {
	b = appendString(append(append(b, c.Session[:]...), byte(c.Reason)), c.By)
	return appendString(appendString(b, c.Holder), c.Key)
}

func (c *Stop) decode(r *reader) {
	c.Session, c.Reason, c.By = r.session(), EndReason(r.enum(len(endNames))), r.string()
	c.Holder, c.Key = r.string(), r.string()
}

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

func (c *Ban) encode(b []byte) []byte {
	b = appendInt(appendString(b, c.Anchor), c.Until)
	return appendUint(appendString(appendString(appendString(b, c.Reason), c.By), c.Key), c.Lost)
}

func (c *Ban) decode(r *reader) {
	c.Anchor, c.Until = r.string(), r.int()
	c.Reason, c.By, c.Key, c.Lost = r.string(), r.string(), r.string(), r.uint()
}

func (c *Unban) encode(b []byte) []byte {
	return appendUint(appendString(appendString(appendString(b, c.Anchor), c.By), c.Key), c.Lost)
}

func (c *Unban) decode(r *reader) {
	c.Anchor, c.By, c.Key, c.Lost = r.string(), r.string(), r.string(), r.uint()
}

func (c *SetSettings) encode(b []byte) []byte { return appendSettings(b, c.Settings) }
func (c *SetSettings) decode(r *reader)       { c.Settings = r.settings() }

func (c *RaiseRules) encode(b []byte) []byte { return appendUint(b, c.Rules) }
func (c *RaiseRules) decode(r *reader)       { c.Rules = r.uint() }

func (c *Observe) encode(b []byte) []byte {
	b = append(append(b, c.Session[:]...), byte(c.Source), byte(c.Sign))
	b = appendString(appendString(appendString(b, c.Holder), c.Media), c.Detail)
	return appendBool(appendInt(b, c.Since), c.Unique)
}

func (c *Observe) decode(r *reader) {
	c.Session = r.session()
	c.Source, c.Sign = Source(r.enum(len(sourceNames))), Sign(r.enum(len(signNames)))
	c.Holder, c.Media, c.Detail = r.string(), r.string(), r.string()
	c.Since, c.Unique = r.int(), r.bool()
}

func (c *Adopt) encode(b []byte) []byte { return append(b, c.Session[:]...) }
func (c *Adopt) decode(r *reader)       { c.Session = r.session() }

func (*Leave) encode(b []byte) []byte { return b }
func (*Leave) decode(*reader)         {}
