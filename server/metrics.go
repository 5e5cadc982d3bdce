package main

import (
	"strconv"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"onair/hub/wire"
	"onair/presence"
)

// metrics are what the endpoints count. No label names an anchor, a stream or
// an address.
type metrics struct {
	connections   *prometheus.GaugeVec
	closes        *prometheus.CounterVec
	turnedAway    *prometheus.CounterVec
	refusedTokens prometheus.Counter
	panics        prometheus.Counter
	requests      *prometheus.HistogramVec

	beatGap   prometheus.Histogram
	lateBeats prometheus.Counter
	falseEnds prometheus.Counter
	bitrate   prometheus.Histogram
	fps       prometheus.Histogram

	signed        *prometheus.CounterVec
	verifications *prometheus.CounterVec
	callbacks     *prometheus.CounterVec

	moderations *prometheus.CounterVec

	reloads     *prometheus.CounterVec
	certificate prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "onair_build_info", Help: "1, with the build's version.",
		ConstLabels: prometheus.Labels{"version": version()},
	}, func() float64 { return 1 })
	return &metrics{
		connections: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "onair_connections", Help: "Open sockets and event streams, by kind and by the role of whose they are.",
		}, []string{"kind", "role"}),
		closes:        counters("onair_closes_total", "Sockets and event streams that were closed, by close code; 1006: without one.", "kind", "code"),
		turnedAway:    counters("onair_turned_away_total", "Connections that were not let in, by reason.", "reason"),
		refusedTokens: counter("onair_tokens_refused_total", "Tokens that were refused."),
		panics:        counter("onair_panics_total", "Panics in handlers; each closed one connection."),
		requests: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "onair_http_request_seconds", Help: "How long HTTP calls took, by call and status; sockets and event streams are not among them.",
			Buckets: []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10},
		}, []string{"call", "status"}),
		beatGap: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_beat_gap_seconds", Help: "Time between two beats of one session.",
			Buckets: []float64{0.25, 0.5, 1, 2, 5, 10, 15, 20, 30, 45, 60, 62, 65, 90, 120, 180},
		}),
		lateBeats: counter("onair_late_beats_total", "Beats that came after the one before them was missed."),
		falseEnds: counter("onair_false_expirations_total", "Sessions ended by missed beats whose anchor beat or resumed within one interval of the end."),
		bitrate: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_anchor_bitrate_kbps", Help: "Bit rates that anchors report with their beats.",
			Buckets: []float64{100, 250, 500, 1000, 1500, 2000, 3000, 4000, 6000, 10000, 20000},
		}),
		fps: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_anchor_fps", Help: "Frame rates that anchors report with their beats.",
			Buckets: []float64{1, 5, 10, 15, 20, 24, 25, 30, 50, 60, 120},
		}),
		signed:        counters("onair_signed_urls_total", "URLs that were signed, by use.", "use"),
		verifications: counters("onair_push_verifications_total", "Signatures of pushes that were checked, by result.", "result"),
		callbacks:     counters("onair_callbacks_total", "Callbacks of clouds and media servers, by event and by what became of them.", "provider", "event", "result"),
		moderations:   counters("onair_moderations_total", "What the provider was told to do for kicks and bans, by event and by whether it did.", "event", "result"),
		reloads:       counters("onair_config_reloads_total", "Reloads of the configuration, by result.", "result"),
		certificate: f.NewGauge(prometheus.GaugeOpts{
			Name: "onair_tls_certificate_expiry_timestamp_seconds", Help: "When the certificate that is served ends; 0: TLS does not end here.",
		}),
	}
}

// beat notes that a session was heard after a gap.
func (m *metrics) beat(gap time.Duration, by *presence.Settings) {
	m.beatGap.Observe(gap.Seconds())
	if gap.Milliseconds() > by.Interval+by.Grace {
		m.lateBeats.Inc()
	}
}

// stats takes in what an encoder says of itself.
func (m *metrics) stats(s *wire.Stats) {
	if s.BitrateKbps.Set && !s.BitrateKbps.Null {
		m.bitrate.Observe(s.BitrateKbps.Value)
	}
	if s.FPS.Set && !s.FPS.Null {
		m.fps.Observe(s.FPS.Value)
	}
}

// closed notes the end of a connection. Peers may close with any of a thousand
// codes: those that mean nothing here are other.
func (m *metrics) closed(kind string, code websocket.StatusCode) {
	label := "other"
	switch {
	case code == 0:
		label = strconv.Itoa(int(websocket.StatusAbnormalClosure))
	case wire.IsCloseCode(int(code)), code == websocket.StatusAbnormalClosure, code == websocket.StatusProtocolError,
		code == websocket.StatusNoStatusRcvd:
		label = strconv.Itoa(int(code))
	}
	m.closes.WithLabelValues(kind, label).Inc()
}
