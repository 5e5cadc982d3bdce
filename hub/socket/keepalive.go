package socket

import (
	"net"
	"time"
)

// The kernel probes a silent peer after keepAliveIdle, then every
// keepAliveInterval, and gives it up after keepAliveProbes of them. Shorter
// finds dead peers sooner and loses phones in tunnels.
const (
	keepAliveIdle     = 30 * time.Second
	keepAliveInterval = 10 * time.Second
	keepAliveProbes   = 3
)

// EnableKeepAlive has the kernel find out within a minute that the silent peer of a
// TCP connection (or of TLS over one) is dead. Other connections are left
// alone. Accept calls it; it is exported for answers that stay open.
//
// A peer that dies with something on its way to it is not silent in this sense:
// a [Poller] finds it. TCP_USER_TIMEOUT, which is made for that, is not set: the
// kernel counts it from the first time that the peer's window was shut, even if
// it has been open since, and so resets a viewer that stalls now and then.
func EnableKeepAlive(c net.Conn) error {
	tcp := tcpConn(c)
	if tcp == nil {
		return nil
	}
	return tcp.SetKeepAliveConfig(net.KeepAliveConfig{
		Enable: true, Idle: keepAliveIdle, Interval: keepAliveInterval, Count: keepAliveProbes,
	})
}

// tcpConn returns the TCP connection that c is or runs on, or nil.
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
