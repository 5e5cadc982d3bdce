//go:build !race

package simulator

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"onair/hub/wire"
	"onair/presence"
)

// oracle records what each node has applied and what was acknowledged to clients, and reports
// violations of guarantees.
type oracle struct {
	w *world

	mu         sync.Mutex // guards all below
	written    map[entryID]time.Time
	states     map[presence.Position]*listState
	nodeStates map[*simNode]*listState // the state of each node
	sessions   []*simSession
	bans       map[string]*simBan
	likes      map[string]int64 // sent, by code
	clockSteps []clockStep      // of the log's clock
	epoch      string           // of the newest entry
	epochBegan time.Time        // when that epoch began
	faults     []violation
}

// entryID identifies an entry.
type entryID struct {
	num   uint64
	epoch string
}

// listState is the list at a position.
type listState struct {
	entry     entryID
	written   time.Time
	digest    uint64
	streams   []*presence.Stream
	firstNode *simNode // the node that was at this position first
}

// simSession is a session whose start was acknowledged.
type simSession struct {
	presence.Session
	anchor           string
	code             string
	number           int
	startSentAt      time.Time          // when its start was sent
	startAckedAt     time.Time          // when the start was acknowledged
	acks             []ackedBeat        // acknowledged beats, starts and resumes
	leavingSince     time.Time          // when its anchor requested the end, or disappeared
	stopAckedAt      time.Time          // when the stop was acknowledged
	endReportedAt    time.Time          // when its anchor received the end
	isForgotten      bool               // no node was left that knew it
	hasEnded         bool               // some node has applied its end
	title            string             // the last one that was acknowledged
	unansweredTitles []string           // titles of updates without an answer
	likes            map[*simNode]int64 // acknowledged
	seenLiveBy       map[*simNode]bool  // nodes that have applied its start
	seenEndedBy      map[*simNode]bool  // nodes that have applied its end
}

// ackedBeat is an acknowledged beat, start or resume.
type ackedBeat struct {
	sentAt time.Time // when it was sent
	node   *simNode
}

// simBan is a ban that an admin requested.
type simBan struct {
	requestedAt, ackedAt, liftedAt time.Time // liftedAt: when that was requested
}

// clockStep is a step of the log's clock.
type clockStep struct {
	at time.Time
	by time.Duration
}

// violation is a violated guarantee.
type violation struct{ kind, text string }

func newOracle(w *world) *oracle {
	return &oracle{
		w: w, written: map[entryID]time.Time{}, states: map[presence.Position]*listState{},
		nodeStates: map[*simNode]*listState{}, bans: map[string]*simBan{}, likes: map[string]int64{},
	}
}

// reportFault records a violation.
func (o *oracle) reportFault(kind, format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.addFault(kind, format, args...)
}

// addFault records a violation. The caller holds mu.
func (o *oracle) addFault(kind, format string, args ...any) {
	v := violation{kind, fmt.Sprintf(format, args...)}
	o.w.traceEvent("VIOLATION %s: %s", v.kind, v.text)
	o.faults = append(o.faults, v)
}

// recordAppend records an appended entry. The model of Redis calls it.
func (o *oracle) recordAppend(num uint64, repl string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	o.written[entryID{num, repl}] = now
	if o.epoch != repl {
		o.epoch, o.epochBegan = repl, now
	}
}

// recordClockStep records a step of the log's clock.
func (o *oracle) recordClockStep(by time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.clockSteps = append(o.clockSteps, clockStep{time.Now(), by})
}

// recordNodeEnd records that a node crashed or was stopped.
func (o *oracle) recordNodeEnd(n *simNode, crash bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n.wasStopped = true
	if crash {
		n.crashedAt = time.Now()
	}
}

func (o *oracle) hasCrashed(n *simNode) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !n.crashedAt.IsZero()
}

// recordLoad records the registry that a node starts from.
func (o *oracle) recordLoad(n *simNode, r *presence.Registry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.nodeStates[n] = o.stateOf(n, r)
}

// checkApplied checks the registry of a node after each applied entry.
func (o *oracle) checkApplied(n *simNode, r *presence.Registry, e presence.Entry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	st := o.stateOf(n, r)
	o.nodeStates[n] = st
	for _, s := range o.sessions {
		o.checkSession(n, r, s, st)
	}
	for anchor, b := range o.bans {
		if st.isAfter(b.ackedAt) && b.liftedAt.IsZero() && o.mustBeComplete(n, st) && r.StreamByAnchor(anchor) != nil {
			o.addFault("stopped-returned", "%v has %s live at %d, who is banned", n, anchor, st.entry.num)
			b.liftedAt = time.Now()
		}
	}
}

