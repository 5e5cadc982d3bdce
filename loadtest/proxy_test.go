//go:build linux

package main

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"onair/loadtest/scrape"
)

// nodeProxy is another address of a server, which looks like another node with the same
// log.
type nodeProxy struct {
	address, serverAddress string

	copies   sync.WaitGroup
	mu       sync.Mutex // guards both
	listener net.Listener
	conns    map[net.Conn]bool
}

// startNodeProxy opens a proxy until the end of the test.
func startNodeProxy(t *testing.T, serverAddress string) *nodeProxy {
	t.Helper()
	p := &nodeProxy{address: "127.0.0.1:0", serverAddress: serverAddress, conns: map[net.Conn]bool{}}
	p.open(t)
	t.Cleanup(func() {
		p.close()
		p.copies.Wait()
	})
	return p
}

// open accepts clients at the proxy's address.
func (p *nodeProxy) open(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", p.address)
	if err != nil {
		t.Error(err)
		return
	}
	p.mu.Lock()
	p.listener, p.address = listener, listener.Addr().String()
	p.mu.Unlock()
	p.copies.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			if server, err := net.Dial("tcp", p.serverAddress); err != nil || !p.forwardConnection(listener, client, server) {
				client.Close()
			}
		}
	})
}

// forwardConnection copies in both directions until either end or the proxy closes. It returns
// false if the proxy has closed that listener.
func (p *nodeProxy) forwardConnection(from net.Listener, client, server net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != from {
		server.Close()
		return false
	}
	ends := [2]net.Conn{client, server}
	for i, source := range ends {
		target := ends[1-i]
		p.conns[source] = true
		p.copies.Go(func() {
			io.Copy(target, source)
			client.Close()
			server.Close()
			p.mu.Lock()
			delete(p.conns, source)
			p.mu.Unlock()
		})
	}
	return true
}

// close cuts all connections, like a node that is killed, and accepts none.
func (p *nodeProxy) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
	for conn := range p.conns {
		conn.Close()
	}
}

// clientCount is the number of open connections.
func (p *nodeProxy) clientCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns) / 2
}

// TestClientsMoveToOtherNode: when a node goes away, its clients reconnect to the other
// one, viewers with a diff, and back when that one goes away.
func TestClientsMoveToOtherNode(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	a, b := startNodeProxy(t, s.address), startNodeProxy(t, s.address)
	scraper := scrape.New(s.metricsURL(), netip.MustParseAddrPort(s.opsAddress))
	defer scraper.Client.CloseIdleConnections()
	awaitAllClients := func(p *nodeProxy) {
		for deadline := time.Now().Add(testTimeout); ; time.Sleep(20 * time.Millisecond) {
			admitted, err := scraper.Scrape(t.Context())
			if p.clientCount() >= 80 && err == nil && admitted.Connections >= 80 {
				return
			}
			if time.Now().After(deadline) {
				t.Errorf("%d of 80 clients are connected, %d admitted, %v", p.clientCount(), admitted.Connections, err)
				return
			}
		}
	}
	got := runLoadTestWith(t, func(cancel func()) {
		defer cancel()
		a.close()
		awaitAllClients(b)
		a.open(t)
		b.close()
		awaitAllClients(a)
		b.open(t)
		<-time.After(2 * time.Second) // for a sample with all clients
	}, "--url", "ws://"+a.address+",ws://"+b.address, "--metrics", s.metricsURL(), "--anchors", "20", "--viewers", "60", "--views", "3",
		"--ramp", "500ms", "--duration", testTimeout.String(), "--updates-per-second", "20", "--watch-share", "0.3", "--likes-per-second", "0",
		"--min-resumed", "0.99", "--max-disconnects", "400", "--max-p99", "30s")
	viewers, anchors := got.report.Viewers, got.report.Anchors
	if got.exitCode != 0 || viewers.Reconnects.All < 80 || viewers.Resumed != viewers.Reconnects.All || viewers.Disconnects < 80 {
		t.Errorf("exit %d, viewers %+v\n%s", got.exitCode, viewers, got.output)
	}
	if anchors.Disconnects < 25 || anchors.Resumes < 25 || anchors.Expired != 0 {
		t.Errorf("anchors %+v", anchors)
	}
}

// TestStartsProfile: the profile, at a small size, measures starts on quiet views.
func TestStartsProfile(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	a, b := startNodeProxy(t, s.address), startNodeProxy(t, s.address)
	got := s.runLoadTest(t, a.address+",ws://"+b.address, "--profile", "starts", "--anchors", "40", "--viewers", "60",
		"--views", "30", "--duration", "6s", "--anchor-life", "2s", "--rest-for", "1s")
	starts := got.report.Starts
	if got.exitCode != 0 || starts.QuietSameNode == nil || starts.QuietOtherNode == nil || starts.QuietOtherNode.Samples < 5 || starts.QuietOtherNode.P99 <= 0 {
		t.Errorf("exit %d, starts %+v\n%s", got.exitCode, starts, got.output)
	}
	l := got.report.DeliveryLatencies
	if l.SameNode == nil || l.OtherNode == nil || l.SameNode.Samples+l.OtherNode.Samples != l.Latency.Samples {
		t.Errorf("latency %+v, at the same node %+v, at another %+v", l.Latency, l.SameNode, l.OtherNode)
	}
}
