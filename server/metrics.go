package main

import (
	"errors"
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
	opens         *prometheus.CounterVec
	closes        *prometheus.CounterVec
	turnedAway    *prometheus.CounterVec
	refusedTokens prometheus.Counter
	panics        prometheus.Counter
	requests      *prometheus.HistogramVec

	beatGap   prometheus.Histogram
	lateBeats prometheus.Counter
	falseEnds prometheus.Counter
	resumes   *prometheus.CounterVec
	bitrate   prometheus.Histogram
	rate      prometheus.Histogram

	signed        *prometheus.CounterVec
	verifications *prometheus.CounterVec
	callbacks     *prometheus.CounterVec
	moderations   *prometheus.CounterVec

	reloads     *prometheus.CounterVec
	certificate prometheus.Gauge
	keySets     *prometheus.CounterVec
	keysReadAt  prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.Gauge {
		return f.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	histogram := func(name, help string, buckets ...float64) prometheus.Histogram {
		return f.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	}
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "onair_build_info", Help: "1, with the build's version.",
		ConstLabels: prometheus.Labels{"version": version()},
	}, func() float64 { return 1 })
	m := &metrics{
		connections: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "onair_connections", Help: "Open sockets and event streams, by kind and by the role of whose they are.",
		}, []string{"kind", "role"}),
		opens:         counters("onair_opens_total", "Sockets and event streams that were let in, by kind.", "kind"),
		closes:        counters("onair_closes_total", "Sockets and event streams that were closed, by close code; 1006: without one.", "kind", "code"),
		turnedAway:    counters("onair_turned_away_total", "Connections that were not let in, by reason.", "reason"),
		refusedTokens: counter("onair_tokens_refused_total", "Tokens that were refused."),
		panics:        counter("onair_panics_total", "Panics in handlers; each closed one connection."),
		requests: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "onair_http_request_duration_seconds", Help: "How long HTTP calls took, by call and status; sockets and event streams are not among them.",
			Buckets: []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10},
		}, []string{"call", "status"}),
		beatGap: histogram("onair_beat_gap_seconds", "Time between two beats of one session.",
			0.25, 0.5, 1, 2, 5, 10, 15, 20, 30, 45, 60, 62, 65, 90, 120, 180),
		lateBeats: counter("onair_late_beats_total", "Beats that came after the one before them was missed."),
		falseEnds: counter("onair_false_expirations_total", "Sessions ended by missed beats whose anchor beat or resumed within one interval of the end."),
		resumes:   counters("onair_anchor_resumes_total", "Resumes that anchors asked for, by what they got: resumed, or the code of the error.", "outcome"),
		bitrate: histogram("onair_anchor_bytes_per_second", "Bit rates that anchors report with their beats, in bytes.",
			100e3/8, 250e3/8, 500e3/8, 1e6/8, 1.5e6/8, 2e6/8, 3e6/8, 4e6/8, 6e6/8, 10e6/8, 20e6/8),
		rate: histogram("onair_anchor_frames_per_second", "Frame rates that anchors report with their beats.",
			1, 5, 10, 15, 20, 24, 25, 30, 50, 60, 120),
		signed:        counters("onair_signed_urls_total", "URLs that were signed, by use.", "use"),
		verifications: counters("onair_push_verifications_total", "Signatures of pushes that were checked, by result.", "result"),
		callbacks:     counters("onair_callbacks_total", "Callbacks of clouds and media servers, by event and by what became of them.", "provider", "event", "result"),
		moderations:   counters("onair_moderations_total", "What the provider was told to do for kicks and bans, by event and by whether it did.", "event", "result"),
		reloads:       counters("onair_config_reloads_total", "Reloads of the configuration, by result.", "result"),
		certificate:   gauge("onair_tls_certificate_expiry_timestamp_seconds", "When the certificate that is served ends; 0: TLS does not end here."),
		keySets:       counters("onair_jwks_fetches_total", "Reads of the token keys behind auth.jwks_url, by result.", "result"),
		keysReadAt:    gauge("onair_jwks_last_fetch_timestamp_seconds", "When the token keys behind auth.jwks_url were last read; 0: never, or there is no such URL."),
	}
	m.fill()
	return m
}

// fill has what can be counted be there from the start, with zero: or the first
// of its kind is no rise.
func (m *metrics) fill() {
	for vec, values := range map[*prometheus.CounterVec][]string{
		m.opens:      {kindAnchor, kindViewer, kindEvents},
		m.turnedAway: {draining, full, tooFast, cutOff, overloaded, fromOneAddress, outOfFiles},
		m.resumes:    {resumed, string(wire.CodeSessionGone), string(wire.CodeUnavailable), string(wire.CodeUnknown)},
		m.signed:     {useView, usePush, usePlay, usePlayback},
		m.reloads:    {resultOK, resultFailed},
		m.keySets:    {resultOK, resultFailed},
	} {
		for _, v := range values {
			vec.WithLabelValues(v)
		}
	}
}

// Values of labels.
const (
	resultOK     = "ok"
	resultFailed = "failed"

	resumed = "resumed" // of onair_anchor_resumes_total

	useView     = "view" // of onair_signed_urls_total: in what a view shows
	usePush     = "push"
	usePlay     = "play"
	usePlayback = "playback"
)

// measure registers what is not counted but asked for.
func (s *server) measure(reg prometheus.Registerer) {
	f := promauto.With(reg)
	is := func(name, help string, what func() bool) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			if what() {
				return 1
			}
			return 0
		})
	}
	is("onair_ready", "1 while /readyz answers 200: this node takes new sockets.", func() bool { return s.unready() == "" })
	is("onair_keeper", "1 where this node is the keeper, which does what one node does for all; 0 where it cannot know, since it is cut off.", func() bool {
		return s.opened.Load() && s.isKeeper()
	})
	is("onair_draining", "1 while this node shows its sockets out, before it stops.", s.gate.isDraining)
}

// resume notes what an anchor got that asked to resume.
func (m *metrics) resume(err error) {
	outcome := resumed
	if e, ok := errors.AsType[*wire.Error](err); ok {
		outcome = string(e.Code)
	}
	m.resumes.WithLabelValues(outcome).Inc()
}

// keysRead notes that the token keys were read from their URL, or could not be.
func (m *metrics) keysRead(err error) {
	if err != nil {
		m.keySets.WithLabelValues(resultFailed).Inc()
		return
	}
	m.keySets.WithLabelValues(resultOK).Inc()
	m.keysReadAt.SetToCurrentTime()
}

// beat notes that a session was heard after a gap.
func (m *metrics) beat(gap time.Duration, by *presence.Settings) {
	m.beatGap.Observe(gap.Seconds())
	if gap.Milliseconds() > by.Interval+by.Grace {
		m.lateBeats.Inc()
	}
}

// stats takes in what an encoder says of itself.
func (m *metrics) stats(s *wire.EncoderStats) {
	if s.BitrateKbps.Set && !s.BitrateKbps.Null {
		m.bitrate.Observe(s.BitrateKbps.Value * 1000 / 8)
	}
	if s.FPS.Set && !s.FPS.Null {
		m.rate.Observe(s.FPS.Value)
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
