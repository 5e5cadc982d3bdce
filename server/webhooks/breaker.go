package webhooks

import "time"

// downAfter is how many live codes must have failed in a row, with no success
// between, until the back end counts as down. They are counted, not their tries:
// an event that its receiver chokes on holds back its own live code alone.
const downAfter = 5

// breaker keeps tries from a back end that is down, or that has asked for a
// pause. While it is open one try at a time goes through, a probe. Its owner
// guards it.
type breaker struct {
	failing map[string]struct{} // live codes, since the last success; no more than downAfter
	open    bool
	probing bool
	probes  int       // in a row that failed
	until   time.Time // no probe before
	why     string    // of the last failure
}

// down reports whether the back end fails whatever it is sent.
func (b *breaker) down() bool { return len(b.failing) >= downAfter }

// admits reports whether a try may begin.
func (b *breaker) admits(now time.Time) bool {
	return !b.open || !b.probing && !now.Before(b.until)
}

// enter takes in a try that is admitted, and says whether it is a probe.
func (b *breaker) enter() (probe bool) {
	b.probing = b.open
	return b.open
}

// succeeded takes in that a try was answered well. While the breaker is open
// only a probe's success counts: other tries began before.
func (b *breaker) succeeded(probe bool) {
	if !b.open || probe {
		*b = breaker{failing: b.failing}
		clear(b.failing)
	}
}

// failed takes in that a try failed, and what the back end asks for.
func (b *breaker) failed(code string, probe bool, pause time.Duration, why string, now time.Time) {
	b.why = why
	if !b.down() {
		b.failing[code] = struct{}{}
	}
	switch {
	case probe:
		b.probing = false
		b.probes++
	case b.open:
		if until := now.Add(pause); until.After(b.until) {
			b.until = until
		}
		return
	case pause == 0 && !b.down():
		return
	}
	b.open = true
	b.until = now.Add(max(pause, backoff(b.probes, backoffProbe)))
}
