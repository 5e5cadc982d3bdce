package presence

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Record is one piece of a registry: a snapshot is all of them in order, and
// an embedded log's rows are those that changed.
type Record struct {
	Kind  byte
	Key   string
	Value []byte // nil: there is no such record any more
}

// The kinds of records, in the order in which a snapshot holds them.
const (
	recordMeta       = 'a'
	recordNode       = 'b'
	recordDeparted   = 'c'
	recordSession    = 'd'
	recordBan        = 'e'
	recordClientKey  = 'f'
	recordEnded      = 'g'
	recordRecording  = 'h'
	recordEvent      = 'i'
	recordDeadLetter = 'j'
)

// The first byte of the meta record is the version of all records, and whether
// they are a whole registry at one position, or rows: those of TakeChangedRecords, each
// as it was when it was last marked. Beats, counts and the times of nodes mark
// nothing, so rows are behind in them.
const (
	snapshotVersion = 11
	rowsVersion     = 12
)

// recordKey is a record's key before it is written out, which is for those only
// who want records: a name, or a number.
type recordKey struct {
	kind byte
	num  uint64
	name string
}

func (k recordKey) String() string {
	switch k.kind {
	case recordNode, recordBan:
		return k.name
	case recordSession:
		return sessionKey(uint32(k.num))
	case recordClientKey, recordEnded, recordRecording, recordEvent, recordDeadLetter:
		return seqKey(k.num)
	}
	return ""
}

func sessionKey(i uint32) string { return fmt.Sprintf("%08x", i) }

func seqKey(seq uint64) string { return fmt.Sprintf("%016x", seq) }

// TrackChanges makes the registry remember from now on which records change.
func (r *Registry) TrackChanges() { r.changedRecords = map[recordKey]struct{}{} }

// markRecord notes that a record has changed that goes by a number.
func (r *Registry) markRecord(kind byte, n uint64) {
	if r.changedRecords != nil {
		r.changedRecords[recordKey{kind: kind, num: n}] = struct{}{}
	}
}

// markNamedRecord notes that a record has changed that goes by a name.
func (r *Registry) markNamedRecord(kind byte, name string) {
	if r.changedRecords != nil {
		r.changedRecords[recordKey{kind: kind, name: name}] = struct{}{}
	}
}

// markSessionChanged notes that a session has changed, more than by a beat.
func (r *Registry) markSessionChanged(i uint32) {
	if s := r.sessions[i]; !s.isTouched {
		s.isTouched = true
		r.touchedSessions = append(r.touchedSessions, i)
	}
}

// updateDigest brings the digest up to date with what the entry touched.
func (r *Registry) updateDigest() {
	for _, i := range r.touchedSessions {
		s := r.sessions[i]
		if s == nil || !s.isTouched {
			continue
		}
		s.isTouched = false
		r.scratch = appendLiveSession(r.scratch[:0], s)
		sum := xxhash.Sum64(r.scratch)
		r.sum += sum - s.digest
		s.digest = sum
		r.markRecord(recordSession, uint64(i))
	}
	r.touchedSessions = r.touchedSessions[:0]
	r.past[r.last.Num%numPastDigests] = pastDigest{r.Position(), r.Digest()}
}

// TakeChangedRecords returns the records that changed since the last take, as they are
// now, with the meta record first; nothing when no more than clocks, beats and
// viewer counts did. A registry that is loaded from such rows gives every lease
// anew, in full, and knows no viewers.
func (r *Registry) TakeChangedRecords() []Record {
	if len(r.changedRecords) == 0 {
		return nil
	}
	delete(r.changedRecords, recordKey{kind: recordMeta})
	keys := slices.SortedFunc(maps.Keys(r.changedRecords), func(a, b recordKey) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.num, b.num), strings.Compare(a.name, b.name))
	})
	clear(r.changedRecords)
	out := make([]Record, 0, len(keys)+1)
	out = append(out, Record{Kind: recordMeta, Value: r.appendMeta(nil, rowsVersion)})
	for _, k := range keys {
		out = append(out, Record{Kind: k.kind, Key: k.String(), Value: r.encodeRecord(k)})
	}
	return out
}

