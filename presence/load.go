package presence

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
)

// loader gathers records, in whatever order their kinds come, before they are
// put together.
type loader struct {
	r        *Registry
	meta     bool
	rows     bool // the records are of TakeDirty
	sessions []loaded
	keys     []loadedSeq[string]
	ended    []loadedSeq[*Ended]
	taken    []loadedSeq[*taken]
	dead     []loadedSeq[*DeadLetter]
}

type loaded struct {
	s     *session
	last  int64
	terms LeaseParams
	lease lease
}

type loadedSeq[T any] struct {
	seq uint64
	v   T
}

// DecodeRegistry reads what Encode wrote. It returns ErrMalformed or ErrRules.
func DecodeRegistry(b []byte) (*Registry, error) { return LoadRegistry(DecodeRecords(b)) }

// LoadRegistry puts a registry together from its records. It returns
// ErrMalformed when they are not such, ErrRules when a newer version wrote
// them, and whatever error the records yield. No records give a new registry.
// It keeps nothing of a record's Value.
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
		l.r.peers.departed = append(l.r.peers.departed,
			departed{name: in.string(), origin: in.uint(), until: in.int(), viewers: in.countMap()})
	case recordSession:
		l.takeSession(in)
	case recordBan:
		var b banned
		b.decode(in)
		b.num = in.uint()
		l.r.bans[b.Anchor] = b
	case recordStartKey:
		name, k := in.string(), keyed{session: in.session(), clock: in.int()}
		l.r.keys.byName[name] = k
		l.keys = append(l.keys, loadedSeq[string]{parseSeq(in, rec.Key), name})
	case recordEnded:
		e := in.ended()
		l.ended = append(l.ended, loadedSeq[*Ended]{parseSeq(in, rec.Key), e})
	case recordTaken:
		t := in.taken()
		l.taken = append(l.taken, loadedSeq[*taken]{parseSeq(in, rec.Key), t})
	case recordEffect:
		e := in.effect()
		l.r.effects.set(parseSeq(in, rec.Key), e)
	case recordDead:
		d := in.deadLetter()
		l.dead = append(l.dead, loadedSeq[*DeadLetter]{parseSeq(in, rec.Key), d})
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
	switch v := in.byte(); {
	case v == rowsVersion:
		l.rows = true
	case v < wholeVersion:
		return fmt.Errorf("%w: records of version %d, of before the first release", ErrMalformed, v)
	case v != wholeVersion:
		return fmt.Errorf("%w: records of version %d", ErrRules, v)
	}
	r := l.r
	for _, p := range [...]*uint64{&r.rules, &r.hash, &r.last.ID.MS, &r.last.ID.Seq, &r.last.Num, &r.keys.first, &r.ended.first, &r.recordings.first, &r.effects.next, &r.effects.firstDead} {
		*p = in.uint()
	}
	r.clock, r.last.Time, r.last.Repl, r.settings = in.int(), in.int(), in.string(), in.settings()
	for range in.count() {
		r.epochs = append(r.epochs, epoch{repl: in.string(), num: in.uint(), clock: in.int()})
	}
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
	p := &peer{name: name, boot: in.uint(), origin: in.uint(), no: in.uint(), knows: in.uint(), joined: in.uint()}
	via := in.uint()
	if via > uint64(^uint16(0)) {
		in.fail()
	}
	p.via, p.last, p.alive, p.paused = uint16(via), in.int(), in.bool(), in.bool()
	p.viewers = in.countMap()
	if !p.alive {
		p.viewers = nil
	}
	if p.alive != (p.via != 0) || p.paused && !p.alive {
		in.fail()
	}
	l.r.peers.list = append(l.r.peers.list, p)
}

func (l *loader) takeSession(in *reader) {
	x := loaded{s: in.whole()}
	x.last, x.terms = in.int(), in.leaseParams()
	via := in.uint()
	if via > uint64(^uint16(0)) || !x.terms.areValid() {
		in.fail()
	}
	x.lease = lease{via: uint16(via), misses: in.byte(), flags: leaseUsed}
	if !x.s.sources.Has(FromBeats) {
		x.lease.flags |= leaseMute
	}
	if x.s.stream.State != Live {
		x.lease.flags |= leaseQuiet
	}
	if int64(x.lease.misses) >= x.terms.Missed {
		in.fail()
	}
	x.s.likes = in.likes()
	l.sessions = append(l.sessions, x)
}

