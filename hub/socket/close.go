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

// Close says why, waits for the peer to answer, and closes. It takes at most
// CloseTimeout of [Options], and less if the peer is attentive; one that is not
// has its connection closed all the same, with or without our close frame. A
// Read that is under way goes on to return the peer's answer. The reason is
// cut to the 123 bytes that there is room for.
func (c *Conn) Close(code websocket.StatusCode, reason string) error {
	limit := time.Now().Add(c.closeTime)
	if c.wire.out.end(closeFrame(code, reason), limit) {
		c.awaitPeer(limit)
	}
	return c.CloseNow()
}

// CloseNow closes the network connection without a word.
func (c *Conn) CloseNow() error {
	err := c.ws.CloseNow()
	if errors.Is(err, net.ErrClosed) { // was closed before
		return nil
	}
	return err
}

// shut is Close for who holds reading.
func (c *Conn) shut(code websocket.StatusCode, reason string) {
	limit := time.Now().Add(c.closeTime)
	if c.wire.out.end(closeFrame(code, reason), limit) {
		c.drain(limit)
	}
	c.CloseNow()
}

// awaitPeer waits until the peer has closed: a Read under way sees that, else
// we do ourselves.
func (c *Conn) awaitPeer(limit time.Time) {
	timer := time.NewTimer(time.Until(limit))
	defer timer.Stop()
	select {
	case c.reading <- struct{}{}:
		defer func() { <-c.reading }()
		c.drain(limit)
	case <-c.wire.done:
	case <-timer.C:
	}
}

// drain reads and drops what the peer sends, until it closes. A connection
// closed with something unread in it is reset, and the peer may then never see
// the close frame. The caller holds reading. Since a message may be half read
// the peer's close frame is not looked for: ours is followed by the end of the
// stream, where there is such a thing, which has it close the connection.
func (c *Conn) drain(limit time.Time) {
	if half, ok := c.wire.Conn.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	c.wire.SetReadDeadline(limit)
	io.Copy(io.Discard, c.wire.Conn)
}

// closeFrame encodes a close frame. Codes that may not be on the wire are the
// caller's mistake, and the peer's to complain of.
func closeFrame(code websocket.StatusCode, reason string) []byte {
	const room = maxControlPayload - 2
	if len(reason) > room {
		cut := room
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
