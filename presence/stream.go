package presence

// Stream is one live session as the list shows it. It is immutable: a change
// makes a new Stream. So views, undo rings and snapshots may retain old ones
// without a lock or a copy.
type Stream struct {
	Session Session // the anchor's secret: never shown to viewers
	Code    string  // live code, 直播码
	Anchor  string  // user id
	List    string
	Details
	StartedAt   int64 // Unix milliseconds, log time
	Viewers     int64
	PeakViewers int64 // most viewers at once
	Likes       int64
	Index       uint32 // index in the registry, reused after the end
	State       State
	Away        AwayCause
	Listed      bool // set at start; false: watchable by code, but in no view
	Shown       bool // in views now: Listed, and published if list.show is "publish"
}

// Details are what the anchor sets about a stream.
type Details struct {
	Title string
	Cover string
	Tags  []string
	Extra []byte // one JSON object, or nil
}

// Lease is the lease that a beat for the stream names.
func (s *Stream) Lease() Lease { return Lease{Index: s.Index, Tag: s.Session.leaseTag()} }

// Lease names a session in a beat by its index and 16 bits of its id, so that
// applying a beat needs no map.
type Lease struct {
	Index uint32
	Tag   uint16
}

// State is the state of a stream.
type State uint8

// The states of a stream.
const (
	Starting State = iota // a push URL was issued; no beat or push yet
	Live                  // beats come, or something is pushed
	Away                  // a beat was missed, or the push ended: it may come back
)

var stateNames = [...]string{Starting: "starting", Live: "live", Away: "away"}

// String is the state's name in the wire protocol.
func (s State) String() string { return stateNames[s] }

// AwayCause is why a stream is away.
type AwayCause uint8

// The causes of being away.
const (
	NotAway AwayCause = iota
	MissedBeat
	MediaEnded
)

var awayNames = [...]string{NotAway: "", MissedBeat: "missed_beat", MediaEnded: "media"}

// String is the cause's name in the wire protocol.
func (a AwayCause) String() string { return awayNames[a] }

// Change is one step of one stream, in the order in which Apply made them.
type Change struct {
	Old   *Stream // nil: the session started
	New   *Stream // nil: the session ended
	Ended *Ended  // set when New is nil
	Cause Cause
	// Socket is the attached socket after this change. A node closes older
	// sockets of the session.
	Socket string
	// ExpiryLag is how long after its deadline the session expired, in
	// milliseconds of presence time.
	ExpiryLag int64
}

// Cause is what made a change.
type Cause uint8

// The causes of a change.
const (
	ByStart  Cause = iota + 1
	ByResume       // another socket was attached
	ByBeat
	BySilence  // a beat was missed
	ByUpdate   // the anchor changed its details
	ByEnd      // Ended has the reason
	ByCounts   // viewers or likes changed
	ByEvidence // a cloud or media server sent a signal
	ByRestore  // a node restored what the log had lost
)

var causeNames = [...]string{
	ByStart: "start", ByResume: "resume", ByBeat: "beat", BySilence: "silence", ByUpdate: "update",
	ByEnd: "end", ByCounts: "counts", ByEvidence: "evidence", ByRestore: "repair",
}

// String is the cause's name in logs.
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

func (r *decoder) stream() *Stream {
	st := &Stream{
		Session: r.sessionID(), Code: r.string(), Anchor: r.string(), List: r.string(),
		Details:   Details{Title: r.string(), Cover: r.string(), Tags: r.strings(), Extra: r.bytes()},
		StartedAt: r.int(), PeakViewers: r.int(), Likes: r.int(),
	}
	st.Index = uint32(r.uintUpTo(maxIndex))
	st.State, st.Away = State(r.enum(len(stateNames))), AwayCause(r.enum(len(awayNames)))
	st.Listed, st.Shown = r.bool(), r.bool()
	return st
}

// maxIndex is the highest index of a decoded session. It keeps a damaged record
// from causing a large allocation.
const maxIndex = 1 << 24
