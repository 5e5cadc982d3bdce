package presence

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"iter"
	"slices"

	"github.com/tidwall/btree"
)

// Effect is something that has happened and of which the world outside is to be
// told, or that is to be done there. The keeper does it and says so in the log;
// until then it stays in the registry's outbox, so that another keeper does what
// one has left: at least once, under the same id.
type Effect struct {
	ID   EffectID
	Kind EffectKind
	At   int64 // log time, Unix milliseconds

	Stream    *Stream    // of the kinds that are about one: as it was then, Viewers included
	Ended     *Ended     // of StreamEnded, without its evidence
	Recording *Recording // of RecordingReady and RecordingAmended
	Ban       *Ban       // of BanSet and BanLifted

	num uint64 // of the entry in which it happened
}

// EffectID names an effect for ever.
type EffectID [16]byte

// String gives 32 hexadecimal digits.
func (id EffectID) String() string { return hex.EncodeToString(id[:]) }

// ParseEffectID reads what String gives.
func ParseEffectID(text string) (id EffectID, ok bool) {
	n, err := hex.Decode(id[:], []byte(text[:min(len(text), 2*len(id))]))
	return id, err == nil && n == len(id) && id.String() == text
}

// EffectKind is what has happened.
type EffectKind uint8

// The kinds of effects.
const (
	StreamStarted    EffectKind = iota + 1 // a session has begun
	StreamAway                             // its stream is away
	StreamResumed                          // it is live again
	StreamEnded                            // the session is over
	BanSet                                 // an anchor may not start
	BanLifted                              // an anchor may start again
	RecordingReady                         // there is a recording that was not known before
	RecordingAmended                       // the session of a recording has ended, and has told more of it
)

// Effects are kinds of effects. Those of recordings are told in any case: the
// archive needs them.
type Effects uint8

// EffectsOf gives a set.
func EffectsOf(kinds ...EffectKind) (set Effects) {
	for _, k := range kinds {
		set |= 1 << (k - 1)
	}
	return set
}

// Has reports whether a kind is in the set.
func (set Effects) Has(k EffectKind) bool { return set&(1<<(k-1)) != 0 }

// Limits of what waits to be done, and of what is remembered of that which never
// was. A full outbox has nobody who empties it: the ends of a million streams at
// once have room. Recordings find room always, since the archive is made of them.
const (
	maxEffects = 1 << 20
	maxDead    = 1_000
)

// DeadLetter is an effect that was given up.
type DeadLetter struct {
	Effect
	Why string
}

// effects is the registry's outbox.
type effects struct {
	next uint64 // the number of the next effect
	open *btree.Map[uint64, *Effect]
	byID map[EffectID]uint64

	firstDead uint64 // the number of dead[0]
	dead      []*DeadLetter
}

func newEffects() effects {
	return effects{open: &btree.Map[uint64, *Effect]{}, byID: map[EffectID]uint64{}}
}

func (x *effects) set(seq uint64, e *Effect) {
	x.open.Set(seq, e)
	x.byID[e.ID] = seq
}

func (x *effects) deadAt(seq uint64) *DeadLetter {
	if seq < x.firstDead || seq-x.firstDead >= uint64(len(x.dead)) {
		return nil
	}
	return x.dead[seq-x.firstDead]
}

// tell puts an effect into the outbox. One that is open stays where it is.
func (r *Registry) tell(e *Effect) {
	if _, open := r.effects.byID[e.ID]; open {
		return
	}
	seq, full := r.effects.next, r.effects.open.Len() >= maxEffects
	r.effects.next++
	r.effects.set(seq, e)
	r.mark(recordEffect, seq)
	if full && e.Recording == nil {
		r.bin(seq, "the outbox was full")
	}
}

// effectID names the next thing that happens to somebody in the present entry.
func (r *Registry) effectID(kind EffectKind, whose []byte) EffectID {
	b := appendString(append([]byte{byte(kind)}, whose...), r.last.Repl)
	b = appendUint(appendInt(appendUint(b, r.last.Num), r.last.Time), r.effects.next)
	sum := sha256.Sum256(b)
	return EffectID(sum[:16])
}

