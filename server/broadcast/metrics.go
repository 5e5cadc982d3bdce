package broadcast

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"onair/hub/wire"
	"onair/presence"
	"onair/server/metric"
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
	f := metric.With(reg)
	return &metrics{
		beatGap: f.Histogram("onair_beat_gap_seconds", "Time between two consecutive beats of one session.",
			0.25, 0.5, 1, 2, 5, 10, 15, 20, 30, 45, 60, 62, 65, 90, 120, 180),
		lateBeats:     f.Counter("onair_late_beats_total", "Beats that arrived after the interval and the grace had passed."),
		falseExpiries: f.Counter("onair_false_expiries_total", "Sessions that expired although their anchor beat or resumed within one interval of the end."),
		resumes: metric.CounterBy(f, "outcome", "onair_anchor_resumes_total", "Resumes by anchors, by outcome: resumed, or the error code.",
			outcomeResumed, wire.CodeSessionGone, wire.CodeUnavailable, wire.CodeUnknown),
		bitrate: f.Histogram("onair_anchor_bytes_per_second", "Bit rates that anchors report with their beats, in bytes.",
			100e3/8, 250e3/8, 500e3/8, 1e6/8, 1.5e6/8, 2e6/8, 3e6/8, 4e6/8, 6e6/8, 10e6/8, 20e6/8),
		frameRate: f.Histogram("onair_anchor_frames_per_second", "Frame rates that anchors report with their beats.",
			1, 5, 10, 15, 20, 24, 25, 30, 50, 60, 120),
	}
}

// CountResume counts a resume by its error, nil if it succeeded.
func (s *Service) CountResume(err error) {
	outcome := outcomeResumed
	if code := WireErrorCode(err); code != "" {
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
