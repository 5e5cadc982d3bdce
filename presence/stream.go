package presence

// Stream is one live session as the list shows it. A Stream is immutable:
// what changes a stream makes a new one, so that views, the undo ring and
// snapshots may hold old ones without a lock or a copy.
type Stream struct {
	Session Session // the anchor's secret: never shown to viewers
	Code    string  // live code, 直播码
	Anchor  string  // user id
	List    string
	Details
	StartedAt   int64 // Unix milliseconds, log time
	Viewers     int64
	PeakViewers int64 // the most viewers there were at once
	Likes       int64
	Index       uint32 // the small integer that the session's start was given
	State       State
	Away        AwayCause
	Listed      bool // asked for at start: false is watchable by code, in no view
	Shown       bool // in views now: Listed, and published where list.showList wants that
}

// Details are what the anchor says of a stream.
type Details struct {
	Title string
	Cover string
	Tags  []string
	Extra []byte // one JSON object, or nil
}

// Lease names the stream's lease in a beat.
func (s *Stream) Lease() Lease { return Lease{Index: s.Index, Tag: s.Session.leaseTag()} }

// Lease names a session's lease by the small integer that its start was given
// and 16 bits of the session, so that a beat looks up no string.
type Lease struct {
	Index uint32
	Tag   uint16
}

// State is what a listed stream is doing.
type State uint8

// The states of a stream, in the words of the wire protocol.
const (
	Starting State = iota // a push URL was issued, nothing was heard yet
	Live                  // beats come, or the cloud says it is publishing
	Away                  // a beat was missed, or publishing stopped: the host will be right back
)

var stateNames = [...]string{Starting: "starting", Live: "live", Away: "away"}

// String gives the word that the wire protocol uses.
func (s State) String() string { return stateNames[s] }

// AwayCause says why a stream is away.
type AwayCause uint8

// The causes of being away.
const (
	NotAway AwayCause = iota
	MissedBeat
	MediaEnded
)

var awayNames = [...]string{NotAway: "", MissedBeat: "missed_beat", MediaEnded: "media"}

// String gives the word that the wire protocol uses.
func (a AwayCause) String() string { return awayNames[a] }

// Change is one step of one stream, in the order in which Apply made them.
type Change struct {
	Old   *Stream // nil: the session began
	New   *Stream // nil: the session ended
	Ended *Ended  // set when New is nil
	Cause Cause
	// Socket is the connection that holds the session after this change; a
	// node closes any older socket of the session that it has.
	Socket string
	// ExpiryLag is how much presence time after its deadline a silence ended the
	// session, in milliseconds.
	ExpiryLag int64
}

// Cause says what made a change, for the one log line that each gets.
type Cause uint8

// The causes of a change.
const (
	ByStart    Cause = iota + 1
	ByResume         // the session moved to another socket, maybe on another node
	ByBeat           // a beat was heard
	BySilence        // a beat was missed
	ByUpdate         // the anchor changed title, cover, tags or extra
	ByEnd            // Ended says why
	ByCounts         // viewers or likes moved
	ByEvidence       // the cloud or a media server said something
	ByRestore        // the log had lost it, and a node that knew of it has put it back
)

var causeNames = [...]string{
	ByStart: "start", ByResume: "resume", ByBeat: "beat", BySilence: "silence", ByUpdate: "update",
	ByEnd: "end", ByCounts: "counts", ByEvidence: "evidence", ByRestore: "repair",
}

// String gives one word for logs.
func (c Cause) String() string { return causeNames[c] }

func appendStream(b []byte, st *Stream) []byte {
	b = append(b, st.Session[:]...)
	for _, s := range [...]string{st.Code, st.Anchor, st.List, st.Title, st.Cover} {
		b = appendString(b, s)
	}
	b = appendBytes(appendStrings(b, st.Tags), st.Extra)
	for _, v := range [...]int64{st.StartedAt, st.PeakViewers, st.Likes} {
		b = appendInt(b, v)
	}
	b = append(appendUint(b, uint64(st.Index)), byte(st.State), byte(st.Away))
	return appendBool(appendBool(b, st.Listed), st.Shown)
}

func (r *reader) stream() *Stream {
	st := &Stream{
		Session: r.sessionID(), Code: r.string(), Anchor: r.string(), List: r.string(),
		Details:   Details{Title: r.string(), Cover: r.string(), Tags: r.strings(), Extra: r.bytes()},
		StartedAt: r.int(), PeakViewers: r.int(), Likes: r.int(),
	}
	i := r.uint()
	if i > maxIndex {
		r.fail()
		i = 0
	}
	st.Index = uint32(i)
	st.State, st.Away = State(r.enum(len(stateNames))), AwayCause(r.enum(len(awayNames)))
	st.Listed, st.Shown = r.bool(), r.bool()
	return st
}

// maxIndex bounds the index of a decoded session, sixteen million at once, so
// that a damaged one does not make anybody allocate a table of four billion.
const maxIndex = 1 << 24
