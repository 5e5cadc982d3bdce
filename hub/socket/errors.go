package socket

import (
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/coder/websocket"
)

// ErrClosed is returned when the socket was closed on this side, or is being
// closed: nothing may follow a close frame. It is a net.ErrClosed.
var ErrClosed = fmt.Errorf("socket: %w", net.ErrClosed)

// ErrSlowPeer is why a message that was taken has not gone, when the peer took no
// byte, or not the whole frame, in time. The socket has been closed.
var ErrSlowPeer = errors.New("socket: peer too slow")

// ErrFull is returned by [Conn.Write] while what it took before has not gone.
var ErrFull = errors.New("socket: full")

// ErrWouldBlock is returned by [Conn.Read] of a socket with a [Poller] when no
// message is there: call [Conn.NotifyReadable].
var ErrWouldBlock = errors.New("socket: nothing to read")

// A UpgradeError is returned by [Accept] for a request that it did not upgrade.
// Nothing has been written: the caller answers with Status. Headers that the
// status asks for (Upgrade, Sec-WebSocket-Version) are set already.
type UpgradeError struct {
	Status int
	Reason string // one sentence for a developer
}

// Error returns the status and the reason.
func (e *UpgradeError) Error() string {
	return fmt.Sprintf("socket: refused: %s: %s", http.StatusText(e.Status), e.Reason)
}

// A ViolationError is what [Conn.Read] returns after it closed the socket
// because of what the peer did: one of the variables below.
type ViolationError struct {
	Code   websocket.StatusCode // the close code that was sent
	Reason string               // as in the close frame
}

// Error returns the code and the reason.
func (e *ViolationError) Error() string {
	return fmt.Sprintf("socket: closed with %d: %s", e.Code, e.Reason)
}

// The ways in which a peer can lose its socket by what it sends.
var (
	ErrProtocol         = &ViolationError{websocket.StatusProtocolError, "protocol error"}
	ErrBinaryMessage    = &ViolationError{websocket.StatusUnsupportedData, "binary message"}
	ErrNotUTF8          = &ViolationError{websocket.StatusInvalidFramePayloadData, "not UTF-8"}
	ErrTooLarge         = &ViolationError{websocket.StatusMessageTooBig, "message too large"}
	ErrMessageTimeout   = &ViolationError{websocket.StatusPolicyViolation, "message took too long"}
	ErrTooManyFragments = &ViolationError{websocket.StatusPolicyViolation, "too many fragments"}
	ErrPingFlood        = &ViolationError{websocket.StatusPolicyViolation, "too many pings"}
)

// errNotControl is returned to the WebSocket library when it writes anything
// but one whole control frame.
var errNotControl = errors.New("socket: not a control frame")
