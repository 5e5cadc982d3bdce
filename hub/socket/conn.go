package socket

import (
	"fmt"
	"net"
	"sync/atomic"

	"github.com/coder/websocket"
)

// Conn is the server's end of one WebSocket. All methods are safe for concurrent
// use; concurrent Reads, and concurrent Writes, run one after another.
type Conn struct {
	// Static after construction.
	ws           *websocket.Conn
	transport    *transport
	isCompressed bool

	unansweredPings atomic.Int32 // since the last pong

	readLock chan struct{} // full while a goroutine reads

	// Owned by the holder of readLock.
	message []byte // the result of the last Read
}

// OnWritable sets the callback for the end of a full state (see [Conn.Write]): Write
// accepts messages again or, with an error, never will. A goroutine of the socket calls
// it without locks of writing, and it may call Write. OnWritable must be called before
// the first Write.
func (c *Conn) OnWritable(callback func(error)) { c.transport.outbound.setOnWritable(callback) }

// Write sends a message without blocking. If the kernel does not accept all of
// it at once, the socket is full and sends the rest as the peer reads. The socket is
// also full while the peer has more than 32 KiB to read, as its pongs show. Until the
// callback of OnWritable is called, Write sends nothing and returns [ErrFull].
//
// A peer has StallTimeout and FrameTimeout of [Options] to read. After that the
// socket is closed and the error is [ErrSlowPeer]. A close frame with 1001 is
// tried if no frame has been sent in part.
//
// After any error except ErrFull the socket is unusable, and part of the message
// may have been sent.
func (c *Conn) Write(m Message) (full bool, err error) {
	full, err = c.transport.outbound.sendMessage(m, c.isCompressed)
	switch err {
	case nil, ErrFull, ErrClosed, ErrSlowPeer:
		return full, err
	}
	return full, fmt.Errorf("socket: write: %w", err)
}

// Ping sends a ping, unless one is unanswered. It returns the number of earlier calls
// since the last pong.
func (c *Conn) Ping() (earlierUnanswered int) {
	c.transport.outbound.sendPing()
	return int(c.unansweredPings.Add(1)) - 1
}

// IsCompressed reports whether both ends agreed on permessage-deflate.
func (c *Conn) IsCompressed() bool { return c.isCompressed }

// RemoteAddr returns the peer's address on the network connection.
func (c *Conn) RemoteAddr() net.Addr { return c.transport.RemoteAddr() }

// Closed returns a channel that is closed together with the network connection,
// by either end.
func (c *Conn) Closed() <-chan struct{} { return c.transport.done }

// Stats are a socket's counters.
type Stats struct {
	Frames int64 // data frames that were written completely
	Bytes  int64 // bytes that the connection accepted, with control frames, without the handshake
}

// Stats returns the current counters.
func (c *Conn) Stats() Stats { return c.transport.outbound.currentStats() }
