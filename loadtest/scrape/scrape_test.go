package scrape

import (
	"testing"
	"time"
)

// TestCountersContinueAfterRestarts: a restart of a server does not reset its
// counters.
func TestCountersContinueAfterRestarts(t *testing.T) {
	var latest, lastOfProcess Sample
	for i, step := range []struct {
		cpu       time.Duration
		slow      int
		startTime float64
		want      Sample
	}{
		{5, 1, 100, Sample{CPU: 5, SlowViewers: 1}},
		{7, 1, 100, Sample{CPU: 7, SlowViewers: 1}},
		{1, 0, 200, Sample{CPU: 8, SlowViewers: 1, Restarts: 1}},
		{9, 4, 200, Sample{CPU: 16, SlowViewers: 5, Restarts: 1}},
		{20, 2, 300, Sample{CPU: 36, SlowViewers: 7, Restarts: 2}}, // more than the process before it
	} {
		raw := Sample{IsKnown: true, CPU: step.cpu, SlowViewers: step.slow, Memory: 10 - i, startTime: step.startTime}
		latest, lastOfProcess = raw.continueCounters(latest, lastOfProcess), raw
		want := step.want
		want.IsKnown, want.Memory, want.PeakMemory, want.startTime = true, 10-i, 10, step.startTime
		if latest != want {
			t.Errorf("step %d: %+v, want %+v", i, latest, want)
		}
	}
}

func TestSumIsKnownWhenAllAre(t *testing.T) {
	a, b := Sample{IsKnown: true, CPU: 1, Memory: 2, Connections: 3}, Sample{IsKnown: true, CPU: 10, Memory: 20, Restarts: 1}
	if got, want := Sum([]Sample{a, b}), (Sample{IsKnown: true, CPU: 11, Memory: 22, Connections: 3, Restarts: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if Sum([]Sample{a, {}}).IsKnown || Sum(nil).IsKnown {
		t.Error("a sum is known although a server is not")
	}
}
