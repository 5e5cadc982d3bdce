package main

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// command is what a diff shows of an anchor's start or update.
type command struct {
	dueAt   time.Duration // when it was to be sent, of the run
	node    int           // where to
	isStart bool
}

// latencyHistograms are in microseconds. All but lastSecond cover the measured phase.
type latencyHistograms struct {
	measured, lastSecond *hdrhistogram.Histogram

	all                     nodeHistograms
	quietStarts, busyStarts nodeHistograms // by whether the view was quiet before
}

func newLatencyHistograms() latencyHistograms {
	return latencyHistograms{newMicrosecondHistogram(), newMicrosecondHistogram(), newNodeHistograms(), newNodeHistograms(), newNodeHistograms()}
}

// resetMeasured begins the measured phase.
func (h *latencyHistograms) resetMeasured() {
	h.measured.Reset()
	for _, n := range []nodeHistograms{h.all, h.quietStarts, h.busyStarts} {
		n.same.Reset()
		n.other.Reset()
	}
}

// nodeHistograms are latencies by the anchor's node: the viewer's, or another.
type nodeHistograms struct{ same, other *hdrhistogram.Histogram }

func newNodeHistograms() nodeHistograms {
	return nodeHistograms{newMicrosecondHistogram(), newMicrosecondHistogram()}
}

// recordByNode records d in one of the two.
func (h nodeHistograms) recordByNode(isSameNode bool, d time.Duration) {
	if isSameNode {
		recordDuration(h.same, d, 1)
	} else {
		recordDuration(h.other, d, 1)
	}
}

// newMicrosecondHistogram has three digits, from a microsecond to ten minutes.
func newMicrosecondHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, 600_000_000, 3) }

// recordDuration records d count times. What is out of range counts as the range's end.
func recordDuration(h *hdrhistogram.Histogram, d time.Duration, count int64) {
	_ = h.RecordValues(min(max(1, d.Microseconds()), h.HighestTrackableValue()), count)
}

// quietThreshold is how long a view must be quiet before a start for the server to
// send its diff at once: as long as the ticks of a busy server may be.
const quietThreshold = time.Second

// recordLatency records that a viewer has received an anchor's command. Its list had
// last changed at quietSince.
func (l *viewerLoop) recordLatency(v *viewer, c command, quietSince time.Duration) {
	if l.isSettling {
		return
	}
	d, isSameNode := l.now-c.dueAt, c.node == v.node
	recordDuration(l.latencies.measured, d, 1)
	recordDuration(l.latencies.lastSecond, d, 1)
	l.latencies.all.recordByNode(isSameNode, d)
	switch {
	case !c.isStart:
	case quietSince <= c.dueAt-quietThreshold:
		l.latencies.quietStarts.recordByNode(isSameNode, d)
	default:
		l.latencies.busyStarts.recordByNode(isSameNode, d)
	}
}

// lagMeter measures how long ready sockets may have waited for the viewer loop: since
// the loop last found no other socket ready.
type lagMeter struct {
	since    time.Duration
	lastPoll time.Duration
	wasFull  bool // the last poll left ready sockets behind
}

// recordPoll notes a poll that returned sockets. With wasIdle none was ready just
// before; with isFull more may be ready.
func (m *lagMeter) recordPoll(now time.Duration, wasIdle, isFull bool) {
	switch {
	case wasIdle:
		m.since = now
	case !m.wasFull:
		m.since = m.lastPoll
	}
	m.lastPoll, m.wasFull = now, isFull
}

func (m *lagMeter) lag(now time.Duration) time.Duration { return now - m.since }
