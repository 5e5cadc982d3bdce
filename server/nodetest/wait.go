package nodetest

import (
	"testing"
	"time"
)

// Eventually waits until something is so.
func Eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for late := time.Now().Add(ProcessTimeout); !so(); {
		if time.Now().After(late) {
			t.Fatalf("%s: it does not happen", what)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// ProcessTimeout is how long tests against real processes wait for what must come: only
// a test that fails takes so long.
const ProcessTimeout = 60 * time.Second

// RequireWithin fails unless got lies in [from, to].
func RequireWithin(t *testing.T, what string, got time.Duration, from, to time.Duration) {
	t.Helper()
	if got < from || got > to {
		t.Errorf("%s after %v, want %v to %v", what, got, from, to)
	}
}
