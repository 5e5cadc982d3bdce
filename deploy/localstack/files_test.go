package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"onair/deploy/program"
)

// TestHAProxyConfigIsValid: HAProxy accepts the file without an environment. Its only
// warnings are that it cannot resolve the nodes' names.
func TestHAProxyConfigIsValid(t *testing.T) {
	t.Parallel()
	haproxy, err := program.Locate("haproxy")
	if err != nil {
		t.Fatalf("%v: make test installs it", err)
	}
	out, err := exec.Command(haproxy, "-c", "-n", "4000", "-f", "../haproxy.cfg").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "[WARNING]") && !strings.Contains(line, "could not resolve address") {
			t.Error(line)
		}
	}
}

// TestSystemdUnit: systemd accepts the unit without a warning, and rates its exposure as
// low.
func TestSystemdUnit(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Fatalf("%v: make test installs it", err)
	}
	text, err := os.ReadFile("../systemd/onair.service")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "\nExecStartPre=") {
		t.Error("RestartPreventExitStatus does not cover ExecStartPre: an invalid configuration would restart forever")
	}
	unit := filepath.Join(t.TempDir(), "onair.service")
	adapted := strings.ReplaceAll(string(text), "/usr/local/bin/onair", filepath.Join(binaries, "server"))
	if err := os.WriteFile(unit, []byte(adapted), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", "--man=no", unit).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("verify: %v\n%s", err, out)
	}
	// The threshold is an exposure of 1.5 on a scale to 10.
	if out, err := exec.Command(analyze, "security", "--offline=true", "--threshold=15", unit).CombinedOutput(); err != nil {
		t.Errorf("security: %v\n%s", err, out)
	}
}
