package presence

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"iter"
	"slices"

	"github.com/tidwall/btree"
)

// OutboxEvent is something that has happened and of which the world outside is to be
// told, or that is to be done there. The keeper does it and says so in the log;
// until then it stays in the registry's outbox, so that another keeper does what
// one has left: at least once, under the same id.
type OutboxEvent struct {
	ID   EventID
	Kind EventKind
	At   int64 // log time, Unix milliseconds

	Stream    *Stream    // of the kinds that are about one: as it was then, Viewers included
	Ended     *Ended     // of StreamEnded, without its evidence
	Recording *Recording // of RecordingReady and RecordingAmended
	Ban       *Ban       // of BanSet and BanLifted

	entryNum uint64 // of the entry in which it happened
}

// EventID names an effect for ever.
type EventID [16]byte

// String gives 32 hexadecimal digits.
func (id EventID) String() string { return hex.EncodeToString(id[:]) }

// ParseEventID reads what String gives.
func ParseEventID(text string) (id EventID, ok bool) {
	n, err := hex.Decode(id[:], []byte(text[:min(len(text), 2*len(id))]))
	return id, err == nil && n == len(id) && id.String() == text
}

// EventKind is what has happened.
type EventKind uint8

// The kinds of effects.
const (
	StreamStarted    EventKind = iota + 1 // a session has begun
	StreamAway                            // its stream is away
	StreamResumed                         // it is live again
	StreamEnded                           // the session is over
	BanSet                                // an anchor may not start
	BanLifted                             // an anchor may start again
	RecordingReady                        // there is a recording that was not known before
	RecordingAmended                      // the session of a recording has ended, and has told more of it
)

// EventKinds are kinds of effects. Those of recordings are told in any case: the
// archive needs them.
type EventKinds uint8

// EventKindsOf gives a set.
func EventKindsOf(kinds ...EventKind) (set EventKinds) {
	for _, k := range kinds {
		set |= 1 << (k - 1)
	}
	return set
}

// Has reports whether a kind is in the set.
func (set EventKinds) Has(k EventKind) bool { return set&(1<<(k-1)) != 0 }

// Limits of what waits to be done, and of what is remembered of that which never
// was. A full outbox has nobody who empties it: the ends of a million streams at
// once have room. Recordings find room always, since the archive is made of them.
const (
	maxOutboxEvents = 1 << 20
	maxDeadLetters  = 1_000
)

// DeadLetter is an effect that was given up.
type DeadLetter struct {
	OutboxEvent
	Reason string
}

// outbox is the registry's outbox.
type outbox struct {
	next   uint64 // the number of the next effect
	events *btree.Map[uint64, *OutboxEvent]
	byID   map[EventID]uint64

	firstDeadLetter uint64 // the number of dead[0]
	deadLetters     []*DeadLetter
}

func newOutbox() outbox {
	return outbox{events: &btree.Map[uint64, *OutboxEvent]{}, byID: map[EventID]uint64{}}
}

func (x *outbox) set(seq uint64, e *OutboxEvent) {
	x.events.Set(seq, e)
	x.byID[e.ID] = seq
}

func (x *outbox) deadLetter(seq uint64) *DeadLetter {
	if seq < x.firstDeadLetter || seq-x.firstDeadLetter >= uint64(len(x.deadLetters)) {
		return nil
	}
	return x.deadLetters[seq-x.firstDeadLetter]
}

// addEvent puts an effect into the outbox. One that is open stays where it is.
func (r *Registry) addEvent(e *OutboxEvent) {
	if _, open := r.outbox.byID[e.ID]; open {
		return
	}
	seq, full := r.outbox.next, r.outbox.events.Len() >= maxOutboxEvents
	r.outbox.next++
	r.outbox.set(seq, e)
	r.markRecord(recordEvent, seq)
	if full && e.Recording == nil {
		r.moveToDeadLetters(seq, "the outbox was full")
	}
}

// newEventID names the next thing that happens to somebody in the present entry.
func (r *Registry) newEventID(kind EventKind, whose []byte) EventID {
	b := appendString(append([]byte{byte(kind)}, whose...), r.last.Epoch)
	b = appendUint(appendInt(appendUint(b, r.last.Num), r.last.Time), r.outbox.next)
	sum := sha256.Sum256(b)
	return EventID(sum[:16])
}

