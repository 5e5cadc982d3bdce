// Package sockettest runs the real HTTP and WebSocket stack over connections
// in memory, so that servers can be tested in a testing/synctest bubble.
//
// The connections are net.Pipe: they buffer nothing, so a peer that does not
// read is at once a peer that blocks.
package sockettest

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"

	"github.com/coder/websocket"
)

// A Listener is a net.Listener in memory. Make it in the bubble that uses it.
type Listener struct {
	// PeerAddress is where connections seem to come from. It may be changed between
	// two of them.
	PeerAddress netip.AddrPort

	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

// Listen returns a listener to serve on and to dial.
func Listen() *Listener {
	return &Listener{PeerAddress: netip.MustParseAddrPort("127.0.0.1:1"), conns: make(chan net.Conn), done: make(chan struct{})}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. Connections stay.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return &net.TCPAddr{} }

// DialContext connects to the listener, whatever the address; it fits
// http.Transport.
func (l *Listener) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- peerConn{server, net.TCPAddrFromAddrPort(l.PeerAddress)}:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// peerConn is a connection that comes from somewhere.
type peerConn struct {
	net.Conn
	peer net.Addr
}

// RemoteAddr implements net.Conn.
func (c peerConn) RemoteAddr() net.Addr { return c.peer }

// Client returns an HTTP client of the listener. It keeps no idle connections,
// whose goroutines would outlive a test.
func (l *Listener) Client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: l.DialContext, DisableKeepAlives: true}}
}

// Dial opens a WebSocket to ws://server/ + path; options may be nil. The socket
// is closed when the test ends.
func (l *Listener) Dial(tb testing.TB, path string, options *websocket.DialOptions) *websocket.Conn {
	tb.Helper()
	var o websocket.DialOptions
	if options != nil {
		o = *options
	}
	o.HTTPClient = l.Client()
	c, _, err := websocket.Dial(tb.Context(), "ws://server/"+path, &o)
	if err != nil {
		tb.Fatalf("dial: %v", err)
	}
	tb.Cleanup(func() { c.CloseNow() })
	return c
}

// Serve serves h on a new listener until the test ends.
func Serve(tb testing.TB, h http.Handler) *Listener {
	tb.Helper()
	l := Listen()
	server := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(l)
	}()
	tb.Cleanup(func() {
		server.Close()
		<-done
	})
	return l
}
