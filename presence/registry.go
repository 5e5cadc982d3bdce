package presence

import (
	"errors"
	"fmt"
	"iter"
	"slices"
)

// LatestRules is the highest version of Apply's rules that this build has. The
// version in use is registry state; the leader raises it when every living node
// has a higher one. Version 2 added RestoreSession and RestoreEnd, version 3
// RestoreSession.RenewedAt.
const LatestRules = 3

// ErrNewerVersion is returned when an entry, a snapshot or a recording needs a
// newer build. A node must then stop: if it skipped an entry its registry would
// be wrong.
var ErrNewerVersion = errors.New("presence: a newer version of onair is required")

// Limits of what the registry remembers: presence time in milliseconds, and
// numbers. Higher limits answer later questions and cost memory on every node.
const (
	keyRetention      = 24 * 60 * 60 * 1000
	maxKeys           = 1_000_000
	endedRetention    = 24 * 60 * 60 * 1000
	maxEnded          = 100_000
	nodeRetention     = 24 * 60 * 60 * 1000
	banSweepInterval  = 60_000 // how often expired bans are lifted
	departedRetention = 15_000 // viewer counts of a lost node, so that its viewers can reconnect
)

// lostAfterTicks is the number of node ticks without an entry after which a node
// is lost.
const lostAfterTicks = 3

// Registry is the state of the list: a deterministic function of the entries
// applied so far. It has no I/O, clock or random source. It is not safe for
// concurrent use; package node guards it by a lock.
type Registry struct {
	progress
	rules    uint64
	settings Settings

	sessionTable
	bans       map[string]banRecord
	keys       clientKeys
	ended      endedSessions
	nodes      nodeTable
	recordings knownRecordings
	outbox     outbox

	digests
	changedRecords map[recordKey]struct{} // keys of records changed since TakeChangedRecords; nil: not tracked
	output
}

// progress is the registry's place in the log.
type progress struct {
	hash   uint64
	last   Entry // its Batch is nil
	epochs []epoch
	clock  int64 // presence clock, in milliseconds
}

// output is what the current entry has changed so far.
type output struct {
	changes   []Change
	conflicts ConflictCounts
}

// NewRegistry returns the registry of an empty log. Its default settings have
// revision 0, so any node's own settings replace them.
func NewRegistry() *Registry {
	r := &Registry{
		rules:        1,
		settings:     Settings{Interval: 60_000, Missed: 3, Grace: 5_000, EndGrace: 30_000, StartWithin: 600_000, CallbackOnly: endedRetention, OfflineAfter: 3, BlindAfter: 15},
		sessionTable: newSessionTable(),
		bans:         map[string]banRecord{},
		keys:         clientKeys{byName: map[string]clientKeyUse{}},
		ended:        endedSessions{bySession: map[Session]*Ended{}, byCode: map[string][]*Ended{}},
		recordings:   newKnownRecordings(),
		outbox:       newOutbox(),
	}
	r.leases.setCurrentParams(r.settings.leaseParams())
	r.leases.rebuildWheel(r.settings.Tick(), 0, 0)
	r.nodes.renewers.reserve(0)
	return r
}

// Applied is what one entry did.
type Applied struct {
	Position    Position
	Num         uint64 // the entry's number
	Time        int64  // log time, Unix milliseconds
	Node        string
	Incarnation uint64
	Process     uint64 // first incarnation of the node's process
	Seq         uint64 // the batch's number
	// Refused: the batch came from an incarnation that has ended, or was applied
	// before. None of it was applied.
	Refused bool
	// Stalled: the step of log time since the last entry was backwards or too
	// long, and did not move the presence clock.
	Stalled    bool
	StrayBeats int               // beats that named a session which is not live
	Conflicts  ConflictCounts    // contradictions between sources
	Comparison *DigestComparison // nil unless the batch had a digest of a position that is remembered
	Settings   *Settings         // set when the entry replaced them
	Results    []Result          // one for each command of the batch; nil when it was refused
	Changes    []Change          // of streams, in the order of their effects
}