// stateOf returns the state at the position of a registry. It compares the registry with those
// of other nodes at the same position.
func (o *oracle) stateOf(n *simNode, r *presence.Registry) *listState {
	pos, digest := r.Position(), r.Digest()
	last := r.LastEntry()
	st := o.states[pos]
	if st == nil {
		name := entryID{last.Num, last.Epoch}
		st = &listState{entry: name, written: o.written[name], digest: digest, streams: slices.Collect(r.Streams()), firstNode: n}
		o.states[pos] = st
		return st
	}
	if st.digest != digest || last.Num%8 == 0 && !slices.EqualFunc(st.streams, slices.Collect(r.Streams()), equalStreams) {
		o.addFault("diverged", "%v and %v differ at entry %d", st.firstNode, n, last.Num)
	}
	return st
}

func equalStreams(a, b *presence.Stream) bool {
	return fmt.Sprintf("%+v", *a) == fmt.Sprintf("%+v", *b)
}

// isAfter reports whether the entry was written after a time; zero: false.
func (st *listState) isAfter(t time.Time) bool { return !t.IsZero() && st.written.After(t) }

// restoreTimeout is how long after a loss the log may lack what the nodes restore.
const restoreTimeout = 5 * time.Second

// mustBeComplete reports whether a state must have all acknowledged changes: the node is not
// frozen, and no loss was within restoreTimeout.
func (o *oracle) mustBeComplete(n *simNode, st *listState) bool {
	s := n.servingNode()
	return s != nil && !s.Presence.HasFrozenViews() && st.written.Sub(o.epochBegan) > restoreTimeout
}

// checkSession checks one session in the registry of a node.
func (o *oracle) checkSession(n *simNode, r *presence.Registry, s *simSession, st *listState) {
	live, ended := r.StreamBySession(s.Session) != nil, r.EndedSession(s.Session)
	if live {
		s.seenLiveBy[n] = true
	} else if ended != nil {
		s.seenEndedBy[n] = true
	}
	if ended != nil && !s.hasEnded {
		s.hasEnded = true
		o.w.traceEvent("%v: %v has ended: %v (entry %d)", n, s, ended.Reason, st.entry.num)
		o.checkEndReason(s, ended, st)
	}
	switch {
	case live && st.isAfter(s.stopAckedAt) && o.mustBeComplete(n, st) && !o.noneCanRestore(s.seenEndedBy):
		o.addFault("stopped-returned", "%v has %v at %d, which was stopped", n, s, st.entry.num)
		s.stopAckedAt = time.Time{}
	case live && st.isAfter(s.endReportedAt) && o.mustBeComplete(n, st) && !s.isForgotten:
		o.addFault("false-end", "%v has %v at %d, whose anchor received its end", n, s, st.entry.num)
		s.endReportedAt = time.Time{}
	case !live && ended == nil && st.isAfter(s.startAckedAt) && o.mustBeComplete(n, st) && s.leavingSince.IsZero() && !o.mayBeBanned(s) && !o.isForgotten(s):
		o.addFault("lost-start", "%v lacks %v at %d", n, s, st.entry.num)
		s.leavingSince = time.Now()
	}
}

// isForgotten reports whether all nodes that have applied a start are gone or isolated. If the
// log loses the start too, no node can restore it, and there is no guarantee.
func (o *oracle) isForgotten(s *simSession) bool {
	if !s.isForgotten && o.noneCanRestore(s.seenLiveBy) {
		s.isForgotten = true
		o.w.traceEvent("%v is known to no remaining node", s)
		o.w.forgottenSessions++
	}
	return s.isForgotten
}

// noneCanRestore reports whether none of the nodes can restore what the log has lost.
func (o *oracle) noneCanRestore(nodes map[*simNode]bool) bool {
	if !o.w.class.failovers {
		return false
	}
	for n := range nodes {
		if !n.wasStopped && !n.isIsolated() {
			return false
		}
	}
	return true
}

// checkEndReason checks that the reason of an end is true.
func (o *oracle) checkEndReason(s *simSession, e *presence.Ended, st *listState) {
	switch e.Reason {
	case presence.Stopped, presence.TakenOver:
		if s.leavingSince.IsZero() && s.endReportedAt.IsZero() {
			o.addFault("wrong-reason", "%v: %v, but it was not requested", s, e.Reason)
		}
	case presence.Banned:
		if o.bans[s.anchor] == nil {
			o.addFault("wrong-reason", "%v: banned, but no ban was requested", s)
		}
	case presence.MissedBeats:
		if at := st.written; s.isPromised(at.Add(o.clockAdvance(at.Add(-3*simInterval), at))) {
			o.addFault("early-end", "%v was ended %v after its last acknowledged beat", s, at.Sub(s.lastAckedBeat()))
		}
	}
}

// clockAdvance returns how far the presence clock may have run ahead of time between two times:
// steps of the log's clock of up to two ticks count.
func (o *oracle) clockAdvance(from, to time.Time) (by time.Duration) {
	for _, s := range o.clockSteps {
		if s.by > 0 && s.by <= 2*simTick && s.at.After(from) && !s.at.After(to) {
			by += s.by
		}
	}
	return by
}