// recordingEffect names what is told of a recording: that it is ready once, for
// it may be put back after a loss; that it was amended each time.
func (r *Registry) recordingEffect(kind EffectKind, rec *Recording) *Effect {
	e := &Effect{Kind: kind, At: r.last.Time, Recording: rec, num: r.last.Num}
	if kind == RecordingReady {
		sum := sha256.Sum256(binary.AppendUvarint([]byte(rec.ID), uint64(kind)))
		e.ID = EffectID(sum[:16])
	} else {
		e.ID = r.effectID(kind, []byte(rec.ID))
	}
	return e
}

// tellStream tells what has happened to a stream, if anybody wants to know.
func (r *Registry) tellStream(kind EffectKind, st *Stream) {
	if r.settings.Effects.Has(kind) {
		r.tell(&Effect{ID: r.effectID(kind, st.Session[:]), Kind: kind, At: r.last.Time, Stream: st, num: r.last.Num})
	}
}

// tellChange tells what a change of a stream's state means. What puts back what
// was lost is no news.
func (r *Registry) tellChange(was, is *Stream, cause Cause) {
	switch {
	case was.State == is.State || cause == ByRepair:
	case is.State == Away:
		r.tellStream(StreamAway, is)
	case is.State == Live && was.State == Away:
		r.tellStream(StreamResumed, is)
	}
}

func (r *Registry) tellEnd(e *Ended) {
	if r.settings.Effects.Has(StreamEnded) {
		ended := *e
		ended.Evidence = nil
		r.tell(&Effect{
			ID: r.effectID(StreamEnded, e.Stream.Session[:]), Kind: StreamEnded, At: r.last.Time,
			Stream: e.Stream, Ended: &ended, num: r.last.Num,
		})
	}
}

// tellBan tells of a ban, or of its end, but not of one that is said again.
func (r *Registry) tellBan(kind EffectKind, b *Ban) {
	if r.settings.Effects.Has(kind) {
		r.tell(&Effect{ID: r.effectID(kind, []byte(b.Anchor)), Kind: kind, At: r.last.Time, Ban: b, num: r.last.Num})
	}
}

// drop takes an effect out of the outbox.
func (r *Registry) drop(seq uint64) *Effect {
	e, _ := r.effects.open.Delete(seq)
	delete(r.effects.byID, e.ID)
	r.mark(recordEffect, seq)
	return e
}

// bin gives an effect up.
func (r *Registry) bin(seq uint64, why string) {
	x := &r.effects
	for len(x.dead) >= maxDead {
		x.dead[0] = nil
		x.dead = x.dead[1:]
		r.mark(recordDead, x.firstDead)
		x.firstDead++
	}
	r.mark(recordDead, x.firstDead+uint64(len(x.dead)))
	x.dead = append(x.dead, &DeadLetter{*r.drop(seq), why})
}

// Effects yields what is to be done from a number on, with its numbers, the oldest
// first. The registry must not change meanwhile.
func (r *Registry) Effects(from uint64) iter.Seq2[uint64, *Effect] {
	return func(yield func(uint64, *Effect) bool) { r.effects.open.Ascend(from, yield) }
}

// Waiting is how many effects are to be done.
func (r *Registry) Waiting() int { return r.effects.open.Len() }

// GivenUp is how many effects were ever given up.
func (r *Registry) GivenUp() uint64 { return r.effects.firstDead + uint64(len(r.effects.dead)) }

// DeadLetters are the last effects that were given up, the oldest first.
func (r *Registry) DeadLetters() []*DeadLetter { return r.effects.dead }

// Conclude says of an effect that it was done, or, with a reason, that it was
// given up.
type Conclude struct {
	ID  EffectID
	Why string // empty: it was done
}

func (*Conclude) kind() kind { return kindConclude }

func (*Conclude) durable() bool { return false }

func (c *Conclude) encode(b []byte) []byte { return appendString(append(b, c.ID[:]...), c.Why) }

func (c *Conclude) decode(r *reader) { c.ID, c.Why = EffectID(r.session()), r.string() }

