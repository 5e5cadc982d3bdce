package main

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"time"

	"onair/hub/wire"
)

// viewerLoop is all viewers. One goroutine, in run, owns everything below; others
// ask it through do.
type viewerLoop struct {
	// Static after construction.
	options    *options
	handshakes []*handshake         // by node
	clock      func() time.Duration // of the run
	ledger     *ledger
	faults     *faultLog
	onSample   func(sample) // called once a second
	calls      chan func()

	poller        *Poller
	rand          *rand.Rand
	viewers       []*viewer
	views         []*view          // of lists
	watchViews    map[string]*view // of watches
	timers        timerHeap
	readBuffer    []byte
	messageBuffer []byte // of the message that is being sent
	frameBuffer   []byte

	now          time.Duration // about
	idleInterval time.Duration // as the server has it
	isSettling   bool          // nobody goes away any more, or reads slowly
	nextLikeAt   time.Duration // when the next one is due
	nodes        []nodeState   // by node

	counters     viewerCounters
	lastCounters viewerCounters // a second ago
	latencies    latencyHistograms
	lag          lagMeter
}

// viewerCounters counts since the beginning of the run.
type viewerCounters struct {
	messages, diffs, bytes                        int
	resumes, snapshots                            int // answers to subscribes
	disconnects, refusals, errors                 int
	drained                                       int // sockets that a node had go elsewhere
	reconnects                                    reconnectCounters
	absences, herds, likesSent, likesAcknowledged int
	following                                     int           // viewers, now
	busyTime                                      time.Duration // in the loop, not waiting
	processCPU, loopCPU                           time.Duration // CPU
	reasons                                       map[string]int
}

func newViewerLoop(o *options, clock func() time.Duration, l *ledger, f *faultLog, report func(sample)) (*viewerLoop, error) {
	poll, err := NewPoller()
	if err != nil {
		return nil, err
	}
	c := &viewerLoop{
		options: o, nodes: make([]nodeState, len(o.nodes)),
		clock: clock, ledger: l, faults: f, onSample: report, calls: make(chan func(), 16),
		poller: poll, rand: rand.New(rand.NewPCG(o.Seed, 1)), watchViews: map[string]*view{},
		readBuffer: make([]byte, 256<<10),
		counters:   viewerCounters{reasons: map[string]int{}},
		latencies:  newLatencyHistograms(),
	}
	for _, n := range o.nodes {
		c.handshakes = append(c.handshakes, newHandshake(n.host, "/v1/viewer", o.ViewerToken, o.Deflate))
	}
	remember := max(16, 16384/o.Views)
	for i := range o.Views {
		v := newView(remember)
		v.limit = o.Limit
		v.query = wire.Subscribe{Tags: []string{viewTag(l.runID, i)}, Sort: sortOrders[i%len(sortOrders)], Limit: o.Limit, Play: o.Play}
		c.views = append(c.views, v)
	}
	for i := range o.Viewers {
		c.addViewer(i)
	}
	return c, nil
}

var sortOrders = []string{wire.SortViewers, wire.SortStarted, wire.SortLikes}

// viewTag is what the streams of a view have in common.
func viewTag(run string, view int) string { return run + "-" + itoa(view) }

// addViewer adds the i-th viewer. Who is slow, roams or looks on is spread evenly
// over the views, and the viewers of each view over the nodes.
func (c *viewerLoop) addViewer(i int) {
	round := i / c.options.Views
	v := &viewer{
		index: int32(len(c.viewers)), view: c.views[i%c.options.Views],
		isSlow: isInShare(round, c.options.SlowShare), isWatcher: isInShare(round, c.options.WatchShare), fd: -1,
	}
	v.isRoaming = !v.isSlow && isInShare(round+round/7, c.options.AwayShare)
	v.list = v.view.emptyList
	v.node, v.step = c.options.firstNode(i)
	c.viewers = append(c.viewers, v)
}

// isInShare says whether the i-th of many is among a share of them.
func isInShare(i int, of float64) bool { return int(float64(i+1)*of) > int(float64(i)*of) }

// socketsPerSource is below the server's default of sockets from one address.
const socketsPerSource = 900