// lastAckedBeat returns when the last acknowledged beat was sent.
func (s *simSession) lastAckedBeat() time.Time { return s.acks[len(s.acks)-1].sentAt }

// isPromised reports whether the session must be live at a time: a beat within three intervals
// before it was acknowledged by a node that has not crashed since, and was not itself late.
func (s *simSession) isPromised(at time.Time) bool {
	for i := len(s.acks) - 1; i >= 0; i-- {
		b := s.acks[i]
		switch {
		case !b.sentAt.Before(at):
		case at.Sub(b.sentAt) >= 3*simInterval:
			return false
		case !b.node.crashedAt.IsZero() && b.node.crashedAt.Before(at):
		case i == 0 || b.sentAt.Sub(s.acks[i-1].sentAt) < 3*simInterval:
			return true
		}
	}
	return false
}

// mustBeLive reports whether a session must be live now.
func (o *oracle) mustBeLive(s *simSession) bool {
	return s.leavingSince.IsZero() && s.endReportedAt.IsZero() && !o.mayBeBanned(s) && !s.isForgotten && s.isPromised(time.Now())
}

// mayBeBanned reports whether a requested ban may have ended the session.
func (o *oracle) mayBeBanned(s *simSession) bool {
	b := o.bans[s.anchor]
	return b != nil && (b.liftedAt.IsZero() || s.startSentAt.Before(b.liftedAt))
}

func (s *simSession) String() string { return fmt.Sprintf("%s#%d", s.anchor, s.number) }

// recordStart records an acknowledged start.
func (o *oracle) recordStart(anchor string, m *wire.Started, sent time.Time, n *simNode) *simSession {
	o.mu.Lock()
	defer o.mu.Unlock()
	id, err := presence.ParseSession(m.Session)
	if err != nil {
		o.addFault("bad-message", "started: %v", err)
	}
	nth := 1
	for _, s := range o.sessions {
		if s.Session == id {
			o.addFault("wrong-session", "%s got %v twice", anchor, s)
		}
		if s.anchor == anchor {
			nth++
		}
	}
	s := &simSession{
		Session: id, anchor: anchor, code: m.Stream.Code, number: nth,
		startSentAt: sent, startAckedAt: time.Now(), acks: []ackedBeat{{sent, n}}, title: m.Stream.Title,
		likes: map[*simNode]int64{}, seenLiveBy: map[*simNode]bool{n: true}, seenEndedBy: map[*simNode]bool{},
	}
	o.sessions = append(o.sessions, s)
	o.w.traceEvent("%v has started on %v", s, n)
	return s
}

// recordAck records an acknowledged beat or resume.
func (o *oracle) recordAck(s *simSession, sent time.Time, n *simNode) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.acks = append(s.acks, ackedBeat{sent, n})
	if len(s.acks) > 8 {
		s.acks = slices.Clone(s.acks[4:])
	}
}

// recordLeaving records that an anchor requests the end, or disappears.
func (o *oracle) recordLeaving(s *simSession, cause string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.leavingSince.IsZero() {
		s.leavingSince = time.Now()
		o.w.traceEvent("%v leaves: %s", s, cause)
	}
}

// recordEndReport records that an anchor received the end of its session.
func (o *oracle) recordEndReport(s *simSession, reason string, by *simNode) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.w.traceEvent("%v receives its end from %v: %q", s, by, reason)
	if forgot := !s.hasEnded && o.isForgotten(s); o.mustBeLive(s) && !s.hasEnded && !forgot {
		o.addFault("false-end", "%v received its end from %v (%q), and no node has applied it", s, by, reason)
	}
	s.endReportedAt = time.Now()
	if reason == wire.EndStopped {
		s.stopAckedAt = time.Now()
	}
}

// recordStopped records an acknowledged stop.
func (o *oracle) recordStopped(s *simSession) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.stopAckedAt = time.Now()
	o.w.traceEvent("%v has stopped", s)
}

// recordTitle records a requested or acknowledged update. A request without an answer may still
// take effect; over a socket only while that socket is attached.
func (o *oracle) recordTitle(s *simSession, title string, acked, http bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.w.traceEvent("%v is renamed to %q, acknowledged: %v", s, title, acked)
	switch {
	case !acked:
		s.unansweredTitles = append(s.unansweredTitles, title)
		return
	case http:
		s.unansweredTitles = slices.DeleteFunc(s.unansweredTitles, func(t string) bool { return t == title })
	default:
		s.unansweredTitles = nil
	}
	s.title = title
}

// sessionOf returns the record of a session, or nil if no start of it was acknowledged.
func (o *oracle) sessionOf(id presence.Session) *simSession {
	for _, s := range o.sessions {
		if s.Session == id {
			return s
		}
	}
	return nil
}
