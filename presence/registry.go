package presence

import (
	"errors"
	"fmt"
	"iter"
	"slices"
)

// Rules is the version of Apply's rules that this build knows. Which one
// applies is registry state, raised by an entry once every living node knows it.
// The second version knows Restore and Bury.
const Rules = 2

// ErrRules is returned when an entry or an image needs rules that this build
// does not know. A node that meets one must stop: to skip it would be to lie.
var ErrRules = errors.New("presence: this needs a newer version of onair")

// How long things are remembered, in milliseconds of presence time and in
// number. More of it answers later questions and costs memory on every node.
const (
	keepKeys     = 24 * 60 * 60 * 1000
	maxKeys      = 1_000_000
	keepEnded    = 24 * 60 * 60 * 1000
	maxEnded     = 100_000
	keepPeers    = 24 * 60 * 60 * 1000
	sweepEvery   = 60_000 // for bans that are over
	keepDeparted = 15_000 // a lost node's viewer counts, so that its viewers can return
)

// lostAfter is how many node ticks of silence lose a node.
const lostAfter = 3

// Registry is the state of the list: a deterministic function of the entries
// applied so far. It does no I/O, reads no clock and draws no lots. It is not
// safe for concurrent use: Node guards it.
type Registry struct {
	progress
	rules    uint64
	settings Settings

	sessionTable
	bans       map[string]banned
	keys       keys
	ended      endings
	peers      peers
	recordings recordings
	effects    effects

	digests
	dirty map[recordKey]struct{} // the records that changed since TakeDirty; nil: they are not tracked
	output
}

// progress is where a registry stands in the log.
type progress struct {
	hash   uint64
	last   Entry // without its batch
	epochs []epoch
	clock  int64 // presence time in milliseconds: the sum of the steps between entries
}

// output is what the entry being applied has done so far.
type output struct {
	changes   []Change
	conflicts ConflictCounts
}

// NewRegistry gives the registry of an empty log, with the default settings
// under revision 0, which any node's own replace.
func NewRegistry() *Registry {
	r := &Registry{
		rules:        1,
		settings:     Settings{Interval: 60_000, Missed: 3, Grace: 5_000, EndGrace: 30_000, StartWithin: 600_000, CallbackOnly: keepEnded, OfflineAfter: 3, BlindAfter: 15},
		sessionTable: newSessionTable(),
		bans:         map[string]banned{},
		keys:         keys{byName: map[string]keyed{}},
		ended:        endings{bySession: map[Session]*Ended{}, byCode: map[string][]*Ended{}},
		recordings:   newRecordings(),
		effects:      newEffects(),
	}
	r.leases.set(r.settings.leaseParams(), r.settings.Tick(), 0, 0)
	r.peers.vias.take(0)
	return r
}

// Applied is what one entry did.
type Applied struct {
	Position Position
	Num      uint64
	Time     int64 // log time, Unix milliseconds
	Node     string
	Boot     uint64
	Origin   uint64 // the first boot of the node's process
	No       uint64
	// Refused: the batch came from a boot that the log has declared dead, or
	// was there already; nothing of it was applied.
	Refused bool
	// Stalled: the step since the last entry was backwards or too long, and
	// counted for nothing.
	Stalled bool
	// Strays is how many beats named a session that is no longer live.
	Strays int
	// Conflicts are how often sources have contradicted each other, by what did.
	Conflicts ConflictCounts
	// Compared is what came of the digest in the batch, nil where there was
	// none, or none of the same position.
	Compared *Compared
	Settings *Settings // set when the entry replaced them
	Results  []Result  // one for each command of the batch, unless Refused
	Changes  []Change  // of streams, in the order in which they happened
}

