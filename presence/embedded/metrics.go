package embedded

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	commitSeconds prometheus.Histogram
	commitErrors  prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	return &metrics{
		commitSeconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_store_commit_seconds", Help: "Duration of commits to the embedded store.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 16),
		}),
		commitErrors: f.NewCounter(prometheus.CounterOpts{
			Name: "onair_store_errors_total", Help: "Failed commits to the embedded store.",
		}),
	}
}

func (m *metrics) observeCommit(start time.Time, err error) {
	if err != nil {
		m.commitErrors.Inc()
		return
	}
	m.commitSeconds.Observe(time.Since(start).Seconds())
}
