//go:build linux

package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMassExpiryFires: a thousand anchors are killed, and who is on call hears of
// it, of nothing else, and of nothing before.
func TestMassExpiryFires(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	w := watchOver(t, 1, s)
	file := filepath.Join(t.TempDir(), "loadtest")
	if out, err := exec.Command("go", "build", "-o", file, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	crowd := exec.Command(file, "--url", "ws://"+s.address, "--metrics", "", "--secret", testSecret, "--report", "",
		"--anchors", "1000", "--viewers", "1", "--views", "1", "--ramp", "3s", "--duration", "5m", "--max-p99", "30s")
	if err := crowd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	kill := func() {
		if !killed {
			killed = true
			_ = crowd.Process.Kill()
			_ = crowd.Wait()
		}
	}
	t.Cleanup(kill)
	w.await("a thousand are live", func() bool { return w.value(`sum(onair_streams{state="live"})`) == 1000 })
	<-time.After(3 * time.Second) // some scrapes of it as it is
	if f := w.firing("ever"); f != nil {
		t.Errorf("in normal work %v fired", f)
	}
	kill()
	w.await("the alert fires", func() bool { return w.firing("now") != nil })
	for _, f := range w.firing("ever") {
		if !strings.Contains(f, "alertname:OnairMassExpiry ") || !strings.Contains(f, "severity:page") {
			t.Errorf("%s fired", f)
		}
	}
	w.await("all are seen to leave", func() bool { return w.value("max(job:onair_expired:increase5m)") > 900 })
}

// TestAlertsAreHurried: what hurries the rules of tests finds all their times.
func TestAlertsAreHurried(t *testing.T) {
	got := hurried("for: 5m\nexpr: rate(x[10m]) > 5 and y[6h]\ntext: in 5m or [a]", 20)
	if want := "for: 15s\nexpr: rate(x[30s]) > 5 and y[1080s]\ntext: in 5m or [a]"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
