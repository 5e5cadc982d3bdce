package presence

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// model is leases as the page has them: no wheel, every deadline looked at.
type model struct {
	t        *rapid.T
	settings Settings
	clock    int64
	time     int64
	repl     string
	num      uint64
	peers    map[string]*modelPeer
	live     map[Session]*modelLease
	polled   []string // what polls have ended in the present entry
}

type modelPeer struct {
	boot, no uint64
	last     int64
	alive    bool
	paused   bool
}

type modelLease struct {
	st     *Stream
	last   int64
	misses int64
	terms  LeaseParams
	via    string // "": nobody living
	state  State
	mute   bool // does not live by beats

	// What callbacks and polls said.
	open                  []push
	closed                []string
	newest                int64
	seen, lost            bool
	since                 int64
	offline, blind, quiet int64
	polled                int64
	counts                bool // the last word of a poll
	callbacks, polls      bool // are among its sources
}

// ends is when a session ends for want of a picture, 0: never.
func (l *modelLease) ends(s Settings) int64 {
	switch {
	case l.lost:
		return max(1, l.since+s.EndGrace)
	case !l.mute:
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
	m.rearm(func(l *modelLease) bool { return l.via == name })
	m.retire(name)
}

func (m *model) retire(name string) {
	for _, l := range m.live {
		if l.via == name {
			l.via = ""
		}
	}
	m.peers[name].alive, m.peers[name].paused = false, false
}

func (m *model) hear(s Session, via string, at int64) {
	l := m.live[s]
	l.last, l.misses, l.via = max(l.last, at), 0, via
}

// enliven is what a beat does to a stream's state.
func (m *model) enliven(s Session) {
	if l := m.live[s]; !l.lost {
		l.state = Live
	}
}

// observe is what the page says of callbacks.
func (m *model) observe(c *Observe, via string) {
	l := m.live[c.Session]
	picture := func() {
		was := l.lost
		l.seen, l.lost, l.since = true, false, m.clock
		l.offline, l.blind = 0, 0
		if was && l.misses == 0 {
			l.state = Live
		}
	}
	lose := func() {
		l.seen, l.lost, l.since, l.state = true, true, m.clock, Away
		l.offline, l.blind = 0, 0
	}
	shut := func(name string) {
		if !slices.Contains(l.closed, name) {
			l.closed = append(l.closed, name)
			l.closed = l.closed[max(0, len(l.closed)-maxClosedPushes):]
		}
	}
	has := func(p push) bool { return p.name == c.Push }
	switch c.Signal {
	case BeatReceived:
		m.hear(c.Session, via, m.clock)
		m.enliven(c.Session)
	case PushStarted:
		if c.PushStartedAt != 0 && c.PushStartedAt+maxClockLag < l.st.StartedAt || c.PushStartedAt > m.time+maxClockLead {
			return
		}
		if c.IsUnique && slices.Contains(l.closed, c.Push) {
			if c.PushStartedAt != 0 && !l.seen {
				lose()
			}
			return
		}
		if c.PushStartedAt != 0 && c.PushStartedAt < l.newest {
			shut(c.Push)
			return
		}
		l.newest = max(l.newest, c.PushStartedAt)
		if !slices.ContainsFunc(l.open, has) {
			for _, o := range l.open {
				if c.PushStartedAt != 0 && o.startedAt != 0 && o.startedAt < c.PushStartedAt {
					shut(o.name)
				}
			}
			l.open = slices.DeleteFunc(l.open, func(o push) bool { return c.PushStartedAt != 0 && o.startedAt != 0 && o.startedAt < c.PushStartedAt })
			l.open = append(l.open, push{c.Push, c.PushStartedAt})
			l.open = l.open[max(0, len(l.open)-maxOpenPushes):]
		}
		m.hear(c.Session, via, m.clock)
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
			shut(c.Push)
		}
		had := len(l.open)
		l.open = slices.DeleteFunc(l.open, has)
		if had > 0 && len(l.open) == 0 {
			lose()
		}
	case PollOnline:
		if l.lost && m.clock < l.since+onlineIgnoredAfterLoss {
			return
		}
		picture()
		if l.mute {
			m.hear(c.Session, via, m.clock)
		}
		if l.mute || l.state == Starting {
			m.enliven(c.Session)
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
		return l.mute && !l.callbacks && l.polls && m.settings.BlindAfter > 0 && l.blind >= m.settings.BlindAfter
	case sign != PollOffline || l.offline < max(1, m.settings.OfflineAfter):
		return false
	case m.settings.MediaRequired:
		return true
	case l.mute:
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
		m.t.Fatalf("refused %v, model says %v", a.Refused, refused)
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
				m.hear(s, b.Node, max(oldest, m.clock-int64(x.Age)))
				m.enliven(s)
			}
		}
	}
	p.last, p.paused = m.clock, false
	for i, c := range b.Commands {
		m.command(c, b.Node, a.Results[i])
	}
}

