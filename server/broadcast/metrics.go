package broadcast

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"onair/hub/wire"
	"onair/presence"
)

// metrics are those of anchors.
type metrics struct {
	beatGap       prometheus.Histogram
	lateBeats     prometheus.Counter
	falseExpiries prometheus.Counter
	resumes       *prometheus.CounterVec
	bitrate       prometheus.Histogram
	frameRate     prometheus.Histogram
}

const outcomeResumed = "resumed" // the other outcomes are error codes

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	m := &metrics{
		beatGap: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_beat_gap_seconds", Help: "Time between two consecutive beats of one session.",
			Buckets: []float64{0.25, 0.5, 1, 2, 5, 10, 15, 20, 30, 45, 60, 62, 65, 90, 120, 180},
		}),
		lateBeats: f.NewCounter(prometheus.CounterOpts{
			Name: "onair_late_beats_total", Help: "Beats that arrived after the interval and the grace had passed.",
		}),
		falseExpiries: f.NewCounter(prometheus.CounterOpts{
			Name: "onair_false_expiries_total", Help: "Sessions that expired although their anchor beat or resumed within one interval of the end.",
		}),
		resumes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onair_anchor_resumes_total", Help: "Resumes by anchors, by outcome: resumed, or the error code.",
		}, []string{"outcome"}),
		bitrate: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_anchor_bytes_per_second", Help: "Bit rates that anchors report with their beats, in bytes.",
			Buckets: []float64{100e3 / 8, 250e3 / 8, 500e3 / 8, 1e6 / 8, 1.5e6 / 8, 2e6 / 8, 3e6 / 8, 4e6 / 8, 6e6 / 8, 10e6 / 8, 20e6 / 8},
		}),
		frameRate: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_anchor_frames_per_second", Help: "Frame rates that anchors report with their beats.",
			Buckets: []float64{1, 5, 10, 15, 20, 24, 25, 30, 50, 60, 120},
		}),
	}
	for _, outcome := range []string{outcomeResumed, string(wire.CodeSessionGone), string(wire.CodeUnavailable), string(wire.CodeUnknown)} {
		m.resumes.WithLabelValues(outcome)
	}
	return m
}

// CountResume counts a resume by its error, nil if it succeeded.
func (s *Service) CountResume(err error) {
	outcome := outcomeResumed
	if code := ErrorCode(err); code != "" {
		outcome = string(code)
	}
	s.metrics.resumes.WithLabelValues(outcome).Inc()
}

// CountBeat counts a beat that arrived gap after the previous beat of its session.
func (s *Service) CountBeat(gap time.Duration, settings *presence.Settings) {
	s.metrics.beatGap.Observe(gap.Seconds())
	if gap.Milliseconds() > settings.Interval+settings.Grace {
		s.metrics.lateBeats.Inc()
	}
}

// CountEncoderStats counts the bit rate and the frame rate that an encoder reports.
func (s *Service) CountEncoderStats(stats *wire.EncoderStats) {
	if stats.BitrateKbps.Set && !stats.BitrateKbps.Null {
		s.metrics.bitrate.Observe(stats.BitrateKbps.Value * 1000 / 8)
	}
	if stats.FPS.Set && !stats.FPS.Null {
		s.metrics.frameRate.Observe(stats.FPS.Value)
	}
}
