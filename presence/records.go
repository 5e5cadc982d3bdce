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

// Record is one part of a registry. A snapshot is all records in order; the rows
// of an embedded log are those that changed.
type Record struct {
	Kind  byte
	Key   string
	Value []byte // nil: the record was removed
}

// The kinds of records, in the order of a snapshot.
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

// The first byte of the meta record is the version of all records and their use.
// A snapshot is a whole registry at one position. Rows are those of
// TakeChangedRecords, each as of its last change. Beats, counts and times of
// nodes change no record, so rows lag behind in them.
const (
	snapshotVersion = 11
	rowsVersion     = 12
)

// recordKey is the key of a record before it is formatted: a name or a number.
type recordKey struct {
	kind byte
	num  uint64
	name string
}

// String implements [fmt.Stringer].
func (k recordKey) String() string {
	switch k.kind {
	case recordNode, recordBan:
		return k.name
	case recordSession:
		return sessionRecordKey(uint32(k.num))
	case recordClientKey, recordEnded, recordRecording, recordEvent, recordDeadLetter:
		return numberRecordKey(k.num)
	}
	return ""
}

func sessionRecordKey(index uint32) string { return fmt.Sprintf("%08x", index) }
func numberRecordKey(num uint64) string    { return fmt.Sprintf("%016x", num) }

// TrackChangedRecords makes the registry track which records change from now on.
func (r *Registry) TrackChangedRecords() { r.changedRecords = map[recordKey]struct{}{} }

// markRecordChanged marks a record with a number as changed.
func (r *Registry) markRecordChanged(kind byte, num uint64) {
	if r.changedRecords != nil {
		r.changedRecords[recordKey{kind: kind, num: num}] = struct{}{}
	}
}

// markNamedRecordChanged marks a record with a name as changed.
func (r *Registry) markNamedRecordChanged(kind byte, name string) {
	if r.changedRecords != nil {
		r.changedRecords[recordKey{kind: kind, name: name}] = struct{}{}
	}
}

// markSessionChanged marks a session as changed by more than a beat.
func (r *Registry) markSessionChanged(index uint32) {
	if s := r.sessions[index]; !s.isTouched {
		s.isTouched = true
		r.touchedSessions = append(r.touchedSessions, index)
	}
}

// updateDigests updates the digest by the sessions that the entry changed.
func (r *Registry) updateDigests() {
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
		r.markRecordChanged(recordSession, uint64(i))
	}
	r.touchedSessions = r.touchedSessions[:0]
	r.past[r.last.Num%numPastDigests] = pastDigest{r.Position(), r.Digest()}
}

// TakeChangedRecords returns the current records that changed since the last
// call, with the meta record first. It returns nil when only clocks, beats and
// viewer counts changed. A registry that is loaded from such rows has full
// leases and no viewers.
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

// encodeRecord encodes the record of a key, nil when it was removed.
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
		if name, ok := r.keys.byNumber(k.num); ok {
			return r.keys.appendKeyRecord(nil, name)
		}
	case recordEnded:
		if e, ok := r.ended.byNumber(k.num); ok {
			return appendEnded(nil, e)
		}
	case recordRecording:
		if t, ok := r.recordings.byNumber(k.num); ok {
			return appendKnownRecording(nil, t)
		}
	case recordEvent:
		if e, ok := r.outbox.events.Get(k.num); ok {
			return appendEvent(nil, e)
		}
	case recordDeadLetter:
		if d, ok := r.outbox.deadLetters.byNumber(k.num); ok {
			return appendDeadLetter(nil, d)
		}
	}
	return nil
}

// Records yields the records of the whole registry, in an order that is the same
// on all nodes. The registry must not change meanwhile.
func (r *Registry) Records() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		_ = yield(Record{Kind: recordMeta, Value: r.appendMeta(nil, snapshotVersion)}) &&
			r.yieldNodes(yield) && r.yieldSessions(yield) && r.yieldBans(yield) &&
			yieldNumbered(recordClientKey, &r.keys.numberedList, r.keys.appendKeyRecord, yield) &&
			yieldNumbered(recordEnded, &r.ended.numberedList, appendEnded, yield) &&
			yieldNumbered(recordRecording, &r.recordings.numberedList, appendKnownRecording, yield) &&
			r.yieldEvents(yield) &&
			yieldNumbered(recordDeadLetter, &r.outbox.deadLetters, appendDeadLetter, yield)
	}
}

func (r *Registry) yieldNodes(yield func(Record) bool) (wantsMore bool) {
	for _, p := range r.nodes.list {
		if !yield(Record{recordNode, p.name, appendNode(nil, p)}) {
			return false
		}
	}
	for i, d := range r.nodes.departed {
		v := appendViewerCounts(appendInt(appendUint(appendString(nil, d.name), d.process), d.until), d.viewers)
		if !yield(Record{recordDeparted, numberRecordKey(uint64(i)), v}) {
			return false
		}
	}
	return true
}

