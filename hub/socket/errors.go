package socket

import (
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/coder/websocket"
)

// ErrClosed is returned when this side has closed the socket or is closing it.
// It wraps net.ErrClosed.
var ErrClosed = fmt.Errorf("socket: %w", net.ErrClosed)

// ErrSlowPeer is the error of an accepted message when the peer did not read a
// byte within StallTimeout, or the frame within FrameTimeout. The socket is closed.
var ErrSlowPeer = errors.New("socket: peer reads too slowly")

// ErrFull is returned by [Conn.Write] while an earlier message is unsent.
var ErrFull = errors.New("socket: full: an earlier message is unsent")

// ErrWouldBlock is returned by [Conn.Read] when the socket has a [Poller] and no
// message has arrived. The caller continues with [Conn.NotifyReadable].
var ErrWouldBlock = errors.New("socket: no message to read")

// UpgradeError is returned by [Accept] for a request that it did not upgrade.
// The caller must answer with Status. Accept has set the headers that belong to
// the status (Upgrade, Sec-WebSocket-Version) and has written nothing.
type UpgradeError struct {
	Status int
	Reason string // one sentence for a developer
}

// Error returns the status and the reason.
func (e *UpgradeError) Error() string {
	return fmt.Sprintf("socket: upgrade: %s: %s", http.StatusText(e.Status), e.Reason)
}

// ViolationError is returned by [Conn.Read] after it closed the socket because
// the peer broke a rule. It is one of the variables below.
type ViolationError struct {
	Code   websocket.StatusCode // the close code of the close frame
	Reason string               // the reason of the close frame
}

// Error returns the code and the reason.
func (e *ViolationError) Error() string {
	return fmt.Sprintf("socket: closed with %d: %s", e.Code, e.Reason)
}

// The violations of a peer.
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
// except one whole control frame.
var errNotControl = errors.New("socket: not a control frame")
