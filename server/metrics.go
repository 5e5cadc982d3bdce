package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"onair/hub/wire"
)

// metrics are what the endpoints count.
type metrics struct {
	sockets       *prometheus.GaugeVec
	refusedTokens prometheus.Counter
	panics        prometheus.Counter
	bitrate       prometheus.Histogram
	fps           prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "onair_build_info", Help: "1, with the build's version.",
		ConstLabels: prometheus.Labels{"version": version()},
	}, func() float64 { return 1 })
	return &metrics{
		sockets: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "onair_sockets", Help: "Open sockets, by kind.",
		}, []string{"kind"}),
		refusedTokens: f.NewCounter(prometheus.CounterOpts{
			Name: "onair_tokens_refused_total", Help: "Tokens that were refused.",
		}),
		panics: f.NewCounter(prometheus.CounterOpts{
			Name: "onair_panics_total", Help: "Panics in handlers; each closed one connection.",
		}),
		bitrate: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_anchor_bitrate_kbps", Help: "Bit rates that anchors report with their beats.",
			Buckets: []float64{100, 250, 500, 1000, 1500, 2000, 3000, 4000, 6000, 10000, 20000},
		}),
		fps: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_anchor_fps", Help: "Frame rates that anchors report with their beats.",
			Buckets: []float64{1, 5, 10, 15, 20, 24, 25, 30, 50, 60, 120},
		}),
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
