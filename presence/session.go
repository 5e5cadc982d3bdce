package presence

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/tidwall/btree"
)

// Session names one live broadcast of one anchor: 128 random bits. It is the
// anchor's secret; viewers never see it. Whoever names an older session of the
// same anchor changes nothing.
type Session [16]byte

// sessionText is lower-case base32 without padding, so that a session is safe
// in URLs, file names and logs of the anchor's own app.
var sessionText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ErrBadSession is returned when a text is not a session id.
var ErrBadSession = errors.New("presence: not a session id")

// NewSession makes a session id from the system's random source.
func NewSession() Session {
	var s Session
	rand.Read(s[:])
	return s
}

// ParseSession reads the text form that String gives. It returns
// ErrBadSession when the text is anything else.
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

// String gives the text form: 26 characters of a-z and 2-7.
func (s Session) String() string { return sessionText.EncodeToString(s[:]) }

// tag is the 16 bits of a session that a beat carries beside the lease's
// index: after a failover the same index may belong to another session.
func (s Session) tag() uint16 { return binary.LittleEndian.Uint16(s[:2]) }

// sessionTable is all live sessions, by the index that their start was given.
type sessionTable struct {
	sessions  []*session
	free      indexes
	leases    leases
	bySession map[Session]uint32
	byCode    map[string]uint32
	byAnchor  map[string]uint32
	dues      *btree.BTreeG[due] // of sessions that end for want of a picture; not state
}

func newSessionTable() sessionTable {
	return sessionTable{bySession: map[Session]uint32{}, byCode: map[string]uint32{}, byAnchor: map[string]uint32{}, dues: newDues()}
}

// allocate gives the smallest free index.
func (t *sessionTable) allocate() uint32 {
	i := t.free.get()
	for int(i) >= len(t.sessions) {
		t.sessions = append(t.sessions, nil)
	}
	return i
}

// insert enters a session under an index that was allocated.
func (t *sessionTable) insert(i uint32, s *session) {
	t.sessions[i] = s
	t.bySession[s.stream.Session], t.byCode[s.stream.Code], t.byAnchor[s.stream.Anchor] = i, i, i
}

// remove takes a session out, and frees its index.
func (t *sessionTable) remove(i uint32) {
	s := t.sessions[i]
	delete(t.bySession, s.stream.Session)
	delete(t.byCode, s.stream.Code)
	delete(t.byAnchor, s.stream.Anchor)
	t.sessions[i] = nil
	t.leases.all[i].flags &= leaseParked
	t.free.put(i)
	if s.due != 0 {
		t.dues.Delete(due{s.due, i})
	}
}

// session is what a live session is beside what the list shows of it.
type session struct {
	stream   *Stream
	holder   string // the connection that holds it, empty for apps without sockets
	attached bool
	touched  bool
	sum      uint64 // its part of the registry's digest
	sources  Sources
	evidence []Evidence
	media    media
	due      int64   // what appoint found, 0: never
	likes    []liked // by node and process

	// The numbers of the entries that last changed a part of it, to find out
	// what a log has lost.
	born   uint64 // that began it; 0: it was put back after a loss
	told   uint64 // that updated its title, cover, tags or extra
	moved  uint64 // that moved it to its socket, or said that the socket is gone
	filmed uint64 // that told something of its push
	// back is of those parts that were put back after a loss; nil: none was.
	back *[parts]repaired
}

// appendSession is what the digest covers of a session.
func appendSession(b []byte, s *session) []byte {
	b = appendStream(b, s.stream)
	b = appendBool(appendString(b, s.holder), s.attached)
	b = append(appendEvidence(b, s.evidence), byte(s.sources))
	b = s.media.append(b)
	for _, num := range [...]uint64{s.born, s.told, s.moved, s.filmed} {
		b = appendUint(b, num)
	}
	if b = appendBool(b, s.back != nil); s.back != nil {
		for _, p := range s.back {
			b = appendUint(appendUint(appendUint(b, p.lost), p.at), p.was)
		}
	}
	return b
}

// whole reads what appendSession wrote.
func (r *reader) whole() *session {
	s := &session{stream: r.stream(), holder: r.string(), attached: r.bool(), evidence: r.evidence()}
	s.sources, s.media = r.sources(), r.media()
	s.born, s.told, s.moved, s.filmed = r.uint(), r.uint(), r.uint(), r.uint()
	if r.bool() {
		s.back = &[parts]repaired{}
		for i := range s.back {
			s.back[i] = repaired{lost: r.uint(), at: r.uint(), was: r.uint()}
		}
	}
	return s
}

// appendLeased is a session with its lease. The lease's terms are written as
// they are: which index they have is no state.
func (r *Registry) appendLeased(b []byte, i uint32) []byte {
	s := r.sessions[i]
	b = appendSession(b, s)
	le := &r.leases.all[i]
	t := r.leases.terms[le.terms]
	b = appendLeaseParams(appendInt(b, le.lastAt(r.clock)), t)
	b = append(appendUint(b, uint64(le.via)), le.misses)
	return appendLikes(b, s.likes)
}

// indexes hands out the smallest free index. Which one is next is a function
// of those in use alone, so that a node which started from a snapshot gives
// out the same ones.
type indexes struct {
	used []uint64 // bit set: in use
	hint int      // no word before this one has a free bit
}

// get takes the smallest free index.
func (x *indexes) get() uint32 {
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

// take marks an index as used; it reports false when it was already.
func (x *indexes) take(i uint32) bool {
	for int(i/64) >= len(x.used) {
		x.used = append(x.used, 0)
	}
	was := x.used[i/64]
	x.used[i/64] |= 1 << (i % 64)
	return was != x.used[i/64]
}

// put gives an index back.
func (x *indexes) put(i uint32) {
	x.used[i/64] &^= 1 << (i % 64)
	x.hint = min(x.hint, int(i/64))
}
