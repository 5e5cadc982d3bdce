package redistest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// startEchoServer starts a server that sends back what it receives.
func startEchoServer(t *testing.T) (addr string) {
	t.Helper()
	l := listenOnFreePort(t)
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.Copy(conn, conn)
			}()
		}
	}()
	return l.Addr().String()
}

// dial connects. Reads and writes have a deadline.
func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(timeout))
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}

func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

func expectReceive(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	got := make([]byte, len(text))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != text {
		t.Fatalf("received %q: %v", got, err)
	}
}

func TestProxyForwards(t *testing.T) {
	conn := dial(t, NewProxy(t, startEchoServer(t)).Addr())
	text := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	go func() {
		conn.Write(text)
		conn.CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err != nil || !bytes.Equal(got, text) {
		t.Errorf("%d of %d bytes: %v", len(got), len(text), err)
	}
}

func TestProxyDelays(t *testing.T) {
	p := NewProxy(t, startEchoServer(t))
	conn := dial(t, p.Addr())
	const latency, jitter = 50 * time.Millisecond, 20 * time.Millisecond
	p.Delay(latency, jitter)
	start := time.Now()
	for i := range 100 {
		send(t, conn, fmt.Sprintf("%4d", i))
	}
	expectReceive(t, conn, "   0")
	if took := time.Since(start); took < 2*(latency-jitter) {
		t.Errorf("the round trip took %v", took)
	}
	for i := 1; i < 100; i++ {
		expectReceive(t, conn, fmt.Sprintf("%4d", i))
	}
	// All are under way at the same time.
	if took := time.Since(start); took > 100*latency {
		t.Errorf("all took %v", took)
	}
	p.Delay(time.Hour, 0)
	send(t, conn, "soon")
	p.EndFaults()
	expectReceive(t, conn, "soon")
}

func TestProxyThrottles(t *testing.T) {
	p := NewProxy(t, startEchoServer(t))
	p.Throttle(1000)
	conn := dial(t, p.Addr())
	text := make([]byte, 500_000)
	start := time.Now()
	go func() {
		conn.Write(text)
		conn.CloseWrite()
	}()
	if n, err := io.Copy(io.Discard, conn); n != int64(len(text)) || err != nil {
		t.Errorf("%d bytes: %v", n, err)
	}
	if took := time.Since(start); took < 400*time.Millisecond {
		t.Errorf("the data of half a second took %v", took)
	}
}

func TestProxyDisconnects(t *testing.T) {
	p := NewProxy(t, startEchoServer(t))
	conn := dial(t, p.Addr())
	send(t, conn, "hello")
	expectReceive(t, conn, "hello")
	p.Disconnect()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("an old connection: %v", err)
	}
	if _, err := net.Dial("tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a new connection: %v", err)
	}
	p.Disconnect()
	p.EndFaults()
	conn = dial(t, p.Addr())
	send(t, conn, "again")
	expectReceive(t, conn, "again")
}

func TestProxyHalfOpens(t *testing.T) {
	p := NewProxy(t, startEchoServer(t))
	conn := dial(t, p.Addr())
	send(t, conn, "hello")
	expectReceive(t, conn, "hello")
	p.HalfOpen()
	send(t, conn, "there?")
	late := dial(t, p.Addr())
	send(t, late, "and I?")
	for _, c := range []net.Conn{conn, late} {
		c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
			t.Errorf("half-open: %d, %v", n, err)
		}
		c.SetReadDeadline(time.Now().Add(timeout))
	}
	p.EndFaults()
	expectReceive(t, conn, "there?")
	expectReceive(t, late, "and I?")
}

func isTimeout(err error) bool {
	netErr, ok := errors.AsType[net.Error](err)
	return ok && netErr.Timeout()
}

// TestProxyLeaksNothing ends with data under way in both directions. TestMain detects
// leaked goroutines.
func TestProxyLeaksNothing(t *testing.T) {
	for name, fault := range map[string]func(*Proxy){
		"disconnected": (*Proxy).Disconnect,
		"half-open":    (*Proxy).HalfOpen,
		"delayed":      func(p *Proxy) { p.Delay(time.Hour, time.Minute) },
		"throttled":    func(p *Proxy) { p.Throttle(1) },
		"no fault":     func(*Proxy) {},
	} {
		t.Run(name, func(t *testing.T) {
			p := NewProxy(t, startEchoServer(t))
			for range 3 {
				conn := dial(t, p.Addr())
				go func() {
					for {
						if _, err := conn.Write(make([]byte, 1<<16)); err != nil {
							return
						}
					}
				}()
				io.CopyN(io.Discard, conn, 1<<18)
			}
			fault(p)
		})
	}
}

func TestProxyWithoutServer(t *testing.T) {
	p := NewProxy(t, loopbackAddress(freePort(t)))
	conn, err := net.Dial("tcp", p.Addr())
	if err == nil {
		defer conn.Close()
		_, err = conn.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a connection without a server: %v", err)
	}
}
