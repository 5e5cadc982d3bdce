package socket

import (
	"net"
	"syscall"
)

// rawConn is a TCP connection for system calls that do not block. It stays the
// runtime's, which keeps its descriptor from being closed, and used again,
// while we are at it. It is nil for all other connections.
func rawConn(c net.Conn) syscall.RawConn {
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
