package presence

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"iter"
	"slices"

	"github.com/tidwall/btree"
)

// OutboxEvent is something that has happened, of which a system outside must be
// told. The leader delivers it and appends CompleteEvent. Until then it stays in
// the registry's outbox, so that another leader can go on: delivery is at least
// once, under the same id.
type OutboxEvent struct {
	ID   EventID
	Kind EventKind
	At   int64 // log time, Unix milliseconds

	Stream    *Stream    // of events about a stream: its state then, Viewers included
	Ended     *Ended     // of StreamEnded; without evidence
	Recording *Recording // of RecordingReady and RecordingAmended
	Ban       *Ban       // of BanSet and BanLifted

	entryNum uint64 // number of the entry that it happened in
}

// EventID identifies an event for ever.
type EventID [16]byte

// String is 32 hexadecimal digits.
func (id EventID) String() string { return hex.EncodeToString(id[:]) }

// EventKind is what has happened.
type EventKind uint8

// The kinds of events.
const (
	StreamStarted    EventKind = iota + 1 // a session has started
	StreamAway                            // a stream is away
	StreamResumed                         // a stream is live again
	StreamEnded                           // a session has ended
	BanSet                                // an anchor was banned
	BanLifted                             // a ban was lifted, or expired
	RecordingReady                        // a recording became known
	RecordingAmended                      // the session of a recording has ended and completed it
)

var eventNames = [...]string{
	StreamStarted: "stream.started", StreamAway: "stream.away", StreamResumed: "stream.resumed", StreamEnded: "stream.ended",
	BanSet: "anchor.banned", BanLifted: "anchor.unbanned", RecordingReady: "recording.ready", RecordingAmended: "recording.amended",
}

// String is the name of a kind, as webhooks, metrics and the HTTP API have it.
func (k EventKind) String() string { return eventNames[k] }

// EventKinds is a set of kinds. Events of recordings are always in the outbox,
// because the archive needs them.
type EventKinds uint8

// EventKindsOf returns the set of the given kinds.
func EventKindsOf(kinds ...EventKind) (set EventKinds) {
	for _, k := range kinds {
		set |= 1 << (k - 1)
	}
	return set
}

// Has reports whether a kind is in the set.
func (set EventKinds) Has(k EventKind) bool { return set&(1<<(k-1)) != 0 }

// Limits of the outbox and of remembered dead letters. The ends of a million
// streams at once fit into the outbox; an outbox that fills up has no leader
// that empties it. Events of recordings are always accepted, because the archive
// is made from them.
const (
	maxOutboxEvents = 1 << 20
	maxDeadLetters  = 1_000
)

// DeadLetter is an event whose delivery was given up.
type DeadLetter struct {
	OutboxEvent
	Reason string
}

// outbox holds the events that are to be delivered, and the last dead letters.
type outbox struct {
	next   uint64                           // number of the next event
	events *btree.Map[uint64, *OutboxEvent] // by number
	byID   map[EventID]uint64

	deadLetters numberedList[*DeadLetter]
}

func newOutbox() outbox {
	return outbox{events: &btree.Map[uint64, *OutboxEvent]{}, byID: map[EventID]uint64{}}
}

// insert adds an event under a number.
func (x *outbox) insert(num uint64, e *OutboxEvent) {
	x.events.Set(num, e)
	x.byID[e.ID] = num
}

// addEventIfAbsent adds an event to the outbox, unless it is there already.
func (r *Registry) addEventIfAbsent(e *OutboxEvent) {
	if _, open := r.outbox.byID[e.ID]; open {
		return
	}
	num, full := r.outbox.next, r.outbox.events.Len() >= maxOutboxEvents
	r.outbox.next++
	r.outbox.insert(num, e)
	r.markRecordChanged(recordEvent, num)
	if full && e.Recording == nil {
		r.moveToDeadLetters(num, "the outbox was full")
	}
}

// newEventID makes the id of an event of the current entry about a subject.
func (r *Registry) newEventID(kind EventKind, subject []byte) EventID {
	b := appendString(append([]byte{byte(kind)}, subject...), r.last.Epoch)
	b = appendUint(appendInt(appendUint(b, r.last.Num), r.last.Time), r.outbox.next)
	sum := sha256.Sum256(b)
	return EventID(sum[:16])
}

// newRecordingEvent makes an event about a recording. RecordingReady has the same
// id whenever the recording is restored.
func (r *Registry) newRecordingEvent(kind EventKind, rec *Recording) *OutboxEvent {
	e := &OutboxEvent{Kind: kind, At: r.last.Time, Recording: rec, entryNum: r.last.Num}
	if kind == RecordingReady {
		sum := sha256.Sum256(binary.AppendUvarint([]byte(rec.ID), uint64(kind)))
		e.ID = EventID(sum[:16])
	} else {
		e.ID = r.newEventID(kind, []byte(rec.ID))
	}
	return e
}

// addEventIfEnabled completes an event about a subject and adds it, if the
// settings ask for its kind.
func (r *Registry) addEventIfEnabled(e OutboxEvent, subject []byte) {
	if r.settings.EventKinds.Has(e.Kind) {
		added := e
		added.ID, added.At, added.entryNum = r.newEventID(e.Kind, subject), r.last.Time, r.last.Num
		r.addEventIfAbsent(&added)
	}
}

// addStreamEvent adds an event about a stream, if the settings ask for its kind.
func (r *Registry) addStreamEvent(kind EventKind, st *Stream) {
	r.addEventIfEnabled(OutboxEvent{Kind: kind, Stream: st}, st.Session[:])
}

