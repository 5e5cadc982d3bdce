package admission

import (
	"sync/atomic"

	"github.com/coder/websocket"

	"onair/hub"
	"onair/hub/wire"
)

// Conn is one long-lived connection: a socket or an event stream. Its methods may be called
// concurrently and do not block.
type Conn struct {
	// Static after construction.
	Socket  *hub.Socket
	Kind    string // one of the kinds below
	Address string // of the client

	role      string       // guarded by Admission.mu once admitted
	closeCode atomic.Int64 // 0: none yet
}

// Kinds of connections, as metrics name them.
const (
	KindAnchor = "anchor"
	KindViewer = "viewer"
	KindEvents = "events"
)

// Roles of connections without a token: none is needed, or none was received yet.
const (
	RoleAnonymous = "anonymous"
	RoleUnknown   = "unknown"
)

// Send queues a message.
func (c *Conn) Send(m wire.Message) { c.Socket.Send(wire.Append(nil, m)) }

// Close closes the connection once the queued messages are sent.
func (c *Conn) Close(code websocket.StatusCode, reason string) {
	c.SetFirstCloseCode(code)
	c.Socket.CloseAfterAnswers(int(code), reason)
}

// closeDrained closes the connection so that its client uses another node.
func (c *Conn) closeDrained() { c.Close(wire.CloseDrained, "this node is stopping") }

// SetFirstCloseCode sets the close code, unless one is set.
func (c *Conn) SetFirstCloseCode(code websocket.StatusCode) {
	c.closeCode.CompareAndSwap(0, int64(code))
}

// CloseCode is the first close code that this side has set, 0 for none.
func (c *Conn) CloseCode() websocket.StatusCode { return websocket.StatusCode(c.closeCode.Load()) }
