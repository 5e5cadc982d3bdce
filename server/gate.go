package main

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"onair/hub"
	"onair/hub/wire"
	"onair/server/config"
)

// gate counts the sockets of this node, decides who may still come in, and
// shows everybody out when the node stops.
type gate struct {
	// Static after construction.
	metrics *metrics
	arrive  *rate.Limiter // of handshakes

	mu         sync.Mutex // guards all below
	most       int        // sockets in all
	perAddress int
	draining   bool
	coming     int // were let in, and are not inside yet
	let        int // places that were reserved, ever
	inside     map[*guest]struct{}
	byAddress  map[string]int
	streams    int           // of events, among those inside
	empty      chan struct{} // closed, once, when draining and nobody is left
	emptied    sync.Once
}

func newGate(l *config.Limits, m *metrics) *gate {
	g := &gate{
		metrics: m, arrive: newArrivals(l),
		inside: map[*guest]struct{}{}, byAddress: map[string]int{}, empty: make(chan struct{}),
	}
	g.limit(l)
	return g
}

// limit replaces the limits. Who is in already stays.
func (g *gate) limit(l *config.Limits) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.most, g.perAddress = l.Sockets, l.SocketsPerAddress
	g.arrive.SetLimit(rate.Limit(l.Handshakes))
	g.arrive.SetBurst(burstOf(l))
}

// newArrivals lets in as many handshakes at once as come in one second.
func newArrivals(l *config.Limits) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(l.Handshakes), burstOf(l))
}

func burstOf(l *config.Limits) int { return int(max(1, l.Handshakes)) }

// guest is one connection that stays: a socket, or a response of events.
type guest struct {
	// Static after construction.
	out     *hub.Socket
	kind    string
	address string

	role string       // guarded by gate.mu once it is in
	said atomic.Int64 // the code it was finished with, 0: none
}

// The kinds of guests.
const (
	kindAnchor = "anchor"
	kindViewer = "viewer"
	kindEvents = "events"
)

// The roles of those who are in without a token: they need none, or it is yet
// to come.
const (
	roleAnonymous = "anonymous"
	roleUnknown   = "unknown"
)

// finish lets what is queued go out, then closes. It does not block.
func (g *guest) finish(code int, reason string) {
	g.said.CompareAndSwap(0, int64(code))
	g.out.CloseAfterAnswers(code, reason)
}

// showOut sends a guest to another node, at once.
func (g *guest) showOut() {
	g.send(&wire.Drain{})
	g.finish(wire.CloseDrained, "this node is stopping")
}

// code is what the guest was finished with by this side, 0 for nothing.
func (g *guest) code() int64 { return g.said.Load() }

// send queues a message; it does not block.
func (g *guest) send(m wire.Message) { g.out.Send(wire.Append(nil, m)) }

// reserve keeps a place for somebody who is about to enter, or says why nobody
// may come in now; obstacle is one that the gate does not see, or "". The place
// is taken by enter, or given back by free.
// Whoever is sent away is told to come back at a random time, so that they do
// not all come back at once.
func (g *gate) reserve(obstacle string) (*place, *wire.Error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.draining:
		obstacle = draining
	case len(g.inside)+g.coming >= g.most:
		obstacle = full
	case obstacle != "":
	case !g.arrive.Allow():
		obstacle = tooFast
	default:
		g.coming++
		g.let++
		return &place{gate: g}, nil
	}
	g.metrics.turnedAway.WithLabelValues(obstacle).Inc()
	return nil, &wire.Error{Code: wire.CodeUnavailable, Message: obstacles[obstacle], RetryAfterMS: 1000 + rand.Int64N(9000)}
}

// Why nobody, or nobody of some kind, may come in, as metrics name it.
const (
	draining   = "draining"
	full       = "full"
	tooFast    = "handshakes"
	cutOff     = "cut_off"
	overloaded = "overloaded"

	fromOneAddress = "address" // said by a close code, since it is seen late
	outOfFiles     = "files"   // said to nobody: the connection is closed at once
)

// obstacles are the same as clients are told.
var obstacles = map[string]string{
	draining:   "this node is stopping",
	full:       "this node has as many sockets as it takes",
	tooFast:    "more sockets come at once than this node takes",
	cutOff:     "this node does not hear the others",
	overloaded: "this node has as much to do as it can",
}

// admitted is how many were let in, ever.
func (g *gate) admitted() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.let
}

// place is one that was reserved.
type place struct {
	gate  *gate
	taken bool // guarded by gate.mu
}

// take ends the reservation, once. The caller holds gate.mu.
func (p *place) take() {
	if !p.taken {
		p.taken = true
		p.gate.coming--
	}
}

// free gives a place back that enter has not taken.
func (p *place) free() {
	p.gate.mu.Lock()
	p.take()
	p.gate.vacant()
	p.gate.mu.Unlock()
}

// upgraded is how many are inside whose connection the HTTP server no longer
// has.
func (g *gate) upgraded() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.inside) - g.streams
}

// full says why nobody may come in until that changes by itself, or "".
func (g *gate) full() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.draining:
		return obstacles[draining]
	case len(g.inside)+g.coming >= g.most:
		return obstacles[full]
	}
	return ""
}

// isDraining reports whether guests are shown out.
func (g *gate) isDraining() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.draining
}

// enter takes the place that was reserved for a guest; it reports false, and
// the place is free again, when its address has too many.
func (g *gate) enter(p *place, c *guest, role string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	p.take()
	if g.byAddress[c.address] >= g.perAddress {
		g.metrics.turnedAway.WithLabelValues(fromOneAddress).Inc()
		g.vacant()
		return false
	}
	g.byAddress[c.address]++
	g.inside[c] = struct{}{}
	if c.kind == kindEvents {
		g.streams++
	}
	c.role = role
	g.metrics.connections.WithLabelValues(c.kind, role).Inc()
	g.metrics.opens.WithLabelValues(c.kind).Inc()
	if g.draining { // since its place was reserved
		c.showOut()
	}
	return true
}

// introduce counts a guest under another role.
func (g *gate) introduce(c *guest, role string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, in := g.inside[c]; in && c.role != role {
		g.metrics.connections.WithLabelValues(c.kind, c.role).Dec()
		g.metrics.connections.WithLabelValues(c.kind, role).Inc()
		c.role = role
	}
}

func (g *gate) leave(c *guest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.inside, c)
	if c.kind == kindEvents {
		g.streams--
	}
	if g.byAddress[c.address]--; g.byAddress[c.address] == 0 {
		delete(g.byAddress, c.address)
	}
	g.metrics.connections.WithLabelValues(c.kind, c.role).Dec()
	g.vacant()
}

// vacant ends the wait of a drain when nobody is left. The caller holds mu.
func (g *gate) vacant() {
	if g.draining && len(g.inside)+g.coming == 0 {
		g.emptied.Do(func() { close(g.empty) })
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
	guests := make([]*guest, 0, len(g.inside))
	for c := range g.inside {
		guests = append(guests, c)
	}
	g.vacant()
	g.mu.Unlock()
	spread := min(within, time.Duration(len(guests))*perSocket)
	for i, c := range guests {
		at := spread * time.Duration(i) / time.Duration(len(guests))
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
