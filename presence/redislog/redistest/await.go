package redistest

import (
	"testing"
	"time"
)

// timeout bounds every wait. It is long enough for a busy machine.
const timeout = 30 * time.Second

// await retries check until it returns nil. After the timeout it fails the test with
// the last error.
func await(t testing.TB, condition string, check func() error) {
	t.Helper()
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-retry.C:
		case <-deadline.C:
			t.Fatalf("%s: not within %v: %v", condition, timeout, err)
		}
	}
}
