package presence

import (
	"errors"
	"fmt"
	"iter"
	"slices"
)

// LatestRules is the version of Apply's rules that this build knows. Which one
// applies is registry state, raised by an entry once every living node knows it.
// The second version knows Restore and Bury.
const LatestRules = 2

// ErrNewerVersion is returned when an entry or an image needs rules that this build
// does not know. A node that meets one must stop: to skip it would be to lie.
var ErrNewerVersion = errors.New("presence: this needs a newer version of onair")

// How long things are remembered, in milliseconds of presence time and in
// number. More of it answers later questions and costs memory on every node.
const (
	keyRetention      = 24 * 60 * 60 * 1000
	maxKeys           = 1_000_000
	endedRetention    = 24 * 60 * 60 * 1000
	maxEnded          = 100_000
	nodeRetention     = 24 * 60 * 60 * 1000
	banSweepInterval  = 60_000 // for bans that are over
	departedRetention = 15_000 // a lost node's viewer counts, so that its viewers can return
)

// lostAfterTicks is how many node ticks of silence lose a node.
const lostAfterTicks = 3

// Registry is the state of the list: a deterministic function of the entries
// applied so far. It does no I/O, reads no clock and draws no lots. It is not
// safe for concurrent use: Node guards it.
type Registry struct {
	progress
	rules    uint64
	settings Settings

	sessionTable
	bans       map[string]banRecord
	keys       clientKeys
	ended      endedSessions
	peers      nodeTable
	recordings knownRecordings
	outbox     outbox

	digests
	changedRecords map[recordKey]struct{} // the records that changed since TakeChangedRecords; nil: they are not tracked
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
		settings:     Settings{Interval: 60_000, Missed: 3, Grace: 5_000, EndGrace: 30_000, StartWithin: 600_000, CallbackOnly: endedRetention, OfflineAfter: 3, BlindAfter: 15},
		sessionTable: newSessionTable(),
		bans:         map[string]banRecord{},
		keys:         clientKeys{byName: map[string]keyUse{}},
		ended:        endedSessions{bySession: map[Session]*Ended{}, byCode: map[string][]*Ended{}},
		recordings:   newKnownRecordings(),
		outbox:       newOutbox(),
	}
	r.leases.setParams(r.settings.leaseParams(), r.settings.Tick(), 0, 0)
	r.peers.renewers.reserve(0)
	return r
}

// Applied is what one entry did.
type Applied struct {
	Position    Position
	Num         uint64
	Time        int64 // log time, Unix milliseconds
	Node        string
	Incarnation uint64
	Process     uint64 // the first boot of the node's process
	Seq         uint64
	// Refused: the batch came from a boot that the log has declared dead, or
	// was there already; nothing of it was applied.
	Refused bool
	// Stalled: the step since the last entry was backwards or too long, and
	// counted for nothing.
	Stalled bool
	// StrayBeats is how many beats named a session that is no longer live.
	StrayBeats int
	// Conflicts are how often sources have contradicted each other, by what did.
	Conflicts ConflictCounts
	// Comparison is what came of the digest in the batch, nil where there was
	// none, or none of the same position.
	Comparison *DigestComparison
	Settings   *Settings // set when the entry replaced them
	Results    []Result  // one for each command of the batch, unless Refused
	Changes    []Change  // of streams, in the order in which they happened
}

