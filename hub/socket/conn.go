package socket

import (
	"context"
	"fmt"
	"net"
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

	reading chan struct{} // held (full) by whoever reads

	// Owned by the holder of reading.
	message []byte // the last one that Read returned
}

// Write sends a message. It blocks for as long as the peer takes to accept
// it, within StallTime and FrameTime of [Options]; then it closes the socket
// (1001 is attempted where a frame may begin) and returns [ErrSlow]. After any
// error the socket is closed, or about to be, and the message may have gone in
// part.
func (c *Conn) Write(m Message) error {
	err := c.wire.out.send(m, c.deflated)
	if err == nil || err == ErrClosed {
		return err
	}
	c.CloseNow()
	if err == ErrSlow {
		return err
	}
	return fmt.Errorf("socket: write: %w", err)
}

// WriteText sends a message that nobody shares.
func (c *Conn) WriteText(text []byte) error { return c.Write(Message{Head: text}) }

// Ping sends a ping and waits for its pong, which someone has to Read. When ctx
// ends first the socket stays open.
func (c *Conn) Ping(ctx context.Context) error {
	if err := c.ws.Ping(ctx); err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	return nil
}

// Deflated says whether permessage-deflate was agreed on.
func (c *Conn) Deflated() bool { return c.deflated }

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
func (c *Conn) Stats() Stats {
	return Stats{Frames: c.wire.out.frames.Load(), Bytes: c.wire.out.bytes.Load()}
}
