package node

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"onair/server/buildinfo"
)

// metrics are those of the node itself.
type metrics struct {
	reloads *prometheus.CounterVec
}

const (
	resultOK     = "ok"
	resultFailed = "failed"
)

func newMetrics(reg prometheus.Registerer, n *Node) *metrics {
	f := promauto.With(reg)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "onair_build_info", Help: "1, with the build's version.",
		ConstLabels: prometheus.Labels{"version": buildinfo.Version()},
	}, func() float64 { return 1 })
	gauge := func(name, help string, value func() bool) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			if value() {
				return 1
			}
			return 0
		})
	}
	gauge("onair_ready", "1 while /readyz answers 200: this node takes new sockets.", func() bool { return n.unreadyReason() == "" })
	gauge("onair_leader", "1 on the leader, the node that does what one node does for all; 0 on other nodes and while isolated.", func() bool {
		return n.IsServing() && n.Leader.IsLeader()
	})
	gauge("onair_draining", "1 while this node shows its sockets out, before it stops.", func() bool { return n.Admission.IsDraining() })
	m := &metrics{reloads: f.NewCounterVec(prometheus.CounterOpts{
		Name: "onair_config_reloads_total", Help: "Reloads of the configuration, by result.",
	}, []string{"result"})}
	// The first of its kind is a rise only if there was a zero before it.
	for _, result := range []string{resultOK, resultFailed} {
		m.reloads.WithLabelValues(result)
	}
	return m
}