// Apply applies one entry: first the clocks, then beats and counts, then
// commands in order, then expiry. It returns ErrNewerVersion or ErrMalformed
// when the entry cannot be applied; the registry is then unchanged and the node
// must stop.
func (r *Registry) Apply(e Entry) (Applied, error) {
	in := &decoder{data: e.Batch}
	var b Batch
	if err := b.decodeHeader(in); err != nil {
		return Applied{}, err
	}
	if r.rules > LatestRules {
		return Applied{}, fmt.Errorf("%w: rules %d, this build has %d", ErrNewerVersion, r.rules, LatestRules)
	}
	beats := *in
	n := in.listLength()
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
	a.Stalled = r.advanceClockAndPosition(e)
	node := r.admitBatch(&b)
	if a.Refused = node == nil; !a.Refused {
		a.StrayBeats = r.applyBeats(&beats, node)
		node.lastEntryAt, node.isClockPaused = r.clock, false
		r.applyCounts(&b, node)
		a.Results = slices.Grow(a.Results, len(b.Commands))
		for _, c := range b.Commands {
			a.Results = append(a.Results, c.apply(r, node))
		}
		a.Comparison = r.compareDigest(&b)
	}
	r.expireNodes()
	r.dropExpiredDepartedViewers()
	r.applySessionDeadlines()
	r.enforceRetention()
	if r.clock/banSweepInterval != minute {
		r.liftExpiredBans()
	}
	r.updateDigests()
	if r.settings.Revision != revision {
		a.Settings = new(r.settings)
	}
	a.Position, a.Changes, a.Conflicts = r.Position(), r.changes, r.conflicts
	return a, nil
}

// advanceClockAndPosition moves log time, presence clock and hash to entry e. A step
// backwards or of more than two node ticks leaves the presence clock unchanged,
// because servers or clocks were stopped. Counting it as two ticks would let a
// few clock steps use up a lease's grace.
func (r *Registry) advanceClockAndPosition(e Entry) (isStalled bool) {
	if r.last.Num != 0 {
		step := e.Time - r.last.Time
		if isStalled = step < 0 || step > 2*r.settings.Tick(); isStalled {
			r.nodes.markClockPaused()
		} else {
			r.clock += step
		}
		if e.Epoch != r.last.Epoch {
			// Acknowledged beats may have been in entries that the log lost.
			r.leases.restartMatching(r.clock, func(*lease) bool { return true })
			r.restartMediaDeadlines()
		}
	}
	if e.Epoch != r.last.Epoch || len(r.epochs) == 0 {
		r.addEpoch(e)
	}
	r.hash = e.hashAfter(r.hash)
	r.last = Entry{ID: e.ID, Num: e.Num, Time: e.Time, Epoch: e.Epoch}
	return isStalled
}

// applyBeats renews the leases that the batch's beats name. A beat's age is
// limited to the presence time since the node's previous entry. If the presence
// clock stood still since then, ages are no presence time, and beats count from
// now.
func (r *Registry) applyBeats(in *decoder, node *nodeState) (strayBeats int) {
	oldest := node.lastEntryAt
	if node.isClockPaused {
		oldest = r.clock
	}
	n := in.listLength()
	var prev uint32
	for range n {
		x := in.beat(prev)
		prev = x.Index
		le := r.leases.find(x.Lease)
		if le == nil {
			strayBeats++
			continue
		}
		le.renew(max(oldest, r.clock-int64(x.Age)), r.clock, node.renewer)
		if le.flags&leaseNotLive != 0 {
			r.markLiveUnlessMediaLost(x.Index, ByBeat)
		}
	}
	return strayBeats
}

// renewLeaseAndMarkLive renews a session's lease because a command named the session.
func (r *Registry) renewLeaseAndMarkLive(index uint32, renewer *nodeState, cause Cause) {
	le := &r.leases.all[index]
	le.renew(r.clock, r.clock, renewer.renewer)
	if le.flags&leaseNotLive != 0 {
		r.markLiveUnlessMediaLost(index, cause)
	}
}

// markLiveUnlessMediaLost makes a starting or away stream live, unless its media was lost: no
// beat brings that back.
func (r *Registry) markLiveUnlessMediaLost(index uint32, cause Cause) {
	if r.sessions[index].media.isLost {
		return
	}
	r.leases.all[index].flags &^= leaseNotLive
	r.changeStream(index, cause, func(st *Stream) {
		st.State, st.Away, st.Shown = Live, NotAway, st.Listed
	})
}

// changeStream replaces a stream by an edited copy.
func (r *Registry) changeStream(index uint32, cause Cause, edit func(*Stream)) {
	s := r.sessions[index]
	st := *s.stream
	edit(&st)
	r.changes = append(r.changes, Change{Old: s.stream, New: &st, Cause: cause, Socket: s.socket})
	r.addAwayOrResumedEvent(s.stream, &st, cause)
	s.stream = &st
	r.markSessionChanged(index)
}

// applySessionDeadlines applies all misses and media deadlines that lie before the
// watermark.
func (r *Registry) applySessionDeadlines() {
	watermark := r.nodes.watermark(r.clock)
	for _, m := range r.leases.advanceWheel(watermark, r.clock) {
		s := r.sessions[m.index]
		switch {
		case s == nil:
		case m.endsSession:
			r.endSession(m.index, MissedBeats, "")
			r.changes[len(r.changes)-1].ExpiryLag = r.clock - m.dueAt
		case m.nth > 1:
		case s.stream.State == Away: // its media was lost; the change makes its node ask for a beat
			r.changes = append(r.changes, Change{Old: s.stream, New: s.stream, Cause: BySilence, Socket: s.socket})
		default:
			if len(s.media.openPushes) > 0 {
				r.conflicts[SilenceAgainstMedia]++
			}
			r.leases.all[m.index].flags |= leaseNotLive
			r.changeStream(m.index, BySilence, func(st *Stream) { st.State, st.Away = Away, MissedBeat })
		}
	}
	r.endSessionsLackingMedia(watermark)
}

