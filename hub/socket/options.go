package socket

import (
	"cmp"
	"time"
)

// Subprotocol is the only one there is. A client that offers none speaks it too.
const Subprotocol = "onair.v1"

// Options say what a socket accepts. The zero value of each is its default.
type Options struct {
	// OriginPatterns lists foreign origins that may connect, as in
	// [websocket.AcceptOptions]. Without an Origin (native apps), and from the
	// origin of the request itself, everyone may.
	OriginPatterns []string

	// NoCompression refuses permessage-deflate. It saves a little memory for
	// each socket, and costs two thirds more bytes.
	NoCompression bool

	// ReadLimit is the largest message, in bytes once inflated (16 KiB). A
	// socket costs at most this while one comes in. Raw bytes are limited to
	// twice as many and 4 KiB, or fragments without content would be free.
	ReadLimit int

	// MessageTimeout is the time from a message's first byte to its last (30 s).
	// Shorter loses clients on bad lines, longer keeps half messages waiting.
	MessageTimeout time.Duration

	// Poller has the socket read when there is something to read, if it is a
	// plain TCP connection: then Read does not block, but returns [ErrWouldBlock].
	// Nil has whoever calls Read wait.
	Poller *Poller

	// PingLimit is how many pings a peer may send per PingWindow (20 per 10 s).
	// Each costs us a write.
	PingLimit  int
	PingWindow time.Duration

	// StallTimeout ends a write when no byte was accepted for so long (30 s), at
	// the latest a thirtieth of it late. It should be shorter than the kernel's
	// limit, see [EnableKeepAlive].
	StallTimeout time.Duration

	// FrameTimeout ends a write when a single frame took so long (5 min), however
	// steadily. Limits what a peer can pin by reading a byte now and then.
	FrameTimeout time.Duration

	// CloseTimeout bounds [Conn.Close] (1 s): sending the close frame and waiting
	// for the peer's. Shorter drains faster, longer tells more peers why.
	CloseTimeout time.Duration

	// SendBufferBytes is the kernel's send buffer for a TCP connection (16 KiB; the
	// kernel doubles it). Larger needs fewer wake-ups for large snapshots,
	// smaller pins less memory for peers that have stopped reading: left to
	// itself the kernel takes megabytes for each.
	SendBufferBytes int
}

// byteBudget is how many raw bytes a message may take.
func (o *Options) byteBudget() int { return 2*o.ReadLimit + 4096 }

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
