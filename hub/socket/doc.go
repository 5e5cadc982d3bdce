// Package socket is the server side of onair's WebSockets. It encodes, and
// compresses, each message once for all sockets, and writes it without the
// WebSocket library, on the library's own connection.
//
// # Use
//
// [Accept] upgrades a request, or returns an [*UpgradeError] with an HTTP status.
// The caller must call [Conn.Read] until it fails; Read also answers pings and
// close frames. With a [Poller] Read does not block. It returns [ErrWouldBlock],
// and [Conn.NotifyReadable] has it called again. [Conn.Write] sends a [Message]: a
// head of its own and a [Body] that many sockets share. It never blocks. It
// reports that the socket is full, and the callback of [Conn.OnWritable] reports
// the end of that. [Conn.Close] or [Conn.CloseNow] ends the socket.
//
// # Structure
//
// github.com/coder/websocket handles the handshake, reading, control frames and
// the answer to a close frame. It uses a transport, which wraps the network
// connection. It never receives a data frame of the server. The transport has two
// halves that share only the connection:
//
//	inbound   used by the reading goroutine; bounds the time and the size of a
//	          message. With a poller, a receiver gives the library only whole
//	          messages
//	outbound  writes whole frames, one after another: data frames of Conn.Write
//	          and control frames of the library. A drainer, which is a goroutine,
//	          writes what the kernel does not accept at once
//
// There are two locks, taken in this order:
//
//   - Conn.readLock is held during Read, and by Close while it waits for the
//     peer's close frame.
//   - outbound.mu is held during a non-blocking write, and never during a call
//     that blocks.
//
// # Invariants
//
//   - Frames never interleave: the rest of a started frame is sent first.
//   - Nothing follows a close frame: data frames get [ErrClosed], control frames
//     are dropped.
//   - A control frame never blocks the reader, except the echo of a close frame.
//     The drainer sends the rest after its current frame. So a ping to a slow
//     viewer does not close it, although the library allows a control frame 5 s.
//   - Bytes that arrive with the handshake are read once, from the transport. The
//     library gets an empty buffer.
//   - The library writes each control frame with exactly one Write, because its
//     buffer can hold the largest one. The transport rejects any other Write, so a
//     version of the library with other behaviour fails at once.
//   - A descriptor is used only through the runtime's poller, which prevents that
//     it is closed during the use.
//
// # Limits
//
// The package does not queue or merge messages, and does not decide which viewers
// are too slow for a view; package hub does. It does not limit the rate of
// messages, and parses no JSON.
package socket
