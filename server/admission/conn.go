package admission

import (
	"sync/atomic"

	"onair/hub"
	"onair/hub/wire"
)

// Conn is one connection that stays: a socket, or a response of events.
type Conn struct {
	// Static after construction.
	Socket  *hub.Socket
	Kind    string
	Address string

	role      string       // guarded by Admission.mu once it is inside
	closeCode atomic.Int64 // the code it was finished with, 0: none
}

// Kinds of connections, as metrics name them.
const (
	KindAnchor = "anchor"
	KindViewer = "viewer"
	KindEvents = "events"
)

// Roles of connections without a token: they need none, or it is yet to come.
const (
	RoleAnonymous = "anonymous"
	RoleUnknown   = "unknown"
)

// Close lets what is queued go out, then closes. It does not block.
func (c *Conn) Close(code int, reason string) {
	c.SetCloseCode(int64(code))
	c.Socket.CloseAfterAnswers(code, reason)
}

// drain sends the client to another node, at once.
func (c *Conn) drain() {
	c.Send(&wire.Drain{})
	c.Close(wire.CloseDrained, "this node is stopping")
}

// SetCloseCode records what the connection was closed with, unless that is known.
func (c *Conn) SetCloseCode(code int64) { c.closeCode.CompareAndSwap(0, code) }

// CloseCode is what this side finished the connection with, 0 for nothing.
func (c *Conn) CloseCode() int64 { return c.closeCode.Load() }

// Send queues a message; it does not block.
func (c *Conn) Send(m wire.Message) { c.Socket.Send(wire.Append(nil, m)) }
