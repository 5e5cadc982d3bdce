//go:build linux

package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain runs main's roles when the test's program starts itself.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleVar); role != "" {
		os.Exit(runRole(role))
	}
	os.Exit(m.Run())
}

// TestAllScenariosRun runs all scenarios with few viewers, and checks all figures
// but speed.
func TestAllScenariosRun(t *testing.T) {
	var out, errs bytes.Buffer
	if code := runScenarios([]string{"--quick"}, &out, &errs); code != 0 {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	const figures = 27
	lines := strings.Split(out.String(), "\n")
	got := 0
	for _, line := range lines {
		if name, _, ok := strings.Cut(line, ": "); ok && strings.HasPrefix(name, "| ") {
			got++
		}
		if strings.Contains(line, ": delivered of expected") && !strings.Contains(line, "| 1.000 [1.000–1.000]") {
			t.Error(line)
		}
		if strings.Contains(line, "frames of other bytes") && !strings.Contains(line, "| 0 [0–0]") {
			t.Error(line)
		}
	}
	if got != figures {
		t.Errorf("%d figures, want %d:\n%s", got, figures, &out)
	}
}

// TestReportShowsFaults checks that lost, repeated and different frames show in the
// report.
func TestReportShowsFaults(t *testing.T) {
	const viewers = 20
	s := &server{role: roleHub}
	if err := s.startWebSocketServer(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.client.stopAndWait() })
	var r report
	if err := s.startClientAndConnect(&command{ClientCore: anyCore, audience: audience{Viewers: viewers}}, &r); err != nil {
		t.Fatal(err)
	}
	if err := s.subscribeViewers(&r); err != nil {
		t.Fatal(err)
	}
	if err := s.calibrateDiffSize(&r); err != nil {
		t.Fatal(err)
	}
	good := r.Frame
	other := bytes.Clone(good)
	other[len(other)/2]++
	for _, test := range []struct {
		name                        string
		send                        func()
		delivered, extra, different int
	}{
		{"none", func() { sendRawToAll(s.sockets, good) }, viewers, 0, 0},
		{"lost", func() { sendRawToAll(s.sockets[1:], good) }, viewers - 1, 0, 0},
		{"twice", func() { sendRawToAll(s.sockets[:1], good); sendRawToAll(s.sockets, good) }, viewers, 1, 0},
		{"other bytes", func() { sendRawToAll(s.sockets[1:], good); sendRawToAll(s.sockets[:1], other) }, viewers, 0, 1},
	} {
		r := report{}
		wait := &command{Duration: 200 * time.Millisecond}
		if test.delivered == viewers {
			wait.Duration = 0
		}
		if err := s.sendFrameAndCountArrivals(wait, &r, func() error { test.send(); return nil }); err != nil {
			t.Fatal(err)
		}
		if r.Expected != viewers || r.Delivered != test.delivered || r.Extra != test.extra || r.Different != test.different {
			t.Errorf("%s: delivered %d of %d, %d extra, %d different", test.name, r.Delivered, r.Expected, r.Extra, r.Different)
		}
	}
}
