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
	kind() commandKind
	// durable: an embedded log has it on disk before it is applied.
	durable() bool
	encode(dst []byte) []byte
	decode(r *reader)
	// apply changes the registry as the command says; by is the node that appended it.
	apply(r *Registry, by *nodeState) Result
}

// commandKind is a command's first byte in a batch. Numbers are for ever.
type commandKind byte

const (
	kindStart          commandKind = 1
	kindResume         commandKind = 2
	kindStop           commandKind = 3
	kindUpdate         commandKind = 4
	kindBan            commandKind = 5
	kindUnban          commandKind = 6
	kindSetSettings    commandKind = 7
	kindRaiseRules     commandKind = 8
	kindObserve        commandKind = 9
	kindAdoptSettings  commandKind = 10
	kindLeave          commandKind = 11
	kindRestoreSession commandKind = 12
	kindRestoreEnd     commandKind = 13
	kindAddRecording   commandKind = 14
	kindCompleteEvent  commandKind = 15
	kindRestoreEvent   commandKind = 16
)

// newCommands makes an empty command of each kind, to decode into.
var newCommands = map[commandKind]func() Command{
	kindStart:          func() Command { return &Start{} },
	kindResume:         func() Command { return &Resume{} },
	kindStop:           func() Command { return &Stop{} },
	kindUpdate:         func() Command { return &Update{} },
	kindBan:            func() Command { return &Ban{} },
	kindUnban:          func() Command { return &Unban{} },
	kindSetSettings:    func() Command { return &SetSettings{} },
	kindRaiseRules:     func() Command { return &RaiseRules{} },
	kindObserve:        func() Command { return &Observe{} },
	kindAdoptSettings:  func() Command { return &AdoptSettings{} },
	kindLeave:          func() Command { return &Leave{} },
	kindRestoreSession: func() Command { return &RestoreSession{} },
	kindRestoreEnd:     func() Command { return &RestoreEnd{} },
	kindAddRecording:   func() Command { return &AddRecording{} },
	kindCompleteEvent:  func() Command { return &CompleteEvent{} },
	kindRestoreEvent:   func() Command { return &RestoreEvent{} },
}

// AppendCommand appends the command's encoding, as a batch holds it.
func AppendCommand(dst []byte, c Command) []byte { return c.encode(append(dst, byte(c.kind()))) }

// IsDurable reports whether an embedded log has the command on disk before it is
// applied.
func IsDurable(c Command) bool { return c.durable() }

// Result is what a command came to.
type Result struct {
	Refusal  Refusal
	Stream   *Stream // the live session that the command is about
	Ended    *Ended  // with a Stop, and with SessionGone where the end is still known
	Lease    Lease
	TTL      int64 // how long the session lives on without a beat, in milliseconds
	Repeated bool  // a Start whose key had begun this session before
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
	NotOwner
	Superseded // the session has moved to another socket since this was asked for
)

var refusalNames = [...]string{
	Granted: "", AlreadyLive: "already_live", CodeTaken: "code_taken", SessionGone: "session_gone",
	AnchorBanned: "banned", NotOwner: "forbidden", Superseded: "unavailable",
}

// String gives the wire protocol's error code.
func (f Refusal) String() string { return refusalNames[f] }

// liveResult is the answer about a live session.
func (r *Registry) liveResult(i uint32) Result {
	st := r.sessions[i].stream
	a := Result{Stream: st, Lease: st.Lease()}
	if t := r.leases.params[r.leases.all[i].params]; r.sessions[i].sources.Has(FromBeats) {
		a.TTL = t.ttl()
	}
	return a
}

// goneResult is the answer about a session that is not the live one.
func (r *Registry) goneResult(s Session) Result {
	return Result{Refusal: SessionGone, Ended: r.ended.bySession[s]}
}

// controlledSession finds the live session that a command may change: an old socket's say
// about a session that moved on counts no more than one about an ended session.
func (r *Registry) controlledSession(s Session, socket string) (uint32, bool) {
	i, ok := r.bySession[s]
	return i, ok && (socket == "" || r.sessions[i].socket == socket)
}

// keyKind is what a client's key is for.
type keyKind byte

// The kinds of keys.
const (
	startKey        keyKind = 's'
	stopKey         keyKind = 'e'
	updateKey       keyKind = 'u'
	banKey          keyKind = 'b'
	unbanKey        keyKind = 'f'
	restoreEventKey keyKind = 'r' // of an effect that was put back
)

// keyName is different for every three, whatever they hold.
func keyName(kind keyKind, user, key string) string {
	return string(kind) + strconv.Itoa(len(user)) + " " + user + key
}

// keyUse is the session that a client's own key was for.
type keyUse struct {
	session Session
	usedAt  int64
}

// clientKeys remembers, oldest first, which key was for which session, so that what
// was asked can be asked again when its answer was lost.
type clientKeys struct {
	first  uint64   // the sequence number of names[0]
	names  []string // see keyName
	byName map[string]keyUse
}

func (m *clientKeys) len() int { return len(m.names) }

func (m *clientKeys) oldestTime() int64 { return m.byName[m.names[0]].usedAt }

// append returns the sequence number that the key was given.
func (m *clientKeys) append(name string, s Session, clock int64) uint64 {
	seq := m.first + uint64(len(m.names))
	m.names = append(m.names, name)
	m.byName[name] = keyUse{session: s, usedAt: clock}
	return seq
}

// reassign has a key be for another session.
func (m *clientKeys) reassign(name string, s Session) {
	k := m.byName[name]
	k.session = s
	m.byName[name] = k
}

// numberOf returns the sequence number of a key that is known. It looks through all.
func (m *clientKeys) numberOf(name string) uint64 {
	return m.first + uint64(slices.Index(m.names, name))
}

// dropOldest forgets the oldest and returns its sequence number.
func (m *clientKeys) dropOldest() uint64 {
	delete(m.byName, m.names[0])
	m.names[0] = ""
	m.names = m.names[1:]
	m.first++
	return m.first - 1
}

// nameAt returns the name of that sequence number; ok is false when it is forgotten.
func (m *clientKeys) nameAt(seq uint64) (name string, ok bool) {
	if seq < m.first || seq-m.first >= uint64(len(m.names)) {
		return "", false
	}
	return m.names[seq-m.first], true
}

// rememberKey remembers which session a client's key was for. It reports false when
// the key was used before.
func (r *Registry) rememberKey(kind keyKind, user, key string, s Session) bool {
	if key == "" {
		return true
	}
	if _, known := r.findKey(kind, user, key); known {
		return false
	}
	r.markRecord(recordClientKey, r.keys.append(keyName(kind, user, key), s, r.clock))
	return true
}

// findKey finds out whether a client's key was used before, and for what.
func (r *Registry) findKey(kind keyKind, user, key string) (k keyUse, known bool) {
	if key != "" {
		k, known = r.keys.byName[keyName(kind, user, key)]
	}
	return k, known
}

func appendKeyUse(b []byte, name string, k keyUse) []byte {
	return appendInt(append(appendString(b, name), k.session[:]...), k.usedAt)
}
