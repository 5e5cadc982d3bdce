package callbacks

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"onair/signing"
)

// metrics are those of callbacks. No label names a stream.
type metrics struct {
	callbacks     *prometheus.CounterVec
	verifications *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	m := &metrics{
		callbacks: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onair_callbacks_total", Help: "Callbacks of clouds and media servers, by event and result.",
		}, []string{"provider", "event", "result"}),
		verifications: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onair_push_verifications_total", Help: "Verified push signatures, by result.",
		}, []string{"result"}),
	}
	// Series start at 0, so that the first event of each is an increase.
	for _, result := range []string{"good", "missing", "mismatch", "expired", "malformed"} {
		m.verifications.WithLabelValues(result)
	}
	return m
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
