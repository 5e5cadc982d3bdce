package admission

import (
	"math/rand/v2"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"onair/hub/wire"
	"onair/server/config"
)

// Admission counts the connections of a node that stay, decides who may still
// come in, and sends everybody away when the node stops. It may be used
// concurrently.
type Admission struct {
	// Static after construction.
	metrics    *metrics
	handshakes *rate.Limiter

	mu               sync.Mutex // guards all below
	maxSockets       int
	maxPerAddress    int
	isDraining       bool
	reservedCount    int // were let in, and are not inside yet
	admittedTotal    int // reservations, ever
	conns            map[*Conn]struct{}
	countByAddress   map[string]int
	eventStreamCount int           // event streams among those inside
	drained          chan struct{} // closed, once, when draining and nobody is left
	drainedOnce      sync.Once
}

// New admits nobody beyond the limits.
func New(l *config.Limits, reg prometheus.Registerer) *Admission {
	a := &Admission{
		metrics: newMetrics(reg), handshakes: rate.NewLimiter(rate.Limit(l.Handshakes), handshakeBurst(l)),
		conns: map[*Conn]struct{}{}, countByAddress: map[string]int{}, drained: make(chan struct{}),
	}
	a.SetLimits(l)
	return a
}

// SetLimits replaces the limits. Connections that are inside stay.
func (a *Admission) SetLimits(l *config.Limits) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.maxSockets, a.maxPerAddress = l.Sockets, l.SocketsPerAddress
	a.handshakes.SetLimit(rate.Limit(l.Handshakes))
	a.handshakes.SetBurst(handshakeBurst(l))
}

// handshakeBurst admits as many handshakes at once as come in one second.
func handshakeBurst(l *config.Limits) int { return int(max(1, l.Handshakes)) }

// Reserve keeps a place for a connection, which Enter uses or Release gives back.
// The error is returned when nobody may come in now; rejection is a reason that
// only the caller knows, or "". Clients are to come back at a random time, so that
// they do not all come back at once.
func (a *Admission) Reserve(rejection string) (*Reservation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.isDraining:
		rejection = rejectionDraining
	case len(a.conns)+a.reservedCount >= a.maxSockets:
		rejection = rejectionFull
	case rejection != "":
	case !a.handshakes.Allow():
		rejection = rejectionHandshakeRate
	default:
		a.reservedCount++
		a.admittedTotal++
		return &Reservation{admission: a}, nil
	}
	a.metrics.rejected.WithLabelValues(rejection).Inc()
	return nil, &wire.Error{Code: wire.CodeUnavailable, Message: rejectionMessages[rejection], RetryAfterMS: 1000 + rand.Int64N(9000)}
}

// AdmittedTotal is how many were let in, ever.
func (a *Admission) AdmittedTotal() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.admittedTotal
}

// socketCount is how many are inside whose connection the HTTP server no longer
// has.
func (a *Admission) socketCount() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.conns) - a.eventStreamCount
}

// UnreadyReason is why nobody may come in until that changes by itself, or "".
func (a *Admission) UnreadyReason() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.isDraining:
		return rejectionMessages[rejectionDraining]
	case len(a.conns)+a.reservedCount >= a.maxSockets:
		return rejectionMessages[rejectionFull]
	}
	return ""
}

// IsDraining reports whether connections are sent away.
func (a *Admission) IsDraining() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.isDraining
}

// Admit admits a connection to its reserved place. It reports false, and releases
// the place, when too many connections have the same address.
func (a *Admission) Admit(r *Reservation, c *Conn, role string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	r.releaseLocked()
	if a.countByAddress[c.Address] >= a.maxPerAddress {
		a.metrics.rejected.WithLabelValues(rejectionAddressLimit).Inc()
		a.signalDrained()
		return false
	}
	a.countByAddress[c.Address]++
	a.conns[c] = struct{}{}
	if c.Kind == KindEvents {
		a.eventStreamCount++
	}
	c.role = role
	a.metrics.connections.WithLabelValues(c.Kind, role).Inc()
	a.metrics.opens.WithLabelValues(c.Kind).Inc()
	if a.isDraining { // since its place was reserved
		c.drain()
	}
	return true
}

// SetRole counts a connection under another role.
func (a *Admission) SetRole(c *Conn, role string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, in := a.conns[c]; in && c.role != role {
		a.metrics.connections.WithLabelValues(c.Kind, c.role).Dec()
		a.metrics.connections.WithLabelValues(c.Kind, role).Inc()
		c.role = role
	}
}

// Remove ends what Enter began.
func (a *Admission) Remove(c *Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.conns, c)
	if c.Kind == KindEvents {
		a.eventStreamCount--
	}
	if a.countByAddress[c.Address]--; a.countByAddress[c.Address] == 0 {
		delete(a.countByAddress, c.Address)
	}
	a.metrics.connections.WithLabelValues(c.Kind, c.role).Dec()
	a.signalDrained()
}

// signalDrained ends the wait of a drain when nobody is left. The caller holds mu.
func (a *Admission) signalDrained() {
	if a.isDraining && len(a.conns)+a.reservedCount == 0 {
		a.drainedOnce.Do(func() { close(a.drained) })
	}
}
