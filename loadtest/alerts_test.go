//go:build linux

package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMassExpiryFires: when a thousand anchors are killed, this alert fires, no other,
// and none before.
func TestMassExpiryFires(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	alerts := startAlertWatcher(t, 1, s)
	file := filepath.Join(t.TempDir(), "loadtest")
	if out, err := exec.Command("go", "build", "-o", file, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	clients := exec.Command(file, "--url", "ws://"+s.address, "--metrics", "", "--secret", testSecret, "--report", "",
		"--anchors", "1000", "--viewers", "1", "--views", "1", "--ramp", "3s", "--duration", "5m", "--max-p99", "30s")
	if err := clients.Start(); err != nil {
		t.Fatal(err)
	}
	isKilled := false
	kill := func() {
		if !isKilled {
			isKilled = true
			_ = clients.Process.Kill()
			_ = clients.Wait()
		}
	}
	t.Cleanup(kill)
	alerts.awaitCondition("a thousand streams are live", func() bool { return alerts.query(`sum(onair_streams{state="live"})`) == 1000 })
	<-time.After(3 * time.Second) // for some scrapes
	if fired := alerts.haveFired(); fired != nil {
		t.Errorf("in normal operation %v fired", fired)
	}
	kill()
	alerts.awaitCondition("the alert fires", func() bool { return alerts.areFiring() != nil })
	for _, fired := range alerts.haveFired() {
		if !strings.Contains(fired, "alertname:OnairMassExpiry ") || !strings.Contains(fired, "severity:page") {
			t.Errorf("%s fired", fired)
		}
	}
	alerts.awaitCondition("all streams have left", func() bool { return alerts.query("max(job:onair_expired:increase5m)") > 900 })
}

// TestDivideDurations: all durations of rules are found, and none in texts.
func TestDivideDurations(t *testing.T) {
	got := divideDurations("for: 5m\nexpr: rate(x[10m]) > 5 and y[6h] offset 1h\ntext: in 5m or [a]", 20)
	if want := "for: 15s\nexpr: rate(x[30s]) > 5 and y[1080s] offset 180s\ntext: in 5m or [a]"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