// addAwayOrResumedEvent adds the event of a change of a stream's state. Restoring a
// state is no event.
func (r *Registry) addAwayOrResumedEvent(old, current *Stream, cause Cause) {
	switch {
	case old.State == current.State || cause == ByRestore:
	case current.State == Away:
		r.addStreamEvent(StreamAway, current)
	case current.State == Live && old.State == Away:
		r.addStreamEvent(StreamResumed, current)
	}
}

// addEndEvent adds the event of an end, if the settings ask for it.
func (r *Registry) addEndEvent(e *Ended) {
	ended := *e
	ended.Evidence = nil
	r.addEventIfEnabled(OutboxEvent{Kind: StreamEnded, Stream: e.Stream, Ended: &ended}, e.Stream.Session[:])
}

// addBanEvent adds the event of a ban or its end, if the settings ask for it.
func (r *Registry) addBanEvent(kind EventKind, b *Ban) {
	r.addEventIfEnabled(OutboxEvent{Kind: kind, Ban: b}, []byte(b.Anchor))
}

// removeEvent removes an event from the outbox.
func (r *Registry) removeEvent(num uint64) (removed *OutboxEvent) {
	e, _ := r.outbox.events.Delete(num)
	delete(r.outbox.byID, e.ID)
	r.markRecordChanged(recordEvent, num)
	return e
}

// moveToDeadLetters gives up an event.
func (r *Registry) moveToDeadLetters(eventNum uint64, reason string) {
	x := &r.outbox
	for len(x.deadLetters.list) >= maxDeadLetters {
		_, num := x.deadLetters.removeOldest()
		r.markRecordChanged(recordDeadLetter, num)
	}
	r.markRecordChanged(recordDeadLetter, x.deadLetters.push(&DeadLetter{*r.removeEvent(eventNum), reason}))
}

// OutboxEvents yields the events of the outbox with their numbers, starting at a
// number, the oldest first. The registry must not change meanwhile.
func (r *Registry) OutboxEvents(fromNum uint64) iter.Seq2[uint64, *OutboxEvent] {
	return func(yield func(uint64, *OutboxEvent) bool) { r.outbox.events.Ascend(fromNum, yield) }
}

// OutboxSize is the number of events in the outbox.
func (r *Registry) OutboxSize() int { return r.outbox.events.Len() }

// TotalDeadLetters is how many events were ever given up.
func (r *Registry) TotalDeadLetters() uint64 { return r.outbox.deadLetters.nextNum() }

// DeadLetters returns the last events that were given up, the oldest first.
func (r *Registry) DeadLetters() []*DeadLetter { return r.outbox.deadLetters.list }

// CompleteEvent removes an event from the outbox, because it was delivered or
// given up.
type CompleteEvent struct {
	ID      EventID
	Failure string // why it was given up; empty: it was delivered
}

func (*CompleteEvent) kind() commandKind { return kindCompleteEvent }

func (c *CompleteEvent) encode(b []byte) []byte {
	return appendString(append(b, c.ID[:]...), c.Failure)
}

func (c *CompleteEvent) decode(r *decoder) { c.ID, c.Failure = EventID(r.sessionID()), r.string() }

func (c *CompleteEvent) apply(r *Registry, _ *nodeState) Result {
	num, open := r.outbox.byID[c.ID]
	switch {
	case !open:
	case c.Failure != "":
		r.moveToDeadLetters(num, c.Failure)
	default:
		r.removeEvent(num)
	}
	return Result{}
}

// RestoreEvent restores an event of the outbox that the log has lost.
type RestoreEvent struct{ event *OutboxEvent }

func (*RestoreEvent) kind() commandKind        { return kindRestoreEvent }
func (c *RestoreEvent) encode(b []byte) []byte { return appendEvent(b, c.event) }
func (c *RestoreEvent) decode(r *decoder)      { c.event = r.event() }

// apply adds the event once, however many nodes restore it, unless the session
// lives again or the ban has changed.
func (c *RestoreEvent) apply(r *Registry, _ *nodeState) Result {
	e := *c.event
	if e.Ended != nil {
		if _, live := r.bySession[e.Stream.Session]; live {
			return Result{}
		}
	}
	if e.Ban != nil {
		if _, banned := r.ActiveBan(e.Ban.Anchor); banned != (e.Kind == BanSet) {
			return Result{}
		}
	}
	if r.addClientKey(restoreEventKey, "", e.ID.String(), Session{}) {
		e.entryNum = r.last.Num
		r.addEventIfAbsent(&e)
	}
	return Result{}
}

// The bits of an encoded event say which parts it has.
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

func (r *decoder) event() *OutboxEvent {
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
	if !e.hasPartsOfKind() {
		r.fail()
	}
	return e
}

// hasPartsOfKind reports whether an event has exactly the parts that its kind needs.
func (e *OutboxEvent) hasPartsOfKind() bool {
	of := func(kinds ...EventKind) bool { return slices.Contains(kinds, e.Kind) }
	return (e.Stream != nil) == of(StreamStarted, StreamAway, StreamResumed, StreamEnded) &&
		(e.Ended != nil) == of(StreamEnded) &&
		(e.Recording != nil) == of(RecordingReady, RecordingAmended) &&
		(e.Ban != nil) == of(BanSet, BanLifted)
}

func appendDeadLetter(b []byte, d *DeadLetter) []byte {
	return appendString(appendEvent(b, &d.OutboxEvent), d.Reason)
}

func (r *decoder) deadLetter() *DeadLetter {
	return &DeadLetter{OutboxEvent: *r.event(), Reason: r.string()}
}
