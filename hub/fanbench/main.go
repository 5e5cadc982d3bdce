//go:build linux

package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

func main() {
	if role := os.Getenv(roleVar); role != "" {
		os.Exit(play(role))
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// options are what the flags say.
type options struct {
	viewers    int // of each server, pinned
	wide       int // viewers where nothing is pinned, and for memory
	rounds     int
	diffs      int // in each measurement of cost
	only       string
	quick      bool
	cpuprofile string
	trace      string
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	f := flag.NewFlagSet("fanbench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.viewers, "viewers", 10_000, "viewers of each server in the scene cost")
	f.IntVar(&o.wide, "wide", 19_000, "viewers in the scenes memory and wide")
	f.IntVar(&o.rounds, "rounds", 9, "rounds; figures are their medians")
	f.IntVar(&o.diffs, "diffs", 10, "diffs in each measurement of the scene cost; a third of them in others")
	f.StringVar(&o.only, "only", "cost,memory,wide", "scenes to run")
	f.BoolVar(&o.quick, "quick", false, "200 viewers, 2 rounds and short waits: shows that it works, measures nothing")
	f.StringVar(&o.cpuprofile, "cpuprofile", "", "write a CPU profile of the hub's server in rounds of their own")
	f.StringVar(&o.trace, "trace", "", "write an execution trace of the hub's server in a round of its own")
	if err = f.Parse(args); err != nil {
		return o, err
	}
	if o.quick {
		o.viewers, o.wide, o.rounds, o.diffs = min(o.viewers, 200), min(o.wide, 200), min(o.rounds, 2), min(o.diffs, 2)
	}
	return o, nil
}

// fewer is how many diffs are in each measurement of the other scenes.
func (o *options) fewer() int { return max(1, o.diffs/3) }

// run runs the scenes that were asked for, and prints the table.
func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if err != nil {
		return 2
	}
	t := &table{}
	for _, s := range []struct {
		name string
		play func(options, *table) error
	}{
		{"cost", playCost}, {"memory", playMemory}, {"wide", playWide},
	} {
		if !strings.Contains(o.only, s.name) {
			continue
		}
		began := time.Now()
		if err := s.play(o, t); err != nil {
			fmt.Fprintf(stderr, "fanbench: %s: %v\n", s.name, err)
			return 1
		}
		fmt.Fprintf(stderr, "fanbench: %s took %v\n", s.name, time.Since(began).Round(time.Second))
	}
	t.print(stdout)
	return 0
}
