// Command localstack starts the services of deploy/compose.yaml without containers: two
// nodes on one Redis behind HAProxy, a media server, Prometheus and a simulator. It uses
// the same files and commands. All services listen on free ports of the loopback
// address, and end with this process.
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

// run runs the command until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (exitCode int) {
	var config settings
	flags := flag.NewFlagSet("localstack", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&config.Onair, "onair", "bin/onair", "path of the onair `binary`")
	flags.StringVar(&config.Loadtest, "loadtest", "bin/loadtest", "path of the simulator's `binary`")
	flags.StringVar(&config.Deploy, "deploy", "deploy", "`folder` of compose.yaml")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	s, err := startStack(ctx, config)
	if err != nil {
		fmt.Fprintln(stderr, "localstack:", err)
		return 1
	}
	defer s.stop()
	if err := s.printSummary(ctx, stdout); err != nil {
		fmt.Fprintln(stderr, "localstack:", err)
		return 1
	}
	for _, p := range s.programs {
		go reportExit(ctx, p, stdout)
	}
	<-ctx.Done()
	return 0
}

// reportExit reports a program that ends before ctx does.
func reportExit(ctx context.Context, p *program.Program, w io.Writer) {
	if code, err := p.AwaitExit(ctx); err == nil {
		fmt.Fprintf(w, "  %s ended with exit code %d:\n%s\n", p.Name, code, p.LastLines(10))
	}
}
