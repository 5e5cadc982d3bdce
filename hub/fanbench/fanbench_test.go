//go:build linux

package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain is main where the test's program is started as a server or client.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleVar); role != "" {
		os.Exit(play(role))
	}
	os.Exit(m.Run())
}

// TestAllScenes keeps the benchmark alive. It says nothing of speed.
func TestAllScenes(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run([]string{"--quick"}, &out, &errs); code != 0 {
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

// TestFaultsAreSeen: what is not delivered, is delivered twice or is something
// else shows in the report.
func TestFaultsAreSeen(t *testing.T) {
	const viewers = 20
	s := &server{role: roleHub}
	if err := s.listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.client.stop() })
	var r report
	if err := s.open(&order{Core: anyCore, N: viewers, Spared: viewers}, &r); err != nil {
		t.Fatal(err)
	}
	if err := s.subscribe(nil, &r); err != nil {
		t.Fatal(err)
	}
	if err := s.size(&r); err != nil {
		t.Fatal(err)
	}
	good := r.Frame
	other := bytes.Clone(good)
	other[len(other)/2]++
	for _, test := range []struct {
		name                  string
		send                  func()
		delivered, extra, odd int
	}{
		{"none", func() { sendAll(s.sockets, good) }, viewers, 0, 0},
		{"lost", func() { sendAll(s.sockets[1:], good) }, viewers - 1, 0, 0},
		{"twice", func() { sendAll(s.sockets[:1], good); sendAll(s.sockets, good) }, viewers, 1, 0},
		{"other bytes", func() { sendAll(s.sockets[1:], good); sendAll(s.sockets[:1], other) }, viewers, 0, 1},
	} {
		r := report{}
		wait := &order{For: 200 * time.Millisecond}
		if test.delivered == viewers {
			wait.For = 0
		}
		if err := s.once(wait, &r, func() error { test.send(); return nil }); err != nil {
			t.Fatal(err)
		}
		if r.Expected != viewers || r.Delivered != test.delivered || r.Extra != test.extra || r.Odd != test.odd {
			t.Errorf("%s: delivered %d of %d, %d extra, %d odd", test.name, r.Delivered, r.Expected, r.Extra, r.Odd)
		}
	}
}
