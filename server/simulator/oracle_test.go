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

// oracle knows what each node has applied, and what clients were promised. It
// says which promise was not kept.
type oracle struct {
	w *world

	mu       sync.Mutex // guards all below
	written  map[entryName]time.Time
	states   map[presence.Position]*simState
	at       map[*simNode]*simState // where each node stands
	sessions []*simSession
	bans     map[string]*simBan
	likes    map[string]int64 // asked for, by code
	steps    []simStep        // of the log's clock
	history  string           // of the newest entry
	lost     time.Time        // when that began
	faults   []violation
}

// entryName is what an entry is called for good.
type entryName struct {
	num  uint64
	repl string
}

// simState is the list as it is at a position.
type simState struct {
	name    entryName
	written time.Time
	digest  uint64
	streams []*presence.Stream
	by      *simNode // who was there first
}

// simSession is a session that its anchor was told of.
type simSession struct {
	presence.Session
	anchor  string
	code    string
	nth     int
	began   time.Time          // when its start was sent
	acked   time.Time          // when it was first answered
	heard   []simBeat          // acknowledged
	leaving time.Time          // when its anchor first asked for the end, or went away
	stopped time.Time          // when the end was acknowledged
	told    time.Time          // when its anchor was told that it is over
	forgot  bool               // nobody was left who knew it
	ended   bool               // some node has seen its end
	gone    bool               // so has a viewer
	title   string             // the last one that was acknowledged
	unsure  []string           // those without an answer
	likes   map[*simNode]int64 // acknowledged
	known   map[*simNode]bool  // nodes that have seen it live
	buried  map[*simNode]bool  // those that have seen its end
}

// simBeat is a beat that was acknowledged, or a start or a resume.
type simBeat struct {
	at   time.Time // when it was sent
	node *simNode
}

// simBan is one that an admin asked for.
type simBan struct {
	asked, acked, lifted time.Time // lifted: when that was asked for
}

// simStep is one of the log's clock.
type simStep struct {
	at time.Time
	by time.Duration
}

// violation is a promise that was not kept.
type violation struct{ kind, text string }

func newOracle(w *world) *oracle {
	return &oracle{
		w: w, written: map[entryName]time.Time{}, states: map[presence.Position]*simState{},
		at: map[*simNode]*simState{}, bans: map[string]*simBan{}, likes: map[string]int64{},
	}
}

// violate notes a violation.
func (o *oracle) violate(kind, format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fault(kind, format, args...)
}

// fault is violate for those that hold mu.
func (o *oracle) fault(kind, format string, args ...any) {
	v := violation{kind, fmt.Sprintf(format, args...)}
	o.w.note("VIOLATION %s: %s", v.kind, v.text)
	o.faults = append(o.faults, v)
}

// appended is told by the model.
func (o *oracle) appended(num uint64, repl string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	o.written[entryName{num, repl}] = now
	if o.history != repl {
		o.history, o.lost = repl, now
	}
}

// stepped notes that the log's clock was set.
func (o *oracle) stepped(by time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.steps = append(o.steps, simStep{time.Now(), by})
}

// left notes that a node crashed or was stopped.
func (o *oracle) left(n *simNode, crash bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n.stopped = true
	if crash {
		n.crashed = time.Now()
	}
}

func (o *oracle) crashed(n *simNode) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !n.crashed.IsZero()
}

// loaded is told of a registry that a node starts from.
func (o *oracle) loaded(n *simNode, r *presence.Registry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.at[n] = o.state(n, r)
}

// applied is told of every entry that a node has applied.
func (o *oracle) applied(n *simNode, r *presence.Registry, e presence.Entry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	st := o.state(n, r)
	o.at[n] = st
	for _, s := range o.sessions {
		o.look(n, r, s, st)
	}
	for anchor, b := range o.bans {
		if st.after(b.acked) && b.lifted.IsZero() && o.calm(n, st) && r.StreamByAnchor(anchor) != nil {
			o.fault("stop-back", "%v has %s live at %d, who is banned", n, anchor, st.name.num)
			b.lifted = time.Now()
		}
	}
}

