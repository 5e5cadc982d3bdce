package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"onair/deploy/program"
)

// TestBalancerFile: the file is right as it is, without an environment, and
// HAProxy has nothing to say of it but that it does not know the nodes' names.
func TestBalancerFile(t *testing.T) {
	t.Parallel()
	haproxy, err := program.Locate("haproxy")
	if err != nil {
		t.Fatalf("make test installs it: %v", err)
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

// TestUnit: systemd understands all of the unit, and leaves little open to it.
func TestUnit(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Fatalf("make test installs it: %v", err)
	}
	text, err := os.ReadFile("../systemd/onair.service")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "\nExecStartPre=") {
		t.Error("RestartPreventExitStatus is not for what comes before the server: a wrong configuration would restart for ever")
	}
	unit := filepath.Join(t.TempDir(), "onair.service")
	here := strings.ReplaceAll(string(text), "/usr/local/bin/onair", filepath.Join(built, "server"))
	if err := os.WriteFile(unit, []byte(here), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", "--man=no", unit).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("verify: %v\n%s", err, out)
	}
	// An exposure of 1.5 of 10 at the most.
	if out, err := exec.Command(analyze, "security", "--offline=true", "--threshold=15", unit).CombinedOutput(); err != nil {
		t.Errorf("security: %v\n%s", err, out)
	}
}
