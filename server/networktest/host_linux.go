package networktest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Host is a network namespace with one address. Its methods may be called concurrently.
type Host struct {
	network   *Network
	addr      netip.Addr
	namespace *os.File
	device    *os.File // of the packets
}

// NewHost adds a host to the network.
func (n *Network) NewHost() *Host {
	n.t.Helper()
	h := &Host{network: n, addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(len(n.hosts) + 1)})}
	if err := h.create(); err != nil {
		n.t.Fatalf("network namespace: %v", err)
	}
	n.mu.Lock()
	n.hosts[h.addr] = h
	n.mu.Unlock()
	n.tasks.Go(func() { n.forward(h) })
	return h
}

// create makes the namespace and its device.
func (h *Host) create() error {
	return onThread(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("unshare: %w", err)
		}
		if h.namespace, err = openNamespace(); err != nil {
			return err
		}
		h.device, err = openDevice(h.addr)
		return err
	})
}

func (h *Host) close() {
	h.device.Close()
	h.namespace.Close()
}

// Addr returns the host's IP address.
func (h *Host) Addr() string { return h.addr.String() }

// Run calls f on a thread of the host: the sockets that f opens and the processes that
// f starts are on the host. Goroutines that f starts are not.
func (h *Host) Run(f func()) {
	err := onThread(func() error {
		if err := unix.Setns(int(h.namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("setns: %w", err)
		}
		f()
		return nil
	})
	if err != nil {
		h.network.t.Error(err)
	}
}

// DialContext connects from the host to an IP address with a port. It is for
// http.Transport.
func (h *Host) DialContext(ctx context.Context, network, address string) (conn net.Conn, err error) {
	h.Run(func() { conn, err = new(net.Dialer).DialContext(ctx, network, address) })
	return conn, err
}

// Client returns an HTTP client on the host. It keeps no idle connections, because
// their goroutines would outlive a test.
func (h *Host) Client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: h.DialContext, DisableKeepAlives: true}}
}

// onThread calls f on a thread of its own, whose namespace f may change. Afterwards the
// thread is in its former namespace. It must not end, because the kernel would signal
// processes that other tests have started on it.
func onThread(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := openNamespace()
	if err != nil {
		return err
	}
	defer before.Close()
	defer func() {
		if err := unix.Setns(int(before.Fd()), unix.CLONE_NEWNET); err != nil {
			panic(fmt.Sprintf("the thread stays in another namespace: %v", err))
		}
	}()
	return f()
}

// openNamespace opens the network namespace of this thread.
func openNamespace() (*os.File, error) { return os.Open("/proc/thread-self/ns/net") }