// state notes what a node has at a position, or compares it with what others had.
func (o *oracle) state(n *simNode, r *presence.Registry) *simState {
	pos, digest := r.Position(), r.Digest()
	last := r.LastEntry()
	st := o.states[pos]
	if st == nil {
		name := entryName{last.Num, last.Epoch}
		st = &simState{name: name, written: o.written[name], digest: digest, streams: slices.Collect(r.Streams()), by: n}
		o.states[pos] = st
		return st
	}
	if st.digest != digest || last.Num%8 == 0 && !slices.EqualFunc(st.streams, slices.Collect(r.Streams()), sameStream) {
		o.fault("diverged", "%v and %v differ at entry %d", st.by, n, last.Num)
	}
	return st
}

func sameStream(a, b *presence.Stream) bool { return fmt.Sprintf("%+v", *a) == fmt.Sprintf("%+v", *b) }

// after tells whether the state's entry was written after a moment, zero: never.
func (st *simState) after(t time.Time) bool { return !t.IsZero() && st.written.After(t) }

// healWithin is for how long after a loss the log may lack what the nodes are
// putting back, while they can.
const healWithin = 5 * time.Second

// calm tells whether a state is to lack nothing: nothing was lost for a while, and
// the node whose it is does not say otherwise.
func (o *oracle) calm(n *simNode, st *simState) bool {
	s := n.server()
	return s != nil && !s.Presence.IsFrozen() && st.written.Sub(o.lost) > healWithin
}

// look checks one session in what a node has.
func (o *oracle) look(n *simNode, r *presence.Registry, s *simSession, st *simState) {
	live, ended := r.StreamBySession(s.Session) != nil, r.EndedSession(s.Session)
	if live {
		s.known[n] = true
	} else if ended != nil {
		s.buried[n] = true
	}
	if ended != nil && !s.ended {
		s.ended = true
		o.w.note("%v: %v has ended: %v (entry %d)", n, s, ended.Reason, st.name.num)
		o.mayEnd(s, ended, st)
	}
	switch {
	case live && st.after(s.stopped) && o.calm(n, st) && !o.noneLeft(s.buried):
		o.fault("stop-back", "%v has %v at %d, which was stopped", n, s, st.name.num)
		s.stopped = time.Time{}
	case live && st.after(s.told) && o.calm(n, st) && !s.forgot:
		o.fault("told-gone", "%v has %v at %d, of which its anchor was told that it is gone", n, s, st.name.num)
		s.told = time.Time{}
	case !live && ended == nil && st.after(s.acked) && o.calm(n, st) && s.leaving.IsZero() && !o.banned(s) && !o.forgotten(s):
		o.fault("lost-start", "%v does not know %v at %d", n, s, st.name.num)
		s.leaving = time.Now()
	}
}

// forgotten tells whether all nodes are gone, or cut off, that have seen a session
// live: when the log has lost it too there is nobody to put it back, and nothing to
// promise.
func (o *oracle) forgotten(s *simSession) bool {
	if !s.forgot && o.noneLeft(s.known) {
		s.forgot = true
		o.w.note("%v is forgotten by all", s)
		o.w.forgotten++
	}
	return s.forgot
}

// noneLeft tells whether none of some nodes is left to put back what the log has
// lost.
func (o *oracle) noneLeft(nodes map[*simNode]bool) bool {
	if !o.w.class.failovers {
		return false
	}
	for n := range nodes {
		if !n.stopped && !n.cutOff() {
			return false
		}
	}
	return true
}

// mayEnd checks why a session ended.
func (o *oracle) mayEnd(s *simSession, e *presence.Ended, st *simState) {
	switch e.Reason {
	case presence.Stopped, presence.TakenOver:
		if s.leaving.IsZero() && s.told.IsZero() {
			o.fault("odd-end", "%v: %v, but nobody asked for it", s, e.Reason)
		}
	case presence.Banned:
		if o.bans[s.anchor] == nil {
			o.fault("odd-end", "%v: banned, but nobody asked for it", s)
		}
	case presence.MissedBeats:
		if at := st.written; s.promised(at.Add(o.hurried(at.Add(-3*simInterval), at))) {
			o.fault("early-end", "%v was ended %v after its last acknowledged beat", s, at.Sub(s.last()))
		}
	}
}

// hurried is by how much the presence clock may have been ahead of time between
// two moments: a step of the log's clock that is no longer than two ticks counts.
func (o *oracle) hurried(from, to time.Time) (by time.Duration) {
	for _, s := range o.steps {
		if s.by > 0 && s.by <= 2*simTick && s.at.After(from) && !s.at.After(to) {
			by += s.by
		}
	}
	return by
}

