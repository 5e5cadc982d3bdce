package webhooks

import "time"

// downThreshold is how many live codes must have failed in a row, with no success
// between, until the back end counts as down. They are counted, not their tries:
// an event that its receiver chokes on holds back its own live code alone.
const downThreshold = 5

// circuitBreaker keeps tries from a back end that is down, or that has asked for a
// pause. While it is open one try at a time goes through, a probe. Its owner
// guards it.
type circuitBreaker struct {
	failedCodes  map[string]struct{} // live codes, since the last success; no more than downThreshold
	isOpen       bool
	isProbing    bool
	failedProbes int       // in a row that failed
	nextProbeAt  time.Time // no probe before
	lastReason   string    // of the last failure
}

// isDown reports whether the back end fails whatever it is sent.
func (b *circuitBreaker) isDown() bool { return len(b.failedCodes) >= downThreshold }

// canAttempt reports whether a try may begin.
func (b *circuitBreaker) canAttempt(now time.Time) bool {
	return !b.isOpen || !b.isProbing && !now.Before(b.nextProbeAt)
}

// beginAttempt takes in a try that is admitted, and says whether it is a probe.
func (b *circuitBreaker) beginAttempt() (probe bool) {
	b.isProbing = b.isOpen
	return b.isOpen
}

// recordSuccess takes in that a try was answered well. While the breaker is open
// only a probe's success counts: other tries began before.
func (b *circuitBreaker) recordSuccess(probe bool) {
	if !b.isOpen || probe {
		*b = circuitBreaker{failedCodes: b.failedCodes}
		clear(b.failedCodes)
	}
}

// recordFailure takes in that a try failed, and what the back end asks for.
func (b *circuitBreaker) recordFailure(code string, probe bool, pause time.Duration, why string, now time.Time) {
	b.lastReason = why
	if !b.isDown() {
		b.failedCodes[code] = struct{}{}
	}
	switch {
	case probe:
		b.isProbing = false
		b.failedProbes++
	case b.isOpen:
		if until := now.Add(pause); until.After(b.nextProbeAt) {
			b.nextProbeAt = until
		}
		return
	case pause == 0 && !b.isDown():
		return
	}
	b.isOpen = true
	b.nextProbeAt = now.Add(max(pause, backoff(b.failedProbes, maxProbeBackoff)))
}
