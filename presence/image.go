package presence

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
)

// The encodings of each record, and back.

func (r *Registry) appendMeta(b []byte) []byte {
	b = append(b, metaVersion)
	for _, v := range [...]uint64{r.rules, r.hash, r.last.ID.MS, r.last.ID.Seq, r.last.Num, r.keys.first, r.ended.first} {
		b = appendUint(b, v)
	}
	b = appendInt(appendInt(b, r.clock), r.last.Time)
	return appendSettings(appendString(b, r.last.Repl), r.settings)
}

func appendPeer(b []byte, p *peer) []byte {
	for _, v := range [...]uint64{p.boot, p.no, p.knows, p.joined, uint64(p.via)} {
		b = appendUint(b, v)
	}
	b = appendBool(appendInt(b, p.last), p.alive)
	return appendCountMap(appendCountMap(b, p.viewers), p.likes)
}

func appendCountMap(b []byte, m map[uint32]int64) []byte {
	b = appendUint(b, uint64(len(m)))
	for _, i := range slices.Sorted(maps.Keys(m)) {
		b = appendUint(appendUint(b, uint64(i)), uint64(m[i]))
	}
	return b
}

func (r *reader) countMap() map[uint32]int64 {
	n := r.count()
	m := make(map[uint32]int64, n)
	for range n {
		i, v := r.uint(), r.uint()
		if i > uint64(^uint32(0)) || v > maxCount {
			r.fail()
		}
		m[uint32(i)] = int64(v)
	}
	return m
}

func appendStream(b []byte, st *Stream) []byte {
	b = append(b, st.Session[:]...)
	for _, s := range [...]string{st.Code, st.Anchor, st.List, st.Title, st.Cover} {
		b = appendString(b, s)
	}
	b = appendBytes(appendStrings(b, st.Tags), st.Extra)
	for _, v := range [...]int64{st.StartedAt, st.Peak, st.Likes} {
		b = appendInt(b, v)
	}
	b = append(appendUint(b, uint64(st.Index)), byte(st.State), byte(st.Away))
	return appendBool(appendBool(b, st.Listed), st.Shown)
}

