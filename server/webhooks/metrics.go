package webhooks

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"onair/presence"
	"onair/server/metric"
)

// Values of the label result.
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
	f := metric.With(reg)
	f.GaugeFunc("onair_webhook_oldest_seconds", "Age of the oldest open event, on the leader; 0: none.", func() float64 {
		if p := s.activeDispatcher.Load(); p != nil {
			return p.oldestEventAge(time.Now()).Seconds()
		}
		return 0
	})
	m := &metrics{
		events: f.CounterVec("onair_webhooks_total", "Events by type and result: delivered to the back end, or dead.", "type", "result"),
		attemptDuration: f.Histogram("onair_webhook_seconds", "Duration of delivery attempts, until the response or the timeout.",
			0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
		retries: f.Counter("onair_webhook_retries_total", "Delivery attempts beyond the first of each event."),
	}
	for _, kind := range sentKinds {
		m.events.WithLabelValues(kind.String(), resultDelivered)
		m.events.WithLabelValues(kind.String(), resultDead)
	}
	return m
}

func (m *metrics) countResult(kind presence.EventKind, failure string) {
	result := resultDelivered
	if failure != "" {
		result = resultDead
	}
	m.events.WithLabelValues(kind.String(), result).Inc()
}
