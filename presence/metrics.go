package presence

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are what a node counts. No label names an anchor or a stream.
type metrics struct {
	streams *prometheus.GaugeVec
	beats   prometheus.Counter
	strays  prometheus.Counter
	missed  prometheus.Counter
	starts  prometheus.Counter
	ends    *prometheus.CounterVec
	lag     prometheus.Histogram
	stalls  prometheus.Counter
	retries prometheus.Counter
	entries prometheus.Counter

	rebuilds   *prometheus.CounterVec
	mismatches prometheus.Counter
	mended     prometheus.Counter
	nodes      prometheus.Gauge
	keeper     prometheus.Gauge
	effects    prometheus.Gauge
	dead       prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		streams: f.NewGaugeVec(prometheus.GaugeOpts{Name: "onair_streams", Help: "Live sessions, by state."}, []string{"state"}),
		beats:   counter("onair_beats_total", "Heartbeats heard by this node."),
		strays:  counter("onair_stray_beats_total", "Heartbeats in the log that named a session which is no longer live."),
		missed:  counter("onair_missed_beats_total", "First beats that were missed, each by one stream: it went away, and its anchor was probed."),
		starts:  counter("onair_starts_total", "Sessions begun."),
		ends: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onair_ends_total", Help: "Sessions ended, by reason.",
		}, []string{"reason"}),
		lag: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_expiry_lag_seconds", Help: "How long after its deadline, by the presence clock, a silence ended a session.",
			Buckets: []float64{0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30},
		}),
		stalls:  counter("onair_clock_stalls_total", "Steps of log time that were backwards or too long and counted for nothing."),
		retries: counter("onair_append_retries_total", "Appends that failed and were tried again."),
		entries: counter("onair_entries_total", "Entries of the log applied."),
	}
	m.rebuilds = f.NewCounterVec(prometheus.CounterOpts{
		Name: "onair_rebuilds_total", Help: "Times that the registry was built from the log anew, by cause.",
	}, []string{"cause"})
	m.mismatches = counter("onair_digest_mismatches_total", "Digests of other nodes that differed from this one's of the same position.")
	m.mended = counter("onair_mended_total", "Commands by which this node put back what the log had lost.")
	m.nodes = f.NewGauge(prometheus.GaugeOpts{Name: "onair_nodes", Help: "Nodes that live, as the log has it."})
	m.keeper = f.NewGauge(prometheus.GaugeOpts{Name: "onair_keeper", Help: "1 where this node is the keeper, which does what one node does for all."})
	m.effects = f.NewGauge(prometheus.GaugeOpts{Name: "onair_effects_waiting", Help: "What has happened and of which the archive, the cloud or the app's back end are still to be told."})
	m.dead = f.NewGauge(prometheus.GaugeOpts{Name: "onair_dead_letters", Help: "What was given up, ever; the last thousand are remembered. All nodes count the same."})
	for _, cause := range []string{"forked", "trimmed", "diverged"} {
		m.rebuilds.WithLabelValues(cause)
	}
	for _, state := range stateNames { // there from the start, or the first end is no rise
		m.streams.WithLabelValues(state)
	}
	for _, reason := range endNames[1:] {
		m.ends.WithLabelValues(reason)
	}
	return m
}

// applied counts what one entry did.
func (m *metrics) applied(a *Applied) {
	m.entries.Inc()
	m.strays.Add(float64(a.Strays))
	if a.Stalled {
		m.stalls.Inc()
	}
	for _, c := range a.Changes {
		if c.Cause == BySilence {
			m.missed.Inc()
		}
		if c.Old != nil && c.New != nil && c.Old.State == c.New.State {
			continue
		}
		if c.Old != nil {
			m.streams.WithLabelValues(c.Old.State.String()).Dec()
		}
		if c.New != nil {
			m.streams.WithLabelValues(c.New.State.String()).Inc()
		}
		switch {
		case c.Cause == ByStart:
			m.starts.Inc()
		case c.Ended != nil:
			m.ends.WithLabelValues(c.Ended.Reason.String()).Inc()
			if c.Ended.Reason == MissedBeats || c.Ended.Reason == StreamLost {
				m.lag.Observe(float64(c.Lag) / 1000)
			}
		}
	}
}

// living notes which nodes there are.
func (m *metrics) living(r *Registry, self string) {
	m.nodes.Set(float64(r.Peers()))
	keeper := 0.0
	if r.Keeper() == self {
		keeper = 1
	}
	m.keeper.Set(keeper)
	m.effects.Set(float64(r.Waiting()))
	m.dead.Set(float64(r.GivenUp()))
}

// recount sets what is counted by what there is.
func (m *metrics) recount(r *Registry) {
	m.streams.Reset()
	for _, state := range stateNames {
		m.streams.WithLabelValues(state)
	}
	for st := range r.Streams() {
		m.streams.WithLabelValues(st.State.String()).Inc()
	}
}

func (m *metrics) rebuilt(cause string, r *Registry) {
	m.rebuilds.WithLabelValues(cause).Inc()
	m.recount(r)
}