// sourceAddress spreads viewers over the loopback addresses: a server lets in so
// many from one, and one has 28,000 ports.
func sourceAddress(to netip.Addr, i int) netip.Addr {
	if !to.Is4() || !to.IsLoopback() {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte{127, 0, 1, byte(1 + i/socketsPerSource)})
}

// watchView is the view of a watch.
func (c *viewerLoop) watchView(code string) *view {
	v := c.watchViews[code]
	if v == nil {
		v = newView(64)
		v.watchedCode = code
		c.watchViews[code] = v
	}
	return v
}

// callInLoop has a function called by the goroutine that owns everything, and waits.
func (c *viewerLoop) callInLoop(ctx context.Context, f func()) {
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

// schedule has something done later by a viewer, if it still has the socket it has.
func (c *viewerLoop) schedule(d time.Duration, v *viewer, do func(*viewerLoop, *viewer)) {
	t := timer{dueAt: c.now + d, action: do, viewer: v}
	if v != nil {
		t.generation = v.generation
	}
	c.timers.schedule(t)
}

// randomAround is a random time around d.
func (c *viewerLoop) randomAround(d time.Duration) time.Duration {
	return d/2 + time.Duration(c.rand.Int64N(int64(d)+1))
}

// maxPollWait is how long the loop waits for events, at the most: as long as
// others may wait for it.
const maxPollWait = 20 * time.Millisecond

// run is the life of all viewers, until ctx ends.
func (c *viewerLoop) run(ctx context.Context) error {
	runtime.LockOSThread() // so that its CPU time can be told
	defer runtime.UnlockOSThread()
	defer c.poller.Close()
	c.now = c.clock()
	c.schedule(time.Second, nil, (*viewerLoop).takeSample)
	for ctx.Err() == nil {
		c.runDueTimers()
		if err := c.serveReadySockets(); err != nil {
			return err
		}
	}
	for _, v := range c.viewers {
		c.disconnect(v)
	}
	return nil
}

// runDueTimers does what is due.
func (c *viewerLoop) runDueTimers() {
	c.now = c.clock()
	for {
		select {
		case f := <-c.calls:
			f()
			continue
		default:
		}
		t, ok := c.timers.popDue(c.now)
		if !ok {
			return
		}
		if t.viewer == nil || t.viewer.generation == t.generation {
			t.action(c, t.viewer)
		}
	}
}

// serveReadySockets serves the sockets that wait.
func (c *viewerLoop) serveReadySockets() error {
	wait := maxPollWait
	if len(c.timers) > 0 {
		wait = max(0, min(wait, c.timers[0].dueAt-c.clock()))
	}
	n, full, err := c.poller.Wait(0)
	idle := n == 0 // so that whoever comes now has not waited
	if idle && err == nil {
		n, full, err = c.poller.Wait(wait)
	}
	if err != nil {
		return err
	}
	began := c.clock()
	c.now = began
	c.lag.recordPoll(began, idle, full)
	for i := range n {
		index, life, output := c.poller.Event(i)
		v := c.viewers[index]
		if v.stage == stageClosed || v.generation != life {
			continue
		}
		if output {
			c.handleWritable(v)
		}
		if v.stage != stageClosed && v.generation == life && v.stage != stageDialing {
			c.handleReadable(v)
		}
	}
	if n > 0 {
		end := c.clock()
		c.counters.busyTime += end - began
		if !c.isSettling {
			recordDuration(c.latencies.lag, c.lag.lagAt(end), int64(n))
		}
	}
	return nil
}

// lagMeter tells how long the sockets that a round serves may have waited for
// it: since the loop last knew that no other was ready.
type lagMeter struct {
	idleUntil  time.Duration
	lastPollAt time.Duration // when the round before fetched
	wasFull    bool          // and left some behind
}

// recordPoll notes that sockets were fetched; idle says that none was ready just
// before, full that some may have been left behind.
func (l *lagMeter) recordPoll(now time.Duration, idle, full bool) {
	switch {
	case idle:
		l.idleUntil = now
	case !l.wasFull:
		l.idleUntil = l.lastPollAt
	}
	l.lastPollAt, l.wasFull = now, full
}

func (l *lagMeter) lagAt(now time.Duration) time.Duration { return now - l.idleUntil }
