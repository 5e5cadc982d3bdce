package hub

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are what the hub tells its operators.
type metrics struct {
	views   prometheus.Gauge
	cursors prometheus.Gauge
	diffs   prometheus.Counter
	bytes   prometheus.Histogram
	sent    [kinds]prometheus.Counter
	resumes *prometheus.CounterVec
	latency prometheus.Histogram
	fanout  prometheus.Histogram
	behind  prometheus.Counter
	busy    prometheus.Histogram
	tick    prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	m := &metrics{
		views: f.NewGauge(prometheus.GaugeOpts{
			Name: "onair_views", Help: "Different queries that are kept up.",
		}),
		cursors: f.NewGauge(prometheus.GaugeOpts{
			Name: "onair_view_subscriptions", Help: "Views that are open, counted once for each socket.",
		}),
		diffs: f.NewCounter(prometheus.CounterOpts{
			Name: "onair_diffs_total", Help: "Diffs with changes that were made, each once for all sockets of a view.",
		}),
		bytes: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_diff_bytes", Help: "Size of a diff with changes, before compression.",
			Buckets: prometheus.ExponentialBuckets(128, 4, 7),
		}),
		resumes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onair_resumes_total",
			Help: "Subscriptions with a position, by what they got; waited: for a position not read or shown yet.",
		}, []string{"outcome"}),
		latency: f.NewHistogram(prometheus.HistogramOpts{
			Name:    "onair_list_latency_seconds",
			Help:    "From a command being taken here (elsewhere: being applied here) to a socket having its diff; not of counters.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
		}),
		fanout: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_fanout_sockets", Help: "Sockets that one diff was handed to at once.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 8),
		}),
		behind: f.NewCounter(prometheus.CounterOpts{
			Name: "onair_slow_viewers_total", Help: "Times that a socket could not take a diff and was left behind, for one merged diff later.",
		}),
	}
	m.busy = f.NewHistogram(prometheus.HistogramOpts{
		Name: "onair_fanout_seconds", Help: "Time that handing out one frame took one of those who do so: there are as many as CPUs.",
		Buckets: prometheus.ExponentialBuckets(0.00001, 4, 9),
	})
	m.tick = f.NewGauge(prometheus.GaugeOpts{
		Name: "onair_hub_tick_seconds", Help: "Least time between two diffs of a view: longer than configured when fan-out takes half of the machine.",
	})
	for _, outcome := range []string{"snapshot", "diff", "waited"} {
		m.resumes.WithLabelValues(outcome)
	}
	sent := f.NewCounterVec(prometheus.CounterOpts{
		Name: "onair_frames_sent_total", Help: "Messages that connections have taken, by kind.",
	}, []string{"kind"})
	for k, name := range kindNames {
		m.sent[k] = sent.WithLabelValues(name)
	}
	return m
}

// flushed notes a frame for all.
func (m *metrics) flushed(f *frame) {
	if f.kind != diffMessage {
		return
	}
	m.diffs.Inc()
	m.bytes.Observe(float64(len(f.text)))
}

// wrote notes a message that a connection has taken whole.
func (m *metrics) wrote(o *what, now time.Time) {
	m.sent[o.kind].Inc()
	if o.kind == diffMessage && !o.since.IsZero() {
		m.latency.Observe(now.Sub(o.since).Seconds())
	}
}

// answered notes what a subscription with a position got.
func (m *metrics) answered(r *request, f *frame) {
	switch {
	case r.from.IsZero():
	case f.kind == snapshotMessage:
		m.resumes.WithLabelValues("snapshot").Inc()
	default:
		m.resumes.WithLabelValues("diff").Inc()
	}
}

// late tells of a diff that came late. What a slow peer takes late is not told
// of: that is its network's doing.
func (h *Hub) late(o *what, now time.Time) {
	if h.options.Late == nil || o.kind != diffMessage || o.since.IsZero() {
		return
	}
	if latency := now.Sub(o.since); latency >= h.options.LateAfter {
		h.options.Late(latency)
	}
}
