package admission

import (
	"strconv"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"onair/hub/wire"
	"onair/server/metric"
)

// metrics count connections. No label names an anchor, a stream or an address.
type metrics struct {
	connections *prometheus.GaugeVec
	opens       *prometheus.CounterVec
	closes      *prometheus.CounterVec
	rejected    *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := metric.With(reg)
	return &metrics{
		connections: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "onair_connections", Help: "Open sockets and event streams, by kind and by the role of the client's token.",
		}, []string{"kind", "role"}),
		opens:    metric.CounterBy(f, "kind", "onair_opens_total", "Sockets and event streams that were admitted, by kind.", KindAnchor, KindViewer, KindEvents),
		closes:   f.CounterVec("onair_closes_total", "Sockets and event streams that were closed, by close code; 1006: without a close frame.", "kind", "code"),
		rejected: metric.CounterBy(f, "reason", "onair_connections_rejected_total", "Connections that were not admitted, by reason.", rejections...),
	}
}

// CountClose counts a closed connection by its close code; 0 means that there is none.
// Codes without a meaning here count as "other", since peers may send any code.
func (a *Admission) CountClose(kind string, code websocket.StatusCode) {
	label := "other"
	switch {
	case code == 0:
		label = strconv.Itoa(int(websocket.StatusAbnormalClosure))
	case wire.IsCloseCode(int(code)), code == websocket.StatusAbnormalClosure, code == websocket.StatusProtocolError,
		code == websocket.StatusNoStatusRcvd:
		label = strconv.Itoa(int(code))
	}
	a.metrics.closes.WithLabelValues(kind, label).Inc()
}
