package signing

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestExponentialDistance compares the integers with the logarithm.
func TestExponentialDistance(t *testing.T) {
	check := func(h uint64) (got, want float64) {
		return float64(exponentialDistance(h)) / (1 << 32), -math.Log(float64(h) / (1 << 64))
	}
	for _, h := range []uint64{1, 3, 1<<32 - 1, 1<<62 + 1, 1<<63 - 1, 1<<63 + 1, math.MaxUint64} {
		if got, want := check(h); math.Abs(got-want) > 2e-6*want+1e-9 {
			t.Errorf("%#x: got %v, want %v", h, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		h := rapid.Uint64().Draw(t, "h") | 1
		if got, want := check(h); math.Abs(got-want) > 2e-6*want+1e-9 {
			t.Fatalf("%#x: got %v, want %v", h, got, want)
		}
	})
}
