package socket

import (
	"errors"
	"os"
)

// inbound is the reading half of a transport. It limits the time and the bytes of
// a message. It does not parse frames. Conn reports the beginning and the end of
// messages and control frames, as the library returns them.
//
// The library may read ahead beyond the end of a message. Such bytes count only
// once more bytes arrive, so a peer that then sends nothing counts as idle.
//
// Most messages arrive in one read and cost no deadline. It is set only before a
// second read, and removed only before the next read that needs none.
type inbound struct {
	transport *transport // static

	// Owned by the holder of Conn.readLock.
	earlyBytes      []byte    // bytes that arrived with the handshake
	receiver        *receiver // nil: a goroutine reads the connection
	inMessage       bool      // a data message has begun
	deadline        instant   // for the current message or control frame; 0: none has begun
	connDeadline    instant   // the deadline that is set on the connection
	byteCount       int       // since the message or control frame began
	pingCount       int       // since pingWindowStart
	pingWindowStart instant

	// The reason why reading ends, owned likewise; at most one is set.
	violation *ViolationError // by the peer
	readErr   error           // of the connection
}

func (in *inbound) readWithLimits(p []byte) (n int, err error) {
	if in.violation != nil {
		return 0, in.violation
	}
	n, err = in.readBytes(p)
	if n > 0 && in.deadline == 0 {
		in.deadline = now() + in.transport.options.MessageTimeout
	}
	if in.byteCount += n; in.byteCount > in.transport.options.rawMessageLimit() {
		in.violation = ErrTooManyFragments
		return 0, in.violation
	}
	switch {
	case err == nil, err == errBufferEmpty:
	case errors.Is(err, os.ErrDeadlineExceeded) && in.deadline != 0:
		in.violation = ErrMessageTimeout
		return n, in.violation
	default:
		in.readErr = err
	}
	return n, err
}

// readBytes reads from the receiver, or else early bytes, then the connection.
func (in *inbound) readBytes(p []byte) (int, error) {
	if in.receiver != nil {
		return in.receiver.readBuffered(p)
	}
	if len(in.earlyBytes) > 0 {
		n := copy(p, in.earlyBytes)
		if in.earlyBytes = in.earlyBytes[n:]; len(in.earlyBytes) == 0 {
			in.earlyBytes = nil
		}
		return n, nil
	}
	if in.deadline != in.connDeadline {
		if err := in.transport.Conn.SetReadDeadline(timeOrZero(in.deadline)); err != nil {
			return 0, err
		}
		in.connDeadline = in.deadline
	}
	return in.transport.Conn.Read(p)
}

// receiveWholeMessage makes a message readable, if there is a receiver.
func (in *inbound) receiveWholeMessage() error {
	if in.receiver == nil {
		return nil
	}
	err := in.receiver.receiveWholeMessage()
	if violation, ok := err.(*ViolationError); ok {
		in.violation = violation
	}
	return err
}

func (in *inbound) beginMessage() { in.inMessage = true }

func (in *inbound) endMessage() {
	in.inMessage = false
	in.resetLimitsBetweenMessages()
}

// resetLimitsBetweenMessages is called after each control frame. A control frame within a
// message counts towards the message's limits.
func (in *inbound) resetLimitsBetweenMessages() {
	if !in.inMessage {
		in.deadline = 0
		in.byteCount = 0
	}
}

// countPing is called after each ping. It reports whether to answer it.
func (in *inbound) countPing() (canAnswer bool) {
	in.resetLimitsBetweenMessages()
	if now := now(); in.pingCount == 0 || now-in.pingWindowStart >= in.transport.options.PingWindow {
		in.pingCount, in.pingWindowStart = 0, now
	}
	if in.pingCount++; in.pingCount > in.transport.options.PingLimit {
		in.violation = ErrPingFlood
	}
	return in.violation == nil
}
