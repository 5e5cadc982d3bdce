package main

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// mark is what a diff tells of a command that an anchor gave: when it was to be
// sent, and where.
type mark struct {
	at    time.Duration // of the run
	node  int
	start bool // of a stream, and not an update
}

// counts are of the measured phase, and of this second.
type counts struct {
	measured, second *hdrhistogram.Histogram // latencies in microseconds
	lag              *hdrhistogram.Histogram // of the loop

	commands    split // all that is measured
	quiet, busy split // starts
}

func newCounts() counts {
	return counts{newHistogram(), newHistogram(), newHistogram(), newSplit(), newSplit(), newSplit()}
}

// reset begins the measured phase.
func (c *counts) reset() {
	c.measured.Reset()
	c.lag.Reset()
	for _, s := range []split{c.commands, c.quiet, c.busy} {
		s.same.Reset()
		s.other.Reset()
	}
}

// split is latencies by where the anchor was: at its viewer's node, or at
// another.
type split struct{ same, other *hdrhistogram.Histogram }

func newSplit() split { return split{newHistogram(), newHistogram()} }

func (s split) of(same bool) *hdrhistogram.Histogram {
	if same {
		return s.same
	}
	return s.other
}

// newHistogram holds from a microsecond to ten minutes, to three digits.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, 600_000_000, 3) }

func record(h *hdrhistogram.Histogram, d time.Duration, n int64) {
	// Out of range is an error, and so is told as the range's end.
	_ = h.RecordValues(min(max(1, d.Microseconds()), h.HighestTrackableValue()), n)
}

// quietFor is how long a view must have been still before a start for the
// server to owe its diff at once: as long as a busy server's ticks may be.
const quietFor = time.Second

// latency records that a viewer, whose view had changed before that at a time,
// has now seen what an anchor did.
func (c *crowd) latency(v *viewer, m mark, before time.Duration) {
	if c.calm {
		return
	}
	d, same := c.now-m.at, m.node == v.node
	record(c.counts.measured, d, 1)
	record(c.counts.second, d, 1)
	record(c.counts.commands.of(same), d, 1)
	switch {
	case !m.start:
	case before <= m.at-quietFor:
		record(c.counts.quiet.of(same), d, 1)
	default:
		record(c.counts.busy.of(same), d, 1)
	}
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

func latenciesOf(h *hdrhistogram.Histogram) latencies {
	at := func(p float64) float64 { return ms(micros(h.ValueAtQuantile(p))) }
	return latencies{h.TotalCount(), at(50), at(90), at(99), at(99.9), ms(micros(h.Max())), ladderOf(h)}
}
