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
	recordMeta     = 'a'
	recordPeer     = 'b'
	recordDeparted = 'c'
	recordSession  = 'd'
	recordBan      = 'e'
	recordStartKey = 'f'
	recordEnded    = 'g'
	recordTaken    = 'h'
	recordEffect   = 'i'
	recordDead     = 'j'
)

// The first byte of the meta record is the version of all records, and whether
// they are a whole registry at one position, or rows: those of TakeDirty, each
// as it was when it was last marked. Beats, counts and the times of nodes mark
// nothing, so rows are behind in them.
const (
	wholeVersion = 11
	rowsVersion  = 12
)

// recordKey is a record's key before it is written out, which is for those only
// who want records: a name, or a number.
type recordKey struct {
	kind byte
	n    uint64
	name string
}

func (k recordKey) String() string {
	switch k.kind {
	case recordPeer, recordBan:
		return k.name
	case recordSession:
		return sessionKey(uint32(k.n))
	case recordStartKey, recordEnded, recordTaken, recordEffect, recordDead:
		return seqKey(k.n)
	}
	return ""
}

func sessionKey(i uint32) string { return fmt.Sprintf("%08x", i) }

func seqKey(seq uint64) string { return fmt.Sprintf("%016x", seq) }

// TrackDirty makes the registry remember from now on which records change.
func (r *Registry) TrackDirty() { r.dirty = map[recordKey]struct{}{} }

// mark notes that a record has changed that goes by a number.
func (r *Registry) mark(kind byte, n uint64) {
	if r.dirty != nil {
		r.dirty[recordKey{kind: kind, n: n}] = struct{}{}
	}
}

// markName notes that a record has changed that goes by a name.
func (r *Registry) markName(kind byte, name string) {
	if r.dirty != nil {
		r.dirty[recordKey{kind: kind, name: name}] = struct{}{}
	}
}

// touch notes that a session has changed, more than by a beat.
func (r *Registry) touch(i uint32) {
	if s := r.sessions[i]; !s.touched {
		s.touched = true
		r.touched = append(r.touched, i)
	}
}

// settle brings the digest up to date with what the entry touched.
func (r *Registry) settle() {
	for _, i := range r.touched {
		s := r.sessions[i]
		if s == nil || !s.touched {
			continue
		}
		s.touched = false
		r.scratch = appendSession(r.scratch[:0], s)
		sum := xxhash.Sum64(r.scratch)
		r.sum += sum - s.sum
		s.sum = sum
		r.mark(recordSession, uint64(i))
	}
	r.touched = r.touched[:0]
	r.past[r.last.Num%pastDigests] = pastSum{r.Position(), r.Digest()}
}

// TakeDirty returns the records that changed since the last take, as they are
// now, with the meta record first; nothing when no more than clocks, beats and
// viewer counts did. A registry that is loaded from such rows gives every lease
// anew, in full, and knows no viewers.
func (r *Registry) TakeDirty() []Record {
	if len(r.dirty) == 0 {
		return nil
	}
	delete(r.dirty, recordKey{kind: recordMeta})
	keys := slices.SortedFunc(maps.Keys(r.dirty), func(a, b recordKey) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.n, b.n), strings.Compare(a.name, b.name))
	})
	clear(r.dirty)
	out := make([]Record, 0, len(keys)+1)
	out = append(out, Record{Kind: recordMeta, Value: r.appendMeta(nil, rowsVersion)})
	for _, k := range keys {
		out = append(out, Record{Kind: k.kind, Key: k.String(), Value: r.value(k)})
	}
	return out
}

// value encodes the record of that key, nil when it is gone.
func (r *Registry) value(k recordKey) []byte {
	switch k.kind {
	case recordPeer:
		if p, _ := r.peers.find(k.name); p != nil {
			return appendPeer(nil, p)
		}
	case recordBan:
		if b, ok := r.bans[k.name]; ok {
			return appendBanned(nil, b)
		}
	case recordSession:
		if r.sessions[k.n] != nil {
			return r.appendLeased(nil, uint32(k.n))
		}
	case recordStartKey:
		if name, ok := r.keys.at(k.n); ok {
			return appendKeyed(nil, name, r.keys.byName[name])
		}
	case recordEnded:
		if e := r.ended.at(k.n); e != nil {
			return appendEnded(nil, e)
		}
	case recordTaken:
		if t := r.recordings.at(k.n); t != nil {
			return appendTaken(nil, t)
		}
	case recordEffect:
		if e, ok := r.effects.open.Get(k.n); ok {
			return appendEffect(nil, e)
		}
	case recordDead:
		if d := r.effects.deadAt(k.n); d != nil {
			return appendDead(nil, d)
		}
	}
	return nil
}

// Records yields the whole registry, in an order that is the same on all
// nodes. The registry must not change meanwhile.
func (r *Registry) Records() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		_ = yield(Record{Kind: recordMeta, Value: r.appendMeta(nil, wholeVersion)}) &&
			r.eachPeer(yield) && r.eachSession(yield) && r.eachBan(yield) && r.eachMemory(yield) && r.eachTaken(yield) && r.eachEffect(yield)
	}
}