// Apply is the one way in: clock, then beats and counts, then commands in
// order, then expiry. It returns ErrRules or ErrMalformed, having changed
// nothing, when the entry cannot be applied; the node must then stop.
func (r *Registry) Apply(e Entry) (Applied, error) {
	in := &reader{b: e.Batch}
	var b Batch
	if err := b.header(in); err != nil {
		return Applied{}, err
	}
	if r.rules > Rules {
		return Applied{}, fmt.Errorf("%w: rules %d, this build knows %d", ErrRules, r.rules, Rules)
	}
	beats := *in
	n := in.count()
	var prev uint32
	for range n {
		prev = in.beat(prev).Index
	}
	if err := b.tail(in); err != nil {
		return Applied{}, err
	}

	r.output = output{}
	revision, minute := r.settings.Revision, r.clock/sweepEvery
	a := Applied{Num: e.Num, Time: e.Time, Node: b.Node, Boot: b.Boot, Origin: b.Origin, No: b.No}
	a.Stalled = r.step(e)
	p := r.admit(&b)
	if a.Refused = p == nil; !a.Refused {
		a.Strays = r.beats(&beats, p)
		p.last, p.paused = r.clock, false
		r.count(&b, p)
		a.Results = slices.Grow(a.Results, len(b.Commands))
		for _, c := range b.Commands {
			a.Results = append(a.Results, c.apply(r, p))
		}
		a.Compared = r.compare(&b)
	}
	r.expire()
	r.forget()
	if r.clock/sweepEvery != minute {
		r.forgetBans()
	}
	r.settle()
	if r.settings.Revision != revision {
		a.Settings = new(r.settings)
	}
	a.Position, a.Changes, a.Conflicts = r.Position(), r.changes, r.conflicts
	return a, nil
}

// step moves the clocks and the hash on to e. A step of log time backwards or
// of more than two node ticks counts for nothing: the servers, or their
// clocks, were away. Counted as two ticks, a few clock steps within one lease
// would eat its grace.
func (r *Registry) step(e Entry) (stalled bool) {
	if r.last.Num != 0 {
		d := e.Time - r.last.Time
		if stalled = d < 0 || d > 2*r.settings.Tick(); stalled {
			r.peers.pause()
		} else {
			r.clock += d
		}
		if e.Repl != r.last.Repl {
			// Beats that were acknowledged may have been in a tail that is lost.
			r.leases.rearm(r.clock, func(*lease) bool { return true })
			r.excuse()
		}
	}
	if e.Repl != r.last.Repl || len(r.epochs) == 0 {
		r.beginEpoch(e)
	}
	r.hash = e.chain(r.hash)
	r.last = Entry{ID: e.ID, Num: e.Num, Time: e.Time, Repl: e.Repl}
	return stalled
}

// beats applies the batch's beats. A beat's age is clamped to the presence
// time since the node's previous entry; where the clock has stood still since,
// ages are no presence time, and beats count from now.
func (r *Registry) beats(in *reader, p *peer) (strays int) {
	oldest := p.last
	if p.paused {
		oldest = r.clock
	}
	n := in.count()
	var prev uint32
	for range n {
		x := in.beat(prev)
		prev = x.Index
		le := r.leases.find(x.Lease)
		if le == nil {
			strays++
			continue
		}
		le.renew(max(oldest, r.clock-int64(x.Age)), r.clock, p.via)
		if le.flags&leaseQuiet != 0 {
			r.enliven(x.Index, ByBeat)
		}
	}
	return strays
}

// hear counts as a beat of a session, by a command that names it.
func (r *Registry) hear(i uint32, p *peer, cause Cause) {
	le := &r.leases.all[i]
	le.renew(r.clock, r.clock, p.via)
	if le.flags&leaseQuiet != 0 {
		r.enliven(i, cause)
	}
}

// enliven makes a stream live that was starting or away, unless it is without a
// picture: no beat brings that back.
func (r *Registry) enliven(i uint32, cause Cause) {
	if r.sessions[i].media.lost {
		return
	}
	r.leases.all[i].flags &^= leaseQuiet
	r.change(i, cause, func(st *Stream) {
		st.State, st.Away, st.Shown = Live, NotAway, st.Listed
	})
}

// change replaces a stream by a changed copy.
func (r *Registry) change(i uint32, cause Cause, edit func(*Stream)) {
	s := r.sessions[i]
	st := *s.stream
	edit(&st)
	r.changes = append(r.changes, Change{Old: s.stream, New: &st, Cause: cause, Holder: s.holder})
	r.tellChange(s.stream, &st, cause)
	s.stream = &st
	r.touch(i)
}

