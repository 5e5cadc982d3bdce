package presence

import (
	"slices"
	"strconv"
)

// Command is anything that can change who is live. All that Apply needs is in
// the command, because Apply has no clock and no random source.
//
// The commands are Start, Resume, Stop, Update, Ban, Unban, SetSettings,
// RaiseRules, Observe, AdoptLeaseParams, Leave, RestoreSession, RestoreEnd,
// AddRecording, CompleteEvent and RestoreEvent.
type Command interface {
	kind() commandKind
	encode(dst []byte) []byte
	decode(r *decoder)
	// apply changes the registry; node is the one that appended the command.
	apply(r *Registry, node *nodeState) Result
}

// commandKind is the first byte of an encoded command. Numbers never change.
type commandKind byte

const (
	kindStart            commandKind = 1
	kindResume           commandKind = 2
	kindStop             commandKind = 3
	kindUpdate           commandKind = 4
	kindBan              commandKind = 5
	kindUnban            commandKind = 6
	kindSetSettings      commandKind = 7
	kindRaiseRules       commandKind = 8
	kindObserve          commandKind = 9
	kindAdoptLeaseParams commandKind = 10
	kindLeave            commandKind = 11
	kindRestoreSession   commandKind = 12
	kindRestoreEnd       commandKind = 13
	kindAddRecording     commandKind = 14
	kindCompleteEvent    commandKind = 15
	kindRestoreEvent     commandKind = 16

	// A RestoreSession with RenewedAt, which needs rules 3.
	kindRestoreRenewedSession commandKind = 17
)

// isDurable reports whether an embedded log must have commands of this kind on
// disk before they are applied.
func (k commandKind) isDurable() bool {
	return !slices.Contains([]commandKind{kindResume, kindObserve, kindAdoptLeaseParams, kindLeave, kindCompleteEvent}, k)
}

// newCommands makes an empty command of each kind, to decode into.
var newCommands = map[commandKind]func() Command{
	kindStart:            func() Command { return &Start{} },
	kindResume:           func() Command { return &Resume{} },
	kindStop:             func() Command { return &Stop{} },
	kindUpdate:           func() Command { return &Update{} },
	kindBan:              func() Command { return &Ban{} },
	kindUnban:            func() Command { return &Unban{} },
	kindSetSettings:      func() Command { return &SetSettings{} },
	kindRaiseRules:       func() Command { return &RaiseRules{} },
	kindObserve:          func() Command { return &Observe{} },
	kindAdoptLeaseParams: func() Command { return &AdoptLeaseParams{} },
	kindLeave:            func() Command { return &Leave{} },
	kindRestoreSession:   func() Command { return &RestoreSession{} },
	kindRestoreEnd:       func() Command { return &RestoreEnd{} },
	kindAddRecording:     func() Command { return &AddRecording{} },
	kindCompleteEvent:    func() Command { return &CompleteEvent{} },
	kindRestoreEvent:     func() Command { return &RestoreEvent{} },

	kindRestoreRenewedSession: func() Command { return &RestoreSession{RenewedAt: -1} },
}

// AppendCommand appends the command's encoding in a batch.
func AppendCommand(dst []byte, c Command) []byte { return c.encode(append(dst, byte(c.kind()))) }

// IsDurable reports whether an embedded log must have the command on disk before
// it is applied.
func IsDurable(c Command) bool { return c.kind().isDurable() }

// Result is what a command came to.
type Result struct {
	Refusal  Refusal
	Stream   *Stream // the live session that the command named
	Ended    *Ended  // of a Stop or a Ban; with SessionGone while the end is remembered
	Lease    Lease
	TTL      int64 // time to the end without a beat, in milliseconds; 0: the session needs no beats
	Repeated bool  // the command was applied before
}

// Refusal is why a command changed nothing.
type Refusal uint8

// The refusals there are.
const (
	Granted Refusal = iota
	AlreadyLive
	CodeTaken
	SessionGone
	AnchorBanned
	NotOwner
	Superseded // the session was attached to another socket since
)