func (r *Registry) yieldSessions(yield func(Record) bool) (wantsMore bool) {
	for i, s := range r.sessions {
		if s != nil && !yield(Record{recordSession, sessionRecordKey(uint32(i)), r.appendSessionRecord(make([]byte, 0, 320), uint32(i))}) {
			return false
		}
	}
	return true
}

func (r *Registry) yieldBans(yield func(Record) bool) (wantsMore bool) {
	for _, anchor := range slices.Sorted(maps.Keys(r.bans)) {
		if !yield(Record{recordBan, anchor, appendBanRecord(nil, r.bans[anchor])}) {
			return false
		}
	}
	return true
}

func (r *Registry) yieldEvents(yield func(Record) bool) (wantsMore bool) {
	wantsMore = true
	r.outbox.events.Scan(func(num uint64, e *OutboxEvent) bool {
		wantsMore = yield(Record{recordEvent, numberRecordKey(num), appendEvent(nil, e)})
		return wantsMore
	})
	return wantsMore
}

func yieldNumbered[T any](kind byte, l *numberedList[T], encode func(b []byte, item T) []byte, yield func(Record) bool) (wantsMore bool) {
	for i, item := range l.list {
		if !yield(Record{kind, numberRecordKey(l.first + uint64(i)), encode(nil, item)}) {
			return false
		}
	}
	return true
}

// Encode returns the registry's snapshot. Two registries are equal when their
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
	for _, v := range [...]uint64{r.rules, r.hash, r.last.ID.MS, r.last.ID.Seq, r.last.Num, r.keys.first, r.ended.first, r.recordings.first, r.outbox.next, r.outbox.deadLetters.first} {
		b = appendUint(b, v)
	}
	b = appendInt(appendInt(b, r.clock), r.last.Time)
	b = appendSettings(appendString(b, r.last.Epoch), r.settings)
	return appendList(b, r.epochs, appendEpoch)
}

// Append appends the record's encoding. Encodings of several records may follow
// each other.
func (rec Record) Append(b []byte) []byte {
	return appendBytes(appendString(append(b, rec.Kind), rec.Key), rec.Value)
}

// DecodeRecords yields the records that Append wrote, and ErrMalformed for other
// bytes.
func DecodeRecords(b []byte) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		in := &decoder{data: b}
		for len(in.data) > 0 {
			rec := Record{Kind: in.byte(), Key: in.string(), Value: in.readBytes(in.uint())}
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

// numberedList is a queue whose items have consecutive numbers. An item keeps its
// number when older ones are dropped.
type numberedList[T any] struct {
	first uint64 // number of list[0]
	list  []T
}

// nextNum is the number of the next item.
func (l *numberedList[T]) nextNum() uint64 { return l.first + uint64(len(l.list)) }

// push appends an item and returns its number.
func (l *numberedList[T]) push(item T) (num uint64) {
	l.list = append(l.list, item)
	return l.nextNum() - 1
}

// removeOldest drops the oldest item.
func (l *numberedList[T]) removeOldest() (item T, num uint64) {
	var none T
	item, l.list[0] = l.list[0], none
	l.list = l.list[1:]
	l.first++
	return item, l.first - 1
}

// byNumber returns the item of a number; ok is false when there is none.
func (l *numberedList[T]) byNumber(num uint64) (item T, ok bool) {
	if num < l.first || num >= l.nextNum() {
		return item, false
	}
	return l.list[num-l.first], true
}

// numPastDigests is how many digests of past positions a registry remembers. A
// peer that lags further behind is not compared.
const numPastDigests = 1024

// digests holds the digest of the sessions, and the registry's digests at past
// positions.
type digests struct {
	sum             uint64                     // sum of the sessions' digests
	past            [numPastDigests]pastDigest // by entry number
	touchedSessions []uint32                   // changed by the current entry
	scratch         []byte
}

type pastDigest struct {
	position Position
	sum      uint64
}

// Digest is a hash of the registry at its position, except times of leases and
// viewer counts. Nodes with different digests have diverged. Its cost does not
// depend on the length of the list.
func (r *Registry) Digest() uint64 {
	var b [88]byte
	for i, v := range [...]uint64{
		r.sum, uint64(r.clock), r.rules, uint64(r.settings.Revision),
		uint64(len(r.bySession)), uint64(len(r.bans)), r.ended.nextNum(), r.keys.nextNum(),
		r.recordings.nextNum(), r.outbox.next, uint64(r.outbox.events.Len()),
	} {
		binary.LittleEndian.PutUint64(b[i*8:], v)
	}
	return xxhash.Sum64(b[:])
}

// DigestComparison is two nodes' digests of one position.
type DigestComparison struct {
	Node            string // node that sent its digest
	Position        Position
	PeerSum, OwnSum uint64
}

// compareDigest compares a node's digest with the one that this registry had at
// that position.
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
