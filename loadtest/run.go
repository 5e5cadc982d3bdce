package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitFailed = 1 // the verdict is FAIL, or there is none
	exitUsage  = 2
)

// usageError is what is wrong with how the command was called.
type usageError struct{ error }

// errVerdict is returned when the verdict is FAIL.
var errVerdict = errors.New("the verdict is FAIL")

const longHelp = `loadtest has simulated anchors and viewers use an onair server, checks all that it says, and gives a verdict:
0 for PASS, 1 for FAIL, 2 for wrong usage.

Start the server with a secret of your own, which loadtest signs the anchors' tokens with, and let viewers be anonymous
or give them a token. Viewers come from many addresses of loopback, 900 from each. Flags of a server that is to be loaded:

  server --auth.secret … --viewer.anonymous true --data memory
         --limits.sockets 19500        if there are to be more than 18,000
         --limits.handshakes 20000/s   for a herd that is to come back faster than 5,000/s
         --limits.window 1000          for a --limit above 500
         --heartbeat.interval 5s       to see sessions of crashed anchors end within a run

It loads loopback only, unless told --i-own-this-host: then its viewers have one address, and the server needs a
--limits.sockets_per_address to fit.

Several nodes of one list are loaded together: --url ws://…:8081,ws://…:8082 --metrics http://…:9081/metrics,…

Profiles:
`

// run is the whole command: it returns the exit code.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	o := &options{}
	cmd := &cobra.Command{
		Use: "loadtest", Short: "load an onair server, and watch that it does not lie", Long: longHelp + profileHelp(),
		SilenceUsage: true, SilenceErrors: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.complete(cmd.Context(), cmd, getenv); err != nil {
				return usageError{err}
			}
			return (&loadTest{options: o}).run(cmd.Context(), stdout, stderr)
		},
	}
	o.registerFlags(cmd)
	cmd.CompletionOptions.DisableDefaultCmd = true
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if !errors.Is(err, errVerdict) {
		fmt.Fprintf(stderr, "loadtest: %v\n", err)
	}
	if _, usage := errors.AsType[usageError](err); usage {
		return exitUsage
	}
	return exitFailed
}

func profileHelp() string {
	var b strings.Builder
	for name := range strings.SplitSeq(Names(), ", ") {
		p := All[name]
		fmt.Fprintf(&b, "  %-8s %d anchors, %d viewers, %d views: %s\n", name, p.Anchors, p.Viewers, p.Views, p.Description)
	}
	return b.String()
}

// loadTest is one run.
type loadTest struct {
	options    *options
	startedAt  time.Time
	ledger     *ledger
	faults     faultLog
	series     series
	scrapers   Scrapers
	viewerLoop *viewerLoop
	anchorPool *anchorPool

	updatesDone    chan struct{} // closed when the measured phase is over
	atStart        measurement
	atEnd          measurement
	comparison     comparison
	wasInterrupted bool
}

// measurement are taken at the beginning and at the end of the measured phase.
type measurement struct {
	at      time.Duration
	viewers viewerCounters
	nodes   []Sample
}

func (t *loadTest) clock() time.Duration { return time.Since(t.startedAt) }

// run is ramp, measured phase, settling and verdict.
func (t *loadTest) run(ctx context.Context, stdout, stderr io.Writer) error {
	if err := t.prepare(); err != nil {
		return err
	}
	// The parts outlive ctx: an interrupted run still gives its verdict.
	crowdCtx, endCrowd := context.WithCancel(context.WithoutCancel(ctx))
	anchorCtx, endAnchors := context.WithCancel(context.WithoutCancel(ctx))
	defer endCrowd()
	defer endAnchors()
	var parts, broadcasters sync.WaitGroup
	var crowdErr error
	parts.Go(func() {
		defer endCrowd()
		crowdErr = t.viewerLoop.run(crowdCtx)
	})
	for _, s := range t.scrapers {
		parts.Go(func() { s.Run(crowdCtx) })
	}
	broadcasters.Go(func() { t.anchorPool.run(anchorCtx, t.options.Ramp/2) })
	bar := newProgress(stderr, t.options.Ramp+t.options.Duration+t.options.SettleTimeout)
	shown := make(chan struct{})
	parts.Go(func() { t.showProgress(bar, shown) })

	t.runPhases(ctx, crowdCtx, bar)
	endAnchors()
	broadcasters.Wait()
	endCrowd()
	close(shown)
	parts.Wait()
	bar.finish()
	if crowdErr != nil {
		return crowdErr
	}
	return t.reportOutcome(stdout)
}

