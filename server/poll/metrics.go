package poll

import (
	"errors"
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"onair/presence"
	"onair/server/cloud"
	"onair/server/metric"
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
	f := metric.With(reg)
	m := &metrics{
		queries: f.CounterVec("onair_poll_queries_total", "Queries to the provider, by kind (list: all pages of the list; one: one stream) and result. Incomplete: the list changed meanwhile.", "kind", "result"),
		results: metric.CounterBy(f, "status", "onair_poll_results_total",
			"Polled results of sessions, by status. Failed: the provider answered queries about other sessions, but not this one.",
			slices.Collect(maps.Values(statusLabels))...),
		roundDuration: f.Histogram("onair_poll_round_seconds", "Duration of a polling round, at most poll.interval.",
			0.05, 0.2, 1, 5, 10, 20, 30, 45, 60, 120, 300),
		budgetShare:       f.Gauge("onair_poll_budget_ratio", "Share of poll.rate that this node used during the last round, for all requests to its providers."),
		openSessions:      f.Gauge("onair_poll_open_sessions", "Sessions that matter and got no result in the last round: the provider fails, or poll.rate is too low."),
		lastCompleteRound: f.Gauge("onair_poll_last_complete_timestamp_seconds", "End of the last round with a result for every session that matters; 0: never."),
	}
	for _, kind := range []string{"list", "one"} {
		for _, result := range []string{"answered", "rate_limited", "failed"} {
			m.queries.WithLabelValues(kind, result)
		}
	}
	m.queries.WithLabelValues("list", "incomplete")
	return m
}

// statusLabels are the names of results in metrics.
var statusLabels = map[presence.Signal]string{presence.PollOnline: "online", presence.PollOffline: "offline", presence.PollFailed: "failed"}

// countQuery counts a query by its result.
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
