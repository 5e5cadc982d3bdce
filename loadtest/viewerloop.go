package main

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strconv"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"onair/hub/wire"
	"onair/loadtest/platform"
	"onair/loadtest/report"
)

// viewerLoop drives all viewers. One goroutine, in run, owns everything below; other
// goroutines use callInLoopAndWait.
type viewerLoop struct {
	// Static after construction.
	runState
	handshakes []*handshake                                          // by node
	onSample   func(s report.SecondFigures, sinceLast time.Duration) // called once a second, without the figures of others
	calls      chan func()

	poller  *platform.Poller
	rand    *rand.Rand
	timers  timerHeap
	buffers loopBuffers
	audience

	now          time.Duration // of the last event or timer
	idleInterval time.Duration // the longest silence of the server
	isSettling   bool          // viewers stay, and read at full speed
	nextLikeAt   time.Duration
	nodes        []nodeState
	measurements
}

// audience is all viewers, and what they subscribe to.
type audience struct {
	viewers    []*viewer
	views      []*view
	watchViews map[string]*view // of single streams, by code
}

// loopBuffers are reused by all viewers.
type loopBuffers struct{ read, message, frame []byte }

// measurements are the figures of all viewers.
type measurements struct {
	counters     viewerCounters
	lastCounters viewerCounters // of the last sample
	lastSampleAt time.Duration
	reasons      map[string]int // of socket ends and errors
	latencies    latencyHistograms
	lag          lagMeter
	lagHistogram *hdrhistogram.Histogram // in microseconds, of the measured phase
}

// viewerCounters count since the beginning of the run.
type viewerCounters struct {
	report.ViewerFigures
	cpu cpuTimes
}

// cpuTimes are processor times, and the time that the loop was busy.
type cpuTimes struct{ process, loop, busy time.Duration }

// newViewerLoop calls onSample once a second. It returns an error where the system has
// no epoll.
func newViewerLoop(shared runState, onSample func(s report.SecondFigures, sinceLast time.Duration)) (*viewerLoop, error) {
	poller, err := platform.NewPoller()
	if err != nil {
		return nil, err
	}
	o := shared.options
	l := &viewerLoop{
		runState: shared, onSample: onSample, calls: make(chan func(), 16),
		poller: poller, rand: rand.New(rand.NewPCG(o.Seed, 1)), buffers: loopBuffers{read: make([]byte, 256<<10)},
		audience: audience{watchViews: map[string]*view{}}, nodes: make([]nodeState, len(o.nodes)),
		measurements: measurements{
			reasons: map[string]int{}, latencies: newLatencyHistograms(), lagHistogram: newMicrosecondHistogram(),
		},
	}
	for _, n := range o.nodes {
		l.handshakes = append(l.handshakes, newHandshake(n.host, "/v1/viewer", o.ViewerToken, o.Deflate))
	}
	maxLists := max(16, 16384/o.Views)
	for i := range o.Views {
		v := newView(maxLists)
		v.limit = o.Limit
		v.query = wire.Subscribe{Tags: []string{viewTag(l.ledger.runID, i)}, Sort: sortOrders[i%len(sortOrders)], Limit: o.Limit, Play: o.Play}
		l.views = append(l.views, v)
	}
	for i := range o.Viewers {
		l.addUnconnectedViewer(i)
	}
	return l, nil
}

var sortOrders = []string{wire.SortViewers, wire.SortStarted, wire.SortLikes}

// viewTag is the tag that the streams of a view have in common.
func viewTag(runID string, viewIndex int) string { return runID + "-" + strconv.Itoa(viewIndex) }

// addUnconnectedViewer adds the i-th viewer. Slow, roaming and watching viewers are spread evenly
// over the views, and the viewers of each view over the nodes.
func (l *viewerLoop) addUnconnectedViewer(index int) {
	round := index / l.options.Views
	v := &viewer{
		index: int32(len(l.viewers)), view: l.views[index%l.options.Views], route: l.options.clientRoute(index), viewerSocket: viewerSocket{fd: -1},
		viewerTraits: viewerTraits{isSlow: isInShare(round, l.options.SlowShare), isWatcher: isInShare(round, l.options.WatchShare)},
	}
	v.isRoaming = !v.isSlow && isInShare(round+round/7, l.options.AwayShare)
	v.list = v.view.emptyList
	l.viewers = append(l.viewers, v)
}

