package redistest

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	readSize   = 16 << 10 // bytes of one read, at most
	maxPackets = 256      // packets under way in one direction; then the sender waits
)

// proxiedConn is a client's connection, and the connection to the server that belongs
// to it.
type proxiedConn struct {
	proxy            *Proxy
	client, upstream *net.TCPConn
	ctx              context.Context // ends with the connection
	cancel           context.CancelFunc
}

func newProxiedConn(p *Proxy, client, upstream *net.TCPConn) *proxiedConn {
	ctx, cancel := context.WithCancel(context.Background())
	return &proxiedConn{proxy: p, client: client, upstream: upstream, ctx: ctx, cancel: cancel}
}

// run forwards both directions until both have ended.
func (c *proxiedConn) run() {
	var directions sync.WaitGroup
	directions.Go(func() { c.forward(c.client, c.upstream, func(n *network) *rate.Limiter { return n.upLimiter }) })
	directions.Go(func() { c.forward(c.upstream, c.client, func(n *network) *rate.Limiter { return n.downLimiter }) })
	directions.Wait()
	c.cancel()
	c.client.Close()
	c.upstream.Close()
}

// reset closes both connections with a RST.
func (c *proxiedConn) reset() {
	c.cancel()
	for _, conn := range []*net.TCPConn{c.client, c.upstream} {
		conn.SetLinger(0)
		conn.Close()
	}
}

// packet is what one read returned.
type packet struct {
	data         []byte
	sentAt       time.Time
	jitterFactor float64 // between -1 and 1
}

// forward forwards one direction until its sender closes it. An error resets both
// directions.
func (c *proxiedConn) forward(from, to *net.TCPConn, limiter func(*network) *rate.Limiter) {
	packets := make(chan packet, maxPackets)
	var reader sync.WaitGroup
	reader.Go(func() { c.readPackets(from, packets) })
	defer reader.Wait()
	for p := range packets {
		if c.awaitArrival(p) != nil || c.writeLimited(to, p.data, limiter) != nil {
			c.reset()
			return
		}
	}
	// The end of the stream is delayed like a packet.
	if c.awaitArrival(packet{sentAt: time.Now()}) != nil || to.CloseWrite() != nil {
		c.reset()
	}
}

// readPackets closes the channel at the end of the stream, and after an error.
func (c *proxiedConn) readPackets(from *net.TCPConn, packets chan<- packet) {
	defer close(packets)
	for {
		data := make([]byte, readSize)
		n, err := from.Read(data)
		if err == io.EOF {
			return
		}
		if err != nil {
			c.reset()
			return
		}
		select {
		case packets <- packet{data[:n], time.Now(), 2*rand.Float64() - 1}:
		case <-c.ctx.Done():
			return
		}
	}
}

// awaitArrival waits as long as the packet takes in the network, which may change
// meanwhile.
func (c *proxiedConn) awaitArrival(p packet) error {
	for {
		n := c.proxy.currentNetwork()
		var arrival <-chan time.Time // never, while half-open
		if !n.halfOpen {
			left := time.Until(p.sentAt.Add(n.delay(p.jitterFactor)))
			if left <= 0 {
				return c.ctx.Err()
			}
			arrival = time.After(left)
		}
		select {
		case <-arrival:
		case <-n.replaced:
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
	}
}

// writeLimited writes no faster than the direction's limiter allows.
func (c *proxiedConn) writeLimited(to *net.TCPConn, data []byte, limiter func(*network) *rate.Limiter) error {
	for len(data) > 0 {
		l := limiter(c.proxy.currentNetwork())
		part := data[:min(len(data), maxWriteBytes(l))]
		if l != nil {
			if err := l.WaitN(c.ctx, len(part)); err != nil {
				return err
			}
		}
		if _, err := to.Write(part); err != nil {
			return err
		}
		data = data[len(part):]
	}
	return nil
}
