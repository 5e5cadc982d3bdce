package admission

import (
	"time"

	"onair/hub/wire"
)

// drainPerConn is how long a drain takes for each socket: a hundred a second come
// to the other nodes from this one.
const drainPerConn = 10 * time.Millisecond

// drainTimeout is how long after its end a drain waits for the last
// connections.
const drainTimeout = 2 * time.Second

// Drain sends every connection away, spread evenly over at most the given time, and
// waits until all are gone. Each is first told when to come back.
func (a *Admission) Drain(within time.Duration) {
	a.mu.Lock()
	a.isDraining = true
	conns := make([]*Conn, 0, len(a.conns))
	for c := range a.conns {
		conns = append(conns, c)
	}
	a.signalDrained()
	a.mu.Unlock()
	spread := min(within, time.Duration(len(conns))*drainPerConn)
	for i, c := range conns {
		at := spread * time.Duration(i) / time.Duration(len(conns))
		c.Send(&wire.Drain{ReconnectInMS: at.Milliseconds()})
		time.AfterFunc(at, func() { c.Close(wire.CloseDrained, "this node is stopping") })
	}
	late := time.NewTimer(spread + drainTimeout)
	defer late.Stop()
	select {
	case <-a.drained:
	case <-late.C:
	}
}
