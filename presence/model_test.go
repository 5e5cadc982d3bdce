package presence

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"pgregory.net/rapid"
)

// model applies leases by the documented rules: without a wheel, it checks every
// deadline.
type model struct {
	t        *rapid.T
	settings Settings
	clock    int64
	time     int64
	repl     string
	num      uint64
	peers    map[string]*modelPeer
	live     map[Session]*modelLease
	polled   []string // sessions that polls ended in the current entry
}

type modelPeer struct {
	boot, no uint64
	last     int64
	alive    bool
	paused   bool
}

type modelLease struct {
	st      *Stream
	last    int64
	misses  int64
	params  LeaseParams
	renewer string // "": no living node
	state   State
	untimed bool // needs no beats

	// What callbacks and polls reported.
	open                  []push
	closed                []string
	newest                int64
	seen, lost            bool
	since                 int64
	offline, blind, quiet int64
	polled                int64
	counts                bool // the last poll counted
	callbacks, polls      bool // are among its sources
}

// ends is the session's media deadline, 0: none.
func (l *modelLease) ends(s Settings) int64 {
	switch {
	case l.lost:
		return max(1, l.since+s.EndGrace)
	case !l.untimed:
		return 0
	case l.polls && (l.seen || !l.callbacks):
		return 0
	case l.seen:
		return max(1, l.since+s.CallbackOnly)
	}
	return max(1, l.since+s.StartWithin)
}

func newModel(t *rapid.T) *model {
	return &model{t: t, settings: NewRegistry().Settings(), peers: map[string]*modelPeer{}, live: map[Session]*modelLease{}}
}

func (m *model) rearm(pick func(*modelLease) bool) {
	for _, l := range m.live {
		if pick(l) {
			l.last, l.misses = m.clock, 0
		}
	}
}

func (m *model) lose(name string) {
	m.rearm(func(l *modelLease) bool { return l.renewer == name })
	m.retire(name)
}

func (m *model) retire(name string) {
	for _, l := range m.live {
		if l.renewer == name {
			l.renewer = ""
		}
	}
	m.peers[name].alive, m.peers[name].paused = false, false
}

func (m *model) renewLeaseAndMarkLive(s Session, renewer string, at int64) {
	l := m.live[s]
	l.last, l.misses, l.renewer = max(l.last, at), 0, renewer
}

// markLive applies a beat to a stream's state.
func (m *model) markLive(s Session) {
	if l := m.live[s]; !l.lost {
		l.state = Live
	}
}

