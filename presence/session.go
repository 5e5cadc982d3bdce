package presence

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/tidwall/btree"
)

// Session is the id of one live broadcast of one anchor: 128 random bits. It is
// the anchor's secret and is never shown to viewers. A command that names an
// older session of the same anchor changes nothing.
type Session [16]byte

// sessionText is lower-case base32 without padding, so that a session id is safe
// in URLs, file names and logs of the anchor's app.
var sessionText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ErrBadSession is returned when a text is not a session id.
var ErrBadSession = errors.New("presence: not a session id")

// NewSession makes a session id from the system's random source.
func NewSession() Session {
	var s Session
	rand.Read(s[:])
	return s
}

// ParseSession reads the text that String returns. It returns ErrBadSession for
// any other text.
func ParseSession(text string) (Session, error) {
	var s Session
	if len(text) != sessionText.EncodedLen(len(s)) {
		return Session{}, ErrBadSession
	}
	if n, err := sessionText.Decode(s[:], []byte(text)); err != nil || n != len(s) || s.String() != text {
		return Session{}, ErrBadSession
	}
	return s, nil
}

// String is the text form: 26 characters of a-z and 2-7.
func (s Session) String() string { return sessionText.EncodeToString(s[:]) }

// leaseTag is the 16 bits of a session id that a beat carries beside the lease's
// index. After a loss of the log the same index may belong to another session.
func (s Session) leaseTag() uint16 { return binary.LittleEndian.Uint16(s[:2]) }

// sessionTable holds all live sessions, by the index that each got at its start.
type sessionTable struct {
	sessions       []*liveSession
	free           indexSet
	leases         leases
	bySession      map[Session]uint32
	byCode         map[string]uint32
	byAnchor       map[string]uint32
	mediaDeadlines *btree.BTreeG[mediaDeadline] // computed from the sessions, and so not part of snapshots
}

func newSessionTable() sessionTable {
	return sessionTable{bySession: map[Session]uint32{}, byCode: map[string]uint32{}, byAnchor: map[string]uint32{}, mediaDeadlines: newMediaDeadlines()}
}

// allocateIndex returns the smallest free index.
func (t *sessionTable) allocateIndex() (index uint32) {
	i := t.free.allocate()
	for int(i) >= len(t.sessions) {
		t.sessions = append(t.sessions, nil)
	}
	return i
}

// insertSession enters a session under an allocated index.
func (t *sessionTable) insertSession(index uint32, s *liveSession) {
	t.sessions[index] = s
	t.bySession[s.stream.Session], t.byCode[s.stream.Code], t.byAnchor[s.stream.Anchor] = index, index, index
}

// deleteSession deletes a session and frees its index.
func (t *sessionTable) deleteSession(index uint32) {
	s := t.sessions[index]
	delete(t.bySession, s.stream.Session)
	delete(t.byCode, s.stream.Code)
	delete(t.byAnchor, s.stream.Anchor)
	t.sessions[index] = nil
	t.leases.all[index].flags &= leaseScheduled
	t.free.release(index)
	if s.mediaDeadline != 0 {
		t.mediaDeadlines.Delete(mediaDeadline{s.mediaDeadline, index})
	}
}

// liveSession is a live session: its stream, and what the list does not show.
type liveSession struct {
	stream        *Stream
	socket        string // the socket that controls it; empty for apps without sockets
	attached      bool   // that socket is open
	isTouched     bool   // the current entry changed it
	digest        uint64 // its part of the registry's digest
	sources       Sources
	evidence      []Evidence
	media         mediaState
	mediaDeadline int64       // in presence time, 0: none
	likes         []likeCount // by process of a node

	// The numbers of the entries that changed a part last. They show what a log
	// has lost. 0: the session was restored.
	startNum   uint64
	detailsNum uint64                  // of title, cover, tags and extra
	socketNum  uint64                  // of the attached socket
	mediaNum   uint64                  // of the pushes
	restored   *[numParts]restoredPart // parts that were restored after a loss; nil: none
}

// appendLiveSession appends what the digest covers of a session.
func appendLiveSession(b []byte, s *liveSession) []byte {
	b = appendStream(b, s.stream)
	b = appendBool(appendString(b, s.socket), s.attached)
	b = append(appendList(b, s.evidence, appendEvidence), byte(s.sources))
	b = appendMediaState(b, &s.media)
	for _, num := range [...]uint64{s.startNum, s.detailsNum, s.socketNum, s.mediaNum} {
		b = appendUint(b, num)
	}
	if b = appendBool(b, s.restored != nil); s.restored != nil {
		for _, p := range s.restored {
			b = appendUint(appendUint(appendUint(b, p.firstLost), p.restoredNum), p.originalNum)
		}
	}
	return b
}

// liveSession reads what appendLiveSession wrote.
func (r *decoder) liveSession() *liveSession {
	s := &liveSession{stream: r.stream(), socket: r.string(), attached: r.bool(), evidence: readList(r, r.evidence)}
	s.sources, s.media = r.sources(), r.mediaState()
	s.startNum, s.detailsNum, s.socketNum, s.mediaNum = r.uint(), r.uint(), r.uint(), r.uint()
	if r.bool() {
		s.restored = &[numParts]restoredPart{}
		for i := range s.restored {
			s.restored[i] = restoredPart{firstLost: r.uint(), restoredNum: r.uint(), originalNum: r.uint()}
		}
	}
	return s
}

// appendSessionRecord appends a session with its lease. It writes the params
// themselves, because their index is not part of the state.
func (r *Registry) appendSessionRecord(b []byte, index uint32) []byte {
	s := r.sessions[index]
	b = appendLiveSession(b, s)
	le := &r.leases.all[index]
	t := r.leases.params[le.params]
	b = appendLeaseParams(appendInt(b, le.lastRenewal(r.clock)), t)
	b = append(appendUint(b, uint64(le.renewer)), le.misses)
	return appendList(b, s.likes, appendLikeCount)
}

// indexSet allocates the smallest free index. The next one depends on those in
// use alone, so that a node which loaded a snapshot allocates the same.
type indexSet struct {
	used []uint64 // bit set: in use
	hint int      // no word before this one has a free bit
}

// allocate returns the smallest free index.
func (x *indexSet) allocate() (index uint32) {
	for ; x.hint < len(x.used); x.hint++ {
		if w := x.used[x.hint]; w != ^uint64(0) {
			i := bits.TrailingZeros64(^w)
			x.used[x.hint] |= 1 << i
			return uint32(x.hint*64 + i)
		}
	}
	x.used = append(x.used, 1)
	return uint32(x.hint * 64)
}

// reserve marks an index as used; it reports false when it was in use.
func (x *indexSet) reserve(index uint32) (wasFree bool) {
	for int(index/64) >= len(x.used) {
		x.used = append(x.used, 0)
	}
	was := x.used[index/64]
	x.used[index/64] |= 1 << (index % 64)
	return was != x.used[index/64]
}

// release frees an index.
func (x *indexSet) release(index uint32) {
	x.used[index/64] &^= 1 << (index % 64)
	x.hint = min(x.hint, int(index/64))
}