// recordingEvent names what is told of a recording: that it is ready once, for
// it may be put back after a loss; that it was amended each time.
func (r *Registry) recordingEvent(kind EventKind, rec *Recording) *OutboxEvent {
	e := &OutboxEvent{Kind: kind, At: r.last.Time, Recording: rec, entryNum: r.last.Num}
	if kind == RecordingReady {
		sum := sha256.Sum256(binary.AppendUvarint([]byte(rec.ID), uint64(kind)))
		e.ID = EventID(sum[:16])
	} else {
		e.ID = r.newEventID(kind, []byte(rec.ID))
	}
	return e
}

// addStreamEvent tells what has happened to a stream, if anybody wants to know.
func (r *Registry) addStreamEvent(kind EventKind, st *Stream) {
	if r.settings.EventKinds.Has(kind) {
		r.addEvent(&OutboxEvent{ID: r.newEventID(kind, st.Session[:]), Kind: kind, At: r.last.Time, Stream: st, entryNum: r.last.Num})
	}
}

// addStateEvent tells what a change of a stream's state means. What puts back what
// was lost is no news.
func (r *Registry) addStateEvent(was, is *Stream, cause Cause) {
	switch {
	case was.State == is.State || cause == ByRestore:
	case is.State == Away:
		r.addStreamEvent(StreamAway, is)
	case is.State == Live && was.State == Away:
		r.addStreamEvent(StreamResumed, is)
	}
}

func (r *Registry) addEndEvent(e *Ended) {
	if r.settings.EventKinds.Has(StreamEnded) {
		ended := *e
		ended.Evidence = nil
		r.addEvent(&OutboxEvent{
			ID: r.newEventID(StreamEnded, e.Stream.Session[:]), Kind: StreamEnded, At: r.last.Time,
			Stream: e.Stream, Ended: &ended, entryNum: r.last.Num,
		})
	}
}

// addBanEvent tells of a ban, or of its end, but not of one that is said again.
func (r *Registry) addBanEvent(kind EventKind, b *Ban) {
	if r.settings.EventKinds.Has(kind) {
		r.addEvent(&OutboxEvent{ID: r.newEventID(kind, []byte(b.Anchor)), Kind: kind, At: r.last.Time, Ban: b, entryNum: r.last.Num})
	}
}

// removeEvent takes an effect out of the outbox.
func (r *Registry) removeEvent(seq uint64) *OutboxEvent {
	e, _ := r.outbox.events.Delete(seq)
	delete(r.outbox.byID, e.ID)
	r.markRecord(recordEvent, seq)
	return e
}

// moveToDeadLetters gives an effect up.
func (r *Registry) moveToDeadLetters(seq uint64, why string) {
	x := &r.outbox
	for len(x.deadLetters) >= maxDeadLetters {
		x.deadLetters[0] = nil
		x.deadLetters = x.deadLetters[1:]
		r.markRecord(recordDeadLetter, x.firstDeadLetter)
		x.firstDeadLetter++
	}
	r.markRecord(recordDeadLetter, x.firstDeadLetter+uint64(len(x.deadLetters)))
	x.deadLetters = append(x.deadLetters, &DeadLetter{*r.removeEvent(seq), why})
}

// OutboxEvents yields what is to be done from a number on, with its numbers, the oldest
// first. The registry must not change meanwhile.
func (r *Registry) OutboxEvents(from uint64) iter.Seq2[uint64, *OutboxEvent] {
	return func(yield func(uint64, *OutboxEvent) bool) { r.outbox.events.Ascend(from, yield) }
}

// OutboxSize is how many effects are to be done.
func (r *Registry) OutboxSize() int { return r.outbox.events.Len() }

// DeadLetterCount is how many effects were ever given up.
func (r *Registry) DeadLetterCount() uint64 {
	return r.outbox.firstDeadLetter + uint64(len(r.outbox.deadLetters))
}

// DeadLetters are the last effects that were given up, the oldest first.
func (r *Registry) DeadLetters() []*DeadLetter { return r.outbox.deadLetters }

// CompleteEvent says of an effect that it was done, or, with a reason, that it was
// given up.
type CompleteEvent struct {
	ID      EventID
	Failure string // empty: it was done
}

func (*CompleteEvent) kind() commandKind { return kindCompleteEvent }

func (*CompleteEvent) durable() bool { return false }

func (c *CompleteEvent) encode(b []byte) []byte {
	return appendString(append(b, c.ID[:]...), c.Failure)
}

func (c *CompleteEvent) decode(r *reader) { c.ID, c.Failure = EventID(r.sessionID()), r.string() }

