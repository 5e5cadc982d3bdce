package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/coder/websocket"
)

const (
	firstMessage = 512  // what a socket's buffer starts with
	keptMessage  = 1024 // the longest buffer that is kept while nothing comes
)

// Read returns the next text message, valid until the next Read. Its buffer is
// kept only if it is small, so idle sockets hold next to nothing.
//
// When ctx ends, the socket is closed without a close frame; a ctx that cannot
// end costs nothing, and [Conn.CloseNow] ends a Read as well. After an error
// the socket is closed. The error is
//
//   - [ErrWouldBlock], after which alone the socket is not closed,
//   - a [*ViolationError] when the peer broke a rule; it has been told so,
//   - [ErrClosed] when the socket was closed on this side,
//   - ctx's,
//   - one of which [websocket.CloseStatus] says the code, when the peer closed,
//   - else io.EOF or what the network says, wrapped.
func (c *Conn) Read(ctx context.Context) ([]byte, error) {
	select {
	case c.reading <- struct{}{}:
	case <-c.wire.done:
		return nil, ErrClosed
	}
	defer func() { <-c.reading }()
	if c.wire.closed() {
		return nil, ErrClosed
	}
	if cap(c.message) > keptMessage {
		c.message = nil
	}
	err := c.next(ctx)
	if err == ErrWouldBlock {
		return nil, err
	}
	if err != nil {
		return nil, c.lost(ctx, err)
	}
	return c.message, nil
}

// next reads a message into c.message. The caller holds reading.
func (c *Conn) next(ctx context.Context) error {
	var kind websocket.MessageType
	var r io.Reader
	for {
		err := c.wire.in.fetch()
		if err == nil {
			kind, r, err = c.ws.Reader(ctx)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, errAgain) { // else there were control frames alone
			return err
		}
	}
	c.wire.in.begin()
	if kind != websocket.MessageText {
		return ErrBinaryMessage
	}
	var err error
	if c.message, err = readAll(r, c.message[:0]); err != nil {
		return err
	}
	if err = c.wire.in.readErr; err != nil {
		return err // the library takes the end of a connection for the end of a deflated message
	}
	c.wire.in.end()
	if !utf8.Valid(c.message) {
		return ErrNotUTF8
	}
	return nil
}

// readAll is io.ReadAll into a buffer that there is.
func readAll(r io.Reader, dst []byte) ([]byte, error) {
	if cap(dst) == 0 {
		dst = make([]byte, 0, firstMessage)
	}
	for {
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
	}
}

// lost closes the socket after an error of next, and returns what Read says of
// it. The caller holds reading.
func (c *Conn) lost(ctx context.Context, err error) error {
	if v := c.violation(ctx, err); v != nil {
		c.shut(v.Code, v.Reason)
		return v
	}
	ours := c.wire.closed() && websocket.CloseStatus(err) == -1 && c.wire.in.readErr != io.EOF
	c.CloseNow()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("socket: read: %w", ctx.Err())
	case ours:
		return ErrClosed
	default:
		return fmt.Errorf("socket: read: %w", err)
	}
}

// violation says what the peer broke to cause err, if it did.
func (c *Conn) violation(ctx context.Context, err error) *ViolationError {
	var v *ViolationError
	switch {
	case errors.As(err, &v):
		return v
	case c.wire.in.fault != nil:
		return c.wire.in.fault
	case errors.Is(err, websocket.ErrMessageTooBig):
		return ErrTooLarge
	case websocket.CloseStatus(err) != -1, ctx.Err() != nil, c.wire.closed(), c.wire.in.readErr != nil:
		return nil
	default:
		return ErrProtocol // the library found fault with a frame
	}
}