// join puts together what was taken.
func (l *loader) join() error {
	r := l.r
	slices.SortFunc(r.peers.list, func(a, b *peer) int { return cmp.Compare(a.name, b.name) })
	for i, p := range r.peers.list {
		p.last = min(p.last, r.clock)
		if i > 0 && p.name == r.peers.list[i-1].name || p.alive && !r.peers.vias.take(uint32(p.via)) {
			return fmt.Errorf("%w: two nodes under one number", ErrMalformed)
		}
	}
	r.leases.terms = []LeaseParams{r.settings.leaseParams()}
	if err := l.joinSessions(); err != nil {
		return err
	}
	if err := l.joinMemory(); err != nil {
		return err
	}
	if l.rows {
		l.freshen()
	}
	for _, p := range r.peers.list {
		l.addCounts(p.viewers)
	}
	for _, d := range r.peers.departed {
		l.addCounts(d.viewers)
	}
	r.appointAll()
	if l.rows {
		r.excuse()
	}
	r.leases.rewind(r.settings.Tick(), r.peers.heard(r.clock), r.clock)
	r.settle()
	return nil
}

// freshen replaces what rows are behind in. Their registry was away, and that
// ends nobody's session.
func (l *loader) freshen() {
	r := l.r
	for _, p := range r.peers.list {
		p.last = r.clock
		clear(p.viewers)
	}
	r.peers.departed = nil
	r.leases.rearm(r.clock, func(le *lease) bool {
		le.via = 0
		return true
	})
}

// joinSessions enters the sessions, under their own indexes.
func (l *loader) joinSessions() error {
	var size uint32
	for _, x := range l.sessions {
		size = max(size, x.s.stream.Index+1)
	}
	l.r.sessions, l.r.leases.all = make([]*session, size), make([]lease, size)
	for _, x := range l.sessions {
		if err := l.joinSession(x); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) joinSession(x loaded) error {
	r, st := l.r, x.s.stream
	i := st.Index
	_, session := r.bySession[st.Session]
	_, code := r.byCode[st.Code]
	_, anchor := r.byAnchor[st.Anchor]
	use, room := r.leases.use(x.terms)
	if session || code || anchor || !room || !r.free.take(i) {
		return fmt.Errorf("%w: two sessions in one place", ErrMalformed)
	}
	r.insert(i, x.s)
	x.lease.tag = st.Session.tag()
	x.lease.terms = use
	x.lease.last = uint32(min(max(x.last, r.clock-maxPresence), r.clock))
	r.leases.all[i] = x.lease
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
	slices.SortFunc(l.taken, func(a, b loadedSeq[*taken]) int { return cmp.Compare(a.seq, b.seq) })
	for n, t := range l.taken {
		if t.seq != r.recordings.first+uint64(n) {
			return fmt.Errorf("%w: a recording is missing", ErrMalformed)
		}
		r.recordings.add(t.v)
	}
	slices.SortFunc(l.dead, func(a, b loadedSeq[*DeadLetter]) int { return cmp.Compare(a.seq, b.seq) })
	for n, d := range l.dead {
		if d.seq != r.effects.firstDead+uint64(n) {
			return fmt.Errorf("%w: a dead letter is missing", ErrMalformed)
		}
		r.effects.dead = append(r.effects.dead, d.v)
	}
	if last, _, any := r.effects.open.Max(); any && last >= r.effects.next {
		return fmt.Errorf("%w: an effect of later", ErrMalformed)
	}
	if len(r.recordings.byID) != len(r.recordings.list) || len(r.effects.byID) != r.effects.open.Len() {
		return fmt.Errorf("%w: a recording or an effect is there twice", ErrMalformed)
	}
	if len(r.keys.byName) != len(r.keys.names) || len(r.ended.bySession) != len(r.ended.list) {
		return fmt.Errorf("%w: a key or an ended session is there twice", ErrMalformed)
	}
	return nil
}

// addCounts adds what nodes counted to the streams that there are.
func (l *loader) addCounts(m map[uint32]int64) {
	for i, n := range m {
		if int(i) < len(l.r.sessions) && l.r.sessions[i] != nil {
			l.r.sessions[i].stream.Viewers += n
		} else {
			delete(m, i)
		}
	}
}
