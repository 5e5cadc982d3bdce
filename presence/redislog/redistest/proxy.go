package redistest

import (
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy is a network between clients and a server. A fault affects existing and new
// connections until Restore. The package does not use toxiproxy, which leaks goroutines
// of connections that end with data under way.
type Proxy struct {
	t        testing.TB
	upstream string
	addr     string
	tasks    sync.WaitGroup

	mu       sync.Mutex // guards all below
	closed   bool
	listener net.Listener // nil while disconnected
	network  *network
	conns    map[*proxiedConn]struct{}
}

// NewProxy starts a proxy without faults, and stops it when the test ends.
func NewProxy(t testing.TB, upstream string) *Proxy {
	t.Helper()
	p := &Proxy{t: t, upstream: upstream, conns: map[*proxiedConn]struct{}{}, network: &network{replaced: make(chan struct{})}}
	l := listenOnFreePort(t)
	p.addr = l.Addr().String()
	p.startServing(l)
	t.Cleanup(p.close)
	return p
}

// Addr returns the address for clients.
func (p *Proxy) Addr() string { return p.addr }

// Delay delays each packet, in both directions, by meanOneWay plus or minus up to maxDeviation.
// Packets stay in order.
func (p *Proxy) Delay(meanOneWay, maxDeviation time.Duration) {
	p.changeNetwork(func(n *network) { n.latency, n.jitter = meanOneWay, maxDeviation })
}

// Throttle limits each direction, over all connections together.
func (p *Proxy) Throttle(kilobytesPerSecond int) {
	p.changeNetwork(func(n *network) {
		n.upLimiter, n.downLimiter = newLimiter(1000*kilobytesPerSecond), newLimiter(1000*kilobytesPerSecond)
	})
}

// HalfOpen leaves connections open, and accepts new ones, but forwards nothing, not even
// the end of a stream. Packets arrive after Restore, as after a short partition.
func (p *Proxy) HalfOpen() { p.changeNetwork(func(n *network) { n.halfOpen = true }) }

// Disconnect resets all connections, and refuses new ones.
func (p *Proxy) Disconnect() {
	p.changeNetwork(func(n *network) { n.disconnected = true })
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
	for c := range p.conns {
		c.reset()
	}
}

// EndFaults ends all faults.
func (p *Proxy) EndFaults() {
	p.t.Helper()
	p.mu.Lock()
	listening := p.listener != nil
	p.mu.Unlock()
	p.changeNetwork(func(n *network) { *n = network{} })
	if listening {
		return
	}
	await(p.t, "the proxy to listen again", func() error {
		l, err := net.Listen("tcp", p.addr)
		if err == nil {
			p.startServing(l)
		}
		return err
	})
}

func (p *Proxy) changeNetwork(change func(*network)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := *p.network
	change(&next)
	next.replaced = make(chan struct{})
	close(p.network.replaced)
	p.network = &next
}

func (p *Proxy) currentNetwork() *network {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.network
}

// startServing accepts connections in the background until the listener is closed.
func (p *Proxy) startServing(l net.Listener) {
	p.mu.Lock()
	p.listener = l
	p.mu.Unlock()
	p.tasks.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			p.tasks.Go(func() { p.serveConn(client.(*net.TCPConn)) })
		}
	})
}

// serveConn connects a client with the server until the connection ends.
func (p *Proxy) serveConn(client *net.TCPConn) {
	upstream, err := net.DialTimeout("tcp", p.upstream, time.Second)
	if err != nil {
		client.SetLinger(0)
		client.Close()
		return
	}
	c := newProxiedConn(p, client, upstream.(*net.TCPConn))
	p.mu.Lock()
	refused := p.network.disconnected || p.closed
	if !refused {
		p.conns[c] = struct{}{}
	}
	p.mu.Unlock()
	if refused {
		c.reset()
		return
	}
	c.run()
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
}

// close ends all connections, and waits for their goroutines.
func (p *Proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Disconnect()
	p.tasks.Wait()
}
