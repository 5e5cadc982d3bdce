package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"onair/loadtest/report"
	"onair/loadtest/scrape"
)

// runState is what anchors and viewers of a run share.
type runState struct {
	options *options
	clock   func() time.Duration // since the beginning of the run
	ledger  *ledger
	faults  *faultLog
}

// loadTest is one run.
type loadTest struct {
	runState
	scrapers   scrape.Scrapers
	viewerLoop *viewerLoop
	anchorPool *anchorPool

	updatesDone    chan struct{} // closed at the end of the measured phase
	atStart, atEnd measurement   // of the measured phase
	comparison     comparison
	wasInterrupted bool

	series       []report.SecondFigures // written by the viewer loop
	latest       atomic.Pointer[report.SecondFigures]
	latestServer scrape.Sample // of the latest second
}

// measurement is the state of all counters at a time of the run.
type measurement struct {
	at      time.Duration
	viewers viewerCounters
	nodes   []scrape.Sample
}

// run runs the ramp, the measured phase and the settling, and writes the report. It
// returns errVerdict when the verdict is FAIL.
func (t *loadTest) run(ctx context.Context, stdout, stderr io.Writer) error {
	if err := t.prepareRun(); err != nil {
		return err
	}
	// The parts outlive ctx: an interrupted run still has a verdict.
	loopCtx, endLoop := context.WithCancel(context.WithoutCancel(ctx))
	anchorCtx, endAnchors := context.WithCancel(context.WithoutCancel(ctx))
	defer endLoop()
	defer endAnchors()
	var parts, anchors sync.WaitGroup
	var loopErr error
	parts.Go(func() {
		defer endLoop()
		loopErr = t.viewerLoop.runLoop(loopCtx)
	})
	for _, s := range t.scrapers {
		parts.Go(func() { s.Run(loopCtx) })
	}
	anchors.Go(func() { t.anchorPool.runAnchors(anchorCtx, t.options.Ramp/2) })
	progress := newProgress(stderr, t.options.Ramp+t.options.Duration+t.options.SettleTimeout)
	parts.Go(func() { t.showProgress(loopCtx, progress) })

	t.runPhases(ctx, loopCtx, progress)
	endAnchors()
	anchors.Wait()
	endLoop()
	parts.Wait()
	progress.finishBar()
	if loopErr != nil {
		return loopErr
	}
	return t.writeReportAndCheckVerdict(stdout)
}

func (t *loadTest) prepareRun() (err error) {
	id := rand.New(rand.NewPCG(t.options.Seed, 0)).Uint32N(1 << 24)
	startedAt := time.Now()
	t.runState = runState{
		options: t.options, clock: func() time.Duration { return time.Since(startedAt) },
		ledger: newLedger(fmt.Sprintf("load%06x", id)), faults: &faultLog{},
	}
	t.updatesDone = make(chan struct{})
	for _, n := range t.options.metrics {
		t.scrapers = append(t.scrapers, scrape.New(n.url, n.address))
	}
	t.anchorPool = newAnchorPool(t.runState, t.updatesDone)
	t.viewerLoop, err = newViewerLoop(t.runState, t.addSample)
	return err
}

// addSample stores a sample of the viewer loop, with the figures of anchors and servers.
func (t *loadTest) addSample(s report.SecondFigures, sinceLast time.Duration) {
	server := t.scrapers.LatestSum()
	s.Anchors, s.ServerMemory, s.Connections = int(t.anchorPool.live.Load()), server.Memory, server.Connections
	if t.latestServer.IsKnown && server.IsKnown {
		s.ServerCPU = roundedRatio(server.CPU-t.latestServer.CPU, sinceLast)
	}
	t.latestServer = server
	t.series = append(t.series, s)
	t.latest.Store(&s)
}

// showProgress updates the progress bar until ctx is done.
func (t *loadTest) showProgress(ctx context.Context, progress *progress) {
	for sleep(ctx, time.Second) {
		phase := "settle"
		if at := t.clock(); at < t.options.Ramp {
			phase = "ramp"
		} else if at < t.options.Ramp+t.options.Duration {
			phase = "measure"
		}
		progress.updateBar(phase, t.clock(), cmp.Or(t.latest.Load(), &report.SecondFigures{}))
	}
}