// expire loses silent nodes, and fires the misses that every living node has
// had its say about.
func (r *Registry) expire() {
	r.losePeers()
	heard := r.peers.heard(r.clock)
	for _, m := range r.leases.advance(heard, r.clock) {
		s := r.sessions[m.index]
		switch {
		case s == nil:
		case m.last:
			r.end(m.index, MissedBeats, "")
			r.changes[len(r.changes)-1].Lag = r.clock - m.at
		case m.nth > 1:
		case s.stream.State == Away: // without a picture; the anchor is asked for a beat all the same
			r.changes = append(r.changes, Change{Old: s.stream, New: s.stream, Cause: BySilence, Holder: s.holder})
		default:
			if len(s.media.open) > 0 {
				r.conflicts[SilenceAgainstMedia]++
			}
			r.leases.all[m.index].flags |= leaseQuiet
			r.change(m.index, BySilence, func(st *Stream) { st.State, st.Away = Away, MissedBeat })
		}
	}
	r.losePictures(heard)
}

// forget drops what was kept for long enough.
func (r *Registry) forget() {
	for r.ended.len() > 0 && (r.ended.oldest().clock+keepEnded < r.clock || r.ended.len() > maxEnded) {
		r.mark(recordEnded, r.ended.drop())
	}
	for r.keys.len() > 0 && (r.keys.oldest()+keepKeys < r.clock || r.keys.len() > maxKeys) {
		r.mark(recordStartKey, r.keys.drop())
	}
	r.forgetRecordings()
}

// Position is where the registry stands in its history.
func (r *Registry) Position() Position { return Position{ID: r.last.ID, Hash: uint32(r.hash)} }

// Last is the last entry applied, without its batch.
func (r *Registry) Last() Entry { return r.last }

// Num is the number of the last entry applied, 0 for none.
func (r *Registry) Num() uint64 { return r.last.Num }

// Time is the log time of the last entry applied, in Unix milliseconds.
func (r *Registry) Time() int64 { return r.last.Time }

// Clock is the presence clock, in milliseconds since the log began.
func (r *Registry) Clock() int64 { return r.clock }

// Rules is the version of the rules by which Apply treats the next entry.
func (r *Registry) Rules() uint64 { return r.rules }

// Settings are those that the log holds.
func (r *Registry) Settings() Settings { return r.settings }

// Len is how many sessions are live.
func (r *Registry) Len() int { return len(r.bySession) }

// Reseed makes the positions of this boot unlike any that there were before. A
// log that does not keep every entry calls it before it hands a registry out.
func (r *Registry) Reseed(seed uint64) { r.hash = seed }

// Stream returns the live stream of a code, or nil.
func (r *Registry) Stream(code string) *Stream {
	if i, ok := r.byCode[code]; ok {
		return r.sessions[i].stream
	}
	return nil
}

// Live returns the live stream of an anchor, or nil.
func (r *Registry) Live(anchor string) *Stream {
	if i, ok := r.byAnchor[anchor]; ok {
		return r.sessions[i].stream
	}
	return nil
}

// Session returns the stream of a live session, or nil.
func (r *Registry) Session(s Session) *Stream {
	if i, ok := r.bySession[s]; ok {
		return r.sessions[i].stream
	}
	return nil
}

// Streams yields every live stream in the order of their indexes. The
// registry must not change meanwhile.
func (r *Registry) Streams() iter.Seq[*Stream] { return r.StreamsFrom(0) }

// StreamsFrom yields live streams in the order of their indexes, from one on.
// The registry must not change meanwhile.
func (r *Registry) StreamsFrom(index uint32) iter.Seq[*Stream] {
	return func(yield func(*Stream) bool) {
		for _, s := range r.sessions[min(int(index), len(r.sessions)):] {
			if s != nil && !yield(s.stream) {
				return
			}
		}
	}
}

// Silence is for how long, in milliseconds of presence time, no beat of a live
// session was heard.
func (r *Registry) Silence(s Session) int64 {
	i, live := r.bySession[s]
	if !live {
		return 0
	}
	return r.clock - r.leases.all[i].lastAt(r.clock)
}

// Lease is what a command about the live session would be answered with.
func (r *Registry) Lease(s Session) (Result, bool) {
	i, live := r.bySession[s]
	if !live {
		return r.gone(s), false
	}
	return r.granted(i), true
}

// Holder is the connection that holds a live session, empty where none does.
func (r *Registry) Holder(s Session) string {
	if i, live := r.bySession[s]; live {
		return r.sessions[i].holder
	}
	return ""
}
