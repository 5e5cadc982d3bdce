package poll

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"onair/server/cloud"
)

type metrics struct {
	queries           *prometheus.CounterVec
	results           *prometheus.CounterVec
	roundDuration     prometheus.Histogram
	budgetShare       prometheus.Gauge
	openSessions      prometheus.Gauge
	lastCompleteRound prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	m := &metrics{
		queries: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onair_poll_queries_total",
			Help: "What the cloud was asked: for its list, with all its pages, or for one stream; by what became of it. Incomplete: the list changed meanwhile.",
		}, []string{"kind", "result"}),
		results: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onair_poll_words_total", Help: "What was found out of sessions. Failed: the cloud gave no answer of one, and did of others.",
		}, []string{"word"}),
		roundDuration: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_poll_round_seconds", Help: "How long a round took, at the most poll.interval.",
			Buckets: []float64{0.05, 0.2, 1, 5, 10, 20, 30, 45, 60, 120, 300},
		}),
		budgetShare: f.NewGauge(prometheus.GaugeOpts{
			Name: "onair_poll_budget_ratio", Help: "Share of poll.rate that was used in the last round, for whatever this node asked its clouds.",
		}),
		openSessions: f.NewGauge(prometheus.GaugeOpts{
			Name: "onair_poll_open_sessions", Help: "Sessions of which the last round should have found out something, and did not: the cloud fails, or poll.rate is too low.",
		}),
		lastCompleteRound: f.NewGauge(prometheus.GaugeOpts{
			Name: "onair_poll_last_complete_timestamp_seconds", Help: "When a round last found out something of every session that matters; 0: never.",
		}),
	}
	for _, kind := range []string{"list", "one"} {
		for _, result := range []string{"answered", "rate_limited", "failed"} {
			m.queries.WithLabelValues(kind, result)
		}
	}
	m.queries.WithLabelValues("list", "incomplete")
	for _, what := range []Status{Online, Offline, NoAnswer} {
		m.results.WithLabelValues(what.String())
	}
	return m
}

// countQuery counts one by its result.
func (m *metrics) countQuery(kind string, err error) {
	result := "failed"
	switch {
	case err == nil:
		result = "answered"
	case errors.Is(err, cloud.ErrRateLimited):
		result = "rate_limited"
	case errors.Is(err, cloud.ErrIncomplete):
		result = "incomplete"
	}
	m.queries.WithLabelValues(kind, result).Inc()
}