// last is when the last acknowledged beat was sent.
func (s *simSession) last() time.Time { return s.heard[len(s.heard)-1].at }

// promised tells whether the session must be live at a moment: some beat before
// it was acknowledged by a node that has not crashed since, no longer ago than
// three intervals, and was itself not too late.
func (s *simSession) promised(at time.Time) bool {
	for i := len(s.heard) - 1; i >= 0; i-- {
		b := s.heard[i]
		switch {
		case !b.at.Before(at):
		case at.Sub(b.at) >= 3*simInterval:
			return false
		case !b.node.crashed.IsZero() && b.node.crashed.Before(at):
		case i == 0 || b.at.Sub(s.heard[i-1].at) < 3*simInterval:
			return true
		}
	}
	return false
}

// alive tells whether a session is live as far as its anchor can know.
func (o *oracle) alive(s *simSession) bool {
	return s.leaving.IsZero() && s.told.IsZero() && !o.banned(s) && !s.forgot && s.promised(time.Now())
}

// banned tells whether somebody has asked for a ban that the session may have met.
func (o *oracle) banned(s *simSession) bool {
	b := o.bans[s.anchor]
	return b != nil && (b.lifted.IsZero() || s.began.Before(b.lifted))
}

func (s *simSession) String() string { return fmt.Sprintf("%s#%d", s.anchor, s.nth) }

// started notes that an anchor was told of its session.
func (o *oracle) started(anchor string, m *wire.Started, sent time.Time, n *simNode) *simSession {
	o.mu.Lock()
	defer o.mu.Unlock()
	id, err := presence.ParseSession(m.Session)
	if err != nil {
		o.fault("bad-message", "started: %v", err)
	}
	nth := 1
	for _, s := range o.sessions {
		if s.Session == id {
			o.fault("wrong-session", "%s was given %v twice", anchor, s)
		}
		if s.anchor == anchor {
			nth++
		}
	}
	s := &simSession{
		Session: id, anchor: anchor, code: m.Stream.Code, nth: nth,
		began: sent, acked: time.Now(), heard: []simBeat{{sent, n}}, title: m.Stream.Title,
		likes: map[*simNode]int64{}, known: map[*simNode]bool{n: true}, buried: map[*simNode]bool{},
	}
	o.sessions = append(o.sessions, s)
	o.w.note("%v has started on %v", s, n)
	return s
}

// acknowledged notes that a beat, or a resume, was acknowledged.
func (o *oracle) acknowledged(s *simSession, sent time.Time, n *simNode) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.heard = append(s.heard, simBeat{sent, n})
	if len(s.heard) > 8 {
		s.heard = slices.Clone(s.heard[4:])
	}
}

// leaves notes that an anchor asks for the end, or goes away.
func (o *oracle) leaves(s *simSession, how string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.leaving.IsZero() {
		s.leaving = time.Now()
		o.w.note("%v leaves: %s", s, how)
	}
}

// over notes that an anchor was told that its session is over.
func (o *oracle) over(s *simSession, reason string, by *simNode) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.w.note("%v is told by %v that it is over: %q", s, by, reason)
	if forgot := !s.ended && o.forgotten(s); o.alive(s) && !s.ended && !forgot {
		o.fault("told-gone", "%v was told by %v that it is over (%q), and no node has ended it", s, by, reason)
	}
	s.told = time.Now()
	if reason == wire.EndStopped {
		s.stopped = time.Now()
	}
}

// halted notes that a stop was acknowledged.
func (o *oracle) halted(s *simSession) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.stopped = time.Now()
	o.w.note("%v has stopped", s)
}

// named notes that an update was asked for, or acknowledged. One without an answer
// may yet come; over a socket only as long as that holds the session.
func (o *oracle) named(s *simSession, title string, acked, http bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.w.note("%v is renamed to %q, acknowledged: %v", s, title, acked)
	switch {
	case !acked:
		s.unsure = append(s.unsure, title)
		return
	case http:
		s.unsure = slices.DeleteFunc(s.unsure, func(t string) bool { return t == title })
	default:
		s.unsure = nil
	}
	s.title = title
}

// find is what anchors were told of a session, nil for one that none was told of.
func (o *oracle) find(id presence.Session) *simSession {
	for _, s := range o.sessions {
		if s.Session == id {
			return s
		}
	}
	return nil
}
