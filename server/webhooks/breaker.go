package webhooks

import "time"

// downThreshold is the number of live codes that must fail without a success between them
// until the back end counts as down. Codes are counted, not attempts: an event that the
// receiver always rejects delays only its own live code.
const downThreshold = 5

// circuitBreaker stops attempts to a back end that is down or has requested a pause. While
// it is open, it permits one probe at a time. The dispatcher's mutex guards it.
type circuitBreaker struct {
	failedCodes  map[string]struct{} // since the last success; at most downThreshold
	isOpen       bool
	isProbing    bool
	failedProbes int // since the last success
	nextProbeAt  time.Time
	lastReason   string // of the latest failure
}

// isBackEndDown reports whether the back end fails for all events.
func (b *circuitBreaker) isBackEndDown() bool { return len(b.failedCodes) >= downThreshold }

// canAttempt reports whether an attempt may begin.
func (b *circuitBreaker) canAttempt(now time.Time) bool {
	return !b.isOpen || !b.isProbing && !now.Before(b.nextProbeAt)
}

// startAttempt records the begin of an attempt, and reports whether it is a probe.
func (b *circuitBreaker) startAttempt() (isProbe bool) {
	b.isProbing = b.isOpen
	return b.isOpen
}

// recordSuccess records an attempt that the back end answered. An open breaker ignores
// other attempts than probes: they began before.
func (b *circuitBreaker) recordSuccess(isProbe bool) {
	if !b.isOpen || isProbe {
		*b = circuitBreaker{failedCodes: b.failedCodes}
		clear(b.failedCodes)
	}
}

// recordFailure records a failed attempt, and the pause that the back end requested.
func (b *circuitBreaker) recordFailure(code string, isProbe bool, pause time.Duration, reason string, now time.Time) {
	b.lastReason = reason
	if !b.isBackEndDown() {
		b.failedCodes[code] = struct{}{}
	}
	switch {
	case isProbe:
		b.isProbing = false
		b.failedProbes++
	case b.isOpen:
		if pauseEnd := now.Add(pause); pauseEnd.After(b.nextProbeAt) {
			b.nextProbeAt = pauseEnd
		}
		return
	case pause == 0 && !b.isBackEndDown():
		return
	}
	b.isOpen = true
	b.nextProbeAt = now.Add(max(pause, jitteredBackoff(b.failedProbes, maxProbeBackoff)))
}
