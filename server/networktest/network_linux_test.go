package networktest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// pair is a TCP connection between two hosts.
type pair struct {
	*Network
	client, server         *Host
	clientConn, serverConn net.Conn
}

// timeout bounds the waits. It is long enough for a busy machine.
const timeout = 30 * time.Second

func connect(t *testing.T) *pair {
	t.Helper()
	p := &pair{Network: New(t)}
	p.client, p.server = p.NewHost(), p.NewHost()
	var listener net.Listener
	var err error
	p.server.Run(func() { listener, err = net.Listen("tcp", p.server.Addr()+":80") })
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if p.clientConn, err = p.client.DialContext(t.Context(), "tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if p.serverConn, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{p.clientConn, p.serverConn} {
		c.SetDeadline(time.Now().Add(timeout))
		t.Cleanup(func() { c.Close() })
	}
	return p
}

// send sends data from the server to the client, and returns how long that took.
func (p *pair) send(t *testing.T, size int) time.Duration {
	t.Helper()
	began := time.Now()
	sent := bytes.Repeat([]byte("onair"), size/5)
	go p.serverConn.Write(sent)
	received := make([]byte, len(sent))
	if _, err := io.ReadFull(p.clientConn, received); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(received, sent) {
		t.Error("the client received other data")
	}
	return time.Since(began)
}

func TestPaths(t *testing.T) {
	t.Parallel()
	t.Run("perfect", func(t *testing.T) {
		p := connect(t)
		p.send(t, 1<<20)
		if n := p.Lost(); n != 0 {
			t.Errorf("%d packets were lost", n)
		}
	})
	t.Run("lossy", func(t *testing.T) {
		p := connect(t)
		p.SetPath(p.server, p.client, Path{Loss: 0.1})
		p.send(t, 1<<20)
		if p.Lost() == 0 {
			t.Error("no packet was lost")
		}
	})
	t.Run("late", func(t *testing.T) {
		p := connect(t)
		p.SetPath(p.server, p.client, Path{Delay: 100 * time.Millisecond})
		if took := p.send(t, 5); took < 100*time.Millisecond {
			t.Errorf("the data took %v", took)
		}
	})
	t.Run("narrow", func(t *testing.T) {
		p := connect(t)
		p.SetPath(p.server, p.client, Path{BytesPerSecond: 100_000})
		if took := p.send(t, 50_000); took < 450*time.Millisecond {
			t.Errorf("50,000 bytes took %v", took)
		}
	})
}

// TestCut: a path may be cut in one direction. Its packets arrive when it is whole again.
func TestCut(t *testing.T) {
	t.Parallel()
	p := connect(t)
	p.SetPath(p.server, p.client, Cut)
	p.clientConn.Write([]byte("request"))
	request := make([]byte, len("request"))
	if _, err := io.ReadFull(p.serverConn, request); err != nil {
		t.Fatalf("the other direction: %v", err)
	}
	p.serverConn.Write([]byte("reply"))
	p.clientConn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if n, err := p.clientConn.Read(request); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d bytes passed, %v", n, err)
	}
	if got := p.server.SendQueues(p.client); len(got) != 1 || got[0] != len("reply") {
		t.Errorf("the server has queues of %v bytes, want the reply in one", got)
	}
	p.SetPath(p.server, p.client, Path{})
	p.clientConn.SetReadDeadline(time.Now().Add(timeout))
	if _, err := io.ReadFull(p.clientConn, request[:len("reply")]); err != nil {
		t.Error(err)
	}
}

// TestHostsAreSeparate: hosts have their own loopback, and do not reach the machine's.
func TestHostsAreSeparate(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	h := New(t).NewHost()
	if conn, err := h.DialContext(t.Context(), "tcp", listener.Addr().String()); err == nil {
		conn.Close()
		t.Error("a host reaches a listener of the machine")
	}
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatalf("the test's own namespace: %v", err)
	}
	conn.Close()
}
