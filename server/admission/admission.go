package admission

import (
	"cmp"
	"math/rand/v2"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"onair/hub/wire"
	"onair/server/config"
)

// Admission admits, counts and drains the long-lived connections of a node. It may be used
// concurrently.
type Admission struct {
	// Static after construction.
	metrics    *metrics
	handshakes *rate.Limiter

	mu               sync.Mutex // guards all below
	maxSockets       int
	maxPerAddress    int
	isLeaving        bool // sockets are admitted, but the node is not ready
	isDraining       bool
	reservedCount    int // unreleased reservations
	admittedTotal    int // reservations since the start
	conns            map[*Conn]struct{}
	countByAddress   map[string]int
	eventStreamCount int           // connections of KindEvents
	drained          chan struct{} // closed once the node drains and has no connections
	drainedOnce      sync.Once
}

// New returns an admission with the given limits and without connections.
func New(limits *config.Limits, reg prometheus.Registerer) *Admission {
	a := &Admission{
		metrics: newMetrics(reg), handshakes: rate.NewLimiter(rate.Limit(limits.Handshakes), handshakeBurst(limits)),
		conns: map[*Conn]struct{}{}, countByAddress: map[string]int{}, drained: make(chan struct{}),
	}
	a.SetLimits(limits)
	return a
}

// SetLimits replaces the limits. Open connections stay.
func (a *Admission) SetLimits(limits *config.Limits) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.maxSockets, a.maxPerAddress = limits.Sockets, limits.SocketsPerAddress
	a.handshakes.SetLimit(rate.Limit(limits.Handshakes))
	a.handshakes.SetBurst(handshakeBurst(limits))
}

// handshakeBurst is the number of handshakes in one second.
func handshakeBurst(limits *config.Limits) int { return int(max(1, limits.Handshakes)) }

// Reserve reserves a slot for a connection. It returns an error of the protocol when no
// connection is admitted now, for a reason of Admission's or for the caller's own ("": none).
// The error's retry time is random, so that clients do not return together.
func (a *Admission) Reserve(ownRejection Rejection) (*Reservation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	rejection := cmp.Or(a.lastingRejectionLocked(), ownRejection)
	if rejection == "" && !a.handshakes.Allow() {
		rejection = rejectionHandshakeRate
	}
	if rejection != "" {
		a.metrics.rejected.WithLabelValues(string(rejection)).Inc()
		return nil, &wire.Error{Code: wire.CodeUnavailable, Message: rejectionMessages[rejection], RetryAfterMS: 1000 + rand.Int64N(9000)}
	}
	a.reservedCount++
	a.admittedTotal++
	return &Reservation{admission: a}, nil
}

// lastingRejectionLocked is the reason why no connection is admitted until some have closed, ""
// for none. The caller holds mu.
func (a *Admission) lastingRejectionLocked() Rejection {
	switch {
	case a.isDraining:
		return rejectionDraining
	case len(a.conns)+a.reservedCount >= a.maxSockets:
		return rejectionFull
	}
	return ""
}

// UnreadyReason states why the node is not ready for connections, "" when it is ready.
func (a *Admission) UnreadyReason() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.isLeaving {
		return rejectionMessages[rejectionDraining]
	}
	return rejectionMessages[a.lastingRejectionLocked()]
}

// MarkUnready makes the node unready, so that load balancers send no new clients. It still admits
// connections.
func (a *Admission) MarkUnready() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.isLeaving = true
}

// ReservationsSinceStart is the number of reservations since the start.
func (a *Admission) ReservationsSinceStart() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.admittedTotal
}

// hijackedConnCount is the number of admitted connections that the HTTP server no longer has.
func (a *Admission) hijackedConnCount() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.conns) - a.eventStreamCount
}

// IsDraining reports whether the drain has begun.
func (a *Admission) IsDraining() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.isDraining
}

// Admit uses a reservation for a connection. It reports false, and releases the
// reservation, when too many connections have the same address.
func (a *Admission) Admit(r *Reservation, c *Conn, role string) (isWithinAddressLimit bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r.releaseLocked()
	if a.countByAddress[c.Address] >= a.maxPerAddress {
		a.metrics.rejected.WithLabelValues(string(rejectionAddressLimit)).Inc()
		a.signalDrainedLocked()
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
	if a.isDraining { // since the reservation
		c.Send(&wire.Drain{})
		c.closeDrained()
	}
	return true
}

// SetRole changes the role under which metrics count an admitted connection.
func (a *Admission) SetRole(c *Conn, role string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, isAdmitted := a.conns[c]; isAdmitted && c.role != role {
		a.metrics.connections.WithLabelValues(c.Kind, c.role).Dec()
		a.metrics.connections.WithLabelValues(c.Kind, role).Inc()
		c.role = role
	}
}

// Remove removes an admitted connection that is closed.
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
	a.signalDrainedLocked()
}

// signalDrainedLocked ends the wait of a drain when no connection is left. The caller holds mu.
func (a *Admission) signalDrainedLocked() {
	if a.isDraining && len(a.conns)+a.reservedCount == 0 {
		a.drainedOnce.Do(func() { close(a.drained) })
	}
}
