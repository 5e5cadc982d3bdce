package presence

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
)

// loader collects records of any order, and then assembles the registry.
type loader struct {
	r           *Registry
	hasMeta     bool
	isRows      bool // the records come from TakeChangedRecords
	sessions    []loadedSession
	keys        []numbered[string]
	ended       []numbered[*Ended]
	recordings  []numbered[*knownRecording]
	deadLetters []numbered[*DeadLetter]
}

// loadedSession is a session with its lease, before both are inserted.
type loadedSession struct {
	s      *liveSession
	last   int64
	params LeaseParams
	lease  lease
}

// numbered is an item with its number.
type numbered[T any] struct {
	num   uint64
	value T
}

// DecodeRegistry reads what Encode returns. It returns ErrMalformed or
// ErrNewerVersion.
func DecodeRegistry(b []byte) (*Registry, error) { return LoadRegistry(DecodeRecords(b)) }

// LoadRegistry makes a registry from its records. It returns ErrMalformed when
// records are invalid or missing, ErrNewerVersion when a newer build wrote them,
// and any error that records yields. No records make a new registry. It retains
// no record's Value.
func LoadRegistry(records iter.Seq2[Record, error]) (*Registry, error) {
	l := &loader{r: NewRegistry()}
	any := false
	for rec, err := range records {
		if err != nil {
			return nil, err
		}
		any = true
		if err := l.readRecord(rec); err != nil {
			return nil, fmt.Errorf("record %q %q: %w", rec.Kind, rec.Key, err)
		}
	}
	if !any {
		return l.r, nil
	}
	if !l.hasMeta {
		return nil, fmt.Errorf("%w: meta record is missing", ErrMalformed)
	}
	if err := l.assemble(); err != nil {
		return nil, err
	}
	return l.r, nil
}

// readRecord decodes one record.
func (l *loader) readRecord(rec Record) error {
	in := &decoder{data: rec.Value}
	switch rec.Kind {
	case recordMeta:
		return l.readMeta(in)
	case recordNode:
		l.readNode(in, rec.Key)
	case recordDeparted:
		l.r.nodes.departed = append(l.r.nodes.departed,
			departedNode{name: in.string(), process: in.uint(), until: in.int(), viewers: in.viewerCounts()})
	case recordSession:
		l.readSession(in)
	case recordBan:
		var b banRecord
		b.decode(in)
		b.num = in.uint()
		l.r.bans[b.Anchor] = b
	case recordClientKey:
		name, k := in.string(), clientKeyUse{session: in.sessionID(), usedAt: in.int()}
		l.r.keys.byName[name] = k
		l.keys = append(l.keys, numbered[string]{parseNumber(in, rec.Key), name})
	case recordEnded:
		e := in.ended()
		l.ended = append(l.ended, numbered[*Ended]{parseNumber(in, rec.Key), e})
	case recordRecording:
		t := in.knownRecording()
		l.recordings = append(l.recordings, numbered[*knownRecording]{parseNumber(in, rec.Key), t})
	case recordEvent:
		e := in.event()
		l.r.outbox.insert(parseNumber(in, rec.Key), e)
	case recordDeadLetter:
		d := in.deadLetter()
		l.deadLetters = append(l.deadLetters, numbered[*DeadLetter]{parseNumber(in, rec.Key), d})
	default:
		return fmt.Errorf("%w: unknown kind of record", ErrNewerVersion)
	}
	return in.checkEnd()
}

// parseNumber reads the number that is a record's key.
func parseNumber(in *decoder, key string) (num uint64) {
	if _, err := fmt.Sscanf(key, "%016x", &num); err != nil || numberRecordKey(num) != key {
		in.fail()
	}
	return num
}

func (l *loader) readMeta(in *decoder) error {
	switch v := in.byte(); {
	case v == rowsVersion:
		l.isRows = true
	case v < snapshotVersion:
		return fmt.Errorf("%w: records of version %d, older than the first release", ErrMalformed, v)
	case v != snapshotVersion:
		return fmt.Errorf("%w: records of version %d", ErrNewerVersion, v)
	}
	r := l.r
	for _, p := range [...]*uint64{&r.rules, &r.hash, &r.last.ID.MS, &r.last.ID.Seq, &r.last.Num, &r.keys.first, &r.ended.first, &r.recordings.first, &r.outbox.next, &r.outbox.deadLetters.first} {
		*p = in.uint()
	}
	r.clock, r.last.Time, r.last.Epoch, r.settings = in.int(), in.int(), in.string(), in.uncheckedSettings()
	r.epochs = readList(in, in.epoch)
	l.hasMeta = true
	if err := in.checkEnd(); err != nil {
		return err
	}
	if r.settings.Check() != nil || r.clock < 0 {
		return ErrMalformed
	}
	if r.rules > LatestRules {
		return fmt.Errorf("%w: rules %d", ErrNewerVersion, r.rules)
	}
	return nil
}

func (l *loader) readNode(in *decoder, name string) {
	p := &nodeState{name: name, incarnation: in.uint(), process: in.uint(), lastSeq: in.uint(), maxRules: in.uint(), joinedNum: in.uint()}
	p.renewer, p.lastEntryAt, p.isAlive, p.isClockPaused = in.renewer(), in.int(), in.bool(), in.bool()
	p.viewers = in.viewerCounts()
	if !p.isAlive {
		p.viewers = nil
	}
	if p.isAlive != (p.renewer != 0) || p.isClockPaused && !p.isAlive {
		in.fail()
	}
	l.r.nodes.list = append(l.r.nodes.list, p)
}

// renewer reads the number of a node in leases.
func (r *decoder) renewer() uint16 { return uint16(r.uintUpTo(math.MaxUint16)) }

