// Package sockettest runs the real HTTP and WebSocket stack over in-memory
// connections, so that tests of servers can use a testing/synctest bubble.
//
// The connections are of net.Pipe. They have no buffer, so a write to a peer that
// does not read blocks at once.
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

// Listener is an in-memory net.Listener. It must be created in the bubble that uses
// it.
type Listener struct {
	// PeerAddress is the remote address of new connections. It may be changed
	// between two of them.
	PeerAddress netip.AddrPort

	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

// NewListener returns a listener for a server and its clients.
func NewListener() *Listener {
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

// Close implements net.Listener. It does not close connections.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return &net.TCPAddr{} }

// DialContext connects to the listener and ignores the address. It is for
// http.Transport.
func (l *Listener) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- addressedConn{server, net.TCPAddrFromAddrPort(l.PeerAddress)}:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// addressedConn is a connection with a remote address.
type addressedConn struct {
	net.Conn
	remoteAddr net.Addr
}

// RemoteAddr implements net.Conn.
func (c addressedConn) RemoteAddr() net.Addr { return c.remoteAddr }

// Client returns an HTTP client of the listener. It keeps no idle connections,
// because their goroutines would outlive a test.
func (l *Listener) Client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: l.DialContext, DisableKeepAlives: true}}
}

// Dial opens a WebSocket to ws://server/ + path, until the test ends. options may be
// nil.
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

// Serve serves h on a new listener, until the test ends.
func Serve(tb testing.TB, h http.Handler) *Listener {
	tb.Helper()
	l := NewListener()
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
