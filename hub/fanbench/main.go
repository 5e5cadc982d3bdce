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
		os.Exit(runRole(role))
	}
	os.Exit(runScenarios(os.Args[1:], os.Stdout, os.Stderr))
}

// options are the flags.
type options struct {
	viewers    int // of each server in the scenario cost
	wide       int // viewers in the scenarios memory and wide
	rounds     int
	diffs      int    // in each measurement of the scenario cost
	only       string // names of scenarios
	quick      bool
	cpuprofile string
	trace      string
}

func parseFlags(args []string, stderr io.Writer) (o options, err error) {
	f := flag.NewFlagSet("fanbench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.viewers, "viewers", 10_000, "viewers of each server in the scenario cost")
	f.IntVar(&o.wide, "wide", 19_000, "viewers in the scenarios memory and wide")
	f.IntVar(&o.rounds, "rounds", 9, "rounds; figures are their medians")
	f.IntVar(&o.diffs, "diffs", 10, "diffs in each measurement of the scenario cost; the others use a third")
	f.StringVar(&o.only, "only", "cost,memory,wide", "comma-separated names of the scenarios to run")
	f.BoolVar(&o.quick, "quick", false, "at most 200 viewers and 2 rounds, with short waits: tests the program, measures nothing")
	f.StringVar(&o.cpuprofile, "cpuprofile", "", "file for a CPU profile of the hub's server, recorded in separate rounds; empty: none")
	f.StringVar(&o.trace, "trace", "", "file for an execution trace of the hub's server, recorded in a separate round; empty: none")
	if err = f.Parse(args); err != nil {
		return o, err
	}
	if o.quick {
		o.viewers, o.wide, o.rounds, o.diffs = min(o.viewers, 200), min(o.wide, 200), min(o.rounds, 2), min(o.diffs, 2)
	}
	return o, nil
}

// thirdOfDiffs is the number of diffs in each measurement of the other scenarios.
func (o *options) thirdOfDiffs() int { return max(1, o.diffs/3) }

// runScenarios runs the selected scenarios and prints the table. It returns the exit code.
func runScenarios(args []string, stdout, stderr io.Writer) (exitCode int) {
	o, err := parseFlags(args, stderr)
	if err != nil {
		return 2
	}
	t := &table{}
	for _, s := range []struct {
		name string
		run  func(options, *table) error
	}{
		{"cost", runCostScenario}, {"memory", runMemoryScenario}, {"wide", runWideScenario},
	} {
		if !strings.Contains(o.only, s.name) {
			continue
		}
		start := time.Now()
		if err := s.run(o, t); err != nil {
			fmt.Fprintf(stderr, "fanbench: %s: %v\n", s.name, err)
			return 1
		}
		fmt.Fprintf(stderr, "fanbench: %s took %v\n", s.name, time.Since(start).Round(time.Second))
	}
	t.writeMarkdown(stdout)
	return 0
}
