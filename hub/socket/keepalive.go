package socket

import (
	"net"
	"time"
)

// The kernel probes a silent peer after keepAliveIdle, then every
// keepAliveInterval, and gives it up at the first of those that comes
// deadAfter after it was last heard; the same holds for data that is not
// acknowledged and for a window that stays shut. Shorter finds dead peers
// sooner and loses phones in tunnels. deadAfter must be longer than
// [Options].StallTime, which is the rule for peers that live but do not read.
const (
	keepAliveIdle     = 30 * time.Second
	keepAliveInterval = 10 * time.Second
	keepAliveProbes   = 3
	deadAfter         = 50 * time.Second
)

// KeepAlive has the kernel find out within a minute that the peer of a TCP
// connection (or of TLS over one) is dead. Other connections are left alone.
// Accept calls it; it is exported for answers that stay open.
func KeepAlive(c net.Conn) error {
	tcp := tcpConn(c)
	if tcp == nil {
		return nil
	}
	err := tcp.SetKeepAliveConfig(net.KeepAliveConfig{
		Enable: true, Idle: keepAliveIdle, Interval: keepAliveInterval, Count: keepAliveProbes,
	})
	if err != nil {
		return err
	}
	return setUserTimeout(tcp, deadAfter)
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