func (c *Conclude) apply(r *Registry, _ *peer) Result {
	seq, open := r.effects.byID[c.ID]
	switch {
	case !open:
	case c.Why != "":
		r.bin(seq, c.Why)
	default:
		r.drop(seq)
	}
	return Result{}
}

// Reopen puts an effect back of which the log has lost that it is to be done.
type Reopen struct{ effect *Effect }

func (*Reopen) kind() kind { return kindReopen }

func (*Reopen) durable() bool { return true }

func (c *Reopen) encode(b []byte) []byte { return appendEffect(b, c.effect) }

func (c *Reopen) decode(r *reader) { c.effect = r.effect() }

// reopen puts an effect back once, whoever else says the same, unless it is not so
// any more.
func (c *Reopen) apply(r *Registry, _ *peer) Result {
	e := *c.effect
	if e.Ended != nil {
		if _, lives := r.bySession[e.Stream.Session]; lives {
			return Result{}
		}
	}
	if e.Ban != nil {
		if _, banned := r.Banned(e.Ban.Anchor); banned != (e.Kind == BanSet) {
			return Result{}
		}
	}
	if r.learn(reopenKey, "", e.ID.String(), Session{}) {
		e.num = r.last.Num
		r.tell(&e)
	}
	return Result{}
}

// What an effect holds, by bits.
const (
	effectStream = 1 << iota
	effectEnded
	effectRecording
	effectBan
)

func appendEffect(b []byte, e *Effect) []byte {
	b = append(append(b, e.ID[:]...), byte(e.Kind))
	b = appendUint(appendInt(b, e.At), e.num)
	at := len(b)
	b = append(b, 0)
	if e.Stream != nil {
		b[at] |= effectStream
		b = appendInt(appendStream(b, e.Stream), e.Stream.Viewers)
	}
	if e.Ended != nil {
		b[at] |= effectEnded
		b = appendInt(appendString(append(b, byte(e.Ended.Reason)), e.Ended.By), e.Ended.EndedAt)
	}
	if e.Recording != nil {
		b[at] |= effectRecording
		b = appendRecording(b, e.Recording)
	}
	if e.Ban != nil {
		b[at] |= effectBan
		b = e.Ban.encode(b)
	}
	return b
}

func (r *reader) effect() *Effect {
	e := &Effect{ID: EffectID(r.session()), Kind: EffectKind(r.byte()), At: r.int(), num: r.uint()}
	bits := r.byte()
	if e.Kind < StreamStarted || e.Kind > RecordingAmended || bits >= effectBan<<1 || bits&(effectEnded|effectStream) == effectEnded {
		r.fail()
		return e
	}
	if bits&effectStream != 0 {
		e.Stream = r.stream()
		e.Stream.Viewers = r.int()
	}
	if bits&effectEnded != 0 {
		e.Ended = &Ended{Stream: e.Stream, Reason: EndReason(r.enum(len(endNames))), By: r.string(), EndedAt: r.int()}
	}
	if bits&effectRecording != 0 {
		rec := r.recording()
		e.Recording = &rec
	}
	if bits&effectBan != 0 {
		e.Ban = &Ban{}
		e.Ban.decode(r)
	}
	if !e.whole() {
		r.fail()
	}
	return e
}

// whole reports whether an effect holds what its kind needs, and nothing else.
func (e *Effect) whole() bool {
	of := func(kinds ...EffectKind) bool { return slices.Contains(kinds, e.Kind) }
	return (e.Stream != nil) == of(StreamStarted, StreamAway, StreamResumed, StreamEnded) &&
		(e.Ended != nil) == of(StreamEnded) &&
		(e.Recording != nil) == of(RecordingReady, RecordingAmended) &&
		(e.Ban != nil) == of(BanSet, BanLifted)
}

func appendDead(b []byte, d *DeadLetter) []byte {
	return appendString(appendEffect(b, &d.Effect), d.Why)
}

func (r *reader) deadLetter() *DeadLetter { return &DeadLetter{Effect: *r.effect(), Why: r.string()} }
