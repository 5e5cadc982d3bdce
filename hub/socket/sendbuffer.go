package socket

import "net"

// SetSendBuffer has the kernel keep about so many bytes for a connection that
// is, or runs on, a TCP connection, and does nothing for others. Left to itself
// the kernel takes megabytes for a peer that has stopped reading. Sockets that
// [Accept] returns are bounded already.
func SetSendBuffer(c net.Conn, bytes int) error {
	if tcp := tcpConn(c); tcp != nil {
		return tcp.SetWriteBuffer(bytes)
	}
	return nil
}
