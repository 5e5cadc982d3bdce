// Command loadtest puts an onair server under load and checks its answers. Anchors
// start, beat, update, stop and crash; viewers subscribe, watch, like, disconnect,
// come back with their position and read slowly. One core drives 15,000 viewers that
// receive and check a diff a second.
//
// It checks during the run:
//
//   - each diff continues at the position of its viewer;
//   - two viewers at the same position of a view have the same list, whatever diffs
//     they received;
//   - no session leaves a list within three intervals of an acknowledged beat.
//
// With several nodes of one list all of this holds across them: sockets are spread
// over the nodes, and each new socket leads to the next node.
//
// It checks at the end: each viewer's list equals a fresh snapshot, and the snapshot
// has each live anchor as its last acknowledged update left it.
//
// Viewers are cheap because they share work. A list is immutable, and caches the
// frames that led from it to other lists; a viewer holds a pointer to its list. The
// first viewer that receives a frame decodes, checks and applies it. The others compare
// bytes and move their pointer. See list.go. All viewers live in one goroutine
// (viewerloop.go) around epoll, so they need no locks. Each anchor has a goroutine.
// docs/loadtest.md describes how to run it and what its figures mean.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"onair/loadtest/profile"
)

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		signal.Stop(signals) // a second signal ends the process at once
		cancel()
	}()
	os.Exit(runCommand(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// Exit codes besides 0.
const (
	exitFailed = 1 // the verdict is FAIL, or there is none
	exitUsage  = 2
)

// usageError is an error of the command line.
type usageError struct{ error }

// errVerdict is returned when the verdict is FAIL.
var errVerdict = errors.New("the verdict is FAIL")

const longHelp = `loadtest has simulated anchors and viewers use an onair server, checks all its answers, and gives a verdict.
The exit code is 0 for PASS, 1 for FAIL, 2 for wrong usage.

Start the server with a secret of your own: loadtest signs the anchors' tokens with it. Let viewers be anonymous, or
give them a token. Viewers come from many addresses of loopback, 900 from each. Flags of the server:

  server --auth.secret … --push.key … --play.key … --viewer.anonymous true --data memory
         --limits.sockets 19500        for more than 18,000 viewers
         --limits.handshakes 20000/s   for a herd that reconnects faster than 5,000/s
         --limits.window 1000          for a --limit above 500
         --heartbeat.interval 5s       for sessions of crashed anchors that end within a run

It loads only loopback. With --i-own-this-host it loads other hosts, too: then its viewers have one address, and the
server needs a larger --limits.sockets_per_address.

Load several nodes of one list together: --url ws://…:8081,ws://…:8082 --metrics http://…:9081/metrics,…

Profiles:
`

// runCommand runs the whole command, and returns its exit code.
func runCommand(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) (exitCode int) {
	o := &options{}
	cmd := &cobra.Command{
		Use: "loadtest", Short: "put an onair server under load, and check its answers", Long: longHelp + profileHelp(),
		SilenceUsage: true, SilenceErrors: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.completeAndValidateOptions(cmd.Context(), cmd, getenv); err != nil {
				return usageError{err}
			}
			return (&loadTest{runState: runState{options: o}}).run(cmd.Context(), stdout, stderr)
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
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

func profileHelp() string {
	var b strings.Builder
	for name := range strings.SplitSeq(profile.JoinedNames(), ", ") {
		p := profile.All[name]
		fmt.Fprintf(&b, "  %-8s %d anchors, %d viewers, %d views: %s\n", name, p.Anchors, p.Viewers, p.Views, p.Description)
	}
	return b.String()
}
