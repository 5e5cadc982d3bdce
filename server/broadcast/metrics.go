package broadcast

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"onair/hub/wire"
	"onair/presence"
)

// metrics count what anchors do.
type metrics struct {
	beatGap       prometheus.Histogram
	lateBeats     prometheus.Counter
	falseExpiries prometheus.Counter
	resumes       *prometheus.CounterVec
	bitrate       prometheus.Histogram
	frameRate     prometheus.Histogram
}

const outcomeResumed = "resumed" // an outcome, beside the codes of errors

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	m := &metrics{
		beatGap: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_beat_gap_seconds", Help: "Time between two beats of one session.",
			Buckets: []float64{0.25, 0.5, 1, 2, 5, 10, 15, 20, 30, 45, 60, 62, 65, 90, 120, 180},
		}),
		lateBeats: f.NewCounter(prometheus.CounterOpts{
			Name: "onair_late_beats_total", Help: "Beats that came after the one before them was missed.",
		}),
		falseExpiries: f.NewCounter(prometheus.CounterOpts{
			Name: "onair_false_expiries_total", Help: "Sessions ended by missed beats whose anchor beat or resumed within one interval of the end.",
		}),
		resumes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onair_anchor_resumes_total", Help: "Resumes that anchors asked for, by what they got: resumed, or the code of the error.",
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

// CountResume counts what an anchor got that asked to resume; nil: its session.
func (s *Service) CountResume(err error) {
	outcome := outcomeResumed
	if code := ErrorCode(err); code != "" {
		outcome = string(code)
	}
	s.metrics.resumes.WithLabelValues(outcome).Inc()
}

// CountBeat counts a beat, and how long after the one before it came.
func (s *Service) CountBeat(gap time.Duration, settings *presence.Settings) {
	s.metrics.beatGap.Observe(gap.Seconds())
	if gap.Milliseconds() > settings.Interval+settings.Grace {
		s.metrics.lateBeats.Inc()
	}
}

// CountEncoderStats counts what an encoder reports of itself.
func (s *Service) CountEncoderStats(stats *wire.EncoderStats) {
	if stats.BitrateKbps.Set && !stats.BitrateKbps.Null {
		s.metrics.bitrate.Observe(stats.BitrateKbps.Value * 1000 / 8)
	}
	if stats.FPS.Set && !stats.FPS.Null {
		s.metrics.frameRate.Observe(stats.FPS.Value)
	}
}