func (r *reader) stream() *Stream {
	st := &Stream{
		Session: r.session(), Code: r.string(), Anchor: r.string(), List: r.string(), Title: r.string(),
		Cover: r.string(), Tags: r.strings(), Extra: r.bytes(),
		StartedAt: r.int(), Peak: r.int(), Likes: r.int(),
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

// maxIndex bounds the index of a decoded session, so that a damaged one does
// not make anybody allocate a table of four billion.
const maxIndex = 1 << 24

func appendEvidence(b []byte, ev []Evidence) []byte {
	b = appendUint(b, uint64(len(ev)))
	for _, e := range ev {
		b = appendString(appendInt(append(b, byte(e.Source), byte(e.Sign)), e.At), e.Detail)
	}
	return b
}

func (r *reader) evidence() []Evidence {
	n := r.count()
	if n == 0 {
		return nil
	}
	ev := make([]Evidence, 0, n)
	for range n {
		ev = append(ev, Evidence{
			Source: Source(r.enum(len(sourceNames))), Sign: Sign(r.enum(len(signNames))), At: r.int(), Detail: r.string(),
		})
	}
	return ev
}

// appendSession is what the digest covers of a session.
func appendSession(b []byte, s *session) []byte {
	b = appendStream(b, s.stream)
	b = appendBool(appendString(b, s.holder), s.attached)
	return appendEvidence(b, s.evidence)
}

// appendLeased is a session with its lease. The lease's terms are written as
// they are: which index they have is no state.
func (r *Registry) appendLeased(b []byte, i uint32) []byte {
	b = appendSession(b, r.sessions[i])
	le := &r.leases.all[i]
	t := r.leases.terms[le.terms]
	for _, v := range [...]int64{le.lastAt(r.clock), t.interval, t.missed, t.grace} {
		b = appendInt(b, v)
	}
	return append(appendUint(b, uint64(le.via)), le.misses, le.flags&leaseQuiet)
}

func appendKeyed(b []byte, name string, k keyed) []byte {
	return appendInt(append(appendString(b, name), k.session[:]...), k.clock)
}

func appendEnded(b []byte, e *Ended) []byte {
	b = appendString(append(appendStream(b, e.Stream), byte(e.Reason)), e.By)
	return appendEvidence(appendInt(appendInt(b, e.EndedAt), e.clock), e.Evidence)
}

// loader gathers records, in whatever order their kinds come, before they are
// put together.
type loader struct {
	r        *Registry
	meta     bool
	sessions []loaded
	keys     []loadedSeq[string]
	ended    []loadedSeq[*Ended]
}

type loaded struct {
	s     *session
	last  int64
	terms terms
	via   uint16
	lease lease
}

type loadedSeq[T any] struct {
	seq uint64
	v   T
}

// DecodeRegistry reads what Encode wrote. It returns ErrMalformed or ErrRules.
func DecodeRegistry(b []byte) (*Registry, error) {
	return LoadRegistry(func(yield func(Record, error) bool) {
		in := &reader{b: b}
		for len(in.b) > 0 {
			rec := Record{Kind: in.byte(), Key: in.string(), Value: in.bytes()}
			if in.bad {
				yield(Record{}, ErrMalformed)
				return
			}
			if !yield(rec, nil) {
				return
			}
		}
	})
}

// LoadRegistry puts a registry together from its records. It returns
// ErrMalformed when they are not such, ErrRules when a newer version wrote
// them, and whatever error the records yield. No records give a new registry.
func LoadRegistry(records iter.Seq2[Record, error]) (*Registry, error) {
	l := &loader{r: NewRegistry()}
	any := false
	for rec, err := range records {
		if err != nil {
			return nil, err
		}
		any = true
		if err := l.take(rec); err != nil {
			return nil, fmt.Errorf("record %q %q: %w", rec.Kind, rec.Key, err)
		}
	}
	if !any {
		return l.r, nil
	}
	if !l.meta {
		return nil, fmt.Errorf("%w: no meta record", ErrMalformed)
	}
	if err := l.join(); err != nil {
		return nil, err
	}
	return l.r, nil
}

func (l *loader) take(rec Record) error {
	in := &reader{b: rec.Value}
	switch rec.Kind {
	case recordMeta:
		return l.takeMeta(in)
	case recordPeer:
		l.takePeer(in, rec.Key)
	case recordDeparted:
		l.r.peers.departed = append(l.r.peers.departed, departed{until: in.int(), viewers: in.countMap()})
	case recordSession:
		l.takeSession(in)
	case recordBan:
		var b Ban
		b.decode(in)
		l.r.bans[b.Anchor] = b
	case recordStartKey:
		name, k := in.string(), keyed{session: in.session(), clock: in.int()}
		k.seq = parseSeq(in, rec.Key)
		l.r.keys.byName[name] = k
		l.keys = append(l.keys, loadedSeq[string]{k.seq, name})
	case recordEnded:
		e := &Ended{Stream: in.stream(), Reason: EndReason(in.enum(len(endNames))), By: in.string()}
		e.EndedAt, e.clock, e.Evidence = in.int(), in.int(), in.evidence()
		l.ended = append(l.ended, loadedSeq[*Ended]{parseSeq(in, rec.Key), e})
	default:
		return fmt.Errorf("%w: unknown kind of record", ErrRules)
	}
	return in.done()
}

func parseSeq(in *reader, key string) (seq uint64) {
	if _, err := fmt.Sscanf(key, "%016x", &seq); err != nil || seqKey(seq) != key {
		in.fail()
	}
	return seq
}

func (l *loader) takeMeta(in *reader) error {
	if v := in.byte(); v != metaVersion && !in.bad {
		return fmt.Errorf("%w: records of version %d", ErrRules, v)
	}
	r := l.r
	for _, p := range [...]*uint64{&r.rules, &r.hash, &r.last.ID.MS, &r.last.ID.Seq, &r.last.Num, &r.keys.first, &r.ended.first} {
		*p = in.uint()
	}
	r.clock, r.last.Time, r.last.Repl, r.settings = in.int(), in.int(), in.string(), in.settings()
	l.meta = true
	if err := in.done(); err != nil {
		return err
	}
	if r.settings.Check() != nil || r.clock < 0 {
		return ErrMalformed
	}
	if r.rules > Rules {
		return fmt.Errorf("%w: rules %d", ErrRules, r.rules)
	}
	return nil
}

func (l *loader) takePeer(in *reader, name string) {
	p := &peer{name: name, boot: in.uint(), no: in.uint(), knows: in.uint(), joined: in.uint()}
	via := in.uint()
	if via > uint64(^uint16(0)) {
		in.fail()
	}
	p.via, p.last, p.alive = uint16(via), in.int(), in.bool()
	p.viewers, p.likes = in.countMap(), in.countMap()
	if !p.alive {
		p.viewers, p.likes = nil, nil
	}
	if p.alive != (p.via != 0) {
		in.fail()
	}
	l.r.peers.list = append(l.r.peers.list, p)
}

func (l *loader) takeSession(in *reader) {
	x := loaded{s: &session{stream: in.stream(), holder: in.string(), attached: in.bool(), evidence: in.evidence()}}
	x.last, x.terms = in.int(), terms{interval: in.int(), missed: in.int(), grace: in.int()}
	via := in.uint()
	if via > uint64(^uint16(0)) || (Settings{Interval: x.terms.interval, Missed: x.terms.missed, Grace: x.terms.grace}).Check() != nil {
		in.fail()
	}
	x.lease = lease{via: uint16(via), misses: in.byte(), flags: leaseUsed | in.byte()}
	if x.lease.flags&^(leaseUsed|leaseQuiet) != 0 || int64(x.lease.misses) >= x.terms.missed {
		in.fail()
	}
	l.sessions = append(l.sessions, x)
}

// join puts together what was taken.
func (l *loader) join() error {
	r := l.r
	slices.SortFunc(r.peers.list, func(a, b *peer) int { return cmp.Compare(a.name, b.name) })
	r.peers.vias.take(0)
	for i, p := range r.peers.list {
		if i > 0 && p.name == r.peers.list[i-1].name || p.alive && !r.peers.vias.take(uint32(p.via)) {
			return fmt.Errorf("%w: two nodes under one number", ErrMalformed)
		}
	}
	r.leases.terms = nil
	for _, x := range l.sessions {
		if err := l.joinSession(x); err != nil {
			return err
		}
	}
	r.leases.terms = append(r.leases.terms, r.settings.terms())
	r.leases.rewind(r.settings.Tick(), r.clock)
	if err := l.joinMemory(); err != nil {
		return err
	}
	for _, p := range r.peers.list {
		l.addCounts(p.viewers)
	}
	for _, d := range r.peers.departed {
		l.addCounts(d.viewers)
	}
	return nil
}

func (l *loader) joinSession(x loaded) error {
	r, st := l.r, x.s.stream
	i := st.Index
	_, session := r.bySession[st.Session]
	_, code := r.byCode[st.Code]
	_, anchor := r.byAnchor[st.Anchor]
	if session || code || anchor || !r.free.take(i) || len(r.leases.terms) >= maxTerms {
		return fmt.Errorf("%w: two sessions in one place", ErrMalformed)
	}
	for int(i) >= len(r.sessions) {
		r.sessions = append(r.sessions, nil)
		r.leases.all = append(r.leases.all, lease{})
	}
	r.sessions[i] = x.s
	r.bySession[st.Session], r.byCode[st.Code], r.byAnchor[st.Anchor] = i, i, i
	x.lease.tag = st.Session.tag()
	x.lease.terms = r.leases.use(x.terms)
	x.lease.last = uint32(min(max(x.last, r.clock-maxPresence), r.clock))
	r.leases.all[i] = x.lease
	x.s.sum = 0
	r.touch(i)
	return nil
}

// joinMemory puts keys and ended sessions back in order.
func (l *loader) joinMemory() error {
	r := l.r
	slices.SortFunc(l.keys, func(a, b loadedSeq[string]) int { return cmp.Compare(a.seq, b.seq) })
	for n, k := range l.keys {
		if k.seq != r.keys.first+uint64(n) {
			return fmt.Errorf("%w: a key is missing", ErrMalformed)
		}
		r.keys.names = append(r.keys.names, k.v)
	}
	slices.SortFunc(l.ended, func(a, b loadedSeq[*Ended]) int { return cmp.Compare(a.seq, b.seq) })
	for n, e := range l.ended {
		if e.seq != r.ended.first+uint64(n) {
			return fmt.Errorf("%w: an ended session is missing", ErrMalformed)
		}
		r.ended.add(e.v)
	}
	if len(r.keys.byName) != len(r.keys.names) || len(r.ended.bySession) != len(r.ended.list) {
		return fmt.Errorf("%w: a key or an ended session is there twice", ErrMalformed)
	}
	r.settle()
	return nil
}

func (l *loader) addCounts(m map[uint32]int64) {
	for i, n := range m {
		if int(i) < len(l.r.sessions) && l.r.sessions[i] != nil {
			l.r.sessions[i].stream.Viewers += n
		}
	}
}