func (t *loadTest) prepare() error {
	var id [3]byte
	r := rand.New(rand.NewPCG(t.options.Seed, 0))
	for i := range id {
		id[i] = byte(r.Uint32())
	}
	t.startedAt = time.Now()
	t.ledger = newLedger("load" + hex.EncodeToString(id[:]))
	t.updatesDone = make(chan struct{})
	for _, n := range t.options.metrics {
		t.scrapers = append(t.scrapers, New(n.url, n.address))
	}
	t.anchorPool = newAnchorPool(t.options, t.clock, t.ledger, t.updatesDone, func(kind faultKind, what string) { t.faults.record(kind, "%s", what) })
	var err error
	t.viewerLoop, err = newViewerLoop(t.options, t.clock, t.ledger, &t.faults, func(s sample) {
		s.Anchors, s.Server = int(t.anchorPool.live.Load()), t.scrapers.Sum()
		t.series.add(s)
	})
	return err
}

// showProgress moves the bar until it is told to stop.
func (t *loadTest) showProgress(bar *progress, stop <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			phase := "settle"
			if at := t.clock(); at < t.options.Ramp {
				phase = "ramp"
			} else if at < t.options.Ramp+t.options.Duration {
				phase = "measure"
			}
			bar.update(phase, t.clock(), t.series.last())
		case <-stop:
			return
		}
	}
}

// runPhases goes through the run. All that it waits for is bounded.
func (t *loadTest) runPhases(ctx, crowdCtx context.Context, bar *progress) {
	t.viewerLoop.callInLoop(crowdCtx, func() { t.viewerLoop.scheduleArrivals(t.options.Ramp) })
	sleep(ctx, t.options.Ramp)
	// Whoever is not in yet may still come, for as long as settling may take.
	t.waitUntil(ctx, crowdCtx, func() bool {
		return t.viewerLoop.viewersWithoutList() <= maxAwayViewers(t.options) && int(t.anchorPool.live.Load()) >= t.options.minAnchorsAtOnce()
	})
	in := 0
	t.viewerLoop.callInLoop(crowdCtx, func() {
		t.viewerLoop.startMeasuring()
		in = t.options.Viewers - t.viewerLoop.viewersWithoutList()
	})
	t.atStart = t.measure(crowdCtx)
	bar.announce(fmt.Sprintf("measuring for %v, with %d viewers and %d anchors", t.options.Duration, in, t.anchorPool.live.Load()))
	sleep(ctx, t.options.Duration)
	t.wasInterrupted = ctx.Err() != nil
	t.atEnd = t.measure(crowdCtx)
	close(t.updatesDone)
	t.settle(crowdCtx)
}

func (t *loadTest) measure(crowdCtx context.Context) (f measurement) {
	t.viewerLoop.callInLoop(crowdCtx, func() { f.at, f.viewers = t.clock(), t.viewerLoop.currentCounters() })
	f.nodes = t.scrapers.Sample(crowdCtx)
	return f
}

// waitUntil waits for something of the crowd's, for as long as settling may take.
func (t *loadTest) waitUntil(ctx, crowdCtx context.Context, ok func() bool) bool {
	late, cancel := context.WithTimeout(ctx, t.options.SettleTimeout)
	defer cancel()
	for {
		done := false
		t.viewerLoop.callInLoop(crowdCtx, func() { done = ok() })
		if done {
			return true
		}
		if !sleep(late, 50*time.Millisecond) {
			return false
		}
	}
}

// settle has all come to rest, and compares what they have with fresh
// snapshots, and those with what anchors were told.
func (t *loadTest) settle(crowdCtx context.Context) {
	t.viewerLoop.callInLoop(crowdCtx, t.viewerLoop.startSettling)
	t.waitUntil(crowdCtx, crowdCtx, func() bool { return t.viewerLoop.viewersWithoutList() == 0 && t.ledger.isSettled() })
	t.viewerLoop.callInLoop(crowdCtx, t.viewerLoop.openReferences)
	var wrong []string
	t.waitUntil(crowdCtx, crowdCtx, func() bool {
		t.comparison = t.viewerLoop.compareWithReferences()
		wrong = t.auditPromises()
		return t.comparison.Equal == t.options.Viewers && len(t.comparison.examples)+len(wrong) == 0
	})
	for _, d := range t.comparison.examples {
		t.faults.record(faultStaleList, "%s", d)
	}
	for _, d := range wrong {
		t.faults.record(faultBrokenPromise, "%s", d)
	}
}

// auditPromises compares fresh snapshots with what anchors were told.
func (t *loadTest) auditPromises() (wrong []string) {
	for i, lists := range t.comparison.fresh {
		for n, fresh := range lists {
			if fresh == nil {
				wrong = append(wrong, fmt.Sprintf("no fresh snapshot of view %d at node %d", i, n+1))
				continue
			}
			t.ledger.auditList(fresh, viewTag(t.ledger.runID, i), func(what string) { wrong = append(wrong, what) })
		}
	}
	return wrong
}
