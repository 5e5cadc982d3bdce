package presence

import (
	"slices"
	"strconv"
)

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
	// apply changes the registry as the command says; by is the node that appended it.
	apply(r *Registry, by *peer) Result
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

// newCommands makes an empty command of each kind, to decode into.
var newCommands = map[kind]func() Command{
	kindStart:        func() Command { return &Start{} },
	kindResume:       func() Command { return &Resume{} },
	kindStop:         func() Command { return &Stop{} },
	kindUpdate:       func() Command { return &Update{} },
	kindBan:          func() Command { return &Ban{} },
	kindUnban:        func() Command { return &Unban{} },
	kindSetSettings:  func() Command { return &SetSettings{} },
	kindRaiseRules:   func() Command { return &RaiseRules{} },
	kindObserve:      func() Command { return &Observe{} },
	kindAdopt:        func() Command { return &Adopt{} },
	kindLeave:        func() Command { return &Leave{} },
	kindRestore:      func() Command { return &Restore{} },
	kindBury:         func() Command { return &Bury{} },
	kindAddRecording: func() Command { return &AddRecording{} },
	kindConclude:     func() Command { return &Conclude{} },
	kindReopen:       func() Command { return &Reopen{} },
}

// AppendCommand appends the command's encoding, as a batch holds it.
func AppendCommand(dst []byte, c Command) []byte { return c.encode(append(dst, byte(c.kind()))) }

// IsDurable reports whether an embedded log has the command on disk before it is
// applied.
func IsDurable(c Command) bool { return c.durable() }

// Result is what a command came to.
type Result struct {
	Refusal Refusal
	Stream  *Stream // the live session that the command is about
	Ended   *Ended  // with a Stop, and with SessionGone where the end is still known
	Lease   Lease
	Term    int64 // how long the session lives on without a beat, in milliseconds
	Again   bool  // a Start whose key had begun this session before
}

// Refusal says why a command changed nothing.
type Refusal uint8

// The refusals there are, in the words of the wire protocol.
const (
	Granted Refusal = iota
	AlreadyLive
	CodeTaken
	SessionGone
	AnchorBanned
	NotYours
	Overtaken // the session has moved to another socket since this was asked for
)

var refusalNames = [...]string{
	Granted: "", AlreadyLive: "already_live", CodeTaken: "code_taken", SessionGone: "session_gone",
	AnchorBanned: "banned", NotYours: "forbidden", Overtaken: "unavailable",
}

// String gives the wire protocol's error code.
func (f Refusal) String() string { return refusalNames[f] }

// granted is the answer about a live session.
func (r *Registry) granted(i uint32) Result {
	st := r.sessions[i].stream
	a := Result{Stream: st, Lease: st.Lease()}
	if t := r.leases.terms[r.leases.all[i].terms]; r.sessions[i].sources.Has(FromBeats) {
		a.Term = t.length()
	}
	return a
}

// gone is the answer about a session that is not the live one.
func (r *Registry) gone(s Session) Result {
	return Result{Refusal: SessionGone, Ended: r.ended.bySession[s]}
}

// mine finds the live session that a command may change: an old socket's say
// about a session that moved on counts no more than one about an ended session.
func (r *Registry) mine(s Session, holder string) (uint32, bool) {
	i, ok := r.bySession[s]
	return i, ok && (holder == "" || r.sessions[i].holder == holder)
}

// keyKind is what a client's key is for.
type keyKind byte

// The kinds of keys.
const (
	startKey  keyKind = 's'
	stopKey   keyKind = 'e'
	updateKey keyKind = 'u'
	banKey    keyKind = 'b'
	unbanKey  keyKind = 'f'
	reopenKey keyKind = 'r' // of an effect that was put back
)

// keyName is different for every three, whatever they hold.
func keyName(kind keyKind, user, key string) string {
	return string(kind) + strconv.Itoa(len(user)) + " " + user + key
}

// keyed is the session that a client's own key was for.
type keyed struct {
	session Session
	clock   int64
}

// keys remembers, oldest first, which key was for which session, so that what
// was asked can be asked again when its answer was lost.
type keys struct {
	first  uint64   // the sequence number of names[0]
	names  []string // see keyName
	byName map[string]keyed
}

func (m *keys) len() int { return len(m.names) }

func (m *keys) oldest() int64 { return m.byName[m.names[0]].clock }

// add returns the sequence number that the key was given.
func (m *keys) add(name string, s Session, clock int64) uint64 {
	seq := m.first + uint64(len(m.names))
	m.names = append(m.names, name)
	m.byName[name] = keyed{session: s, clock: clock}
	return seq
}

// change has a key be for another session.
func (m *keys) change(name string, s Session) {
	k := m.byName[name]
	k.session = s
	m.byName[name] = k
}

// find returns the sequence number of a key that is known. It looks through all.
func (m *keys) find(name string) uint64 { return m.first + uint64(slices.Index(m.names, name)) }

// drop forgets the oldest and returns its sequence number.
func (m *keys) drop() uint64 {
	delete(m.byName, m.names[0])
	m.names[0] = ""
	m.names = m.names[1:]
	m.first++
	return m.first - 1
}

// at returns the name of that sequence number; ok is false when it is forgotten.
func (m *keys) at(seq uint64) (name string, ok bool) {
	if seq < m.first || seq-m.first >= uint64(len(m.names)) {
		return "", false
	}
	return m.names[seq-m.first], true
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

func appendKeyed(b []byte, name string, k keyed) []byte {
	return appendInt(append(appendString(b, name), k.session[:]...), k.clock)
}
