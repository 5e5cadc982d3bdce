package redistest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Ports are taken below those that Linux (from 32768) and others (from 49152)
// give to clients: a client that happens to get the port of a server that is
// down would keep the server from coming back.
const (
	lowestPort  = 10_000
	highestPort = 32_000
)

// listen takes a free port.
func listen(t testing.TB) *net.TCPListener {
	t.Helper()
	var err error
	for range 100 {
		var l net.Listener
		l, err = net.Listen("tcp", onLoopback(lowestPort+rand.N(highestPort-lowestPort)))
		if err == nil {
			return l.(*net.TCPListener)
		}
	}
	t.Fatalf("no free port: %v", err)
	return nil
}

// freePort is a port that was free a moment ago.
func freePort(t testing.TB) int {
	t.Helper()
	l := listen(t)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// onLoopback is the address of a port.
func onLoopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
