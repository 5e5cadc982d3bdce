// Command picture starts what deploy/compose.yaml does, of the programs of this
// machine: two nodes on one Redis behind HAProxy, a media server, Prometheus and
// a simulator, with the same files and commands. All are on loopback, at ports
// that are free, and end with it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"onair/deploy/program"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole command: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var set settings
	flags := flag.NewFlagSet("picture", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&set.Onair, "onair", "bin/onair", "the onair `binary`")
	flags.StringVar(&set.Loadtest, "loadtest", "bin/loadtest", "the simulator's `binary`")
	flags.StringVar(&set.Deploy, "deploy", "deploy", "the `folder` with compose.yaml")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	p, err := raise(ctx, set)
	if err != nil {
		fmt.Fprintln(stderr, "picture:", err)
		return 1
	}
	defer p.end()
	if err := p.guide(ctx, stdout); err != nil {
		fmt.Fprintln(stderr, "picture:", err)
		return 1
	}
	for _, c := range p.all {
		go p.obituary(ctx, c, stdout)
	}
	<-ctx.Done()
	return 0
}

// obituary says when a program ends before the picture does.
func (p *picture) obituary(ctx context.Context, c *program.Program, w io.Writer) {
	if code, err := c.AwaitExit(ctx); err == nil {
		fmt.Fprintf(w, "  %s has ended, with %d:\n%s\n", c.Name, code, c.LastLines(10))
	}
}
