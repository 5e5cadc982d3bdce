// Package socket is onair's server side of a WebSocket: messages are encoded
// (and deflated) once for all sockets, and written around the WebSocket
// library through the same connection that it uses.
//
// # Use
//
// [Accept] upgrades a request or says, with a [*UpgradeError], what HTTP status
// to answer. [Conn.Read] must then be called until it fails: it also answers
// pings and close frames. With a [Poller] it does not block, but says
// [ErrWouldBlock]; [Conn.NotifyReadable] then has it called again. [Conn.Write] sends a
// [Message]: a head of its own and a [BodyWriter] that many sockets share. It never
// blocks: a socket that is full says so, and says when it no longer is.
// [Conn.Close] or [Conn.CloseNow] ends it.
//
// # Who does what
//
// github.com/coder/websocket does the handshake, reading, control frames and
// the answer to a close frame. It runs on a wire, our wrapper of the network
// connection, and never sees a data frame that we send. The wire has two
// halves that share nothing but the connection:
//
//	inbound   what the reading goroutine touches; limits how long and in how
//	          many bytes a message may come. With a poller, a feed gives the
//	          library no more than whole messages
//	outbound  whole frames only, one at a time: data from Conn.Write, control
//	          frames from the library. What does not go at once is left to a
//	          drainer, a goroutine that lives until it has gone
//
// Two things are locks, taken in this order:
//
//   - Conn.reading is held through Read, and by Close while it waits for the
//     peer's half of the closing handshake.
//   - outbound.mu is held through a write that does not block, and never across
//     anything that does.
//
// # Invariants
//
//   - Frames never interleave: what is left of a started frame goes first.
//   - Nothing follows a close frame: data gets [ErrClosed], control frames are
//     dropped.
//   - A control frame never has the reader wait, but for the echo of a close:
//     what does not go at once is left to the drainer, who sends it at the end of
//     its frame. So a ping to a slow viewer does not close it (the library's own
//     limit on a control frame is 5 s).
//   - A byte that came with the handshake is read once, from the wire; the
//     library is given an empty buffer.
//   - The library makes exactly one Write of each control frame, because the
//     buffer it gets holds the largest one; the wire refuses anything else,
//     so another version of the library that behaves otherwise fails at once.
//   - A descriptor is used through the runtime's own poller alone, which keeps it
//     from being closed meanwhile.
//
// # What it does not do
//
// It does not queue, merge or decide who is too slow for what: that is package
// hub's. It does not limit messages per second, and it parses no JSON.
package socket
