package hub

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are the hub's Prometheus metrics.
type metrics struct {
	views         prometheus.Gauge
	cursors       prometheus.Gauge
	diffs         prometheus.Counter
	diffBytes     prometheus.Histogram
	sent          [messageKindCount]prometheus.Counter
	resumes       *prometheus.CounterVec
	latency       prometheus.Histogram
	receivers     prometheus.Histogram
	leftBehind    prometheus.Counter
	fanOutSeconds prometheus.Histogram
	tick          prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	m := &metrics{
		views: f.NewGauge(prometheus.GaugeOpts{
			Name: "onair_views", Help: "Views (different queries) that the node maintains.",
		}),
		cursors: f.NewGauge(prometheus.GaugeOpts{
			Name: "onair_view_subscriptions", Help: "Open views of all sockets: a view counts once for each socket that has it.",
		}),
		diffs: f.NewCounter(prometheus.CounterOpts{
			Name: "onair_diffs_total", Help: "Diffs with changes that were encoded, once for all sockets of a view.",
		}),
		diffBytes: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_diff_bytes", Help: "Size of a diff with changes, before compression.",
			Buckets: prometheus.ExponentialBuckets(128, 4, 7),
		}),
		resumes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onair_resumes_total",
			Help: "Subscriptions with a position, by outcome. A subscription counts as waited, too, if the node had not reached its position.",
		}, []string{"outcome"}),
		latency: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_list_latency_seconds",
			Help: "Time from the receipt of a command to the write of its diff to a socket, without counters. " +
				"Commands of other nodes count from their application here.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
		}),
		receivers: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_fanout_sockets", Help: "Sockets that one diff was written to at once.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 8),
		}),
		leftBehind: f.NewCounter(prometheus.CounterOpts{
			Name: "onair_slow_viewers_total", Help: "Times that a full socket was left behind by a diff. It gets one merged diff later.",
		}),
		fanOutSeconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_fanout_seconds", Help: "Time that one shard took to write one frame to its sockets. There is one shard for each CPU.",
			Buckets: prometheus.ExponentialBuckets(0.00001, 4, 9),
		}),
		tick: f.NewGauge(prometheus.GaugeOpts{
			Name: "onair_hub_tick_seconds", Help: "Least time between two diffs of a view. It exceeds hub.tick when fan-out takes half of the machine.",
		}),
	}
	for _, outcome := range []string{"snapshot", "diff", "waited"} {
		m.resumes.WithLabelValues(outcome)
	}
	sent := f.NewCounterVec(prometheus.CounterOpts{
		Name: "onair_frames_sent_total", Help: "Messages that connections have accepted, by kind.",
	}, []string{"kind"})
	for k, name := range kindNames {
		m.sent[k] = sent.WithLabelValues(name)
	}
	return m
}

// observeDiff counts a frame that was published, if it has changes.
func (m *metrics) observeDiff(f *frame) {
	if f.kind == diffMessage {
		m.diffs.Inc()
		m.diffBytes.Observe(float64(len(f.text)))
	}
}

// countSentMessage counts a message that a connection has accepted whole.
func (m *metrics) countSentMessage(info *messageInfo, now time.Time) {
	m.sent[info.kind].Inc()
	if info.kind == diffMessage && !info.changedAt.IsZero() {
		m.latency.Observe(now.Sub(info.changedAt).Seconds())
	}
}

// observeResume counts the answer to a subscription with a position.
func (m *metrics) observeResume(r *request, f *frame) {
	switch {
	case r.resumeFrom.IsZero():
	case f.kind == snapshotMessage:
		m.resumes.WithLabelValues("snapshot").Inc()
	default:
		m.resumes.WithLabelValues("diff").Inc()
	}
}

// reportDiffIfLate calls options.OnLateDiff. Messages for full sockets are not reported:
// those are late because of the client's network.
func (h *Hub) reportDiffIfLate(info *messageInfo, now time.Time) {
	if h.options.OnLateDiff == nil || info.kind != diffMessage || info.changedAt.IsZero() {
		return
	}
	if latency := now.Sub(info.changedAt); latency >= h.options.LateThreshold {
		h.options.OnLateDiff(latency)
	}
}
