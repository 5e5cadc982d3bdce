package nodetest

import (
	"testing"
	"time"
)

// Eventually waits until a condition is true, and fails the test after ProcessTimeout.
func Eventually(t *testing.T, description string, condition func() bool) {
	t.Helper()
	for late := time.Now().Add(ProcessTimeout); !condition(); {
		if time.Now().After(late) {
			t.Fatalf("%s: not true within %v", description, ProcessTimeout)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// ProcessTimeout bounds the waits of tests against real processes. Only failing tests wait
// so long.
const ProcessTimeout = 60 * time.Second

// RequireWithin fails unless got lies in [from, to].
func RequireWithin(t *testing.T, description string, got time.Duration, from, to time.Duration) {
	t.Helper()
	if got < from || got > to {
		t.Errorf("%s after %v, want %v to %v", description, got, from, to)
	}
}
