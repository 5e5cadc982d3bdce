package main

import (
	"testing"
	"time"
)

// TestScrapesThroughRestarts: what a server counted before it was restarted
// stays counted.
func TestScrapesThroughRestarts(t *testing.T) {
	var newest, process Sample
	for i, step := range []struct {
		cpu     time.Duration
		slow    int
		started float64
		want    Sample
	}{
		{5, 1, 100, Sample{CPU: 5, SlowViewers: 1}},
		{7, 1, 100, Sample{CPU: 7, SlowViewers: 1}},
		{1, 0, 200, Sample{CPU: 8, SlowViewers: 1, Restarts: 1}},
		{9, 4, 200, Sample{CPU: 16, SlowViewers: 5, Restarts: 1}},
		{20, 2, 300, Sample{CPU: 36, SlowViewers: 7, Restarts: 2}}, // more than the one before had
	} {
		got := Sample{IsKnown: true, CPU: step.cpu, SlowViewers: step.slow, Memory: 10 - i, started: step.started}
		newest, process = got.continueFrom(newest, process), got
		want := step.want
		want.IsKnown, want.Memory, want.PeakMemory, want.started = true, 10-i, 10, step.started
		if newest != want {
			t.Errorf("step %d: %+v, want %+v", i, newest, want)
		}
	}
}

func TestTogether(t *testing.T) {
	a, b := Sample{IsKnown: true, CPU: 1, Memory: 2, Connections: 3}, Sample{IsKnown: true, CPU: 10, Memory: 20, Restarts: 1}
	if got, want := SumSamples([]Sample{a, b}), (Sample{IsKnown: true, CPU: 11, Memory: 22, Connections: 3, Restarts: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if SumSamples([]Sample{a, {}}).IsKnown || SumSamples(nil).IsKnown {
		t.Error("what one server does not tell is known")
	}
}
