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
		Name: "onair_build_info", Help: "Always 1; the label has the version of the build.",
		ConstLabels: prometheus.Labels{"version": buildinfo.Version()},
	}, func() float64 { return 1 })
	gauge := func(name, help string, isTrue func() bool) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			if isTrue() {
				return 1
			}
			return 0
		})
	}
	gauge("onair_ready", "1 while /readyz answers 200: this node admits new sockets.", func() bool { return n.unreadyReason() == "" })
	gauge("onair_leader", "1 on the leader, the node that does what one node does for all; 0 on other nodes and while isolated.", func() bool {
		return n.IsServing() && n.Leader.IsLeader()
	})
	gauge("onair_draining", "1 while this node drains: it sends its sockets to other nodes before it stops.", func() bool { return n.Admission.IsDraining() })
	m := &metrics{reloads: f.NewCounterVec(prometheus.CounterOpts{
		Name: "onair_config_reloads_total", Help: "Reloads of the configuration, by result.",
	}, []string{"result"})}
	// rate() and increase() need a first sample of 0.
	for _, result := range []string{resultOK, resultFailed} {
		m.reloads.WithLabelValues(result)
	}
	return m
}