func (m *model) command(c Command, node string, r Result) {
	via := node
	if !m.peers[node].alive {
		via = ""
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
		if m.observe(c, via); !m.over(l, c.Signal) {
			m.t.Fatalf("%v ended a session, which the model says goes on: %+v", c.Signal, *l)
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
				st: r.Stream, last: m.clock, terms: m.settings.leaseParams(), via: via, since: m.clock,
				mute: c.Sources != 0 && !c.Sources.Has(FromBeats), callbacks: c.Sources.Has(FromCallback), polls: c.Sources.Has(FromPoll),
			}
			return
		}
		m.live[s].terms = m.settings.leaseParams()
		m.hear(s, via, m.clock)
		if m.live[s].state == Away {
			m.enliven(s)
		}
	case *Resume, *AdoptSettings:
		m.live[s].terms = m.settings.leaseParams()
		m.hear(s, via, m.clock)
		m.enliven(s)
	case *Update:
		if !r.Repeated {
			m.hear(s, via, m.clock)
			m.enliven(s)
		}
	case *Observe:
		if m.observe(c, via); m.over(m.live[s], c.Signal) {
			m.t.Fatalf("%v ended no session, which the model says is over: %+v", c.Signal, *m.live[s])
		}
	}
}

// expire looks at every deadline, in order.
func (m *model) expire(a Applied) {
	heard := m.clock
	for _, p := range m.peers {
		if p.alive {
			heard = min(heard, p.last)
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
		if l.mute {
			continue
		}
		for k := l.misses + 1; k <= l.terms.Missed; k++ {
			if at := l.last + k*l.terms.Interval + l.terms.Grace; at/grain < heard/grain {
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
		case d.nth == l.terms.Missed:
			want = append(want, fmt.Sprint("end ", d.index))
			delete(m.live, d.s)
		case d.nth == 1:
			want = append(want, fmt.Sprint("away ", d.index))
			l.state = Away
		}
	}
	var lost []due
	for s, l := range m.live {
		if at := l.ends(m.settings); at != 0 && at < heard {
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
		m.t.Fatalf("clock %d heard %d: fired %v, model says %v", m.clock, heard, got, want)
	}
}

// agree compares every lease.
func (m *model) agree(r *Registry) {
	if r.clock != m.clock || r.Len() != len(m.live) || r.settings != m.settings {
		m.t.Fatalf("clock %d, %d sessions; model says %d, %d", r.clock, r.Len(), m.clock, len(m.live))
	}
	for s, l := range m.live {
		i, ok := r.bySession[s]
		if !ok {
			m.t.Fatalf("session %v is gone", l.st.Index)
		}
		le := &r.leases.all[i]
		if le.lastRenewal(r.clock) != l.last || int64(le.misses) != l.misses || r.leases.params[le.params] != l.terms ||
			r.sessions[i].stream.State != l.state || (le.flags&leaseNotLive != 0) != (l.state != Live) || (le.renewer != 0) != (l.via != "") {
			m.t.Fatalf("lease %d is %+v %v, model says %+v", i, *le, r.sessions[i].stream.State, *l)
		}
		if l.via != "" {
			if p, _ := r.nodes.find(l.via); p == nil || p.renewer != le.renewer {
				m.t.Fatalf("lease %d has via %d, model says %s", i, le.renewer, l.via)
			}
		}
	}
	requireScheduledOnce(m.t, r)
}

// requireScheduledOnce fails unless every live lease stands in exactly one bucket.
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

// schedule draws what the nodes of a deployment might say.
type schedule struct {
	*testLog
	rt       *rapid.T
	sessions []Session // ever begun
	leases   []Lease
	next     int
}

var (
	nodeNames = []string{"n1", "n2", "n3"}
	steps     = rapid.SampledFrom([]int64{0, 1, 5, 25, 25, 60, 100, 100, 100, 200, 499, 500, 501, -40, 5_000, 86_400_000})
	spans     = rapid.SampledFrom([]int64{0, 50, 1_000, 30_000})
	intervals = rapid.SampledFrom([]int64{100, 400, 1_000, 2_000, 60_000})
)

func (g *schedule) session() Session {
	if len(g.sessions) == 0 {
		return sessionID(0)
	}
	return rapid.SampledFrom(g.sessions).Draw(g.rt, "session")
}

// key is what a client may repeat itself under.
func (g *schedule) key() string {
	return rapid.SampledFrom([]string{"", "", "k1", "k2"}).Draw(g.rt, "key")
}

func (g *schedule) command() Command {
	holder := rapid.SampledFrom([]string{"", "c1", "c2"}).Draw(g.rt, "holder")
	anchor := rapid.SampledFrom([]string{"ann", "bob", "cid", "dan"}).Draw(g.rt, "anchor")
	what := rapid.SampledFrom([]string{"start", "start", "start", "resume", "stop", "update", "ban", "unban", "set", "observe", "begun", "begun", "finished", "finished", "going", "heard", "online", "offline", "offline", "unknown", "pictured", "recording", "conclude", "adopt", "leave"}).Draw(g.rt, "command")
	switch what {
	case "start":
		g.next++
		c := startOf(g.next, anchor)
		if rapid.IntRange(0, 2).Draw(g.rt, "mute") == 0 {
			c.Sources = rapid.SampledFrom([]Sources{
				SourcesOf(FromCallback), SourcesOf(FromPoll), SourcesOf(FromCallback, FromPoll), SourcesOf(FromBeats, FromPoll),
			}).Draw(g.rt, "sources")
		}
		c.Socket, c.Key = holder, rapid.SampledFrom([]string{"", "", "k1", "k2"}).Draw(g.rt, "key")
		if rapid.IntRange(0, 9).Draw(g.rt, "suffix") == 0 {
			c.Code = "8888_ann"
		}
		return c
	case "resume":
		s := g.session()
		if st := g.reg.StreamBySession(s); st != nil {
			anchor = st.Anchor
		}
		return &Resume{Session: s, Anchor: anchor, Socket: holder}
	case "stop":
		return &Stop{Session: g.session(), Socket: holder, Reason: Stopped, By: "op", Key: g.key()}
	case "update":
		return &Update{Session: g.session(), Socket: holder, Key: g.key(), Title: new("new"), Tags: &[]string{"a", "b"}}
	case "ban":
		return &Ban{Anchor: anchor, Until: g.time + rapid.Int64Range(-10, 3_000).Draw(g.rt, "until"), By: "op", Key: g.key()}
	case "unban":
		return &Unban{Anchor: anchor, By: "op", Key: g.key()}
	case "set":
		s := Settings{
			Revision: g.reg.settings.Revision + rapid.Int64Range(0, 1).Draw(g.rt, "revision"), Interval: intervals.Draw(g.rt, "interval"),
			Missed: rapid.Int64Range(1, 4).Draw(g.rt, "missed"), RefuseTakeover: rapid.Bool().Draw(g.rt, "refuse"), ShowPublished: rapid.Bool().Draw(g.rt, "show"),
		}
		s.EndGrace, s.StartWithin, s.CallbackOnly = spans.Draw(g.rt, "end"), spans.Draw(g.rt, "start"), spans.Draw(g.rt, "callback")
		s.OfflineAfter, s.BlindAfter = rapid.Int64Range(0, 3).Draw(g.rt, "offline after"), rapid.Int64Range(0, 3).Draw(g.rt, "blind after")
		s.PollEvery = spans.Draw(g.rt, "poll every")
		s.MediaRequired = rapid.Bool().Draw(g.rt, "required")
		s.EventKinds = EventKinds(rapid.Byte().Draw(g.rt, "effects"))
		s.Grace = rapid.SampledFrom([]int64{0, s.Interval / 10, s.Interval}).Draw(g.rt, "grace")
		return &SetSettings{s}
	case "observe":
		return &Observe{Session: g.session(), Source: FromSocket, Signal: Detached, Socket: holder}
	case "begun", "finished", "going":
		sign := map[string]Signal{"begun": PushStarted, "finished": PushEnded, "going": PushOngoing}
		c := &Observe{
			Session: g.session(), Source: FromCallback, Signal: sign[what],
			Push: rapid.SampledFrom([]string{"1", "2", "3", "4", "5", "6"}).Draw(g.rt, "media"),
		}
		if c.IsUnique = rapid.Bool().Draw(g.rt, "unique"); c.IsUnique && what != "finished" {
			c.PushStartedAt = rapid.SampledFrom([]int64{0, dawn - 50_000, g.time - 3_000, g.time, g.time + 3_000, g.time + 2*maxClockLead}).Draw(g.rt, "since")
		}
		return c
	case "online", "offline", "unknown":
		sign := map[string]Signal{"online": PollOnline, "offline": PollOffline, "unknown": PollFailed}
		return &Observe{Session: g.session(), Source: FromPoll, Signal: sign[what]}
	case "pictured":
		return &Observe{Session: g.session(), Source: FromCallback, Signal: ScreenshotTaken, Detail: "https://x/y.jpg"}
	case "recording":
		start := rapid.SampledFrom([]int64{0, g.time - 100_000, g.time - 500}).Draw(g.rt, "recorded from")
		return &AddRecording{Recording{
			ID: rapid.StringMatching("[ab]{1,3}").Draw(g.rt, "recording"), Code: "8888_" + anchor, StartedAt: start, EndedAt: g.time,
		}}
	case "conclude":
		c := &CompleteEvent{Failure: rapid.SampledFrom([]string{"", "refused"}).Draw(g.rt, "why")}
		for _, e := range g.reg.OutboxEvents(0) {
			c.ID = e.ID
			if rapid.Bool().Draw(g.rt, "this one") {
				break
			}
		}
		return c
	case "heard":
		return &Observe{Session: g.session(), Source: FromBeats, Signal: BeatReceived}
	case "adopt":
		return &AdoptSettings{g.session()}
	}
	return &Leave{}
}

func (g *schedule) batch() Batch {
	var b Batch
	for _, l := range g.leases {
		switch rapid.IntRange(0, 15).Draw(g.rt, "beat") {
		case 0, 1, 2:
			b.Beats = append(b.Beats, Beat{l, uint32(rapid.SampledFrom([]int64{0, 10, 100, 1_000, 100_000}).Draw(g.rt, "age"))})
		case 3:
			b.Beats = append(b.Beats, Beat{Lease{l.Index, l.Tag + 1}, 0})
		case 4:
			b.Viewers = append(b.Viewers, Count{l, rapid.Int64Range(0, 5).Draw(g.rt, "viewers")})
		case 5:
			b.Likes = append(b.Likes, Count{l, rapid.Int64Range(0, 20).Draw(g.rt, "likes")})
		}
	}
	for range max(0, rapid.IntRange(-3, 2).Draw(g.rt, "commands")) {
		b.Commands = append(b.Commands, g.command())
	}
	return b
}

// next draws one entry.
func (g *schedule) draw() (Entry, *Batch) {
	g.time += steps.Draw(g.rt, "step")
	if rapid.IntRange(0, 60).Draw(g.rt, "failover") == 0 {
		g.epoch += "'"
	}
	node := rapid.SampledFrom(nodeNames).Draw(g.rt, "node")
	b := g.batch()
	if was := g.lastBatches[node]; was != nil {
		p, _ := g.reg.nodes.find(node)
		switch k := rapid.IntRange(0, 50).Draw(g.rt, "boot"); {
		case k == 0, k < 40 && p != nil && !p.isAlive:
			b.Incarnation = was.Incarnation + 1
		case k == 50:
			b.Seq = was.Seq // comes twice
		}
	}
	e := g.sealEntry(node, b)
	decoded, err := DecodeBatch(e.Batch)
	if err != nil {
		g.t.Fatalf("%v", err)
	}
	return e, decoded
}

// took notes the sessions that an entry began.
func (g *schedule) took(a Applied) {
	for _, c := range a.Changes {
		if c.Cause == ByStart {
			g.sessions = append(g.sessions, c.New.Session)
			g.leases = append(g.leases, c.New.Lease())
			if len(g.leases) > 8 {
				g.leases = g.leases[1:]
			}
		}
	}
}

func TestAnyHistory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		g := &schedule{rt: rt, testLog: &testLog{t: rt, reg: NewRegistry(), time: dawn, epoch: "r", lastBatches: map[string]*Batch{}}}
		g.reg.TrackChanges()
		m := newModel(rt)
		rows := map[[2]string]Record{}
		shown := map[Session]*Stream{}
		var copies []*Registry
		for range rapid.IntRange(1, 150).Draw(rt, "entries") {
			e, b := g.draw()
			for _, c := range copies {
				if _, err := c.Apply(e); err != nil {
					rt.Fatalf("copy: %v", err)
				}
			}
			stale := isOnlyStale(g.reg, b)
			before := slices.Collect(g.reg.Streams())
			a := g.applyEntry(e)
			g.took(a)
			if stale && !slices.Equal(before, slices.Collect(g.reg.Streams())) && !hasFired(a) {
				rt.Fatalf("a stale session changed something: %+v", a.Changes)
			}
			m.apply(e, b, a)
			m.agree(g.reg)
			applyChanges(rt, shown, a.Changes)
			if !slices.Equal(slices.Collect(g.reg.Streams()), slices.SortedFunc(maps.Values(shown), func(a, b *Stream) int { return cmp.Compare(a.Index, b.Index) })) {
				rt.Fatalf("the changes do not make the list")
			}
			for _, c := range copies {
				if c.Position() != g.reg.Position() || c.Digest() != g.reg.Digest() {
					rt.Fatalf("a copy went astray at %v", e.Num)
				}
			}
			requireDigest(rt, g.reg)
			if rapid.IntRange(0, 20).Draw(rt, "take") == 0 {
				takeRows(rt, g.reg, rows)
			}
			if len(copies) < 3 && rapid.IntRange(0, 20).Draw(rt, "snapshot") == 0 {
				c, err := DecodeRegistry(g.reg.Encode())
				if err != nil {
					rt.Fatalf("decode: %v", err)
				}
				requireEqual(rt, "decoded", c, g.reg)
				copies = append(copies, c)
			}
		}
		for _, c := range copies {
			requireEqual(rt, "a node that started from a snapshot", c, g.reg)
		}
		again := NewRegistry()
		for _, e := range g.entries {
			if _, err := again.Apply(e); err != nil {
				rt.Fatalf("%v", err)
			}
		}
		requireEqual(rt, "replay", again, g.reg)
		takeRows(rt, g.reg, rows)
		requireSameList(rt, loadRecords(rt, maps.Values(rows)), g.reg)
	})
}

