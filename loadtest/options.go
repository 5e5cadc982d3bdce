package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"onair/loadtest/platform"
	"onair/loadtest/profile"
)

// options are all flags.
type options struct {
	ProfileName string
	profile.Profile
	targetOptions
	clientOptions
	thresholds

	Ramp, SettleTimeout time.Duration
	Seed                uint64
	Report              string

	// Derived from the others.
	nodes   []node
	metrics []node
	secret  []byte
}

// targetOptions are the servers, and what their clients need.
type targetOptions struct {
	URLs, MetricsURLs  []string
	Secret, SecretFile string
	ViewerToken        string
	AllowsRemote       bool
}

// clientOptions are how clients behave.
type clientOptions struct {
	Limit                int
	Play                 []string
	BeatInterval         time.Duration
	SlowRate             int
	AwayTime, StayTime   time.Duration
	HerdWindow, RestTime time.Duration
	Deflate              bool
}

// thresholds are the limits of the verdict.
type thresholds struct {
	MaxP99, MaxClientLag time.Duration
	MaxDisconnects       int
}

// registerFlags adds a flag for each option. The defaults of profiles are set later.
func (o *options) registerFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	f.StringSliceVar(&o.URLs, "url", []string{"ws://127.0.0.1:8080"}, "URLs of the servers of one list, separated by commas")
	f.StringSliceVar(&o.MetricsURLs, "metrics", []string{"http://127.0.0.1:9090/metrics"},
		"URLs of the metrics of each server, or of one; empty disables the figures of servers")
	f.StringVar(&o.Secret, "secret", "", "the server's auth.secret, which signs the anchors' tokens (default $ONAIR_AUTH_SECRET)")
	f.StringVar(&o.SecretFile, "secret-file", "", "file with the secret")
	f.StringVar(&o.ViewerToken, "viewer-token", "", "token of all viewers; empty: viewers are anonymous")
	f.BoolVar(&o.AllowsRemote, "i-own-this-host", false, "allow a server that is not on loopback")

	f.StringVar(&o.ProfileName, "profile", profile.Default, profile.JoinedNames()+"; the flags of the next group override it")
	f.IntVar(&o.Anchors, "anchors", 0, "number of anchors")
	f.IntVar(&o.Viewers, "viewers", 0, "number of viewers")
	f.IntVar(&o.Views, "views", 0, "number of different queries; anchors and viewers are spread over them")
	f.DurationVar(&o.Duration, "duration", 0, "length of the measured phase, after the ramp")
	f.Float64Var(&o.Updates, "updates-per-second", 0, "updates of all anchors together; latency is measured with them")
	f.Float64Var(&o.Likes, "likes-per-second", 0, "likes of all viewers together")
	f.Float64Var(&o.WatchShare, "watch-share", 0, "share of viewers that also watch one stream")
	f.Float64Var(&o.SlowShare, "slow-share", 0, "share of viewers that read slowly")
	f.Float64Var(&o.AwayShare, "away-share", 0, "share of viewers that disconnect now and then, and come back with their position")
	f.IntVar(&o.Herds, "herds", 0, "times that all viewers lose their connections at once")
	f.DurationVar(&o.AnchorLife, "anchor-life", 0, "average length of a broadcast; 0: the whole run")
	f.Float64Var(&o.CrashShare, "crash-share", 0, "share of broadcasts that end without a stop")
	f.Float64Var(&o.MinResumed, "min-resumed", 0, "minimum share of viewers' reconnects that are resumed with a diff; 0: not judged")

	f.DurationVar(&o.Ramp, "ramp", 0, "time in which all clients connect (default: a second for each 1,000 viewers, at least two)")
	f.DurationVar(&o.SettleTimeout, "settle", 30*time.Second, "time in which, at the end, all viewers must reach the list of a fresh snapshot")
	f.IntVar(&o.Limit, "limit", 100, "limit of each query; where more streams match, departures cannot be judged")
	f.StringSliceVar(&o.Play, "play", nil, "protocols whose signed URLs the lists carry")
	f.DurationVar(&o.BeatInterval, "beat-every", 0, "time between two beats; 0: the server's interval")
	f.IntVar(&o.SlowRate, "slow-rate", 1024, "bytes a second that a slow viewer reads")
	f.DurationVar(&o.StayTime, "stay-for", 10*time.Second, "average time between two disconnects of a viewer of --away-share")
	f.DurationVar(&o.AwayTime, "away-for", 3*time.Second, "average time that it is away")
	f.DurationVar(&o.HerdWindow, "herd-in", 2*time.Second, "time in which a herd reconnects")
	f.DurationVar(&o.RestTime, "rest-for", 2*time.Second, "average time between two broadcasts of an anchor")
	f.BoolVar(&o.Deflate, "deflate", false, "compress messages")
	f.Uint64Var(&o.Seed, "seed", 0, "seed of all random choices; 0: another seed each time")

	f.DurationVar(&o.MaxP99, "max-p99", time.Second, "maximum of the 99th percentile of latency, from the time that an update is due to its viewer")
	f.IntVar(&o.MaxDisconnects, "max-disconnects", 0, "maximum of unexpected disconnects")
	f.DurationVar(&o.MaxClientLag, "max-client-lag", 100*time.Millisecond,
		"99th percentile of the time that messages wait for this program, above which it counts as overloaded")
	f.StringVar(&o.Report, "report", "loadtest", "base name of the report files, .html and .json; empty: none")
}

