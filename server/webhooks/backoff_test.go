package webhooks

import (
	"testing"
	"time"
)

// TestBackoffJitter: delays are uniform from 0 to the maximum.
func TestBackoffJitter(t *testing.T) {
	for n, maximum := range map[int]time.Duration{
		0: time.Second, 1: 2 * time.Second, 7: 128 * time.Second, 8: 256 * time.Second, 9: maxBackoff, 19: maxBackoff, 64: maxBackoff, 1 << 30: maxBackoff,
	} {
		var sum, shortest, longest time.Duration = 0, maximum, 0
		const draws = 10_000
		for range draws {
			delay := jitteredBackoff(n, maxBackoff)
			sum, shortest, longest = sum+delay, min(shortest, delay), max(longest, delay)
		}
		if shortest < 0 || longest > maximum {
			t.Fatalf("after %d: %v to %v, want 0 to %v", n, shortest, longest, maximum)
		}
		// Ten standard deviations of the mean are 2.9 %.
		if mean := sum / draws; mean < maximum*47/100 || mean > maximum*53/100 || shortest > maximum/100 || longest < maximum*99/100 {
			t.Errorf("after %d: %v to %v, mean %v, maximum %v", n, shortest, longest, mean, maximum)
		}
	}
}
