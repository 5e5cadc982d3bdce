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

	mu         sync.Mutex // guards all below
	maxSockets int
	perAddress int
	draining   bool
	reserved   int // were let in, and are not inside yet
	admitted   int // reservations, ever
	inside     map[*Conn]struct{}
	byAddress  map[string]int
	events     int           // event streams among those inside
	empty      chan struct{} // closed, once, when draining and nobody is left
	emptied    sync.Once
}

// New admits nobody beyond the limits.
func New(l *config.Limits, reg prometheus.Registerer) *Admission {
	a := &Admission{
		metrics: newMetrics(reg), handshakes: rate.NewLimiter(rate.Limit(l.Handshakes), handshakeBurst(l)),
		inside: map[*Conn]struct{}{}, byAddress: map[string]int{}, empty: make(chan struct{}),
	}
	a.SetLimits(l)
	return a
}

// SetLimits replaces the limits. Connections that are inside stay.
func (a *Admission) SetLimits(l *config.Limits) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.maxSockets, a.perAddress = l.Sockets, l.SocketsPerAddress
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
	case a.draining:
		rejection = draining
	case len(a.inside)+a.reserved >= a.maxSockets:
		rejection = full
	case rejection != "":
	case !a.handshakes.Allow():
		rejection = tooFast
	default:
		a.reserved++
		a.admitted++
		return &Reservation{admission: a}, nil
	}
	a.metrics.rejected.WithLabelValues(rejection).Inc()
	return nil, &wire.Error{Code: wire.CodeUnavailable, Message: rejections[rejection], RetryAfterMS: 1000 + rand.Int64N(9000)}
}

// Admitted is how many were let in, ever.
func (a *Admission) Admitted() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.admitted
}

// socketCount is how many are inside whose connection the HTTP server no longer
// has.
func (a *Admission) socketCount() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.inside) - a.events
}

// ClosedReason is why nobody may come in until that changes by itself, or "".
func (a *Admission) ClosedReason() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.draining:
		return rejections[draining]
	case len(a.inside)+a.reserved >= a.maxSockets:
		return rejections[full]
	}
	return ""
}

// IsDraining reports whether connections are sent away.
func (a *Admission) IsDraining() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.draining
}

// Enter admits a connection to its reserved place. It reports false, and releases
// the place, when too many connections have the same address.
func (a *Admission) Enter(r *Reservation, c *Conn, role string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	r.use()
	if a.byAddress[c.Address] >= a.perAddress {
		a.metrics.rejected.WithLabelValues(addressLimit).Inc()
		a.signalEmpty()
		return false
	}
	a.byAddress[c.Address]++
	a.inside[c] = struct{}{}
	if c.Kind == KindEvents {
		a.events++
	}
	c.role = role
	a.metrics.connections.WithLabelValues(c.Kind, role).Inc()
	a.metrics.opens.WithLabelValues(c.Kind).Inc()
	if a.draining { // since its place was reserved
		c.drain()
	}
	return true
}

// SetRole counts a connection under another role.
func (a *Admission) SetRole(c *Conn, role string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, in := a.inside[c]; in && c.role != role {
		a.metrics.connections.WithLabelValues(c.Kind, c.role).Dec()
		a.metrics.connections.WithLabelValues(c.Kind, role).Inc()
		c.role = role
	}
}

// Leave ends what Enter began.
func (a *Admission) Leave(c *Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.inside, c)
	if c.Kind == KindEvents {
		a.events--
	}
	if a.byAddress[c.Address]--; a.byAddress[c.Address] == 0 {
		delete(a.byAddress, c.Address)
	}
	a.metrics.connections.WithLabelValues(c.Kind, c.role).Dec()
	a.signalEmpty()
}

// signalEmpty ends the wait of a drain when nobody is left. The caller holds mu.
func (a *Admission) signalEmpty() {
	if a.draining && len(a.inside)+a.reserved == 0 {
		a.emptied.Do(func() { close(a.empty) })
	}
}
