package main

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// command is what a diff tells of a command that an anchor gave: when it was to be
// sent, and where.
type command struct {
	dueAt   time.Duration // of the run
	node    int
	isStart bool // of a stream, and not an update
}

// latencyHistograms are of the measured phase, and of this second.
type latencyHistograms struct {
	measured, lastSecond *hdrhistogram.Histogram // latencies in microseconds
	lag                  *hdrhistogram.Histogram // of the loop

	all                     nodeHistograms // all that is measured
	quietStarts, busyStarts nodeHistograms // starts
}

func newLatencyHistograms() latencyHistograms {
	return latencyHistograms{newHistogram(), newHistogram(), newHistogram(), newNodeHistograms(), newNodeHistograms(), newNodeHistograms()}
}

// reset begins the measured phase.
func (c *latencyHistograms) reset() {
	c.measured.Reset()
	c.lag.Reset()
	for _, s := range []nodeHistograms{c.all, c.quietStarts, c.busyStarts} {
		s.same.Reset()
		s.other.Reset()
	}
}

// nodeHistograms is latencies by where the anchor was: at its viewer's node, or at
// another.
type nodeHistograms struct{ same, other *hdrhistogram.Histogram }

func newNodeHistograms() nodeHistograms { return nodeHistograms{newHistogram(), newHistogram()} }

func (s nodeHistograms) histogram(same bool) *hdrhistogram.Histogram {
	if same {
		return s.same
	}
	return s.other
}

// newHistogram holds from a microsecond to ten minutes, to three digits.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, 600_000_000, 3) }

func recordDuration(h *hdrhistogram.Histogram, d time.Duration, n int64) {
	// Out of range is an error, and so is told as the range's end.
	_ = h.RecordValues(min(max(1, d.Microseconds()), h.HighestTrackableValue()), n)
}

// quietThreshold is how long a view must have been still before a start for the
// server to owe its diff at once: as long as a busy server's ticks may be.
const quietThreshold = time.Second

// recordLatency records that a viewer, whose view had changed before that at a time,
// has now seen what an anchor did.
func (c *viewerLoop) recordLatency(v *viewer, m command, before time.Duration) {
	if c.isSettling {
		return
	}
	d, same := c.now-m.dueAt, m.node == v.node
	recordDuration(c.latencies.measured, d, 1)
	recordDuration(c.latencies.lastSecond, d, 1)
	recordDuration(c.latencies.all.histogram(same), d, 1)
	switch {
	case !m.isStart:
	case before <= m.dueAt-quietThreshold:
		recordDuration(c.latencies.quietStarts.histogram(same), d, 1)
	default:
		recordDuration(c.latencies.busyStarts.histogram(same), d, 1)
	}
}

func microseconds(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

func NewLatencies(h *hdrhistogram.Histogram) Latencies {
	at := func(p float64) float64 { return Milliseconds(microseconds(h.ValueAtQuantile(p))) }
	return Latencies{h.TotalCount(), at(50), at(90), at(99), at(99.9), Milliseconds(microseconds(h.Max())), newPercentiles(h)}
}