// enforceRetention deletes what has been stored for long enough: ended sessions,
// client keys and recordings.
func (r *Registry) enforceRetention() {
	for ended := &r.ended; len(ended.list) > 0 && (ended.list[0].endedClock+endedRetention < r.clock || len(ended.list) > maxEnded); {
		r.markRecordChanged(recordEnded, ended.dropOldest())
	}
	for keys := &r.keys; len(keys.list) > 0 && (keys.byName[keys.list[0]].usedAt+keyRetention < r.clock || len(keys.list) > maxKeys); {
		r.markRecordChanged(recordClientKey, keys.dropOldest())
	}
	for known := &r.recordings; len(known.list) > 0 && (known.list[0].learnedAt+recordingRetention < r.clock || len(known.list) > maxRecordings); {
		r.markRecordChanged(recordRecording, known.dropOldest())
	}
}

// Position is the registry's place in the log.
func (r *Registry) Position() Position { return Position{ID: r.last.ID, Hash: uint32(r.hash)} }

// LastEntry is the last entry applied, with a nil Batch.
func (r *Registry) LastEntry() Entry { return r.last }

// LastNum is the number of the last entry applied, 0 before the first.
func (r *Registry) LastNum() uint64 { return r.last.Num }

// LogTime is the log time of the last entry applied, in Unix milliseconds.
func (r *Registry) LogTime() (unixMS int64) { return r.last.Time }

// Clock is the presence clock, in milliseconds since the log began.
func (r *Registry) Clock() (ms int64) { return r.clock }

// Rules is the version of the rules by which Apply treats the next entry.
func (r *Registry) Rules() (version uint64) { return r.rules }

// Settings are the settings in the log.
func (r *Registry) Settings() Settings { return r.settings }

// Len is the number of live sessions.
func (r *Registry) Len() int { return len(r.bySession) }

// Contents are numbers of what a registry has.
type Contents struct {
	Live, Ended, Bans, ClientKeys, Events, DeadLetters int
}

// Contents returns the numbers of live and remembered ended sessions, bans, keys of
// clients' commands, events to deliver and dead letters.
func (r *Registry) Contents() Contents {
	return Contents{r.Len(), len(r.ended.list), len(r.bans), len(r.keys.list), r.OutboxSize(), len(r.DeadLetters())}
}

// ReseedPositions makes later positions differ from all earlier ones. A log that
// does not keep every entry calls it before it returns a loaded registry.
func (r *Registry) ReseedPositions(seed uint64) { r.hash = seed }

// StreamByCode returns the live stream of a live code, or nil.
func (r *Registry) StreamByCode(code string) *Stream { return streamAt(r, r.byCode, code) }

// StreamByAnchor returns the live stream of an anchor, or nil.
func (r *Registry) StreamByAnchor(anchor string) *Stream { return streamAt(r, r.byAnchor, anchor) }

// StreamBySession returns the stream of a live session, or nil.
func (r *Registry) StreamBySession(s Session) *Stream { return streamAt(r, r.bySession, s) }

// streamAt returns the stream whose index a map has under a key, or nil.
func streamAt[K comparable](r *Registry, indexes map[K]uint32, key K) *Stream {
	if i, ok := indexes[key]; ok {
		return r.sessions[i].stream
	}
	return nil
}

// Streams yields every live stream in the order of indexes. The registry must
// not change meanwhile.
func (r *Registry) Streams() iter.Seq[*Stream] { return r.StreamsFrom(0) }

// StreamsFrom yields the live streams from an index on, in the order of indexes.
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

// TimeSinceBeat is the presence time, in milliseconds, since a live session's
// lease was renewed, and 0 for other sessions.
func (r *Registry) TimeSinceBeat(s Session) (ms int64) {
	i, live := r.bySession[s]
	if !live {
		return 0
	}
	return r.clock - r.leases.all[i].lastRenewal(r.clock)
}

// SessionResult is the result of a command that names the session and changes
// nothing. isLive is false when the session is not live.
func (r *Registry) SessionResult(s Session) (result Result, isLive bool) {
	i, live := r.bySession[s]
	if !live {
		return r.goneResult(s), false
	}
	return r.liveResult(i), true
}

// LastAttachedSocket is the id of the socket that controls a live session, or empty.
func (r *Registry) LastAttachedSocket(s Session) (socketID string) {
	if i, live := r.bySession[s]; live {
		return r.sessions[i].socket
	}
	return ""
}
