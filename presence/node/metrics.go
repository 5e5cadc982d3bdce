package node

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"onair/presence"
)

// metrics are the node's metrics. No label names an anchor or a stream. The help
// of a metric that is equal on all nodes says so, because its values must not be
// added up.
type metrics struct {
	lists []string // whose labels exist from the start

	streams      *prometheus.GaugeVec
	starts       *prometheus.CounterVec
	ends         *prometheus.CounterVec
	missedBeats  *prometheus.CounterVec
	conflicts    [len(presence.ConflictCounts{})]prometheus.Counter
	strayBeats   prometheus.Counter
	expiryLag    prometheus.Histogram
	stalls       prometheus.Counter
	entries      prometheus.Counter
	nodes        prometheus.Gauge
	outboxEvents prometheus.Gauge
	deadLetters  *atomic.Int64

	beats      prometheus.Counter
	retries    prometheus.Counter
	rebuilds   *prometheus.CounterVec
	mismatches prometheus.Counter
	restores   prometheus.Counter
}

// sameOnAllNodes ends the help of metrics that all nodes count alike.
const sameOnAllNodes = " Equal on all nodes."

func newMetrics(reg prometheus.Registerer, lists []string) *metrics {
	m := &metrics{lists: lists, deadLetters: new(atomic.Int64)}
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m.streams = f.NewGaugeVec(prometheus.GaugeOpts{Name: "onair_streams", Help: "Live sessions, by list and state." + sameOnAllNodes}, []string{"list", "state"})
	m.starts = counters("onair_starts_total", "Sessions started, by list."+sameOnAllNodes, "list")
	m.ends = counters("onair_ends_total", "Sessions ended, by list and reason."+sameOnAllNodes, "list", "reason")
	m.missedBeats = counters("onair_missed_beats_total", "Streams that went away because a beat was missed, by list."+sameOnAllNodes, "list")
	conflicts := counters("onair_evidence_conflicts_total", "Contradictions between two sources about one stream, by kind."+sameOnAllNodes, "conflict")
	for c := range m.conflicts {
		m.conflicts[c] = conflicts.WithLabelValues(presence.Conflict(c).String())
	}
	m.strayBeats = counter("onair_stray_beats_total", "Heartbeats in the log whose session is not live."+sameOnAllNodes)
	m.expiryLag = f.NewHistogram(prometheus.HistogramOpts{
		Name: "onair_expiry_lag_seconds", Help: "Time from a session's deadline to its expiry, by the presence clock." + sameOnAllNodes,
		Buckets: []float64{0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30},
	})
	m.stalls = counter("onair_clock_stalls_total", "Steps of log time that were backwards or too long and did not move the presence clock."+sameOnAllNodes)
	m.entries = counter("onair_entries_total", "Log entries applied."+sameOnAllNodes)
	m.nodes = f.NewGauge(prometheus.GaugeOpts{Name: "onair_nodes", Help: "Living nodes, by the registry." + sameOnAllNodes})
	m.outboxEvents = f.NewGauge(prometheus.GaugeOpts{
		Name: "onair_outbox_events", Help: "Events in the outbox: not yet delivered to the archive, the cloud or the app's back end." + sameOnAllNodes,
	})
	f.NewCounterFunc(prometheus.CounterOpts{
		Name: "onair_dead_letters_total", Help: "Outbox events whose delivery was given up, ever; the last thousand are remembered." + sameOnAllNodes,
	}, func() float64 { return float64(m.deadLetters.Load()) })

	m.beats = counter("onair_beats_total", "Heartbeats received by this node.")
	m.retries = counter("onair_append_retries_total", "Appends that failed and were retried.")
	m.rebuilds = counters("onair_rebuilds_total", "Rebuilds of the registry from the log, by cause.", "cause")
	m.mismatches = counter("onair_digest_mismatches_total", "Digests of other nodes that differed from this node's at the same position.")
	m.restores = counter("onair_restores_total", "Commands by which this node restored what the log had lost.")
	m.initLabels()
	return m
}

// initLabels creates all label values with zero, so that a first event shows as
// an increase.
func (m *metrics) initLabels() {
	for _, cause := range []string{"forked", "trimmed", "diverged"} {
		m.rebuilds.WithLabelValues(cause)
	}
	for _, list := range m.lists {
		m.starts.WithLabelValues(list)
		m.missedBeats.WithLabelValues(list)
		for state := presence.Starting; state <= presence.Away; state++ {
			m.streams.WithLabelValues(list, state.String())
		}
		for reason := presence.Stopped; reason <= presence.StreamLost; reason++ {
			m.ends.WithLabelValues(list, reason.String())
		}
	}
}

// countApplied counts what one entry did.
func (m *metrics) countApplied(a *presence.Applied) {
	m.entries.Inc()
	m.strayBeats.Add(float64(a.StrayBeats))
	if a.Stalled {
		m.stalls.Inc()
	}
	for c, n := range a.Conflicts {
		m.conflicts[c].Add(float64(n))
	}
	for _, c := range a.Changes {
		if c.Cause == presence.BySilence {
			m.missedBeats.WithLabelValues(c.New.List).Inc()
		}
		if c.Old != nil && c.New != nil && c.Old.State == c.New.State {
			continue
		}
		if c.Old != nil {
			m.streams.WithLabelValues(c.Old.List, c.Old.State.String()).Dec()
		}
		if c.New != nil {
			m.streams.WithLabelValues(c.New.List, c.New.State.String()).Inc()
		}
		switch {
		case c.Cause == presence.ByStart:
			m.starts.WithLabelValues(c.New.List).Inc()
		case c.Ended != nil:
			m.ends.WithLabelValues(c.Ended.Stream.List, c.Ended.Reason.String()).Inc()
			if c.Ended.Reason == presence.MissedBeats || c.Ended.Reason == presence.StreamLost {
				m.expiryLag.Observe(float64(c.ExpiryLag) / 1000)
			}
		}
	}
}

// setGauges sets the gauges that depend on the registry alone.
func (m *metrics) setGauges(r *presence.Registry) {
	m.nodes.Set(float64(r.LivingNodeCount()))
	m.outboxEvents.Set(float64(r.OutboxSize()))
	m.deadLetters.Store(int64(r.TotalDeadLetters()))
}

// resetStreamGauge counts the streams of a loaded registry.
func (m *metrics) resetStreamGauge(r *presence.Registry) {
	m.streams.Reset()
	m.initLabels()
	for st := range r.Streams() {
		m.streams.WithLabelValues(st.List, st.State.String()).Inc()
	}
}