func (l *loader) readSession(in *decoder) {
	x := loadedSession{s: in.liveSession()}
	x.last, x.params = in.int(), in.uncheckedLeaseParams()
	x.lease = lease{renewer: in.renewer(), misses: in.byte(), flags: leaseUsed}
	if !x.s.sources.Has(FromBeats) {
		x.lease.flags |= leaseUntimed
	}
	if x.s.stream.State != Live {
		x.lease.flags |= leaseNotLive
	}
	if !x.params.isValid() || int64(x.lease.misses) >= x.params.Missed {
		in.fail()
	}
	x.s.likes = readList(in, in.likeCount)
	l.sessions = append(l.sessions, x)
}

// assemble makes the registry from the decoded records.
func (l *loader) assemble() error {
	r := l.r
	slices.SortFunc(r.nodes.list, func(a, b *nodeState) int { return cmp.Compare(a.name, b.name) })
	for i, p := range r.nodes.list {
		p.lastEntryAt = min(p.lastEntryAt, r.clock)
		if i > 0 && p.name == r.nodes.list[i-1].name || p.isAlive && !r.nodes.renewers.reserve(uint32(p.renewer)) {
			return fmt.Errorf("%w: duplicate node or number of a node", ErrMalformed)
		}
	}
	r.leases.params = []LeaseParams{r.settings.leaseParams()}
	if err := l.insertSessions(); err != nil {
		return err
	}
	if err := l.insertNumbered(); err != nil {
		return err
	}
	if l.isRows {
		l.resetLeasesAndViewers()
	}
	for _, p := range r.nodes.list {
		l.addViewersDroppingUnknown(p.viewers)
	}
	for _, d := range r.nodes.departed {
		l.addViewersDroppingUnknown(d.viewers)
	}
	r.updateMediaDeadlines()
	if l.isRows {
		r.restartMediaDeadlines()
	}
	r.leases.rebuildWheel(r.settings.Tick(), r.nodes.watermark(r.clock), r.clock)
	r.updateDigests()
	return nil
}

// resetLeasesAndViewers resets what rows lag behind in. The time in which their registry
// did not run must end no session.
func (l *loader) resetLeasesAndViewers() {
	r := l.r
	for _, p := range r.nodes.list {
		p.lastEntryAt = r.clock
		clear(p.viewers)
	}
	r.nodes.departed = nil
	r.leases.restartMatching(r.clock, func(le *lease) bool {
		le.renewer = 0
		return true
	})
}

// insertSessions inserts the sessions under their indexes.
func (l *loader) insertSessions() error {
	var size uint32
	for _, x := range l.sessions {
		size = max(size, x.s.stream.Index+1)
	}
	l.r.sessions, l.r.leases.all = make([]*liveSession, size), make([]lease, size)
	for _, x := range l.sessions {
		if err := l.insertSession(x); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) insertSession(x loadedSession) error {
	r, st := l.r, x.s.stream
	i := st.Index
	_, session := r.bySession[st.Session]
	_, code := r.byCode[st.Code]
	_, anchor := r.byAnchor[st.Anchor]
	use, room := r.leases.findOrAddParams(x.params)
	if session || code || anchor || !room || !r.free.reserve(i) {
		return fmt.Errorf("%w: duplicate session", ErrMalformed)
	}
	r.insertSession(i, x.s)
	x.lease.tag = st.Session.leaseTag()
	x.lease.params = use
	x.lease.last = uint32(min(max(x.last, r.clock-maxLeaseLength), r.clock))
	r.leases.all[i] = x.lease
	r.markSessionChanged(i)
	return nil
}

// insertNumbered inserts what has numbers, in their order.
func (l *loader) insertNumbered() error {
	r := l.r
	if err := cmp.Or(
		insertByNumber(l.keys, r.keys.first, "key", r.keys.push),
		insertByNumber(l.ended, r.ended.first, "ended session", r.ended.append),
		insertByNumber(l.recordings, r.recordings.first, "recording", r.recordings.append),
		insertByNumber(l.deadLetters, r.outbox.deadLetters.first, "dead letter", r.outbox.deadLetters.push),
	); err != nil {
		return err
	}
	if last, _, any := r.outbox.events.Max(); any && last >= r.outbox.next {
		return fmt.Errorf("%w: an event has a later number than the outbox", ErrMalformed)
	}
	if len(r.recordings.byID) != len(r.recordings.list) || len(r.outbox.byID) != r.outbox.events.Len() {
		return fmt.Errorf("%w: duplicate recording or event", ErrMalformed)
	}
	if len(r.keys.byName) != len(r.keys.list) || len(r.ended.bySession) != len(r.ended.list) {
		return fmt.Errorf("%w: duplicate key or ended session", ErrMalformed)
	}
	return nil
}

// insertByNumber sorts items and inserts them. It returns ErrMalformed when a number is
// missing, from firstNumber on.
func insertByNumber[T any](items []numbered[T], firstNumber uint64, itemKind string, insert func(T) uint64) error {
	slices.SortFunc(items, func(a, b numbered[T]) int { return cmp.Compare(a.num, b.num) })
	for i, item := range items {
		if item.num != firstNumber+uint64(i) {
			return fmt.Errorf("%w: %s %d is missing", ErrMalformed, itemKind, firstNumber+uint64(i))
		}
		insert(item.value)
	}
	return nil
}

// addViewersDroppingUnknown adds the viewers that a node counted to the streams.
func (l *loader) addViewersDroppingUnknown(viewersByIndex map[uint32]int64) {
	for i, n := range viewersByIndex {
		if int(i) < len(l.r.sessions) && l.r.sessions[i] != nil {
			l.r.sessions[i].stream.Viewers += n
		} else {
			delete(viewersByIndex, i)
		}
	}
}
