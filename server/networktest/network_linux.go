package networktest

import (
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
)

// Network forwards the packets of its hosts. Its methods may be called concurrently,
// except NewHost.
type Network struct {
	t     testing.TB
	tasks sync.WaitGroup
	done  chan struct{} // closed at the end of the test
	lost  atomic.Int64

	mu     sync.Mutex // guards below
	hosts  map[netip.Addr]*Host
	routes map[route]*queue
}

// route names the packets from one host to another.
type route struct{ from, to netip.Addr }

// New returns a network without hosts, which exists until the test ends. It skips the
// test of a user who may not make namespaces.
func New(t testing.TB) *Network {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	n := &Network{t: t, done: make(chan struct{}), hosts: map[netip.Addr]*Host{}, routes: map[route]*queue{}}
	t.Cleanup(n.close)
	return n
}

// close ends the forwarding, and removes the hosts.
func (n *Network) close() {
	close(n.done)
	for _, h := range n.hosts {
		h.close()
	}
	n.tasks.Wait()
}

// SetPath sets the path of packets from one host to another. Packets on the way are not
// affected.
func (n *Network) SetPath(from, to *Host, p Path) { n.queueOf(from, to).path.Store(&p) }

// SetPaths sets both paths between two hosts.
func (n *Network) SetPaths(a, b *Host, p Path) {
	n.SetPath(a, b, p)
	n.SetPath(b, a, p)
}

// Lost returns the number of packets that were lost.
func (n *Network) Lost() int64 { return n.lost.Load() }

// queueOf returns the queue from one host to another.
func (n *Network) queueOf(from, to *Host) *queue {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := route{from.addr, to.addr}
	q := n.routes[r]
	if q == nil {
		q = newQueue()
		n.routes[r] = q
		n.tasks.Go(func() { q.deliver(to.device, n.done) })
	}
	return q
}

// forward forwards the packets that a host sends, until its device is closed.
func (n *Network) forward(from *Host) {
	for buffer := make([]byte, mtu); ; {
		size, err := from.device.Read(buffer)
		if err != nil {
			return
		}
		if to := n.destination(buffer[:size]); to != nil && !n.queueOf(from, to).add(buffer[:size]) {
			n.lost.Add(1)
		}
	}
}

// destination returns the host to which an IPv4 packet is sent; nil: there is none.
func (n *Network) destination(packet []byte) *Host {
	const version, headerBytes, destinationOffset = 4, 20, 16
	if len(packet) < headerBytes || packet[0]>>4 != version {
		return nil
	}
	addr, _ := netip.AddrFromSlice(packet[destinationOffset:headerBytes])
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.hosts[addr]
}