// observe applies the documented rules of callbacks.
func (m *model) observe(c *Observe, renewer string) {
	l := m.live[c.Session]
	picture := func() {
		was := l.lost
		l.seen, l.lost, l.since = true, false, m.clock
		l.offline, l.blind = 0, 0
		if was && l.misses == 0 {
			l.state = Live
		}
	}
	loseMedia := func() {
		l.seen, l.lost, l.since, l.state = true, true, m.clock, Away
		l.offline, l.blind = 0, 0
	}
	closePush := func(name string) {
		if !slices.Contains(l.closed, name) {
			l.closed = append(l.closed, name)
			l.closed = l.closed[max(0, len(l.closed)-maxClosedPushes):]
		}
	}
	has := func(p push) bool { return p.name == c.Push }
	switch c.Signal {
	case BeatReceived:
		m.renewLeaseAndMarkLive(c.Session, renewer, m.clock)
		m.markLive(c.Session)
	case PushStarted:
		if c.PushStartedAt != 0 && c.PushStartedAt+maxClockLag < l.st.StartedAt || c.PushStartedAt > m.time+maxClockLead {
			return
		}
		if c.IsUnique && slices.Contains(l.closed, c.Push) {
			if c.PushStartedAt != 0 && !l.seen {
				loseMedia()
			}
			return
		}
		if c.PushStartedAt != 0 && c.PushStartedAt < l.newest {
			closePush(c.Push)
			return
		}
		l.newest = max(l.newest, c.PushStartedAt)
		if !slices.ContainsFunc(l.open, has) {
			for _, o := range l.open {
				if c.PushStartedAt != 0 && o.startedAt != 0 && o.startedAt < c.PushStartedAt {
					closePush(o.name)
				}
			}
			l.open = slices.DeleteFunc(l.open, func(o push) bool { return c.PushStartedAt != 0 && o.startedAt != 0 && o.startedAt < c.PushStartedAt })
			l.open = append(l.open, push{c.Push, c.PushStartedAt})
			l.open = l.open[max(0, len(l.open)-maxOpenPushes):]
		}
		m.renewLeaseAndMarkLive(c.Session, renewer, m.clock)
		picture()
		l.state = Live
	case PushOngoing:
		if len(l.open) == 1 && has(l.open[0]) && m.clock < l.since+ongoingInterval {
			return
		}
		l.open = []push{{c.Push, c.PushStartedAt}}
		picture()
		if l.state == Starting {
			l.state = Live
		}
	case PushEnded:
		if c.IsUnique {
			closePush(c.Push)
		}
		had := len(l.open)
		l.open = slices.DeleteFunc(l.open, has)
		if had > 0 && len(l.open) == 0 {
			loseMedia()
		}
	case PollOnline:
		if l.lost && m.clock < l.since+onlineIgnoredAfterLoss {
			return
		}
		picture()
		if l.untimed {
			m.renewLeaseAndMarkLive(c.Session, renewer, m.clock)
		}
		if l.untimed || l.state == Starting {
			m.markLive(c.Session)
		}
	case PollOffline, PollFailed:
		l.counts = l.offline+l.blind == 0 || 2*(m.clock-l.polled) >= m.settings.PollEvery
		switch {
		case !l.counts:
			return
		case c.Signal == PollFailed:
			l.blind++
		default:
			if l.offline == 0 {
				l.quiet = m.clock
			}
			l.offline, l.blind = l.offline+1, 0
		}
		l.polled = m.clock
	}
}

// over reports whether polls end a session.
func (m *model) over(l *modelLease, sign Signal) bool {
	switch {
	case (sign == PollFailed || sign == PollOffline) && !l.counts:
		return false
	case sign == PollFailed:
		return l.untimed && !l.callbacks && l.polls && m.settings.BlindAfter > 0 && l.blind >= m.settings.BlindAfter
	case sign != PollOffline || l.offline < max(1, m.settings.OfflineAfter):
		return false
	case m.settings.MediaRequired:
		return true
	case l.untimed:
		return l.seen || m.clock >= l.since+m.settings.StartWithin
	}
	return l.seen && l.last < l.quiet
}

func (m *model) apply(e Entry, b *Batch, a Applied) {
	if m.num != 0 {
		d := e.Time - m.time
		if d < 0 || d > 2*m.settings.Tick() {
			for _, p := range m.peers {
				p.paused = p.alive
			}
		} else {
			m.clock += d
		}
		if e.Epoch != m.repl {
			m.rearm(func(*modelLease) bool { return true })
			for _, l := range m.live {
				if l.ends(m.settings) != 0 {
					l.since = m.clock
				}
			}
		}
	}
	m.num, m.time, m.repl = e.Num, e.Time, e.Epoch
	p := m.peers[b.Node]
	refused := p != nil && (b.Incarnation < p.boot || b.Incarnation == p.boot && (!p.alive || b.Seq <= p.no))
	if refused != a.Refused {
		m.t.Fatalf("refused %v, the model has %v", a.Refused, refused)
	}
	if !refused {
		m.speak(p, b, a)
	}
	for _, name := range slices.Sorted(maps.Keys(m.peers)) {
		if p := m.peers[name]; p.alive && p.last+lostAfterTicks*m.settings.Tick() < m.clock {
			m.lose(name)
		} else if !p.alive && p.last+nodeRetention < m.clock {
			delete(m.peers, name)
		}
	}
	m.expire(a)
}

