package outgoing

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/socket/sockettest"
)

// deadConn is a connection that a firewall forgot: what is written vanishes, and nothing
// arrives any more, until it is closed.
type deadConn struct {
	net.Conn
	isDead *atomic.Bool
	closed chan struct{}
}

func (c *deadConn) Write(p []byte) (int, error) {
	if c.isDead.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *deadConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.isDead.Load() && err == nil {
		<-c.closed
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *deadConn) Close() error {
	close(c.closed)
	return c.Conn.Close()
}

// TestDeadConnectionIsReplaced: requests over a connection that died silently fail for half a
// minute at most, over HTTP/2 as over HTTP/1.
func TestDeadConnectionIsReplaced(t *testing.T) {
	for _, isHTTP2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP2=%v", isHTTP2), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testDeadConnection(t, isHTTP2) })
		})
	}
}

func testDeadConnection(t *testing.T, isHTTP2 bool) {
	listener := sockettest.NewListener()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }))
	server.Listener, server.EnableHTTP2 = listener, isHTTP2
	server.StartTLS()
	defer server.Close()
	transport := NewTransport()
	defer transport.CloseIdleConnections()
	transport.TLSClientConfig = &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, Time: func() time.Time {
		return server.Certificate().NotBefore.Add(time.Hour)
	}}
	firstIsDead, dials := &atomic.Bool{}, 0
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := listener.DialContext(ctx, network, address)
		if dials++; err == nil && dials == 1 {
			conn = &deadConn{conn, firstIsDead, make(chan struct{})}
		}
		return conn, err
	}
	client := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	get := func() error {
		resp, err := client.Get("https://example.com/")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if (resp.ProtoMajor == 2) != isHTTP2 {
			t.Errorf("protocol %s", resp.Proto)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	if err := get(); err != nil {
		t.Fatal(err)
	}
	firstIsDead.Store(true)
	diedAt := time.Now()
	if err := get(); err == nil {
		t.Error("an answer came over the dead connection")
	}
	for get() != nil {
		if time.Since(diedAt) > time.Hour {
			t.Fatal("no new connection within an hour")
		}
		time.Sleep(time.Second)
	}
	if after := time.Since(diedAt); after > 30*time.Second {
		t.Errorf("answered again after %v", after)
	}
}

func TestWithoutURL(t *testing.T) {
	transport := NewTransport()
	transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("refused") }
	_, err := (&http.Client{Transport: transport}).Get("http://user:password@example.com/path?key=secret")
	for _, wrapped := range []error{err, fmt.Errorf("reading failed: %w", err)} {
		if got := WithoutURL(wrapped); got == nil || !strings.Contains(got.Error(), "refused") || strings.Contains(got.Error(), "example.com") {
			t.Errorf("%v", got)
		}
	}
	if other := errors.New("other"); WithoutURL(other) != other || WithoutURL(nil) != nil {
		t.Error("another error was changed")
	}
}
