package admission

import (
	"strconv"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"onair/hub/wire"
)

// metrics count connections. No label names an anchor, a stream or an address.
type metrics struct {
	connections *prometheus.GaugeVec
	opens       *prometheus.CounterVec
	closes      *prometheus.CounterVec
	rejected    *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	m := &metrics{
		connections: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "onair_connections", Help: "Open sockets and event streams, by kind and by the role of the client's token.",
		}, []string{"kind", "role"}),
		opens: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onair_opens_total", Help: "Sockets and event streams that were admitted, by kind.",
		}, []string{"kind"}),
		closes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onair_closes_total", Help: "Sockets and event streams that were closed, by close code; 1006: without a close frame.",
		}, []string{"kind", "code"}),
		rejected: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onair_connections_rejected_total", Help: "Connections that were not admitted, by reason.",
		}, []string{"reason"}),
	}
	// Series start at 0, so that the first event of each is an increase.
	for _, kind := range []string{KindAnchor, KindViewer, KindEvents} {
		m.opens.WithLabelValues(kind)
	}
	for _, reason := range []Rejection{rejectionDraining, rejectionFull, rejectionHandshakeRate, RejectionIsolated, RejectionOverloaded, rejectionAddressLimit, rejectionFileLimit} {
		m.rejected.WithLabelValues(string(reason))
	}
	return m
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
