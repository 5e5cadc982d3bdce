package socket

import (
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// A Conn is the server's end of one WebSocket. All methods may be called
// concurrently; Reads, like Writes, then take turns.
type Conn struct {
	// Static after construction.
	ws        *websocket.Conn
	wire      *wire
	deflated  bool
	closeTime time.Duration

	pings atomic.Int32 // since the last pong

	reading chan struct{} // held (full) by whoever reads

	// Owned by the holder of reading.
	message []byte // the last one that Read returned
}

// OnWritable has f called whenever what a Write took but could not send at once
// has gone, or, with an error, will not go. f is called without locks, by a
// goroutine of the socket's, and may Write. OnWritable comes before the first
// Write.
func (c *Conn) OnWritable(f func(error)) { c.wire.out.onReady(f) }

// Write sends a message without blocking. When the connection does not take all
// of it at once, the socket is full: the rest goes as the peer reads, and what
// was given to OnWritable is called then; meanwhile Write returns [ErrFull], and
// takes nothing. A peer has StallTimeout and FrameTimeout of [Options] to read; then
// the socket is closed (1001 is attempted where a frame may begin), and the
// error is [ErrSlowPeer]. After any error but ErrFull the socket is of no more use,
// and the message may have gone in part.
func (c *Conn) Write(m Message) (full bool, err error) {
	full, err = c.wire.out.send(m, c.deflated)
	switch err {
	case nil, ErrFull, ErrClosed, ErrSlowPeer:
		return full, err
	}
	return full, fmt.Errorf("socket: write: %w", err)
}

// Ping sends a ping, and returns how many before it have had no pong since the
// last that had one.
func (c *Conn) Ping() (unanswered int) {
	c.wire.out.post([]byte{finalBit | opPing, 0})
	return int(c.pings.Add(1)) - 1
}

// ponged notes a pong, whatever it answers.
func (c *Conn) ponged() { c.pings.Store(0) }

// IsCompressed says whether permessage-deflate was agreed on.
func (c *Conn) IsCompressed() bool { return c.deflated }

// RemoteAddr is the peer's address on the network connection.
func (c *Conn) RemoteAddr() net.Addr { return c.wire.RemoteAddr() }

// Closed is closed when the network connection has been, by either end.
func (c *Conn) Closed() <-chan struct{} { return c.wire.done }

// Stats are a socket's counters.
type Stats struct {
	Frames int64 // data frames written whole
	Bytes  int64 // bytes the connection accepted, control frames included, the handshake not
}

// Stats returns the counters as they are.
func (c *Conn) Stats() Stats { return c.wire.out.counts() }