func (m *model) speak(p *modelPeer, b *Batch, a Applied) {
	if p == nil || p.boot != b.Incarnation {
		if p != nil && p.alive {
			m.lose(b.Node)
		}
		p = &modelPeer{boot: b.Incarnation, alive: true, last: m.clock}
		m.peers[b.Node] = p
	}
	p.no = b.Seq
	oldest := p.last
	if p.paused {
		oldest = m.clock
	}
	for _, x := range b.Beats {
		for s, l := range m.live {
			if l.st.Lease() == x.Lease {
				m.renewLeaseAndMarkLive(s, b.Node, max(oldest, m.clock-int64(x.Age)))
				m.markLive(s)
			}
		}
	}
	p.last, p.paused = m.clock, false
	for i, c := range b.Commands {
		m.applyCommand(c, b.Node, a.Results[i])
	}
}

func (m *model) applyCommand(c Command, node string, r Result) {
	renewer := node
	if !m.peers[node].alive {
		renewer = ""
	}
	switch c := c.(type) {
	case *SetSettings:
		if c.Settings.Revision > m.settings.Revision && c.Settings.Check() == nil {
			m.settings = c.Settings
		}
	case *Leave:
		m.retire(node)
	case *Stop, *Ban:
		if r.Ended != nil && r.Refusal == Granted {
			delete(m.live, r.Ended.Stream.Session)
		}
	}
	if c, ok := c.(*Observe); ok && r.Refusal == SessionGone && m.live[c.Session] != nil && c.Socket == "" {
		l := m.live[c.Session]
		if m.observe(c, renewer); !m.over(l, c.Signal) {
			m.t.Fatalf("%v ended a session that the model keeps live: %+v", c.Signal, *l)
		}
		m.polled = append(m.polled, fmt.Sprint("lost ", l.st.Index))
		delete(m.live, c.Session)
		return
	}
	if r.Refusal != Granted || r.Stream == nil || r.Ended != nil {
		return
	}
	s := r.Stream.Session
	switch c := c.(type) {
	case *Start:
		if !r.Repeated {
			for was, l := range m.live {
				if l.st.Anchor == r.Stream.Anchor {
					delete(m.live, was)
				}
			}
			m.live[s] = &modelLease{
				st: r.Stream, last: m.clock, params: m.settings.leaseParams(), renewer: renewer, since: m.clock,
				untimed: c.Sources != 0 && !c.Sources.Has(FromBeats), callbacks: c.Sources.Has(FromCallback), polls: c.Sources.Has(FromPoll),
			}
			return
		}
		m.live[s].params = m.settings.leaseParams()
		m.renewLeaseAndMarkLive(s, renewer, m.clock)
		if m.live[s].state == Away {
			m.markLive(s)
		}
	case *Resume, *AdoptLeaseParams:
		m.live[s].params = m.settings.leaseParams()
		m.renewLeaseAndMarkLive(s, renewer, m.clock)
		m.markLive(s)
	case *Update:
		if !r.Repeated {
			m.renewLeaseAndMarkLive(s, renewer, m.clock)
			m.markLive(s)
		}
	case *Observe:
		if m.observe(c, renewer); m.over(m.live[s], c.Signal) {
			m.t.Fatalf("%v ended no session, but the model ends it: %+v", c.Signal, *m.live[s])
		}
	}
}