func (r *Registry) eachPeer(yield func(Record) bool) bool {
	for _, p := range r.peers.list {
		if !yield(Record{recordPeer, p.name, appendPeer(nil, p)}) {
			return false
		}
	}
	for i, d := range r.peers.departed {
		v := appendCountMap(appendInt(appendUint(appendString(nil, d.name), d.origin), d.until), d.viewers)
		if !yield(Record{recordDeparted, seqKey(uint64(i)), v}) {
			return false
		}
	}
	return true
}

func (r *Registry) eachSession(yield func(Record) bool) bool {
	for i, s := range r.sessions {
		if s != nil && !yield(Record{recordSession, sessionKey(uint32(i)), r.appendLeased(make([]byte, 0, 320), uint32(i))}) {
			return false
		}
	}
	return true
}

func (r *Registry) eachBan(yield func(Record) bool) bool {
	for _, anchor := range slices.Sorted(maps.Keys(r.bans)) {
		if !yield(Record{recordBan, anchor, appendBanned(nil, r.bans[anchor])}) {
			return false
		}
	}
	return true
}

func (r *Registry) eachMemory(yield func(Record) bool) bool {
	for i, name := range r.keys.names {
		if !yield(Record{recordStartKey, seqKey(r.keys.first + uint64(i)), appendKeyed(nil, name, r.keys.byName[name])}) {
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

func (r *Registry) eachTaken(yield func(Record) bool) bool {
	for i, t := range r.recordings.list {
		if !yield(Record{recordTaken, seqKey(r.recordings.first + uint64(i)), appendTaken(nil, t)}) {
			return false
		}
	}
	return true
}

func (r *Registry) eachEffect(yield func(Record) bool) (more bool) {
	more = true
	r.effects.open.Scan(func(seq uint64, e *Effect) bool {
		more = yield(Record{recordEffect, seqKey(seq), appendEffect(nil, e)})
		return more
	})
	for i, d := range r.effects.dead {
		if more = more && yield(Record{recordDead, seqKey(r.effects.firstDead + uint64(i)), appendDead(nil, d)}); !more {
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
	for _, v := range [...]uint64{r.rules, r.hash, r.last.ID.MS, r.last.ID.Seq, r.last.Num, r.keys.first, r.ended.first, r.recordings.first, r.effects.next, r.effects.firstDead} {
		b = appendUint(b, v)
	}
	b = appendInt(appendInt(b, r.clock), r.last.Time)
	b = appendSettings(appendString(b, r.last.Repl), r.settings)
	b = appendUint(b, uint64(len(r.epochs)))
	for _, e := range r.epochs {
		b = appendInt(appendUint(appendString(b, e.repl), e.num), e.clock)
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
		in := &reader{b: b}
		for len(in.b) > 0 {
			rec := Record{Kind: in.byte(), Key: in.string(), Value: in.take(in.uint())}
			if in.bad {
				yield(Record{}, ErrMalformed)
				return
			}
			if !yield(rec, nil) {
				return
			}
		}
	}
}

// pastDigests is how many digests of past positions a registry can compare a
// peer's with; one that lags further behind is not compared.
const pastDigests = 1024

// digests is the digest of the sessions, and those of the last positions.
type digests struct {
	sum     uint64               // of the sessions' digests
	past    [pastDigests]pastSum // by number of the entry
	touched []uint32             // sessions that the entry being applied changed
	scratch []byte
}

type pastSum struct {
	at  Position
	sum uint64
}

// Digest is a short form of the registry at its position, without the times
// of leases and the present viewer counts: nodes that differ in it have
// diverged. It costs the same whatever the list's length.
func (r *Registry) Digest() uint64 {
	var b [88]byte
	for i, v := range [...]uint64{
		r.sum, uint64(r.clock), r.rules, uint64(r.settings.Revision),
		uint64(len(r.bySession)), uint64(len(r.bans)), r.ended.first + uint64(r.ended.len()), r.keys.first + uint64(r.keys.len()),
		r.recordings.first + uint64(r.recordings.len()), r.effects.next, uint64(r.effects.open.Len()),
	} {
		binary.LittleEndian.PutUint64(b[i*8:], v)
	}
	return xxhash.Sum64(b[:])
}

// Compared are two nodes' digests of one position.
type Compared struct {
	Node     string // whose digest came with the entry
	At       Position
	Its, Own uint64
}

// compare checks a peer's digest of a position that this registry passed.
func (r *Registry) compare(b *Batch) *Compared {
	if b.Digest == nil {
		return nil
	}
	for _, p := range r.past {
		if p.at == b.Digest.At && !p.at.IsZero() {
			return &Compared{b.Node, p.at, b.Digest.Sum, p.sum}
		}
	}
	return nil
}
