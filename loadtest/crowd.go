package main

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"time"

	"onair/hub/wire"
)

// crowd is all viewers. One goroutine, in run, owns everything below; others
// ask it through do.
type crowd struct {
	// Static after construction.
	o      *options
	hello  []*handshake         // by node
	clock  func() time.Duration // of the run
	ledger *ledger
	faults *faults
	report func(sample) // called once a second
	calls  chan func()

	poll    *poller
	rand    *rand.Rand
	viewers []*viewer
	views   []*view          // of lists
	codes   map[string]*view // of watches
	timers  timers
	scratch []byte
	text    []byte // of the message that is being sent
	frame   []byte

	now   time.Duration // about
	idle  time.Duration // as the server has it
	calm  bool          // nobody goes away any more, or reads slowly
	likes time.Duration // when the next one is due
	doing []doing       // by node

	tally  tally
	before tally // a second ago
	counts counts
	lag    lagMeter
}

// tally counts since the beginning of the run.
type tally struct {
	messages, diffs, bytes           int
	resumes, snapshots               int // answers to subscribes
	disconnects, refusals, errors    int
	drained                          int // sockets that a node had go elsewhere
	returns                          returns
	strolls, herds, likesSent, liked int
	following                        int           // viewers, now
	busy                             time.Duration // in the loop, not waiting
	process, thread                  time.Duration // CPU
	reasons                          map[string]int
}

func newCrowd(o *options, clock func() time.Duration, l *ledger, f *faults, report func(sample)) (*crowd, error) {
	poll, err := newPoller()
	if err != nil {
		return nil, err
	}
	c := &crowd{
		o: o, doing: make([]doing, len(o.nodes)),
		clock: clock, ledger: l, faults: f, report: report, calls: make(chan func(), 16),
		poll: poll, rand: rand.New(rand.NewPCG(o.Seed, 1)), codes: map[string]*view{},
		scratch: make([]byte, 256<<10),
		tally:   tally{reasons: map[string]int{}},
		counts:  newCounts(),
	}
	for _, n := range o.nodes {
		c.hello = append(c.hello, newHandshake(n.host, "/v1/viewer", o.ViewerToken, o.Deflate))
	}
	remember := max(16, 16384/o.Views)
	for i := range o.Views {
		v := newView(remember)
		v.limit = o.Limit
		v.query = wire.Subscribe{Tags: []string{tagOf(l.run, i)}, Sort: sorts[i%len(sorts)], Limit: o.Limit, Play: o.Play}
		c.views = append(c.views, v)
	}
	for i := range o.Viewers {
		c.enlist(i)
	}
	return c, nil
}

var sorts = []string{wire.SortViewers, wire.SortStarted, wire.SortLikes}

// tagOf is what the streams of a view have in common.
func tagOf(run string, view int) string { return run + "-" + itoa(view) }

// enlist adds the i-th viewer. Who is slow, roams or looks on is spread evenly
// over the views, and the viewers of each view over the nodes.
func (c *crowd) enlist(i int) {
	round := i / c.o.Views
	v := &viewer{
		index: int32(len(c.viewers)), view: c.views[i%c.o.Views],
		slow: share(round, c.o.SlowShare), looks: share(round, c.o.WatchShare), fd: -1,
	}
	v.roams = !v.slow && share(round+round/7, c.o.AwayShare)
	v.at = v.view.start
	v.node, v.step = c.o.way(i)
	c.viewers = append(c.viewers, v)
}

// share says whether the i-th of many is among a share of them.
func share(i int, of float64) bool { return int(float64(i+1)*of) > int(float64(i)*of) }

// socketsPerSource is below the server's default of sockets from one address.
const socketsPerSource = 900

// sourceOf spreads viewers over the loopback addresses: a server lets in so
// many from one, and one has 28,000 ports.
func sourceOf(to netip.Addr, i int) netip.Addr {
	if !to.Is4() || !to.IsLoopback() {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte{127, 0, 1, byte(1 + i/socketsPerSource)})
}

// viewOf is the view of a watch.
func (c *crowd) viewOf(code string) *view {
	v := c.codes[code]
	if v == nil {
		v = newView(64)
		v.code = code
		c.codes[code] = v
	}
	return v
}

// do has a function called by the goroutine that owns everything, and waits.
func (c *crowd) do(ctx context.Context, f func()) {
	done := make(chan struct{})
	select {
	case c.calls <- func() { f(); close(done) }:
	case <-ctx.Done():
		return
	}
	select {
	case <-done:
	case <-ctx.Done(): // with the loop itself
	}
}

// after has something done later by a viewer, if it still has the socket it has.
func (c *crowd) after(d time.Duration, v *viewer, do func(*crowd, *viewer)) {
	t := timer{at: c.now + d, do: do, v: v}
	if v != nil {
		t.life = v.life
	}
	c.timers.add(t)
}

// about is a random time around d.
func (c *crowd) about(d time.Duration) time.Duration {
	return d/2 + time.Duration(c.rand.Int64N(int64(d)+1))
}

// patience is how long the loop waits for events, at the most: as long as
// others may wait for it.
const patience = 20 * time.Millisecond

// run is the life of all viewers, until ctx ends.
func (c *crowd) run(ctx context.Context) error {
	runtime.LockOSThread() // so that its CPU time can be told
	defer runtime.UnlockOSThread()
	defer c.poll.close()
	c.now = c.clock()
	c.after(time.Second, nil, (*crowd).everySecond)
	for ctx.Err() == nil {
		c.later()
		if err := c.round(); err != nil {
			return err
		}
	}
	for _, v := range c.viewers {
		c.leave(v)
	}
	return nil
}

// later does what is due.
func (c *crowd) later() {
	c.now = c.clock()
	for {
		select {
		case f := <-c.calls:
			f()
			continue
		default:
		}
		t, ok := c.timers.due(c.now)
		if !ok {
			return
		}
		if t.v == nil || t.v.life == t.life {
			t.do(c, t.v)
		}
	}
}

// round serves the sockets that wait.
func (c *crowd) round() error {
	wait := patience
	if len(c.timers) > 0 {
		wait = max(0, min(wait, c.timers[0].at-c.clock()))
	}
	n, full, err := c.poll.wait(0)
	idle := n == 0 // so that whoever comes now has not waited
	if idle && err == nil {
		n, full, err = c.poll.wait(wait)
	}
	if err != nil {
		return err
	}
	began := c.clock()
	c.now = began
	c.lag.fetched(began, idle, full)
	for i := range n {
		index, life, output := c.poll.event(i)
		v := c.viewers[index]
		if v.stage == stageAway || v.life != life {
			continue
		}
		if output {
			c.writable(v)
		}
		if v.stage != stageAway && v.life == life && v.stage != stageDialing {
			c.readable(v)
		}
	}
	if n > 0 {
		end := c.clock()
		c.tally.busy += end - began
		if !c.calm {
			record(c.counts.lag, c.lag.lag(end), int64(n))
		}
	}
	return nil
}

// lagMeter tells how long the sockets that a round serves may have waited for
// it: since the loop last knew that no other was ready.
type lagMeter struct {
	since    time.Duration
	previous time.Duration // when the round before fetched
	full     bool          // and left some behind
}

// fetched notes that sockets were fetched; idle says that none was ready just
// before, full that some may have been left behind.
func (l *lagMeter) fetched(now time.Duration, idle, full bool) {
	switch {
	case idle:
		l.since = now
	case !l.full:
		l.since = l.previous
	}
	l.previous, l.full = now, full
}

func (l *lagMeter) lag(now time.Duration) time.Duration { return now - l.since }