// encodeRecord encodes the record of that key, nil when it is gone.
func (r *Registry) encodeRecord(k recordKey) []byte {
	switch k.kind {
	case recordNode:
		if p, _ := r.nodes.find(k.name); p != nil {
			return appendNode(nil, p)
		}
	case recordBan:
		if b, ok := r.bans[k.name]; ok {
			return appendBanRecord(nil, b)
		}
	case recordSession:
		if r.sessions[k.num] != nil {
			return r.appendSessionRecord(nil, uint32(k.num))
		}
	case recordClientKey:
		if name, ok := r.keys.nameAt(k.num); ok {
			return appendKeyUse(nil, name, r.keys.byName[name])
		}
	case recordEnded:
		if e := r.ended.byNumber(k.num); e != nil {
			return appendEnded(nil, e)
		}
	case recordRecording:
		if t := r.recordings.byNumber(k.num); t != nil {
			return appendKnownRecording(nil, t)
		}
	case recordEvent:
		if e, ok := r.outbox.events.Get(k.num); ok {
			return appendEvent(nil, e)
		}
	case recordDeadLetter:
		if d := r.outbox.deadLetter(k.num); d != nil {
			return appendDeadLetter(nil, d)
		}
	}
	return nil
}

// Records yields the whole registry, in an order that is the same on all
// nodes. The registry must not change meanwhile.
func (r *Registry) Records() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		_ = yield(Record{Kind: recordMeta, Value: r.appendMeta(nil, snapshotVersion)}) &&
			r.yieldNodes(yield) && r.yieldSessions(yield) && r.yieldBans(yield) && r.yieldKeysAndEnded(yield) && r.yieldRecordings(yield) && r.yieldOutbox(yield)
	}
}

func (r *Registry) yieldNodes(yield func(Record) bool) bool {
	for _, p := range r.nodes.list {
		if !yield(Record{recordNode, p.name, appendNode(nil, p)}) {
			return false
		}
	}
	for i, d := range r.nodes.departed {
		v := appendCountMap(appendInt(appendUint(appendString(nil, d.name), d.process), d.until), d.viewers)
		if !yield(Record{recordDeparted, seqKey(uint64(i)), v}) {
			return false
		}
	}
	return true
}

func (r *Registry) yieldSessions(yield func(Record) bool) bool {
	for i, s := range r.sessions {
		if s != nil && !yield(Record{recordSession, sessionKey(uint32(i)), r.appendSessionRecord(make([]byte, 0, 320), uint32(i))}) {
			return false
		}
	}
	return true
}

func (r *Registry) yieldBans(yield func(Record) bool) bool {
	for _, anchor := range slices.Sorted(maps.Keys(r.bans)) {
		if !yield(Record{recordBan, anchor, appendBanRecord(nil, r.bans[anchor])}) {
			return false
		}
	}
	return true
}

func (r *Registry) yieldKeysAndEnded(yield func(Record) bool) bool {
	for i, name := range r.keys.names {
		if !yield(Record{recordClientKey, seqKey(r.keys.first + uint64(i)), appendKeyUse(nil, name, r.keys.byName[name])}) {
			return false
		}
	}
	for i, e := range r.ended.list {
		if !yield(Record{recordEnded, seqKey(r.ended.first + uint64(i)), appendEnded(nil, e)}) {
			return false
		}
	}
	return true
}

func (r *Registry) yieldRecordings(yield func(Record) bool) bool {
	for i, t := range r.recordings.list {
		if !yield(Record{recordRecording, seqKey(r.recordings.first + uint64(i)), appendKnownRecording(nil, t)}) {
			return false
		}
	}
	return true
}

