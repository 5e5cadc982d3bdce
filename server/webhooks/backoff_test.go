package webhooks

import (
	"testing"
	"time"
)

// TestJitter: a wait is anywhere between nothing and the most there may be.
func TestJitter(t *testing.T) {
	for n, most := range map[int]time.Duration{
		0: time.Second, 1: 2 * time.Second, 7: 128 * time.Second, 8: 256 * time.Second, 9: maxBackoff, 19: maxBackoff, 64: maxBackoff, 1 << 30: maxBackoff,
	} {
		var sum, least, longest time.Duration = 0, most, 0
		const draws = 10_000
		for range draws {
			wait := backoff(n, maxBackoff)
			sum, least, longest = sum+wait, min(least, wait), max(longest, wait)
		}
		if least < 0 || longest > most {
			t.Fatalf("after %d: %v to %v, want 0 to %v", n, least, longest, most)
		}
		// Ten standard deviations of the mean are 2.9 %.
		if mean := sum / draws; mean < most*47/100 || mean > most*53/100 || least > most/100 || longest < most*99/100 {
			t.Errorf("after %d: %v to %v, %v in the mean, of at most %v", n, least, longest, mean, most)
		}
	}
}
