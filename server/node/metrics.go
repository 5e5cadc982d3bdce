package node

import (
	"github.com/prometheus/client_golang/prometheus"

	"onair/server/buildinfo"
	"onair/server/metric"
)

const (
	resultOK     = "ok"
	resultFailed = "failed"
)

// registerMetrics registers the metrics of the node itself.
func (n *Node) registerMetrics() {
	f := metric.With(n.Metrics)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "onair_build_info", Help: "Always 1; the label has the version of the build.",
		ConstLabels: prometheus.Labels{"version": buildinfo.Version()},
	}, func() float64 { return 1 })
	gauge := func(name, help string, isTrue func() bool) {
		f.GaugeFunc(name, help, func() float64 {
			if isTrue() {
				return 1
			}
			return 0
		})
	}
	gauge("onair_ready", "1 while /readyz answers 200: this node admits new sockets.", func() bool { return n.unreadyReason() == "" })
	gauge("onair_leader", "1 on the leader, the node that does what one node does for all; 0 on other nodes and while isolated.", func() bool {
		return n.HasStartedServing() && n.Leader.IsLeader()
	})
	gauge("onair_draining", "1 while this node drains: it sends its sockets to other nodes before it stops.", func() bool { return n.Admission.IsDraining() })
	n.reloads = metric.CounterBy(f, "result", "onair_config_reloads_total", "Reloads of the configuration, by result.", resultOK, resultFailed)
}