// isInShare reports whether the one with that index of many belongs to a share of them.
func isInShare(index int, share float64) bool {
	return int(float64(index+1)*share) > int(float64(index)*share)
}

// socketsPerSource is below the server's default limit of sockets from one address.
const socketsPerSource = 900

// sourceAddress spreads viewers over the loopback addresses: a server limits the
// sockets from one address, which has 28,000 ports only. Elsewhere it is invalid: the
// kernel chooses.
func sourceAddress(to netip.Addr, viewerIndex int) (source netip.Addr) {
	if !to.Is4() || !to.IsLoopback() {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte{127, 0, 1, byte(1 + viewerIndex/socketsPerSource)})
}

// findOrCreateWatchView returns the view of a single stream.
func (l *viewerLoop) findOrCreateWatchView(code string) *view {
	v := l.watchViews[code]
	if v == nil {
		v = newView(64)
		v.watchedCode = code
		l.watchViews[code] = v
	}
	return v
}

// callInLoopAndWait calls f in the goroutine of the loop, and waits for it. It returns when
// ctx is done, too: then the loop may have ended.
func (l *viewerLoop) callInLoopAndWait(ctx context.Context, f func()) {
	done := make(chan struct{})
	select {
	case l.calls <- func() { f(); close(done) }:
	case <-ctx.Done():
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// scheduleAction calls action after delay, unless the viewer has another socket by then.
func (l *viewerLoop) scheduleAction(delay time.Duration, v *viewer, action func(*viewerLoop, *viewer)) {
	generation := v.generation
	l.timers.scheduleTimer(timer{l.now + delay, func() {
		if v.generation == generation {
			action(l, v)
		}
	}})
}

// randomAround is a random time between half of the average and one and a half.
func (l *viewerLoop) randomAround(average time.Duration) time.Duration {
	return average/2 + time.Duration(l.rand.Int64N(int64(average)+1))
}

// maxPollWait bounds how long callInLoopAndWait waits for the loop.
const maxPollWait = 20 * time.Millisecond

// runLoop drives all viewers until ctx is done.
func (l *viewerLoop) runLoop(ctx context.Context) error {
	runtime.LockOSThread() // the CPU time of the loop is that of its thread
	defer runtime.UnlockOSThread()
	defer l.poller.Close()
	l.now = l.clock()
	l.timers.scheduleTimer(timer{l.now + time.Second, l.takeSampleAndDropSilent})
	for ctx.Err() == nil {
		l.runCallsAndDueTimers()
		if err := l.serveReadySockets(); err != nil {
			return err
		}
	}
	for _, v := range l.viewers {
		l.closeWithFrame(v)
	}
	return nil
}

// runCallsAndDueTimers runs the calls of other goroutines and the timers that are due.
func (l *viewerLoop) runCallsAndDueTimers() {
	l.now = l.clock()
	for {
		select {
		case f := <-l.calls:
			f()
			continue
		default:
		}
		t, ok := l.timers.popDue(l.now)
		if !ok {
			return
		}
		t.action()
	}
}

func (l *viewerLoop) serveReadySockets() error {
	timeout := maxPollWait
	if len(l.timers) > 0 {
		timeout = max(0, min(timeout, l.timers[0].dueAt-l.clock()))
	}
	n, isFull, err := l.poller.Wait(0)
	wasIdle := n == 0 // then the next ready socket has not waited
	if wasIdle && err == nil {
		n, isFull, err = l.poller.Wait(timeout)
	}
	if err != nil {
		return err
	}
	startedAt := l.clock()
	l.now = startedAt
	l.lag.recordPoll(startedAt, wasIdle, isFull)
	for i := range n {
		index, generation, isWritable := l.poller.Event(i)
		v := l.viewers[index]
		if v.stage == stageClosed || v.generation != generation {
			continue
		}
		if isWritable {
			l.handleWritable(v)
		}
		if v.stage != stageClosed && v.generation == generation && v.stage != stageDialing {
			l.handleReadable(v)
		}
	}
	if n > 0 {
		endedAt := l.clock()
		l.counters.cpu.busy += endedAt - startedAt
		if !l.isSettling {
			recordDuration(l.lagHistogram, l.lag.lag(endedAt), int64(n))
		}
	}
	return nil
}
