package main

import (
	"testing"
	"time"
)

// TestScrapesThroughRestarts: what a server counted before it was restarted
// stays counted.
func TestScrapesThroughRestarts(t *testing.T) {
	var newest, process serverSample
	for i, step := range []struct {
		cpu     time.Duration
		slow    int
		started float64
		want    serverSample
	}{
		{5, 1, 100, serverSample{CPU: 5, Slow: 1}},
		{7, 1, 100, serverSample{CPU: 7, Slow: 1}},
		{1, 0, 200, serverSample{CPU: 8, Slow: 1, Restarts: 1}},
		{9, 4, 200, serverSample{CPU: 16, Slow: 5, Restarts: 1}},
		{20, 2, 300, serverSample{CPU: 36, Slow: 7, Restarts: 2}}, // more than the one before had
	} {
		got := serverSample{Known: true, CPU: step.cpu, Slow: step.slow, Memory: 10 - i, started: step.started}
		newest, process = got.goOn(newest, process), got
		want := step.want
		want.Known, want.Memory, want.Peak, want.started = true, 10-i, 10, step.started
		if newest != want {
			t.Errorf("step %d: %+v, want %+v", i, newest, want)
		}
	}
}

func TestTogether(t *testing.T) {
	a, b := serverSample{Known: true, CPU: 1, Memory: 2, Connections: 3}, serverSample{Known: true, CPU: 10, Memory: 20, Restarts: 1}
	if got, want := together([]serverSample{a, b}), (serverSample{Known: true, CPU: 11, Memory: 22, Connections: 3, Restarts: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if together([]serverSample{a, {}}).Known || together(nil).Known {
		t.Error("what one server does not tell is known")
	}
}
