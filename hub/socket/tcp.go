package socket

import (
	"net"
	"syscall"
	"time"
)

// The kernel probes a silent peer after keepAliveIdle, then every
// keepAliveInterval, and closes the connection after keepAliveProbes unanswered
// probes. Shorter times detect dead peers sooner, but disconnect phones in tunnels.
const (
	keepAliveIdle     = 30 * time.Second
	keepAliveInterval = 10 * time.Second
	keepAliveProbes   = 3
)

// EnableKeepAlive makes the kernel detect a dead silent peer within a minute, if c
// is a TCP connection or TLS over one. Accept calls it. It is exported for
// long-lived HTTP answers.
//
// Keep-alive does not detect a peer that dies with unacknowledged data; a [Poller]
// does. TCP_USER_TIMEOUT is meant for that case but is not set. The kernel counts
// it from the first time that the peer's window was closed, even if it has been
// open since, and so resets viewers that stall now and then.
func EnableKeepAlive(c net.Conn) error {
	tcp := tcpConn(c)
	if tcp == nil {
		return nil
	}
	return tcp.SetKeepAliveConfig(net.KeepAliveConfig{
		Enable: true, Idle: keepAliveIdle, Interval: keepAliveInterval, Count: keepAliveProbes,
	})
}

// SetSendBuffer sets the size of the kernel's send buffer, if c is a TCP
// connection or TLS over one. By default the kernel keeps megabytes for a peer
// that has stopped reading. Accept sets it for its sockets.
func SetSendBuffer(c net.Conn, bytes int) error {
	if tcp := tcpConn(c); tcp != nil {
		return tcp.SetWriteBuffer(bytes)
	}
	return nil
}

// ResetOnClose makes the close of c discard unsent data and reset the connection, if c
// is a TCP connection or TLS over one. It is for peers that have vanished or read
// nothing. Otherwise the kernel keeps the data after the close, and sends it again for
// minutes.
func ResetOnClose(c net.Conn) error {
	if tcp := tcpConn(c); tcp != nil {
		return tcp.SetLinger(0)
	}
	return nil
}

// tcpConn returns the TCP connection that c is or wraps, or nil.
func tcpConn(c net.Conn) *net.TCPConn {
	for {
		switch t := c.(type) {
		case *net.TCPConn:
			return t
		case interface{ NetConn() net.Conn }: // tls.Conn and other wrappers
			c = t.NetConn()
		default:
			return nil
		}
	}
}

// plainTCPRawConn returns a TCP connection for non-blocking system calls, or nil for
// any other connection. The runtime keeps the descriptor, so it is neither closed
// nor reused during a call.
func plainTCPRawConn(c net.Conn) syscall.RawConn {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}
