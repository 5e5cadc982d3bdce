package socket

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
)

// Close sends a close frame, waits for the peer's close, and closes the
// connection. It takes at most CloseTimeout of [Options]; then it closes the
// connection even if no close frame was sent or received. A concurrent Read
// returns the peer's answer. The reason is cut to 123 bytes.
func (c *Conn) Close(code websocket.StatusCode, reason string) error {
	return c.closeWithFrame(code, reason, c.waitForPeerClose)
}

// closeWithFrame sends a close frame, calls waitForPeer if it was sent, and closes the
// connection.
func (c *Conn) closeWithFrame(code websocket.StatusCode, reason string, waitForPeer func(deadline time.Time)) error {
	deadline := time.Now().Add(c.transport.options.CloseTimeout)
	c.transport.outbound.sendOrQueueControlFrame(newCloseFrame(code, reason))
	if c.transport.outbound.waitDrained(time.Until(deadline)) {
		waitForPeer(deadline)
	}
	return c.CloseNow()
}

// CloseNow closes the network connection without a close frame.
func (c *Conn) CloseNow() error {
	err := c.ws.CloseNow()
	if errors.Is(err, net.ErrClosed) { // it is already closed
		return nil
	}
	return err
}

// Reset closes the network connection to a peer that does not answer, without a close
// frame. It discards unsent data; see [ResetOnClose].
func (c *Conn) Reset() error {
	ResetOnClose(c.transport.Conn)
	return c.CloseNow()
}

// waitForPeerClose waits until the peer closes or the deadline passes. A concurrent
// Read notices that the peer closes; without one, waitForPeerClose reads.
func (c *Conn) waitForPeerClose(deadline time.Time) {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case c.readLock <- struct{}{}:
		defer func() { <-c.readLock }()
		c.closeWriteAndDiscardInput(deadline)
	case <-c.transport.done:
	case <-timer.C:
	}
}

// closeWriteAndDiscardInput reads until the peer closes. The caller holds readLock.
//
// The kernel resets a connection that is closed with unread input, and the peer
// may then never receive the close frame. Part of a message may be read already,
// so the peer's close frame cannot be recognized. CloseWrite, if available, makes
// the peer close the connection.
func (c *Conn) closeWriteAndDiscardInput(deadline time.Time) {
	if half, ok := c.transport.Conn.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	c.transport.SetReadDeadline(deadline)
	io.Copy(io.Discard, c.transport.Conn)
}

// newCloseFrame encodes a close frame. It does not check the code.
func newCloseFrame(code websocket.StatusCode, reason string) []byte {
	const maxReason = maxControlPayload - 2
	if len(reason) > maxReason {
		cut := maxReason
		for cut > 0 && !utf8.RuneStart(reason[cut]) {
			cut--
		}
		reason = reason[:cut]
	}
	reason = strings.ToValidUTF8(reason, "")
	frame := []byte{finalBit | opClose, byte(2 + len(reason))}
	frame = binary.BigEndian.AppendUint16(frame, uint16(code))
	return append(frame, reason...)
}
