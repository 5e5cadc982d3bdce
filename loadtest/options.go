package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// options are all flags.
type options struct {
	Profile

	URLs, MetricsURLs  []string
	ProfileName        string
	Secret, SecretFile string
	ViewerToken        string
	AllowsRemote       bool

	Ramp, SettleTimeout  time.Duration
	Limit                int
	Play                 []string
	BeatInterval         time.Duration
	SlowRate             int
	AwayTime, StayTime   time.Duration
	HerdWindow, RestTime time.Duration
	Deflate              bool
	Seed                 uint64

	MaxP99, MaxClientLag time.Duration
	MaxDisconnects       int
	Report               string

	// Made of the others.
	nodes   []node
	metrics []node
	secret  []byte
}

// registerFlags adds a flag for each option, but for the defaults of profiles.
func (o *options) registerFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	f.StringSliceVar(&o.URLs, "url", []string{"ws://127.0.0.1:8080"}, "the server, or several, separated by commas, that serve one list")
	f.StringSliceVar(&o.MetricsURLs, "metrics", []string{"http://127.0.0.1:9090/metrics"},
		"its metrics, or those of each; empty: do without CPU and memory of servers")
	f.StringVar(&o.Secret, "secret", "", "the server's auth.secret, which signs the anchors' tokens (default $ONAIR_AUTH_SECRET)")
	f.StringVar(&o.SecretFile, "secret-file", "", "file that holds it")
	f.StringVar(&o.ViewerToken, "viewer-token", "", "token of all viewers; empty: they are anonymous")
	f.BoolVar(&o.AllowsRemote, "i-own-this-host", false, "load a server that is not on loopback")

	f.StringVar(&o.ProfileName, "profile", Default, Names()+"; the flags of the next group override it")
	f.IntVar(&o.Anchors, "anchors", 0, "who broadcast")
	f.IntVar(&o.Viewers, "viewers", 0, "who look on")
	f.IntVar(&o.Views, "views", 0, "different queries, over which both are spread")
	f.DurationVar(&o.Duration, "duration", 0, "how long is measured, after the ramp")
	f.Float64Var(&o.Updates, "updates-per-second", 0, "changes by all anchors together: what latency is measured with")
	f.Float64Var(&o.Likes, "likes-per-second", 0, "likes by all viewers together")
	f.Float64Var(&o.WatchShare, "watch-share", 0, "share of viewers that also watch one stream")
	f.Float64Var(&o.SlowShare, "slow-share", 0, "share of viewers that read slowly")
	f.Float64Var(&o.AwayShare, "away-share", 0, "share of viewers that go away now and then, and come back with their position")
	f.IntVar(&o.Herds, "herds", 0, "times that every viewer loses its connection at once")
	f.DurationVar(&o.AnchorLife, "anchor-life", 0, "how long a broadcast lasts, about; 0: the whole run")
	f.Float64Var(&o.CrashShare, "crash-share", 0, "share of broadcasts that end without a stop")
	f.Float64Var(&o.MinResumed, "min-resumed", 0, "least share of viewers' reconnects that are resumed with a diff; 0: it is not judged")

	f.DurationVar(&o.Ramp, "ramp", 0, "time in which all connect (default: a second for each 1,000 viewers, at least two)")
	f.DurationVar(&o.SettleTimeout, "settle", 30*time.Second, "time in which, at the end, all must come to the list of a fresh snapshot")
	f.IntVar(&o.Limit, "limit", 100, "limit of each query; where more streams match, leaving the list cannot be judged")
	f.StringSliceVar(&o.Play, "play", nil, "protocols whose signed URLs the lists carry")
	f.DurationVar(&o.BeatInterval, "beat-every", 0, "time between two beats; 0: as the server asks")
	f.IntVar(&o.SlowRate, "slow-rate", 1024, "bytes a second that a slow viewer reads")
	f.DurationVar(&o.StayTime, "stay-for", 10*time.Second, "how long a viewer stays that goes away now and then, about")
	f.DurationVar(&o.AwayTime, "away-for", 3*time.Second, "how long it is away, about")
	f.DurationVar(&o.HerdWindow, "herd-in", 2*time.Second, "time in which a herd comes back")
	f.DurationVar(&o.RestTime, "rest-for", 2*time.Second, "time between two broadcasts of an anchor, about")
	f.BoolVar(&o.Deflate, "deflate", false, "have messages compressed")
	f.Uint64Var(&o.Seed, "seed", 0, "of what is random; 0: another one each time")

	f.DurationVar(&o.MaxP99, "max-p99", time.Second, "most latency, from an update being due to its viewer, at the 99th percentile")
	f.IntVar(&o.MaxDisconnects, "max-disconnects", 0, "sockets that may end unasked")
	f.DurationVar(&o.MaxClientLag, "max-client-lag", 100*time.Millisecond, "99th percentile of the time that messages wait for this program, beyond which it is called overloaded")
	f.StringVar(&o.Report, "report", "loadtest", "write this file, .html and .json; empty: none")
}

