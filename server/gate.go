package main

import (
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"onair/hub/wire"
)

// gate counts the sockets of this node, decides who may still come in, and
// shows everybody out when the node stops.
type gate struct {
	// Static after construction.
	most       int // sockets in all
	perAddress int
	metrics    *metrics

	mu        sync.Mutex // guards all below
	draining  bool
	inside    map[*client]struct{}
	byAddress map[string]int
	empty     chan struct{} // closed, once, when draining and nobody is left
	emptied   sync.Once
}

func newGate(most, perAddress int, m *metrics) *gate {
	return &gate{
		most: most, perAddress: perAddress, metrics: m,
		inside: map[*client]struct{}{}, byAddress: map[string]int{}, empty: make(chan struct{}),
	}
}

// closed says why nobody may come in now, or nil. Whoever is sent away is told
// to come back at a random time, so that they do not all come back at once.
func (g *gate) closed(cutOff bool) *wire.Error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var why string
	switch {
	case g.draining:
		why = "this node is stopping"
	case len(g.inside) >= g.most:
		why = "this node has as many sockets as it takes"
	case cutOff:
		why = "this node does not hear the others"
	default:
		return nil
	}
	return &wire.Error{Code: wire.CodeUnavailable, Message: why, RetryAfterMS: 1000 + rand.Int64N(9000)}
}

// enter counts a socket in; it reports false when its address has too many.
func (g *gate) enter(c *client) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.byAddress[c.address] >= g.perAddress {
		return false
	}
	g.byAddress[c.address]++
	g.inside[c] = struct{}{}
	g.metrics.sockets.WithLabelValues(c.kind.name).Inc()
	return true
}

func (g *gate) leave(c *client) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.inside, c)
	if g.byAddress[c.address]--; g.byAddress[c.address] == 0 {
		delete(g.byAddress, c.address)
	}
	g.metrics.sockets.WithLabelValues(c.kind.name).Dec()
	if g.draining && len(g.inside) == 0 {
		g.emptied.Do(func() { close(g.empty) }) // a late handshake may come and go again
	}
}

// perSocket is how long a drain takes for each socket: a hundred a second come
// to the other nodes from this one.
const perSocket = 10 * time.Millisecond

// lateBy is how long after its end a drain waits for the last sockets.
const lateBy = 2 * time.Second

// drain shows every socket out, spread evenly over at most the given time, and
// waits until all are gone. Each is first told when to come back.
func (g *gate) drain(within time.Duration) {
	g.mu.Lock()
	g.draining = true
	clients := make([]*client, 0, len(g.inside))
	for c := range g.inside {
		clients = append(clients, c)
	}
	if len(clients) == 0 {
		g.mu.Unlock()
		return
	}
	g.mu.Unlock()
	spread := min(within, time.Duration(len(clients))*perSocket)
	for i, c := range clients {
		at := spread * time.Duration(i) / time.Duration(len(clients))
		c.send(&wire.Drain{ReconnectInMS: at.Milliseconds()})
		time.AfterFunc(at, func() { c.finish(wire.CloseDrained, "this node is stopping") })
	}
	late := time.NewTimer(spread + lateBy)
	defer late.Stop()
	select {
	case <-g.empty:
	case <-late.C:
	}
}

// addressOf is the address of whoever connected, without its port.
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
