package socket

import (
	"cmp"
	"time"
)

// Subprotocol is the only subprotocol. A client that offers none uses it too.
const Subprotocol = "onair.v1"

// Options configure a socket. A zero field means its default, in parentheses.
type Options struct {
	// AllowForeignOrigin says that a page of the request's origin may connect. Requests
	// without an Origin (native apps), or from the server's own origin, may always.
	AllowForeignOrigin bool

	// NoCompression disables permessage-deflate. It saves a little memory for
	// each socket, and costs two thirds more bytes.
	NoCompression bool

	// ReadLimit is the maximum size of a message, in inflated bytes (16 KiB). It
	// bounds the memory for an incoming message. The limit for raw bytes is twice
	// this plus 4 KiB, which bounds the number of empty fragments.
	ReadLimit int

	// MessageTimeout is the time from a message's first byte to its last (30 s). A
	// shorter one disconnects clients on bad networks, a longer one keeps
	// incomplete messages in memory.
	MessageTimeout time.Duration

	// Poller makes Read non-blocking, if the connection is plain TCP: Read returns
	// [ErrWouldBlock]. If Poller is nil Read blocks.
	Poller *Poller

	// PingLimit is the maximum number of pings from a peer in PingWindow (20 in
	// 10 s). Each costs the server a write.
	PingLimit  int
	PingWindow time.Duration

	// StallTimeout ends a write when the peer has accepted no byte for this time
	// (30 s), with an error of at most a thirtieth. It should be shorter than the
	// kernel's limit; see [EnableKeepAlive].
	StallTimeout time.Duration

	// FrameTimeout ends the write of one frame after this time (5 min). It bounds
	// the memory for a peer that reads a byte now and then.
	FrameTimeout time.Duration

	// CloseTimeout bounds [Conn.Close] (1 s): sending the close frame and waiting
	// for the peer's. A shorter one makes draining faster, a longer one delivers
	// more close frames.
	CloseTimeout time.Duration

	// SendBufferBytes is the kernel's send buffer for a TCP connection (16 KiB; the
	// kernel doubles it). A larger one needs fewer wake-ups for large snapshots. A
	// smaller one needs less memory for peers that have stopped reading; the
	// kernel's default is megabytes for each.
	SendBufferBytes int
}

// rawMessageLimit returns the maximum number of raw bytes of a message.
func (o *Options) rawMessageLimit() int { return 2*o.ReadLimit + 4096 }

func (o Options) withDefaults() Options {
	o.ReadLimit = cmp.Or(o.ReadLimit, 16<<10)
	o.MessageTimeout = cmp.Or(o.MessageTimeout, 30*time.Second)
	o.PingLimit = cmp.Or(o.PingLimit, 20)
	o.PingWindow = cmp.Or(o.PingWindow, 10*time.Second)
	o.StallTimeout = cmp.Or(o.StallTimeout, 30*time.Second)
	o.FrameTimeout = cmp.Or(o.FrameTimeout, 5*time.Minute)
	o.CloseTimeout = cmp.Or(o.CloseTimeout, time.Second)
	o.SendBufferBytes = cmp.Or(o.SendBufferBytes, 16<<10)
	return o
}
