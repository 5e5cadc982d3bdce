package callbacks

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"onair/server/metric"
	"onair/signing"
)

// metrics are those of callbacks. No label names a stream.
type metrics struct {
	callbacks     *prometheus.CounterVec
	verifications *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := metric.With(reg)
	return &metrics{
		callbacks: f.CounterVec("onair_callbacks_total", "Callbacks of clouds and media servers, by event and result.", "provider", "event", "result"),
		verifications: metric.CounterBy(f, "result", "onair_push_verifications_total", "Verified push signatures, by result.",
			"good", "missing", "mismatch", "expired", "malformed"),
	}
}

// countVerification counts a verified push signature by its error, nil if it is valid.
func (m *metrics) countVerification(err error) {
	result := "malformed"
	switch {
	case err == nil:
		result = "good"
	case errors.Is(err, signing.ErrMissing):
		result = "missing"
	case errors.Is(err, signing.ErrMismatch):
		result = "mismatch"
	case errors.Is(err, signing.ErrExpired):
		result = "expired"
	}
	m.verifications.WithLabelValues(result).Inc()
}