var refusalNames = [...]string{
	Granted: "", AlreadyLive: "already_live", CodeTaken: "code_taken", SessionGone: "session_gone",
	AnchorBanned: "banned", NotOwner: "forbidden", Superseded: "unavailable",
}

// String is the error code of the wire protocol.
func (f Refusal) String() string { return refusalNames[f] }

// liveResult is the result of a command about a live session.
func (r *Registry) liveResult(index uint32) Result {
	st := r.sessions[index].stream
	a := Result{Stream: st, Lease: st.Lease()}
	if t := r.leases.params[r.leases.all[index].params]; r.sessions[index].sources.Has(FromBeats) {
		a.TTL = t.ttl()
	}
	return a
}

// goneResult is the result of a command about a session that is not live.
func (r *Registry) goneResult(s Session) Result {
	return Result{Refusal: SessionGone, Ended: r.ended.bySession[s]}
}

// findLiveSession finds the live session that a command names. A command with
// a socket must come from the attached one; that of another socket counts as
// little as one about an ended session. An empty requiredSocket means any.
func (r *Registry) findLiveSession(s Session, requiredSocket string) (index uint32, isFound bool) {
	i, ok := r.bySession[s]
	return i, ok && (requiredSocket == "" || r.sessions[i].socket == requiredSocket)
}

// clientKeyKind is the kind of command that a client key belongs to.
type clientKeyKind byte

// The kinds of keys.
const (
	startKey        clientKeyKind = 's'
	stopKey         clientKeyKind = 'e'
	updateKey       clientKeyKind = 'u'
	banKey          clientKeyKind = 'b'
	unbanKey        clientKeyKind = 'f'
	restoreEventKey clientKeyKind = 'r' // the id of a restored event
)

// clientKeyName is unique for kind, user and key.
func clientKeyName(kind clientKeyKind, user, key string) string {
	return string(kind) + strconv.Itoa(len(user)) + " " + user + key
}

// clientKeyUse is the session that a client key was used for.
type clientKeyUse struct {
	session Session
	usedAt  int64 // presence time
}

// clientKeys remembers, oldest first, which session each client key was used for,
// so that a client can repeat a command whose answer it did not get.
type clientKeys struct {
	numberedList[string] // of clientKeyName
	byName               map[string]clientKeyUse
}

// append returns the number that the key got.
func (m *clientKeys) append(name string, s Session, presenceNow int64) (num uint64) {
	m.byName[name] = clientKeyUse{session: s, usedAt: presenceNow}
	return m.push(name)
}

// numberOf returns the number of a known key. It searches all of them.
func (m *clientKeys) numberOf(name string) (num uint64) {
	return m.first + uint64(slices.Index(m.list, name))
}

// dropOldest drops the oldest key and returns its number.
func (m *clientKeys) dropOldest() (num uint64) {
	name, num := m.removeOldest()
	delete(m.byName, name)
	return num
}

func (m *clientKeys) appendKeyRecord(b []byte, name string) []byte {
	k := m.byName[name]
	return appendInt(append(appendString(b, name), k.session[:]...), k.usedAt)
}

// addClientKey stores the session that a client key is used for. It reports
// whether the key is new; the empty key always is.
func (r *Registry) addClientKey(kind clientKeyKind, user, key string, s Session) (isNew bool) {
	if key == "" {
		return true
	}
	if _, known := r.findClientKey(kind, user, key); known {
		return false
	}
	r.markRecordChanged(recordClientKey, r.keys.append(clientKeyName(kind, user, key), s, r.clock))
	return true
}

// findClientKey finds the session that a client key was used for.
func (r *Registry) findClientKey(kind clientKeyKind, user, key string) (use clientKeyUse, isKnown bool) {
	if key != "" {
		use, isKnown = r.keys.byName[clientKeyName(kind, user, key)]
	}
	return use, isKnown
}