func (r *Registry) yieldOutbox(yield func(Record) bool) (more bool) {
	more = true
	r.outbox.events.Scan(func(seq uint64, e *OutboxEvent) bool {
		more = yield(Record{recordEvent, seqKey(seq), appendEvent(nil, e)})
		return more
	})
	for i, d := range r.outbox.deadLetters {
		if more = more && yield(Record{recordDeadLetter, seqKey(r.outbox.firstDeadLetter + uint64(i)), appendDeadLetter(nil, d)}); !more {
			return false
		}
	}
	return more
}

// Encode gives the registry's snapshot: two registries are equal when their
// snapshots are, byte for byte.
func (r *Registry) Encode() []byte {
	b := make([]byte, 0, 4096+320*len(r.bySession)+480*len(r.ended.list))
	for rec := range r.Records() {
		b = rec.Append(b)
	}
	return b
}

func (r *Registry) appendMeta(b []byte, version byte) []byte {
	b = append(b, version)
	for _, v := range [...]uint64{r.rules, r.hash, r.last.ID.MS, r.last.ID.Seq, r.last.Num, r.keys.first, r.ended.first, r.recordings.first, r.outbox.next, r.outbox.firstDeadLetter} {
		b = appendUint(b, v)
	}
	b = appendInt(appendInt(b, r.clock), r.last.Time)
	b = appendSettings(appendString(b, r.last.Epoch), r.settings)
	b = appendUint(b, uint64(len(r.epochs)))
	for _, e := range r.epochs {
		b = appendInt(appendUint(appendString(b, e.id), e.firstNum), e.startedAt)
	}
	return b
}

// Append appends the record's encoding to b. Those of several may follow each
// other.
func (rec Record) Append(b []byte) []byte {
	return appendBytes(appendString(append(b, rec.Kind), rec.Key), rec.Value)
}

// DecodeRecords yields the records that Append wrote to b, and ErrMalformed
// where they are none.
func DecodeRecords(b []byte) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		in := &reader{data: b}
		for len(in.data) > 0 {
			rec := Record{Kind: in.byte(), Key: in.string(), Value: in.bytesOf(in.uint())}
			if in.failed {
				yield(Record{}, ErrMalformed)
				return
			}
			if !yield(rec, nil) {
				return
			}
		}
	}
}

// numPastDigests is how many digests of past positions a registry can compare a
// peer's with; one that lags further behind is not compared.
const numPastDigests = 1024

// digests is the digest of the sessions, and those of the last positions.
type digests struct {
	sum             uint64                     // of the sessions' digests
	past            [numPastDigests]pastDigest // by number of the entry
	touchedSessions []uint32                   // sessions that the entry being applied changed
	scratch         []byte
}

type pastDigest struct {
	position Position
	sum      uint64
}

// Digest is a short form of the registry at its position, without the times
// of leases and the present viewer counts: nodes that differ in it have
// diverged. It costs the same whatever the list's length.
func (r *Registry) Digest() uint64 {
	var b [88]byte
	for i, v := range [...]uint64{
		r.sum, uint64(r.clock), r.rules, uint64(r.settings.Revision),
		uint64(len(r.bySession)), uint64(len(r.bans)), r.ended.first + uint64(r.ended.len()), r.keys.first + uint64(r.keys.len()),
		r.recordings.first + uint64(r.recordings.len()), r.outbox.next, uint64(r.outbox.events.Len()),
	} {
		binary.LittleEndian.PutUint64(b[i*8:], v)
	}
	return xxhash.Sum64(b[:])
}

// DigestComparison are two nodes' digests of one position.
type DigestComparison struct {
	Node            string // whose digest came with the entry
	Position        Position
	PeerSum, OwnSum uint64
}

// compareDigest checks a peer's digest of a position that this registry passed.
func (r *Registry) compareDigest(b *Batch) *DigestComparison {
	if b.Digest == nil {
		return nil
	}
	for _, p := range r.past {
		if p.position == b.Digest.Position && !p.position.IsZero() {
			return &DigestComparison{b.Node, p.position, b.Digest.Sum, p.sum}
		}
	}
	return nil
}
