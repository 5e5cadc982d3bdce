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
		Use: "loadtest", Short: "load an onair server, and watch that it does not lie", Long: longHelp + aboutProfiles(),
		SilenceUsage: true, SilenceErrors: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.complete(cmd.Context(), cmd, getenv); err != nil {
				return usageError{err}
			}
			return (&test{o: o}).run(cmd.Context(), stdout, stderr)
		},
	}
	o.register(cmd)
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

func aboutProfiles() string {
	var b strings.Builder
	for name := range strings.SplitSeq(profileNames(), ", ") {
		p := profiles[name]
		fmt.Fprintf(&b, "  %-8s %d anchors, %d viewers, %d views: %s\n", name, p.Anchors, p.Viewers, p.Views, p.about)
	}
	return b.String()
}

// test is one run.
type test struct {
	o       *options
	began   time.Time
	ledger  *ledger
	faults  faults
	series  series
	scrapes scrapers
	crowd   *crowd
	anchors *anchors

	steady      chan struct{} // closed when the measured phase is over
	before      figures
	after       figures
	compared    comparison
	interrupted bool
}

// figures are taken at the beginning and at the end of the measured phase.
type figures struct {
	at    time.Duration
	crowd tally
	nodes []serverSample
}

func (t *test) clock() time.Duration { return time.Since(t.began) }

// run is ramp, measured phase, settling and verdict.
func (t *test) run(ctx context.Context, stdout, stderr io.Writer) error {
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
		crowdErr = t.crowd.run(crowdCtx)
	})
	for _, s := range t.scrapes {
		parts.Go(func() { s.run(crowdCtx) })
	}
	broadcasters.Go(func() { t.anchors.run(anchorCtx, t.o.Ramp/2) })
	bar := newProgress(stderr, t.o.Ramp+t.o.Duration+t.o.Settle)
	shown := make(chan struct{})
	parts.Go(func() { t.show(bar, shown) })

	t.phases(ctx, crowdCtx, bar)
	endAnchors()
	broadcasters.Wait()
	endCrowd()
	close(shown)
	parts.Wait()
	bar.finish()
	if crowdErr != nil {
		return crowdErr
	}
	return t.conclude(stdout)
}

func (t *test) prepare() error {
	var id [3]byte
	r := rand.New(rand.NewPCG(t.o.Seed, 0))
	for i := range id {
		id[i] = byte(r.Uint32())
	}
	t.began = time.Now()
	t.ledger = newLedger("load" + hex.EncodeToString(id[:]))
	t.steady = make(chan struct{})
	for _, n := range t.o.metrics {
		t.scrapes = append(t.scrapes, newScraper(n.url, n.address))
	}
	t.anchors = newAnchors(t.o, t.clock, t.ledger, t.steady, func(kind fault, what string) { t.faults.add(kind, "%s", what) })
	var err error
	t.crowd, err = newCrowd(t.o, t.clock, t.ledger, &t.faults, func(s sample) {
		s.Anchors, s.Server = int(t.anchors.live.Load()), t.scrapes.last()
		t.series.add(s)
	})
	return err
}

// show moves the bar until it is told to stop.
func (t *test) show(bar *progress, stop <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			phase := "settle"
			if at := t.clock(); at < t.o.Ramp {
				phase = "ramp"
			} else if at < t.o.Ramp+t.o.Duration {
				phase = "measure"
			}
			bar.show(phase, t.clock(), t.series.last())
		case <-stop:
			return
		}
	}
}

// phases goes through the run. All that it waits for is bounded.
func (t *test) phases(ctx, crowdCtx context.Context, bar *progress) {
	t.crowd.do(crowdCtx, func() { t.crowd.arrive(t.o.Ramp) })
	pause(ctx, t.o.Ramp)
	// Whoever is not in yet may still come, for as long as settling may take.
	t.until(ctx, crowdCtx, func() bool {
		return t.crowd.missing() <= roaming(t.o) && int(t.anchors.live.Load()) >= t.o.leastOnAir()
	})
	in := 0
	t.crowd.do(crowdCtx, func() {
		t.crowd.measure()
		in = t.o.Viewers - t.crowd.missing()
	})
	t.before = t.figures(crowdCtx)
	bar.say(fmt.Sprintf("measuring for %v, with %d viewers and %d anchors", t.o.Duration, in, t.anchors.live.Load()))
	pause(ctx, t.o.Duration)
	t.interrupted = ctx.Err() != nil
	t.after = t.figures(crowdCtx)
	close(t.steady)
	t.settle(crowdCtx)
}

func (t *test) figures(crowdCtx context.Context) (f figures) {
	t.crowd.do(crowdCtx, func() { f.at, f.crowd = t.clock(), t.crowd.totals() })
	f.nodes = t.scrapes.look(crowdCtx)
	return f
}

// until waits for something of the crowd's, for as long as settling may take.
func (t *test) until(ctx, crowdCtx context.Context, ok func() bool) bool {
	late, cancel := context.WithTimeout(ctx, t.o.Settle)
	defer cancel()
	for {
		done := false
		t.crowd.do(crowdCtx, func() { done = ok() })
		if done {
			return true
		}
		if !pause(late, 50*time.Millisecond) {
			return false
		}
	}
}

// settle has all come to rest, and compares what they have with fresh
// snapshots, and those with what anchors were told.
func (t *test) settle(crowdCtx context.Context) {
	t.crowd.do(crowdCtx, t.crowd.settle)
	t.until(crowdCtx, crowdCtx, func() bool { return t.crowd.missing() == 0 && t.ledger.settled() })
	t.crowd.do(crowdCtx, t.crowd.refer)
	var wrong []string
	t.until(crowdCtx, crowdCtx, func() bool {
		t.compared = t.crowd.compare()
		wrong = t.audit()
		return t.compared.Equal == t.o.Viewers && len(t.compared.examples)+len(wrong) == 0
	})
	for _, d := range t.compared.examples {
		t.faults.add(faultFresh, "%s", d)
	}
	for _, d := range wrong {
		t.faults.add(faultPromise, "%s", d)
	}
}

// audit compares fresh snapshots with what anchors were told.
func (t *test) audit() (wrong []string) {
	for i, lists := range t.compared.fresh {
		for n, fresh := range lists {
			if fresh == nil {
				wrong = append(wrong, fmt.Sprintf("no fresh snapshot of view %d at node %d", i, n+1))
				continue
			}
			t.ledger.audit(fresh, tagOf(t.ledger.run, i), func(what string) { wrong = append(wrong, what) })
		}
	}
	return wrong
}
