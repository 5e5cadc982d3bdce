package redislog

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	appends         *prometheus.CounterVec
	appendSeconds   prometheus.Histogram
	tailLag         prometheus.Histogram
	snapshots       *prometheus.CounterVec
	snapshotSeconds prometheus.Histogram
	epochsFounded   prometheus.Counter
	timeouts        prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, l *Log) *metrics {
	f := promauto.With(reg)
	registerGauges(f, l)
	latencies := []float64{0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5}
	m := &metrics{
		appends: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onair_appends_total", Help: "Appends by result: unknown means without a reply, repeated that the log had the batch already.",
		}, []string{"result"}),
		appendSeconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_append_seconds", Help: "Duration of successful appends.", Buckets: latencies,
		}),
		tailLag: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_tail_lag_seconds", Help: "Time from the reply to an append of this node until this node applies the entry.", Buckets: latencies,
		}),
		snapshots: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onair_snapshots_total", Help: "Snapshots that this node wrote as the leader, by result.",
		}, []string{"result"}),
		snapshotSeconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onair_snapshot_seconds", Help: "Time to build and write a snapshot.",
			Buckets: []float64{0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60},
		}),
		epochsFounded: f.NewCounter(prometheus.CounterOpts{
			Name: "onair_epochs_founded_total", Help: "Epochs that this node founded with its list, because Redis was empty.",
		}),
		timeouts: f.NewCounter(prometheus.CounterOpts{
			Name: "onair_redis_timeouts_total", Help: "Requests to Redis without a reply within a second: a slower connection counts as none.",
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

func registerGauges(f promauto.Factory, l *Log) {
	register := func(name, help string, value func() float64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	register("onair_redis_unreachable_seconds", "Time since Redis stopped replying, or began to refuse commands; 0 while it serves.", func() float64 {
		return l.outage.duration().Seconds()
	})
	register("onair_redis_min_replicas_unset", "1 if Redis has replicas and no min-replicas-to-write: a failover may leave two primaries. Else 0.", func() float64 {
		return float64(len(l.Warnings()))
	})
	register("onair_tail_lag_entries", "Entries from the newest that this node applied to the newest that it appended.", func() float64 {
		return max(0, float64(l.own.newest.Load())-float64(l.applied.Load().number))
	})
	register("onair_snapshot_age_seconds", "Log time since the newest snapshot, on the leader; 0 on other nodes.", func() float64 {
		if s := l.newest.Load(); s != nil && l.applied.Load().isLeader {
			return max(0, float64(l.applied.Load().time-s.time)/1000)
		}
		return 0
	})
	register("onair_snapshot_bytes", "Size of the newest snapshot that this node knows.", func() float64 {
		if s := l.newest.Load(); s != nil {
			return float64(s.bytes)
		}
		return 0
	})
}