// isOnlyStale reports whether all that a batch says is about sessions that are
// not live, or leases that are nobody's.
func isOnlyStale(r *Registry, b *Batch) bool {
	for _, x := range b.Beats {
		if r.leases.find(x.Lease) != nil {
			return false
		}
	}
	for _, c := range append(slices.Clone(b.Viewers), b.Likes...) {
		if r.leases.find(c.Lease) != nil {
			return false
		}
	}
	for _, c := range b.Commands {
		var s Session
		switch c := c.(type) {
		case *Stop:
			s = c.Session
		case *Update:
			s = c.Session
		case *Resume:
			s = c.Session
		case *Observe:
			s = c.Session
		case *AdoptSettings:
			s = c.Session
		default:
			return false
		}
		if r.StreamBySession(s) != nil {
			return false
		}
	}
	return true
}

// hasFired reports whether time alone changed something.
func hasFired(a Applied) bool {
	return slices.ContainsFunc(a.Changes, func(c Change) bool {
		return c.Cause == BySilence || c.Cause == ByEnd && (c.Ended.Reason == MissedBeats || c.Ended.Reason == StreamLost) || c.Cause == ByCounts
	})
}

func applyChanges(t *rapid.T, shown map[Session]*Stream, changes []Change) {
	for _, c := range changes {
		if c.Old != nil && shown[c.Old.Session] != c.Old {
			t.Fatalf("%v: change of what nobody has", c.Cause)
		}
		if (c.New == nil) != (c.Ended != nil) {
			t.Fatalf("%v: an end without reason", c.Cause)
		}
		if c.New != nil {
			shown[c.New.Session] = c.New
		} else {
			delete(shown, c.Old.Session)
		}
	}
}

