package redistest

import (
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy is a network between clients and a server, in weather that the test
// makes. What it is told holds for the connections there are and those to come,
// until Restore. It is not made of toxiproxy since that leaves goroutines
// behind for each connection that ends while something is under way.
type Proxy struct {
	t        testing.TB
	upstream string
	addr     string
	tasks    sync.WaitGroup

	mu       sync.Mutex // guards all below
	closed   bool
	listener net.Listener // nil while cut
	weather  *weather
	pairs    map[*pair]struct{}
}

// NewProxy gives a network to a server in which all is well.
func NewProxy(t testing.TB, upstream string) *Proxy {
	t.Helper()
	p := &Proxy{t: t, upstream: upstream, pairs: map[*pair]struct{}{}, weather: &weather{over: make(chan struct{})}}
	l := listen(t)
	p.addr = l.Addr().String()
	p.serve(l)
	t.Cleanup(p.close)
	return p
}

// Addr is where clients find the server.
func (p *Proxy) Addr() string { return p.addr }

// Delay holds back all that is sent, each way, by latency give or take jitter.
// The order stays.
func (p *Proxy) Delay(latency, jitter time.Duration) {
	p.change(func(w *weather) { w.latency, w.jitter = latency, jitter })
}

// Throttle lets so many kilobytes through a second, each way, for all
// connections together.
func (p *Proxy) Throttle(kilobytes int) {
	p.change(func(w *weather) { w.up, w.down = limiter(1000*kilobytes), limiter(1000*kilobytes) })
}

// HalfOpen leaves connections open, and takes new ones, but nothing passes,
// neither that one end has closed. What was sent arrives after Restore, as it
// does when a network heals before those who use it gave up.
func (p *Proxy) HalfOpen() { p.change(func(w *weather) { w.halfOpen = true }) }

// Cut resets all connections and refuses new ones.
func (p *Proxy) Disconnect() {
	p.change(func(w *weather) { w.cut = true })
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
	for pair := range p.pairs {
		pair.reset()
	}
}

// Restore makes all well again.
func (p *Proxy) Restore() {
	p.t.Helper()
	p.mu.Lock()
	down := p.listener == nil
	p.mu.Unlock()
	p.change(func(w *weather) { *w = weather{} })
	if !down {
		return
	}
	await(p.t, "the proxy to listen again", func() error {
		l, err := net.Listen("tcp", p.addr)
		if err == nil {
			p.serve(l)
		}
		return err
	})
}

// change makes other weather.
func (p *Proxy) change(how func(*weather)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := *p.weather
	how(&next)
	next.over = make(chan struct{})
	close(p.weather.over)
	p.weather = &next
}

// now is the weather.
func (p *Proxy) now() *weather {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.weather
}

// serve accepts connections until the listener is closed.
func (p *Proxy) serve(l net.Listener) {
	p.mu.Lock()
	p.listener = l
	p.mu.Unlock()
	p.tasks.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			p.tasks.Go(func() { p.connect(client.(*net.TCPConn)) })
		}
	})
}

// connect passes what a client and the server say until both have ended.
func (p *Proxy) connect(client *net.TCPConn) {
	upstream, err := net.DialTimeout("tcp", p.upstream, time.Second)
	if err != nil {
		client.SetLinger(0)
		client.Close()
		return
	}
	c := newPair(p, client, upstream.(*net.TCPConn))
	p.mu.Lock()
	refused := p.weather.cut || p.closed
	if !refused {
		p.pairs[c] = struct{}{}
	}
	p.mu.Unlock()
	if refused {
		c.reset()
		return
	}
	c.run()
	p.mu.Lock()
	delete(p.pairs, c)
	p.mu.Unlock()
}

// close is the end of the test.
func (p *Proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Disconnect()
	p.tasks.Wait()
}