// completeAndValidateOptions applies the profile and defaults, and resolves addresses. It returns an
// error when an option is invalid.
func (o *options) completeAndValidateOptions(ctx context.Context, cmd *cobra.Command, getenv func(string) string) error {
	if err := o.applyProfile(cmd.Flags()); err != nil {
		return fmt.Errorf("--profile: %w", err)
	}
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
	return o.validateOptions()
}

// applyProfile sets the members of the profile, and then once more the flags that were
// given.
func (o *options) applyProfile(flags *pflag.FlagSet) error {
	p, ok := profile.All[o.ProfileName]
	if !ok {
		return fmt.Errorf("unknown profile %q: must be one of %s", o.ProfileName, profile.JoinedNames())
	}
	given := map[string]string{}
	flags.Visit(func(f *pflag.Flag) {
		if f.Value.Type() != "stringSlice" { // setting one again would append; no profile has one
			given[f.Name] = f.Value.String()
		}
	})
	o.Profile = p
	for name, value := range given {
		if err := flags.Set(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (o *options) readSecret(getenv func(string) string) error {
	switch {
	case o.Secret != "" && o.SecretFile != "":
		return errors.New("--secret and --secret-file: give only one of the two")
	case o.SecretFile != "":
		data, err := os.ReadFile(o.SecretFile)
		if err != nil {
			return fmt.Errorf("--secret-file: %w", err)
		}
		o.secret = data
	case o.Secret != "":
		o.secret = []byte(o.Secret)
	default:
		o.secret = []byte(getenv("ONAIR_AUTH_SECRET"))
	}
	o.secret = bytes.Trim(o.secret, "\ufeff \t\r\n") // as the server does
	if len(o.secret) == 0 && o.Anchors > 0 {
		return errors.New("--secret: missing: must be the server's auth.secret, which signs the anchors' tokens")
	}
	return nil
}

const (
	updatesPerAnchor = 15  // a second; the server admits 20 messages
	otherFiles       = 100 // that the process has open
)

func (o *options) validateOptions() error {
	fileLimit := platform.OpenFileLimit()
	// At the end each view and each watched stream has a fresh socket at each node.
	neededFiles := o.Anchors + o.Viewers + o.Views*len(o.nodes) + otherFiles
	if o.WatchShare > 0 {
		neededFiles += o.Anchors * len(o.nodes)
	}
	for _, rule := range []struct {
		isBroken bool
		message  string
	}{
		{len(o.nodes) == 0, "--url: there is no server"},
		{o.Anchors < 0 || o.Viewers < 1 || o.Views < 1, "--anchors, --viewers, --views: there must be viewers and views"},
		{o.Duration < time.Second || o.Ramp < 0 || o.SettleTimeout <= 0, "--duration, --ramp, --settle: must be positive, --duration at least 1s"},
		{o.Updates < 0 || o.Likes < 0 || o.Herds < 0, "--updates-per-second, --likes-per-second, --herds: must not be negative"},
		{o.Updates > 0 && o.Anchors == 0, "--updates-per-second: there is no anchor"},
		{o.Updates > updatesPerAnchor*float64(o.Anchors), fmt.Sprintf(
			"--updates-per-second: %.0f for each anchor: the server admits %d: give more --anchors", o.Updates/float64(max(1, o.Anchors)), updatesPerAnchor)},
		{!isShare(o.WatchShare) || !isShare(o.SlowShare) || !isShare(o.AwayShare) || !isShare(o.CrashShare) || !isShare(o.MinResumed), "a share must be from 0 to 1"},
		{o.Limit < 1 || o.SlowRate < slowReadsPerSecond, fmt.Sprintf("--limit, --slow-rate: must be at least 1 and %d", slowReadsPerSecond)},
		{o.StayTime <= 0 || o.AwayTime <= 0 || o.HerdWindow < 0 || o.RestTime <= 0 || o.AnchorLife < 0 || o.BeatInterval < 0, "a time must not be negative"},
		{fileLimit > 0 && neededFiles > fileLimit, fmt.Sprintf("this run needs %d open files, and the process may have %d: give fewer --viewers", neededFiles, fileLimit)},
	} {
		if rule.isBroken {
			return errors.New(rule.message)
		}
	}
	return nil
}

func isShare(x float64) bool { return x >= 0 && x <= 1 }
