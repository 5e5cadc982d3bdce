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
	initialMessageBuffer = 512  // the first size of a socket's buffer
	maxIdleMessageBuffer = 1024 // the largest buffer that an idle socket keeps
)

// Read returns the next text message. It is valid until the next Read. Only a
// small buffer is kept, so idle sockets need little memory.
//
// When ctx ends, Read closes the socket without a close frame. A ctx that cannot
// end costs nothing; [Conn.CloseNow] ends a Read too. After any error except
// [ErrWouldBlock] the socket is closed. The error is
//
//   - [ErrWouldBlock] if there is a [Poller] and no message has arrived,
//   - a [*ViolationError] if the peer broke a rule; its close frame was sent,
//   - [ErrClosed] if this side closed the socket,
//   - the error of ctx, wrapped,
//   - an error with a code in [websocket.CloseStatus] if the peer closed the socket,
//   - otherwise io.EOF or a network error, wrapped.
func (c *Conn) Read(ctx context.Context) ([]byte, error) {
	select {
	case c.readLock <- struct{}{}:
	case <-c.transport.done:
		return nil, ErrClosed
	}
	defer func() { <-c.readLock }()
	if c.transport.isClosed() {
		return nil, ErrClosed
	}
	if cap(c.message) > maxIdleMessageBuffer {
		c.message = nil
	}
	err := c.readMessage(ctx)
	if err == ErrWouldBlock {
		return nil, err
	}
	if err != nil {
		return nil, c.closeAfterError(ctx, err)
	}
	return c.message, nil
}

// readMessage reads a message into c.message. The caller holds readLock.
func (c *Conn) readMessage(ctx context.Context) error {
	var kind websocket.MessageType
	var r io.Reader
	for {
		err := c.transport.inbound.receiveWholeMessage()
		if err == nil {
			kind, r, err = c.ws.Reader(ctx)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, errBufferEmpty) { // otherwise there were only control frames
			return err
		}
	}
	c.transport.inbound.beginMessage()
	if kind != websocket.MessageText {
		return ErrBinaryMessage
	}
	var err error
	if c.message, err = appendFromReader(c.message[:0], r); err != nil {
		return err
	}
	if err = c.transport.inbound.readErr; err != nil {
		return err // the library confuses it with the end of a deflated message
	}
	c.transport.inbound.endMessage()
	if !utf8.Valid(c.message) {
		return ErrNotUTF8
	}
	return nil
}

// appendFromReader is io.ReadAll into an existing buffer.
func appendFromReader(dst []byte, r io.Reader) ([]byte, error) {
	if cap(dst) == 0 {
		dst = make([]byte, 0, initialMessageBuffer)
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

// closeAfterError closes the socket after an error of readMessage, and returns the
// error of Read. The caller holds readLock.
func (c *Conn) closeAfterError(ctx context.Context, err error) (readErr error) {
	if v := c.violationOf(ctx, err); v != nil {
		c.closeWithFrame(v.Code, v.Reason, c.closeWriteAndDiscardInput)
		return v
	}
	closedHere := c.transport.isClosed() && websocket.CloseStatus(err) == -1 && c.transport.inbound.readErr != io.EOF
	c.CloseNow()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("socket: read: %w", ctx.Err())
	case closedHere:
		return ErrClosed
	default:
		return fmt.Errorf("socket: read: %w", err)
	}
}

// violationOf returns the peer's violation that caused err, or nil.
func (c *Conn) violationOf(ctx context.Context, err error) *ViolationError {
	var v *ViolationError
	switch {
	case errors.As(err, &v):
		return v
	case c.transport.inbound.violation != nil:
		return c.transport.inbound.violation
	case errors.Is(err, websocket.ErrMessageTooBig):
		return ErrTooLarge
	case websocket.CloseStatus(err) != -1, ctx.Err() != nil, c.transport.isClosed(), c.transport.inbound.readErr != nil:
		return nil
	default:
		return ErrProtocol // the library rejected a frame
	}
}