// runPhases waits for nothing without a limit.
func (t *loadTest) runPhases(ctx, loopCtx context.Context, progress *progress) {
	t.viewerLoop.callInLoopAndWait(loopCtx, func() { t.viewerLoop.scheduleArrivals(t.options.Ramp) })
	sleep(ctx, t.options.Ramp)
	t.waitAtMostSettleTimeout(ctx, loopCtx, func() bool {
		return t.viewerLoop.viewersWithoutList() <= t.options.maxViewersWithoutListAtOnce() && int(t.anchorPool.live.Load()) >= t.options.minAnchorsAtOnce()
	})
	viewers := 0
	t.viewerLoop.callInLoopAndWait(loopCtx, func() {
		t.viewerLoop.startMeasuredPhase()
		viewers = t.options.Viewers - t.viewerLoop.viewersWithoutList()
	})
	t.atStart = t.takeMeasurement(loopCtx)
	progress.announceUnlessTerminal(fmt.Sprintf("measuring for %v, with %d viewers and %d anchors", t.options.Duration, viewers, t.anchorPool.live.Load()))
	sleep(ctx, t.options.Duration)
	t.wasInterrupted = ctx.Err() != nil
	t.atEnd = t.takeMeasurement(loopCtx)
	close(t.updatesDone)
	t.settleAndCompare(loopCtx)
}

func (t *loadTest) takeMeasurement(loopCtx context.Context) (m measurement) {
	t.viewerLoop.callInLoopAndWait(loopCtx, func() { m.at, m.viewers = t.clock(), t.viewerLoop.currentCounters() })
	m.nodes = t.scrapers.TakeSamples(loopCtx)
	return m
}

// waitAtMostSettleTimeout waits, at most for SettleTimeout, until isDoneInLoop reports true. It calls
// isDoneInLoop in the viewer loop.
func (t *loadTest) waitAtMostSettleTimeout(ctx, loopCtx context.Context, isDoneInLoop func() bool) {
	ctx, cancel := context.WithTimeout(ctx, t.options.SettleTimeout)
	defer cancel()
	for done := false; !done; {
		t.viewerLoop.callInLoopAndWait(loopCtx, func() { done = isDoneInLoop() })
		if !done && !sleep(ctx, 50*time.Millisecond) {
			return
		}
	}
}

// settleAndCompare waits until nothing changes, and compares all lists with fresh snapshots, and
// those with what anchors were promised.
func (t *loadTest) settleAndCompare(loopCtx context.Context) {
	t.viewerLoop.callInLoopAndWait(loopCtx, t.viewerLoop.startSettling)
	t.waitAtMostSettleTimeout(loopCtx, loopCtx, func() bool { return t.viewerLoop.viewersWithoutList() == 0 && t.ledger.areUpdatesAnswered() })
	t.viewerLoop.callInLoopAndWait(loopCtx, t.viewerLoop.openReferences)
	var brokenPromises []string
	t.waitAtMostSettleTimeout(loopCtx, loopCtx, func() bool {
		t.comparison = t.viewerLoop.compareWithReferences()
		brokenPromises = t.auditPromises()
		return t.comparison.Equal == t.options.Viewers && len(t.comparison.differences)+len(brokenPromises) == 0
	})
	for _, d := range t.comparison.differences {
		t.faults.recordFault(faultStaleList, "%s", d)
	}
	for _, p := range brokenPromises {
		t.faults.recordFault(faultBrokenPromise, "%s", p)
	}
}

// auditPromises compares fresh lists with what anchors were promised.
func (t *loadTest) auditPromises() (brokenPromises []string) {
	for i, lists := range t.comparison.freshLists {
		for node, fresh := range lists {
			if fresh == nil {
				brokenPromises = append(brokenPromises, fmt.Sprintf("no fresh snapshot of view %d at node %d", i, node+1))
				continue
			}
			brokenPromises = append(brokenPromises, t.ledger.auditList(fresh, viewTag(t.ledger.runID, i))...)
		}
	}
	return brokenPromises
}
