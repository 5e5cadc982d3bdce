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
	readSize = 16 << 10 // at most this much is read at once
	onTheWay = 256      // and so many of these are on their way, before the sender waits
)

// pair is a client's connection and the one to the server that goes with it.
type pair struct {
	proxy            *Proxy
	client, upstream *net.TCPConn
	alive            context.Context // ends with the pair
	end              context.CancelFunc
}

func newPair(p *Proxy, client, upstream *net.TCPConn) *pair {
	alive, end := context.WithCancel(context.Background())
	return &pair{proxy: p, client: client, upstream: upstream, alive: alive, end: end}
}

// run returns when both directions have ended.
func (c *pair) run() {
	var both sync.WaitGroup
	both.Go(func() { c.pass(c.client, c.upstream, func(w *weather) *rate.Limiter { return w.up }) })
	both.Go(func() { c.pass(c.upstream, c.client, func(w *weather) *rate.Limiter { return w.down }) })
	both.Wait()
	c.end()
	c.client.Close()
	c.upstream.Close()
}

// reset ends both connections as a crash of the other end does.
func (c *pair) reset() {
	c.end()
	for _, conn := range []*net.TCPConn{c.client, c.upstream} {
		conn.SetLinger(0)
		conn.Close()
	}
}

// sent is something on its way.
type sent struct {
	data []byte
	at   time.Time
	luck float64 // which part of the jitter is its own
}

// pass takes what one end sends to the other, until it says that there is no
// more, or one of both fails, which ends both directions.
func (c *pair) pass(from, to *net.TCPConn, limit func(*weather) *rate.Limiter) {
	queue := make(chan sent, onTheWay)
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(queue)
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
			case queue <- sent{data[:n], time.Now(), 2*rand.Float64() - 1}:
			case <-c.alive.Done():
				return
			}
		}
	})
	defer reader.Wait()
	for s := range queue {
		if c.travel(s) != nil || c.write(to, s.data, limit) != nil {
			c.reset()
			return
		}
	}
	// That there is no more arrives as late as all else.
	if c.travel(sent{at: time.Now()}) != nil || to.CloseWrite() != nil {
		c.reset()
	}
}

// travel waits until what was sent has arrived, whatever weather comes.
func (c *pair) travel(s sent) error {
	for {
		w := c.proxy.now()
		var arrived <-chan time.Time // never, while half-open
		if !w.halfOpen {
			left := time.Until(s.at.Add(w.delay(s.luck)))
			if left <= 0 {
				return c.alive.Err()
			}
			arrived = time.After(left)
		}
		select {
		case <-arrived:
		case <-w.over:
		case <-c.alive.Done():
			return c.alive.Err()
		}
	}
}

// write sends no faster than is allowed.
func (c *pair) write(to *net.TCPConn, data []byte, limit func(*weather) *rate.Limiter) error {
	for len(data) > 0 {
		w := c.proxy.now()
		part := data[:min(len(data), piece(limit(w)))]
		if l := limit(w); l != nil {
			if err := l.WaitN(c.alive, len(part)); err != nil {
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
