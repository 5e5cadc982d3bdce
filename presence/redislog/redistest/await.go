package redistest

import (
	"testing"
	"time"
)

// patience is how long anything here may take: much longer than it takes on a
// machine that does other things too.
const patience = 30 * time.Second

// await asks again until there is no error, and fails the test with the last.
func await(t testing.TB, what string, ask func() error) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-late.C:
			t.Fatalf("%s: not within %v: %v", what, patience, err)
		}
	}
}
