package redistest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Ports are below those that Linux (from 32768) and other systems (from 49152) give to
// clients. Otherwise a client could get the port of a server that is down. The
// port on which a cluster's nodes reach each other is higher by 10,000.
const (
	lowestPort  = 10_000
	highestPort = 22_000
)

// listenOnFreePort listens on a free port.
func listenOnFreePort(t testing.TB) *net.TCPListener {
	t.Helper()
	var err error
	for range 100 {
		var l net.Listener
		l, err = net.Listen("tcp", loopbackAddress(lowestPort+rand.N(highestPort-lowestPort)))
		if err == nil {
			return l.(*net.TCPListener)
		}
	}
	t.Fatalf("no free port: %v", err)
	return nil
}

// freePort returns a port that was free a moment ago.
func freePort(t testing.TB) int {
	t.Helper()
	l := listenOnFreePort(t)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func loopbackAddress(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