// complete fills in what was not said, and checks what was.
func (o *options) complete(ctx context.Context, cmd *cobra.Command, getenv func(string) string) error {
	p, ok := All[o.ProfileName]
	if !ok {
		return fmt.Errorf("--profile: %q is none of %s", o.ProfileName, Names())
	}
	o.applyProfile(p, func(flag string) bool { return cmd.Flags().Changed(flag) })
	if o.Ramp == 0 {
		o.Ramp = max(2*time.Second, time.Duration(o.Viewers)*time.Millisecond)
	}
	if o.Seed == 0 {
		o.Seed = uint64(time.Now().UnixNano())
	}
	if err := o.resolveServers(ctx); err != nil {
		return err
	}
	if err := o.readSecret(getenv); err != nil {
		return err
	}
	return o.validate()
}

// applyProfile takes from a profile whatever no flag said.
func (o *options) applyProfile(p Profile, said func(flag string) bool) {
	was := o.Profile
	o.Profile = p
	overrideIf(said("anchors"), &o.Anchors, was.Anchors)
	overrideIf(said("viewers"), &o.Viewers, was.Viewers)
	overrideIf(said("views"), &o.Views, was.Views)
	overrideIf(said("duration"), &o.Duration, was.Duration)
	overrideIf(said("updates-per-second"), &o.Updates, was.Updates)
	overrideIf(said("likes-per-second"), &o.Likes, was.Likes)
	overrideIf(said("watch-share"), &o.WatchShare, was.WatchShare)
	overrideIf(said("slow-share"), &o.SlowShare, was.SlowShare)
	overrideIf(said("away-share"), &o.AwayShare, was.AwayShare)
	overrideIf(said("herds"), &o.Herds, was.Herds)
	overrideIf(said("anchor-life"), &o.AnchorLife, was.AnchorLife)
	overrideIf(said("crash-share"), &o.CrashShare, was.CrashShare)
	overrideIf(said("min-resumed"), &o.MinResumed, was.MinResumed)
}

func overrideIf[T any](said bool, to *T, v T) {
	if said {
		*to = v
	}
}

func (o *options) readSecret(getenv func(string) string) error {
	switch {
	case o.Secret != "" && o.SecretFile != "":
		return errors.New("--secret and --secret-file: give one of the two")
	case o.SecretFile != "":
		data, err := os.ReadFile(o.SecretFile)
		if err != nil {
			return fmt.Errorf("--secret-file: %w", err)
		}
		o.secret = []byte(strings.TrimRight(string(data), "\r\n"))
	default:
		o.secret = []byte(o.Secret)
		if o.Secret == "" {
			o.secret = []byte(getenv("ONAIR_AUTH_SECRET"))
		}
	}
	if len(o.secret) == 0 && o.Anchors > 0 {
		return errors.New("--secret: anchors need tokens, which the server's auth.secret signs; start it with one of your own")
	}
	return nil
}

// Limits of a server that a run would meet.
const (
	updatesPerAnchor = 15 // a second; 20 messages are let through
	otherFiles       = 100
)

func (o *options) validate() error {
	files := OpenFileLimit()
	// A fresh socket for each view and stream at each node, at the end, and some for the rest.
	needed := o.Anchors + o.Viewers + o.Views*len(o.nodes) + otherFiles
	if o.WatchShare > 0 {
		needed += o.Anchors * len(o.nodes)
	}
	for _, rule := range []struct {
		broken bool
		what   string
	}{
		{len(o.nodes) == 0, "--url: nobody is there to load"},
		{o.Anchors < 0 || o.Viewers < 1 || o.Views < 1, "--anchors, --viewers, --views: there must be viewers and views"},
		{o.Duration < time.Second || o.Ramp < 0 || o.SettleTimeout <= 0, "--duration, --ramp, --settle: a run takes a second at least"},
		{o.Updates < 0 || o.Likes < 0 || o.Herds < 0, "--updates-per-second, --likes-per-second, --herds: less than none"},
		{o.Updates > 0 && o.Anchors == 0, "--updates-per-second: nobody is there to update"},
		{o.Updates > updatesPerAnchor*float64(o.Anchors), fmt.Sprintf(
			"--updates-per-second: a server lets %d a second of each anchor through, not %.0f: have more anchors",
			updatesPerAnchor, o.Updates/float64(max(1, o.Anchors)))},
		{!isShare(o.WatchShare) || !isShare(o.SlowShare) || !isShare(o.AwayShare) || !isShare(o.CrashShare) || !isShare(o.MinResumed), "a share is from 0 to 1"},
		{o.Limit < 1 || o.SlowRate < slowReadsPerSecond, "--limit, --slow-rate: too little"},
		{o.StayTime <= 0 || o.AwayTime <= 0 || o.HerdWindow < 0 || o.RestTime <= 0 || o.AnchorLife < 0 || o.BeatInterval < 0, "a time is less than nothing"},
		{files > 0 && needed > files, fmt.Sprintf("this run needs %d open files, and the process may have %d: have fewer viewers", needed, files)},
	} {
		if rule.broken {
			return errors.New(rule.what)
		}
	}
	return nil
}

func isShare(x float64) bool { return x >= 0 && x <= 1 }

func itoa(n int) string { return strconv.Itoa(n) }
