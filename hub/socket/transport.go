package socket

import (
	"crypto/tls"
	"net"
	"sync"
)

// transport is the network connection of the WebSocket library. It has two
// independent halves.
type transport struct {
	// Static after construction; the halves use them.
	net.Conn
	options Options

	inbound  inbound
	outbound outbound

	closeOnce sync.Once
	done      chan struct{} // closed by Close
	closeErr  error         // the result of Close; valid once done is closed
}

// newTransport wraps conn. earlyBytes were already read from conn.
func newTransport(conn net.Conn, earlyBytes []byte, o Options) *transport {
	t := &transport{Conn: conn, options: o, done: make(chan struct{})}
	_, isTLS := conn.(*tls.Conn)
	raw := plainTCPRawConn(conn)
	t.inbound = inbound{transport: t, earlyBytes: earlyBytes, receiver: registerNewReceiver(t, raw)}
	if r := t.inbound.receiver; r != nil {
		r.buffer, t.inbound.earlyBytes = earlyBytes, nil
	}
	t.outbound = outbound{transport: t, rawConn: raw, isTLS: isTLS}
	return t
}

// Read implements net.Conn for the library; see inbound.
func (t *transport) Read(p []byte) (int, error) { return t.inbound.readWithLimits(p) }

// Write implements net.Conn for the library; see outbound.
func (t *transport) Write(p []byte) (int, error) { return t.outbound.sendOrQueueLibraryFrame(p) }

// Close closes the connection once and wakes its waiters. Every end of a socket
// calls it, because the library calls it on each of its own errors.
func (t *transport) Close() error {
	t.closeOnce.Do(func() {
		close(t.done)
		t.closeErr = t.Conn.Close()
		t.outbound.stopAwaitingPongAndNotify(ErrClosed)
		if r := t.inbound.receiver; r != nil {
			r.poller.unregister(r)
			r.notifyReadable()
		}
	})
	return t.closeErr
}

// reset closes the connection and discards unsent data; see ResetOnClose.
func (t *transport) reset() error {
	ResetOnClose(t.Conn)
	return t.Close()
}

// isClosed reports whether Close was called.
func (t *transport) isClosed() bool {
	select {
	case <-t.done:
		return true
	default:
		return false
	}
}
