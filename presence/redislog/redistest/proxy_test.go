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

// echo is a server that says what it is told, until the client has no more.
func echo(t *testing.T) (addr string) {
	t.Helper()
	l := listen(t)
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

// dial connects, and gives up on whatever takes too long.
func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}

// say sends a text, and hear reads it.
func say(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	got := make([]byte, len(text))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != text {
		t.Fatalf("heard %q: %v", got, err)
	}
}

func TestProxyPasses(t *testing.T) {
	conn := dial(t, NewProxy(t, echo(t)).Addr())
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
	p := NewProxy(t, echo(t))
	conn := dial(t, p.Addr())
	const latency, jitter = 50 * time.Millisecond, 20 * time.Millisecond
	p.Delay(latency, jitter)
	start := time.Now()
	for i := range 100 {
		say(t, conn, fmt.Sprintf("%4d", i))
	}
	hear(t, conn, "   0")
	if took := time.Since(start); took < 2*(latency-jitter) {
		t.Errorf("there and back in %v", took)
	}
	for i := 1; i < 100; i++ {
		hear(t, conn, fmt.Sprintf("%4d", i))
	}
	// They are on their way at the same time.
	if took := time.Since(start); took > 100*latency {
		t.Errorf("all in %v", took)
	}
	p.Delay(time.Hour, 0)
	say(t, conn, "soon")
	p.Restore()
	hear(t, conn, "soon")
}

func TestProxyThrottles(t *testing.T) {
	p := NewProxy(t, echo(t))
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
		t.Errorf("half a second's worth in %v", took)
	}
}

func TestProxyCuts(t *testing.T) {
	p := NewProxy(t, echo(t))
	conn := dial(t, p.Addr())
	say(t, conn, "hello")
	hear(t, conn, "hello")
	p.Disconnect()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a cut connection: %v", err)
	}
	if _, err := net.Dial("tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a new connection: %v", err)
	}
	p.Disconnect()
	p.Restore()
	conn = dial(t, p.Addr())
	say(t, conn, "again")
	hear(t, conn, "again")
}

func TestProxyHalfOpens(t *testing.T) {
	p := NewProxy(t, echo(t))
	conn := dial(t, p.Addr())
	say(t, conn, "hello")
	hear(t, conn, "hello")
	p.HalfOpen()
	say(t, conn, "there?")
	late := dial(t, p.Addr())
	say(t, late, "and I?")
	for _, c := range []net.Conn{conn, late} {
		c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
			t.Errorf("half-open: %d, %v", n, err)
		}
		c.SetReadDeadline(time.Now().Add(patience))
	}
	p.Restore()
	hear(t, conn, "there?")
	hear(t, late, "and I?")
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// TestProxyUnderWay cuts, or is left, while much is under way in both
// directions: TestMain sees what stays behind.
func TestProxyUnderWay(t *testing.T) {
	for name, fault := range map[string]func(*Proxy){
		"cut":       (*Proxy).Disconnect,
		"half-open": (*Proxy).HalfOpen,
		"delayed":   func(p *Proxy) { p.Delay(time.Hour, time.Minute) },
		"throttled": func(p *Proxy) { p.Throttle(1) },
		"well":      func(*Proxy) {},
	} {
		t.Run(name, func(t *testing.T) {
			p := NewProxy(t, echo(t))
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

func TestProxyServerDown(t *testing.T) {
	p := NewProxy(t, onLoopback(freePort(t)))
	conn, err := net.Dial("tcp", p.Addr())
	if err == nil {
		defer conn.Close()
		_, err = conn.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("through to nobody: %v", err)
	}
}
