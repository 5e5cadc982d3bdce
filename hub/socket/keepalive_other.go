//go:build !linux

package socket

import (
	"net"
	"time"
)

// setUserTimeout does nothing here: keep-alive finds a dead peer that is idle,
// and StallTime one that is not.
func setUserTimeout(*net.TCPConn, time.Duration) error { return nil }
