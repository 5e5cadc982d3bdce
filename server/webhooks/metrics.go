package webhooks

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Results of events.
const (
	resultDelivered = "delivered"
	resultDead      = "dead"
)

type metrics struct {
	events          *prometheus.CounterVec
	attemptDuration prometheus.Histogram
	retries         prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, s *Sender) *metrics {
	f := promauto.With(reg)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "onair_webhook_oldest_seconds", Help: "Age of the oldest event that the back end was not told of yet, on the keeper; 0: there is none.",
	}, func() float64 {
		if p := s.activePump.Load(); p != nil {
			return p.oldestEventAge(time.Now()).Seconds()
		}
		return 0
	})
	m := &metrics{
		events: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onair_webhooks_total", Help: "Events that the back end was told of, or that were given up, by type.",
		}, []string{"type", "result"}),
		attemptDuration: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_webhook_seconds", Help: "How long the back end took to answer, or we to give up waiting, by try.",
			Buckets: []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10},
		}),
		retries: f.NewCounter(prometheus.CounterOpts{
			Name: "onair_webhook_retries_total", Help: "Tries of events beyond the first.",
		}),
	}
	for _, t := range eventTypes {
		m.events.WithLabelValues(string(t), resultDelivered)
		m.events.WithLabelValues(string(t), resultDead)
	}
	return m
}

func (m *metrics) countResult(t EventType, dead bool) {
	result := resultDelivered
	if dead {
		result = resultDead
	}
	m.events.WithLabelValues(string(t), result).Inc()
}
