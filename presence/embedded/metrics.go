package embedded

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	commits prometheus.Histogram
	errors  prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	return &metrics{
		commits: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_store_commit_seconds", Help: "How long a commit to the embedded store took.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 16),
		}),
		errors: f.NewCounter(prometheus.CounterOpts{
			Name: "onair_store_errors_total", Help: "Commits to the embedded store that failed.",
		}),
	}
}

func (m *metrics) committed(took time.Duration, err error) {
	if err != nil {
		m.errors.Inc()
		return
	}
	m.commits.Observe(took.Seconds())
}
