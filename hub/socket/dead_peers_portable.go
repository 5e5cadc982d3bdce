//go:build !linux || portable

package socket

import "net"

// IsPeerDead reports whether c is a TCP connection, or TLS over one, whose peer has left
// sent data unacknowledged and been silent for 50 s. It is for long-lived HTTP answers.
// Without Linux it returns false.
func IsPeerDead(net.Conn) bool { return false }