// Apply is the one way in: clock, then beats and counts, then commands in
// order, then expiry. It returns ErrNewerVersion or ErrMalformed, having changed
// nothing, when the entry cannot be applied; the node must then stop.
func (r *Registry) Apply(e Entry) (Applied, error) {
	in := &reader{data: e.Batch}
	var b Batch
	if err := b.decodeHeader(in); err != nil {
		return Applied{}, err
	}
	if r.rules > LatestRules {
		return Applied{}, fmt.Errorf("%w: rules %d, this build knows %d", ErrNewerVersion, r.rules, LatestRules)
	}
	beats := *in
	n := in.length()
	var prev uint32
	for range n {
		prev = in.beat(prev).Index
	}
	if err := b.decodeRest(in); err != nil {
		return Applied{}, err
	}

	r.output = output{}
	revision, minute := r.settings.Revision, r.clock/banSweepInterval
	a := Applied{Num: e.Num, Time: e.Time, Node: b.Node, Incarnation: b.Incarnation, Process: b.Process, Seq: b.Seq}
	a.Stalled = r.advanceClocks(e)
	p := r.admitBatch(&b)
	if a.Refused = p == nil; !a.Refused {
		a.StrayBeats = r.applyBeats(&beats, p)
		p.lastEntryAt, p.isClockPaused = r.clock, false
		r.applyCounts(&b, p)
		a.Results = slices.Grow(a.Results, len(b.Commands))
		for _, c := range b.Commands {
			a.Results = append(a.Results, c.apply(r, p))
		}
		a.Comparison = r.compareDigest(&b)
	}
	r.expireSilent()
	r.applyRetention()
	if r.clock/banSweepInterval != minute {
		r.liftExpiredBans()
	}
	r.updateDigest()
	if r.settings.Revision != revision {
		a.Settings = new(r.settings)
	}
	a.Position, a.Changes, a.Conflicts = r.Position(), r.changes, r.conflicts
	return a, nil
}

// advanceClocks moves the clocks and the hash on to e. A step of log time backwards or
// of more than two node ticks counts for nothing: the servers, or their
// clocks, were away. Counted as two ticks, a few clock steps within one lease
// would eat its grace.
func (r *Registry) advanceClocks(e Entry) (stalled bool) {
	if r.last.Num != 0 {
		d := e.Time - r.last.Time
		if stalled = d < 0 || d > 2*r.settings.Tick(); stalled {
			r.peers.pauseClocks()
		} else {
			r.clock += d
		}
		if e.Epoch != r.last.Epoch {
			// Beats that were acknowledged may have been in a tail that is lost.
			r.leases.restart(r.clock, func(*lease) bool { return true })
			r.restartDueMediaDeadlines()
		}
	}
	if e.Epoch != r.last.Epoch || len(r.epochs) == 0 {
		r.startEpoch(e)
	}
	r.hash = e.runningHash(r.hash)
	r.last = Entry{ID: e.ID, Num: e.Num, Time: e.Time, Epoch: e.Epoch}
	return stalled
}

// applyBeats applies the batch's beats. A beat's age is clamped to the presence
// time since the node's previous entry; where the clock has stood still since,
// ages are no presence time, and beats count from now.
func (r *Registry) applyBeats(in *reader, p *nodeState) (strays int) {
	oldest := p.lastEntryAt
	if p.isClockPaused {
		oldest = r.clock
	}
	n := in.length()
	var prev uint32
	for range n {
		x := in.beat(prev)
		prev = x.Index
		le := r.leases.find(x.Lease)
		if le == nil {
			strays++
			continue
		}
		le.renew(max(oldest, r.clock-int64(x.Age)), r.clock, p.renewer)
		if le.flags&leaseNotLive != 0 {
			r.markLive(x.Index, ByBeat)
		}
	}
	return strays
}

// renewLease counts as a beat of a session, by a command that names it.
func (r *Registry) renewLease(i uint32, p *nodeState, cause Cause) {
	le := &r.leases.all[i]
	le.renew(r.clock, r.clock, p.renewer)
	if le.flags&leaseNotLive != 0 {
		r.markLive(i, cause)
	}
}

// markLive makes a stream live that was starting or away, unless it is without a
// picture: no beat brings that back.
func (r *Registry) markLive(i uint32, cause Cause) {
	if r.sessions[i].media.isLost {
		return
	}
	r.leases.all[i].flags &^= leaseNotLive
	r.changeStream(i, cause, func(st *Stream) {
		st.State, st.Away, st.Shown = Live, NotAway, st.Listed
	})
}

// changeStream replaces a stream by a changed copy.
func (r *Registry) changeStream(i uint32, cause Cause, edit func(*Stream)) {
	s := r.sessions[i]
	st := *s.stream
	edit(&st)
	r.changes = append(r.changes, Change{Old: s.stream, New: &st, Cause: cause, Socket: s.socket})
	r.addStateEvent(s.stream, &st, cause)
	s.stream = &st
	r.markSessionChanged(i)
}

