package admission

import (
	"time"

	"onair/hub/wire"
)

// drainPerConn is how long a drain takes for each socket: a hundred a second come
// to the other nodes from this one.
const drainPerConn = 10 * time.Millisecond

// stragglerTimeout is how long after its end a drain waits for the last
// connections.
const stragglerTimeout = 2 * time.Second

// Drain sends every connection away, spread evenly over at most the given time, and
// waits until all are gone. Each is first told when to come back.
func (a *Admission) Drain(within time.Duration) {
	a.mu.Lock()
	a.draining = true
	conns := make([]*Conn, 0, len(a.inside))
	for c := range a.inside {
		conns = append(conns, c)
	}
	a.signalEmpty()
	a.mu.Unlock()
	spread := min(within, time.Duration(len(conns))*drainPerConn)
	for i, c := range conns {
		at := spread * time.Duration(i) / time.Duration(len(conns))
		c.Send(&wire.Drain{ReconnectInMS: at.Milliseconds()})
		time.AfterFunc(at, func() { c.Finish(wire.CloseDrained, "this node is stopping") })
	}
	late := time.NewTimer(spread + stragglerTimeout)
	defer late.Stop()
	select {
	case <-a.empty:
	case <-late.C:
	}
}