func (c *CompleteEvent) apply(r *Registry, _ *nodeState) Result {
	seq, open := r.outbox.byID[c.ID]
	switch {
	case !open:
	case c.Failure != "":
		r.moveToDeadLetters(seq, c.Failure)
	default:
		r.removeEvent(seq)
	}
	return Result{}
}

// RestoreEvent puts an effect back of which the log has lost that it is to be done.
type RestoreEvent struct{ event *OutboxEvent }

func (*RestoreEvent) kind() commandKind { return kindRestoreEvent }

func (*RestoreEvent) durable() bool { return true }

func (c *RestoreEvent) encode(b []byte) []byte { return appendEvent(b, c.event) }

func (c *RestoreEvent) decode(r *reader) { c.event = r.event() }

// reopen puts an effect back once, whoever else says the same, unless it is not so
// any more.
func (c *RestoreEvent) apply(r *Registry, _ *nodeState) Result {
	e := *c.event
	if e.Ended != nil {
		if _, lives := r.bySession[e.Stream.Session]; lives {
			return Result{}
		}
	}
	if e.Ban != nil {
		if _, banned := r.ActiveBan(e.Ban.Anchor); banned != (e.Kind == BanSet) {
			return Result{}
		}
	}
	if r.rememberKey(restoreEventKey, "", e.ID.String(), Session{}) {
		e.entryNum = r.last.Num
		r.addEvent(&e)
	}
	return Result{}
}

// What an effect holds, by bits.
const (
	eventHasStream = 1 << iota
	eventHasEnded
	eventHasRecording
	eventHasBan
)

func appendEvent(b []byte, e *OutboxEvent) []byte {
	b = append(append(b, e.ID[:]...), byte(e.Kind))
	b = appendUint(appendInt(b, e.At), e.entryNum)
	at := len(b)
	b = append(b, 0)
	if e.Stream != nil {
		b[at] |= eventHasStream
		b = appendInt(appendStream(b, e.Stream), e.Stream.Viewers)
	}
	if e.Ended != nil {
		b[at] |= eventHasEnded
		b = appendInt(appendString(append(b, byte(e.Ended.Reason)), e.Ended.By), e.Ended.EndedAt)
	}
	if e.Recording != nil {
		b[at] |= eventHasRecording
		b = appendRecording(b, e.Recording)
	}
	if e.Ban != nil {
		b[at] |= eventHasBan
		b = e.Ban.encode(b)
	}
	return b
}

func (r *reader) event() *OutboxEvent {
	e := &OutboxEvent{ID: EventID(r.sessionID()), Kind: EventKind(r.byte()), At: r.int(), entryNum: r.uint()}
	bits := r.byte()
	if e.Kind < StreamStarted || e.Kind > RecordingAmended || bits >= eventHasBan<<1 || bits&(eventHasEnded|eventHasStream) == eventHasEnded {
		r.fail()
		return e
	}
	if bits&eventHasStream != 0 {
		e.Stream = r.stream()
		e.Stream.Viewers = r.int()
	}
	if bits&eventHasEnded != 0 {
		e.Ended = &Ended{Stream: e.Stream, Reason: EndReason(r.enum(len(endNames))), By: r.string(), EndedAt: r.int()}
	}
	if bits&eventHasRecording != 0 {
		rec := r.recording()
		e.Recording = &rec
	}
	if bits&eventHasBan != 0 {
		e.Ban = &Ban{}
		e.Ban.decode(r)
	}
	if !e.isComplete() {
		r.fail()
	}
	return e
}

// isComplete reports whether an effect holds what its kind needs, and nothing else.
func (e *OutboxEvent) isComplete() bool {
	of := func(kinds ...EventKind) bool { return slices.Contains(kinds, e.Kind) }
	return (e.Stream != nil) == of(StreamStarted, StreamAway, StreamResumed, StreamEnded) &&
		(e.Ended != nil) == of(StreamEnded) &&
		(e.Recording != nil) == of(RecordingReady, RecordingAmended) &&
		(e.Ban != nil) == of(BanSet, BanLifted)
}

func appendDeadLetter(b []byte, d *DeadLetter) []byte {
	return appendString(appendEvent(b, &d.OutboxEvent), d.Reason)
}

func (r *reader) deadLetter() *DeadLetter {
	return &DeadLetter{OutboxEvent: *r.event(), Reason: r.string()}
}