// expireSilent loses silent nodes, and fires the misses that every living node has
// had its say about.
func (r *Registry) expireSilent() {
	r.loseSilentNodes()
	heard := r.peers.watermark(r.clock)
	for _, m := range r.leases.collectMisses(heard, r.clock) {
		s := r.sessions[m.index]
		switch {
		case s == nil:
		case m.endsSession:
			r.endSession(m.index, MissedBeats, "")
			r.changes[len(r.changes)-1].ExpiryLag = r.clock - m.dueAt
		case m.nth > 1:
		case s.stream.State == Away: // without a picture; the anchor is asked for a beat all the same
			r.changes = append(r.changes, Change{Old: s.stream, New: s.stream, Cause: BySilence, Socket: s.socket})
		default:
			if len(s.media.openPushes) > 0 {
				r.conflicts[SilenceAgainstMedia]++
			}
			r.leases.all[m.index].flags |= leaseNotLive
			r.changeStream(m.index, BySilence, func(st *Stream) { st.State, st.Away = Away, MissedBeat })
		}
	}
	r.expireMedia(heard)
}

// applyRetention drops what was kept for long enough.
func (r *Registry) applyRetention() {
	for r.ended.len() > 0 && (r.ended.oldest().endedClock+endedRetention < r.clock || r.ended.len() > maxEnded) {
		r.markRecord(recordEnded, r.ended.dropOldest())
	}
	for r.keys.len() > 0 && (r.keys.oldestTime()+keyRetention < r.clock || r.keys.len() > maxKeys) {
		r.markRecord(recordClientKey, r.keys.dropOldest())
	}
	r.dropOldRecordings()
}

// Position is where the registry stands in its history.
func (r *Registry) Position() Position { return Position{ID: r.last.ID, Hash: uint32(r.hash)} }

// LastEntry is the last entry applied, without its batch.
func (r *Registry) LastEntry() Entry { return r.last }

// LastNum is the number of the last entry applied, 0 for none.
func (r *Registry) LastNum() uint64 { return r.last.Num }

// LogTime is the log time of the last entry applied, in Unix milliseconds.
func (r *Registry) LogTime() int64 { return r.last.Time }

// Clock is the presence clock, in milliseconds since the log began.
func (r *Registry) Clock() int64 { return r.clock }

// Rules is the version of the rules by which Apply treats the next entry.
func (r *Registry) Rules() uint64 { return r.rules }

// Settings are those that the log holds.
func (r *Registry) Settings() Settings { return r.settings }

// Len is how many sessions are live.
func (r *Registry) Len() int { return len(r.bySession) }

// ReseedPositions makes the positions of this boot unlike any that there were before. A
// log that does not keep every entry calls it before it hands a registry out.
func (r *Registry) ReseedPositions(seed uint64) { r.hash = seed }

// StreamByCode returns the live stream of a code, or nil.
func (r *Registry) StreamByCode(code string) *Stream {
	if i, ok := r.byCode[code]; ok {
		return r.sessions[i].stream
	}
	return nil
}

// StreamByAnchor returns the live stream of an anchor, or nil.
func (r *Registry) StreamByAnchor(anchor string) *Stream {
	if i, ok := r.byAnchor[anchor]; ok {
		return r.sessions[i].stream
	}
	return nil
}

// StreamBySession returns the stream of a live session, or nil.
func (r *Registry) StreamBySession(s Session) *Stream {
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

// TimeSinceBeat is for how long, in milliseconds of presence time, no beat of a live
// session was heard.
func (r *Registry) TimeSinceBeat(s Session) int64 {
	i, live := r.bySession[s]
	if !live {
		return 0
	}
	return r.clock - r.leases.all[i].lastRenewal(r.clock)
}

// SessionResult is what a command about the live session would be answered with.
func (r *Registry) SessionResult(s Session) (Result, bool) {
	i, live := r.bySession[s]
	if !live {
		return r.goneResult(s), false
	}
	return r.liveResult(i), true
}

// AttachedSocket is the connection that holds a live session, empty where none does.
func (r *Registry) AttachedSocket(s Session) string {
	if i, live := r.bySession[s]; live {
		return r.sessions[i].socket
	}
	return ""
}
