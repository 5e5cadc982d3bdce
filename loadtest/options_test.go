package main

import (
	"bytes"
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"onair/loadtest/profile"
)

// callCommand runs the command with an empty environment.
func callCommand(t testing.TB, args ...string) (exitCode int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	exitCode = runCommand(t.Context(), args, func(string) string { return "" }, &stdout, &stderr)
	return exitCode, stdout.String(), stderr.String()
}

func TestOnlyLoopbackIsLoaded(t *testing.T) {
	for text, want := range map[string]bool{
		"127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true,
		"0.0.0.0:1": false, "10.0.0.1:1": false, "192.0.2.1:1": false, "[2001:db8::1]:1": false, "[::]:1": false,
	} {
		addr := netip.MustParseAddrPort(text)
		if got := checkLoopback(addr, false) == nil; got != want {
			t.Errorf("%s is allowed: %t, want %t", text, got, want)
		}
		if checkLoopback(addr, true) != nil {
			t.Errorf("%s is refused although remote hosts are allowed", text)
		}
	}
}

func TestInvalidOptionsAreRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "none")
	for _, test := range []struct{ args, want string }{
		{"--url ws://192.0.2.1:80", "not loopback"},
		{"--url ws://127.0.0.1:1 --metrics http://192.0.2.1:80/metrics", "not loopback"},
		{"--url wss://127.0.0.1:1", "begin with ws://"},
		{"--url 127.0.0.1:1", "--url"},
		{"--url ws://127.0.0.1:1,ws://192.0.2.1:80", "not loopback"},
		{"--url ws://127.0.0.1:1,ws://127.0.0.1:2,ws://127.0.0.1:3 --metrics http://127.0.0.1:4,http://127.0.0.1:5", "--metrics: there are 2"},
		{"--min-resumed 1.1", "share"},
		{"--profile no", "--profile"},
		{"--viewers 0", "there must be viewers"},
		{"--viewers 1000000000", "open files"},
		{"--slow-share 2", "share"},
		{"--updates-per-second 1000 --anchors 2", "give more --anchors"},
		{"--updates-per-second 1 --anchors 0", "there is no anchor"},
		{"--duration 1ms", "--duration"},
		{"--secret-file " + file, "--secret-file"},
		{"--secret-file " + file + " --secret x", "one of the two"},
		{"--no-such-flag", "flag"},
	} {
		args := strings.Fields(test.args)
		if !strings.Contains(test.args, "--secret") {
			args = append(args, "--secret", "x")
		}
		code, _, errs := callCommand(t, args...)
		if code != exitUsage || !strings.Contains(errs, test.want) {
			t.Errorf("%s: exit %d, %q, want %d and %q", test.args, code, errs, exitUsage, test.want)
		}
	}
	if code, _, errs := callCommand(t); code != exitUsage || !strings.Contains(errs, "--secret") {
		t.Errorf("without a secret: exit %d, %q", code, errs)
	}
}

func TestHelpListsProfiles(t *testing.T) {
	code, out, _ := callCommand(t, "--help")
	for name := range profile.All {
		if !strings.Contains(out, "  "+name+" ") {
			t.Errorf("profile %s is not in the help", name)
		}
	}
	if code != 0 || !strings.Contains(out, "--viewer.anonymous true") {
		t.Errorf("exit %d, %s", code, out)
	}
}

// TestFlagsOverrideProfiles: each profile is valid, and flags override it.
func TestFlagsOverrideProfiles(t *testing.T) {
	for name, p := range profile.All {
		o := parseOptions(t, "--profile", name, "--viewers", "10") // few enough for any limit of open files
		if o.Anchors != p.Anchors || o.Duration != p.Duration || o.CrashShare != p.CrashShare {
			t.Errorf("%s: got %+v", name, o.Profile)
		}
	}
	o := parseOptions(t, "--profile", "rolling", "--viewers", "7", "--anchors", "2", "--updates-per-second", "1",
		"--anchor-life", "5s", "--crash-share", "0.5", "--min-resumed", "0")
	want := profile.All["rolling"]
	want.Viewers, want.Anchors, want.Updates, want.AnchorLife, want.CrashShare, want.MinResumed = 7, 2, 1, 5*time.Second, 0.5, 0
	if o.Profile != want {
		t.Errorf("got %+v, want %+v", o.Profile, want)
	}
}

// TestMetricsOfSeveralServers: each has metrics, or one, or none.
func TestMetricsOfSeveralServers(t *testing.T) {
	for args, want := range map[string]int{
		"": 1, "--metrics=": 0, "--metrics=http://127.0.0.1:1": 1, "--metrics=http://127.0.0.1:1/metrics,http://127.0.0.1:2/metrics": 2,
	} {
		o := parseOptions(t, append(strings.Fields(args), "--url", "ws://127.0.0.1:1,ws://127.0.0.2:2")...)
		if len(o.nodes) != 2 || o.nodes[1].host != "127.0.0.2:2" || o.nodes[1].address.Port() != 2 || len(o.metrics) != want {
			t.Errorf("%q: nodes %+v, metrics %+v", args, o.nodes, o.metrics)
		}
	}
}

// parseOptions parses and completes options.
func parseOptions(t *testing.T, args ...string) *options {
	t.Helper()
	o := &options{}
	cmd := &cobra.Command{}
	o.registerFlags(cmd)
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.SecretFile = file
	if err := o.completeAndValidateOptions(context.Background(), cmd, func(string) string { return "" }); err != nil {
		t.Fatal(err)
	}
	if string(o.secret) != "x" {
		t.Errorf("the secret is %q", o.secret)
	}
	return o
}
