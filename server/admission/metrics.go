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
			Name: "onair_connections", Help: "Open sockets and event streams, by kind and by the role of whose they are.",
		}, []string{"kind", "role"}),
		opens: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onair_opens_total", Help: "Sockets and event streams that were let in, by kind.",
		}, []string{"kind"}),
		closes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onair_closes_total", Help: "Sockets and event streams that were closed, by close code; 1006: without one.",
		}, []string{"kind", "code"}),
		rejected: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onair_turned_away_total", Help: "Connections that were not let in, by reason.",
		}, []string{"reason"}),
	}
	// The first of its kind is a rise only if there was a zero before it.
	for _, kind := range []string{KindAnchor, KindViewer, KindEvents} {
		m.opens.WithLabelValues(kind)
	}
	for _, reason := range []string{rejectionDraining, rejectionFull, rejectionHandshakeRate, RejectionIsolated, RejectionOverloaded, rejectionAddressLimit, rejectionFileLimit} {
		m.rejected.WithLabelValues(reason)
	}
	return m
}

// CountClose counts the end of a connection. Peers may close with any of a
// thousand codes: those that mean nothing here are other.
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
