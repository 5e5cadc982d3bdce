package admission

import (
	"time"

	"onair/hub/wire"
)

const (
	// drainInterval is the time between two closes of a drain, so that other nodes get at
	// most a hundred clients a second from this one.
	drainInterval = 10 * time.Millisecond
	// drainTimeout is how long after the last close a drain waits for open connections.
	drainTimeout = 2 * time.Second
)

// Drain closes all connections, spread evenly over at most maxSpread, and waits until they
// are gone. Before that, it sends each client the time at which to reconnect.
func (a *Admission) Drain(maxSpread time.Duration) {
	a.mu.Lock()
	a.isDraining = true
	conns := make([]*Conn, 0, len(a.conns))
	for c := range a.conns {
		conns = append(conns, c)
	}
	a.signalDrainedLocked()
	a.mu.Unlock()
	spread := min(maxSpread, time.Duration(len(conns))*drainInterval)
	for i, c := range conns {
		delay := spread * time.Duration(i) / time.Duration(len(conns))
		c.Send(&wire.Drain{ReconnectInMS: delay.Milliseconds()})
		time.AfterFunc(delay, c.closeDrained)
	}
	timeout := time.NewTimer(spread + drainTimeout)
	defer timeout.Stop()
	select {
	case <-a.drained:
	case <-timeout.C:
	}
}