// expire checks every deadline, in order.
func (m *model) expire(a Applied) {
	watermark := m.clock
	for _, p := range m.peers {
		if p.alive {
			watermark = min(watermark, p.last)
		}
	}
	grain := max(1, m.settings.Tick()/4)
	type due struct {
		at    int64
		index uint32
		nth   int64
		s     Session
	}
	var all []due
	for s, l := range m.live {
		if l.untimed {
			continue
		}
		for k := l.misses + 1; k <= l.params.Missed; k++ {
			if at := l.last + k*l.params.Interval + l.params.Grace; at/grain < watermark/grain {
				all = append(all, due{at, l.st.Index, k, s})
			}
		}
	}
	slices.SortFunc(all, func(a, b due) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.index, b.index), cmp.Compare(a.nth, b.nth))
	})
	want, got := m.polled, []string(nil)
	m.polled = nil
	for _, d := range all {
		l := m.live[d.s]
		l.misses = d.nth
		switch {
		case d.nth == l.params.Missed:
			want = append(want, fmt.Sprint("end ", d.index))
			delete(m.live, d.s)
		case d.nth == 1:
			want = append(want, fmt.Sprint("away ", d.index))
			l.state = Away
		}
	}
	var lost []due
	for s, l := range m.live {
		if at := l.ends(m.settings); at != 0 && at < watermark {
			lost = append(lost, due{at, l.st.Index, 0, s})
		}
	}
	slices.SortFunc(lost, func(a, b due) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.index, b.index)) })
	for _, d := range lost {
		want = append(want, fmt.Sprint("lost ", d.index))
		delete(m.live, d.s)
	}
	for _, c := range a.Changes {
		switch {
		case c.Ended != nil && c.Ended.Reason == StreamLost:
			got = append(got, fmt.Sprint("lost ", c.Old.Index))
		case c.Cause == BySilence:
			got = append(got, fmt.Sprint("away ", c.New.Index))
		case c.Ended != nil && c.Ended.Reason == MissedBeats:
			got = append(got, fmt.Sprint("end ", c.Old.Index))
		}
	}
	if !slices.Equal(got, want) {
		m.t.Fatalf("clock %d watermark %d: fired %v, the model has %v", m.clock, watermark, got, want)
	}
}

// agree compares every lease.
func (m *model) agree(r *Registry) {
	if r.clock != m.clock || r.Len() != len(m.live) || r.settings != m.settings {
		m.t.Fatalf("clock %d, %d sessions; the model has %d, %d", r.clock, r.Len(), m.clock, len(m.live))
	}
	for s, l := range m.live {
		i, ok := r.bySession[s]
		if !ok {
			m.t.Fatalf("session %v is gone", l.st.Index)
		}
		le := &r.leases.all[i]
		if le.lastRenewal(r.clock) != l.last || int64(le.misses) != l.misses || r.leases.params[le.params] != l.params ||
			r.sessions[i].stream.State != l.state || (le.flags&leaseNotLive != 0) != (l.state != Live) || (le.renewer != 0) != (l.renewer != "") {
			m.t.Fatalf("lease %d is %+v %v, the model has %+v", i, *le, r.sessions[i].stream.State, *l)
		}
		if l.renewer != "" {
			if p, _ := r.nodes.find(l.renewer); p == nil || p.renewer != le.renewer {
				m.t.Fatalf("lease %d has renewer %d, the model has %s", i, le.renewer, l.renewer)
			}
		}
	}
	requireScheduledOnce(m.t, r)
}

// requireScheduledOnce fails unless every live lease is in exactly one bucket.
func requireScheduledOnce(t interface{ Fatalf(string, ...any) }, r *Registry) {
	stands := make([]int, len(r.leases.all))
	for _, head := range r.leases.wheel {
		for i := head; i != 0; i = r.leases.all[i-1].next {
			if stands[i-1]++; stands[i-1] > 1 {
				t.Fatalf("lease %d stands twice", i-1)
			}
		}
	}
	for i, le := range r.leases.all {
		if parked := le.flags&leaseScheduled != 0; parked != (stands[i] == 1) || le.flags&(leaseUsed|leaseUntimed) == leaseUsed && !parked {
			t.Fatalf("lease %d: flags %b, stands %d times", i, le.flags, stands[i])
		}
	}
}