func requireDigest(t *rapid.T, r *Registry) {
	c, err := DecodeRegistry(r.Encode())
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	if c.Digest() != r.Digest() {
		t.Fatalf("digest %x, from scratch %x", r.Digest(), c.Digest())
	}
	for st := range r.Streams() {
		if o := c.StreamBySession(st.Session); o.Viewers != st.Viewers || o.Viewers < 0 {
			t.Fatalf("viewers %d, decoded %d", st.Viewers, o.Viewers)
		}
	}
}

func takeRows(t *rapid.T, r *Registry, rows map[[2]string]Record) {
	for _, rec := range r.TakeChangedRecords() {
		if k := [2]string{string(rec.Kind), rec.Key}; rec.Value == nil {
			delete(rows, k)
		} else {
			rows[k] = rec
		}
	}
}

func loadRecords(t *rapid.T, records func(func(Record) bool)) *Registry {
	r, err := LoadRegistry(func(yield func(Record, error) bool) {
		for rec := range records {
			if !yield(rec, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return r
}

// requireSameList compares what rows keep: all but leases, counts and times of nodes.
func requireSameList(t *rapid.T, got, want *Registry) {
	if got.Settings() != want.Settings() || got.rules != want.rules || got.Len() != want.Len() || !maps.Equal(got.bans, want.bans) || got.ended.first != want.ended.first || !slices.Equal(got.keys.list, want.keys.list) {
		t.Fatalf("rows lost settings, sessions, bans or keys")
	}
	for st := range want.Streams() {
		o := *st
		o.Viewers = 0
		if g := got.StreamBySession(st.Session); fmt.Sprint(*g) != fmt.Sprint(o) {
			t.Fatalf("rows have %+v, want %+v", *g, o)
		}
		le := got.leases.all[st.Index]
		if le.lastRenewal(got.clock) != got.clock || le.misses != 0 {
			t.Fatalf("a lease that is not full: %+v", le)
		}
	}
	for i, e := range want.ended.list {
		if g := got.ended.list[i]; fmt.Sprint(*g.Stream, g.Reason, g.By, g.EndedAt, g.Evidence) != fmt.Sprint(*e.Stream, e.Reason, e.By, e.EndedAt, e.Evidence) {
			t.Fatalf("rows have the end %+v, want %+v", g, e)
		}
	}
	requireScheduledOnce(t, got)
}
