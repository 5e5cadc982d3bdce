package redislog

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	appends      *prometheus.CounterVec
	append       prometheus.Histogram
	lag          prometheus.Histogram
	snapshots    *prometheus.CounterVec
	snapshotTook prometheus.Histogram
	founded      prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, l *Log) *metrics {
	f := promauto.With(reg)
	gauge := func(name, help string, value func() float64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	gauge("onair_redis_away_seconds", "For how long Redis has not answered; 0: it does.", func() float64 {
		if since := l.silent.Load(); since != 0 {
			return time.Since(time.UnixMilli(since)).Seconds()
		}
		return 0
	})
	gauge("onair_tail_lag_entries", "Entries that this node has appended and not applied yet, and those of others before them.", func() float64 {
		return max(0, float64(l.appended.Load())-float64(l.applied.Load().num))
	})
	gauge("onair_snapshot_age_seconds", "Log time since the entry of the newest snapshot, on the keeper; 0 on others, which hear of none.", func() float64 {
		if s := l.saved.Load(); s != nil && l.applied.Load().keeper {
			return max(0, float64(l.applied.Load().time-s.time)/1000)
		}
		return 0
	})
	gauge("onair_snapshot_bytes", "Size of the newest snapshot that this node knows of.", func() float64 {
		if s := l.saved.Load(); s != nil {
			return float64(s.bytes)
		}
		return 0
	})
	latencies := []float64{0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5}
	m := &metrics{
		appends: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onair_appends_total", Help: "Appends, by what became of them. Unknown: no answer came; repeated: it had been written.",
		}, []string{"result"}),
		append: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_append_seconds", Help: "How long appends took that were written.", Buckets: latencies,
		}),
		lag: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_tail_lag_seconds", Help: "From the answer to an append of this node to its being applied here.", Buckets: latencies,
		}),
		snapshots: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onair_snapshots_total", Help: "Snapshots that this node was to write, as the keeper, by result.",
		}, []string{"result"}),
		snapshotTook: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_snapshot_seconds", Help: "How long it took to make and write a snapshot.",
			Buckets: []float64{0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60},
		}),
		founded: f.NewCounter(prometheus.CounterOpts{
			Name: "onair_histories_founded_total", Help: "Times that Redis was empty and this node wrote its list.",
		}),
	}
	for _, result := range []string{"ok", "repeated", "refused", "unknown"} {
		m.appends.WithLabelValues(result)
	}
	for _, result := range []string{"ok", "failed"} {
		m.snapshots.WithLabelValues(result)
	}
	return m
}
