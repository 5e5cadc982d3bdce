package socket

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"onair/hub/socket/sockettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A site accepts sockets and hands them to the test.
type site struct {
	*sockettest.Listener
	conns chan *blocking
}

// blocking is a Conn whose Write waits until the message has gone, or will not.
type blocking struct {
	*Conn
	turn  chan struct{} // held (full) by whoever writes
	ready chan error
}

func newBlocking(c *Conn) *blocking {
	b := &blocking{c, make(chan struct{}, 1), make(chan error, 1)}
	c.OnWritable(func(err error) { b.ready <- err })
	return b
}

func (b *blocking) Write(m Message) error {
	b.turn <- struct{}{}
	defer func() { <-b.turn }()
	full, err := b.Conn.Write(m)
	if full && err == nil {
		err = <-b.ready
	}
	return err
}

func (b *blocking) WriteText(text []byte) error { return b.Write(Message{Head: text}) }

// newSite serves until the test ends; a test may also use it as a handler.
func newSite(tb testing.TB, o Options) *site {
	s := &site{conns: make(chan *blocking, 1)}
	s.Listener = sockettest.Serve(tb, s.handler(tb, o))
	return s
}

func (s *site) handler(tb testing.TB, o Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := Accept(w, r, o)
		if refused, ok := errors.AsType[*UpgradeError](err); ok {
			http.Error(w, refused.Reason, refused.Status)
			return
		}
		if err != nil {
			tb.Errorf("accept: %v", err)
			return
		}
		tb.Cleanup(func() { c.CloseNow() })
		s.conns <- newBlocking(c)
	})
}

// pair returns the two ends of a socket.
func pair(tb testing.TB, o Options, d *websocket.DialOptions) (*blocking, *websocket.Conn) {
	tb.Helper()
	s := newSite(tb, o)
	client := s.Dial(tb, "", d)
	client.SetReadLimit(-1)
	return <-s.conns, client
}

// A raw client writes and reads frames byte by byte.
type raw struct {
	net.Conn
	in    *bufio.Reader
	tb    testing.TB
	tasks sync.WaitGroup
}

// start runs f; the test ends when it has returned, at the latest because the
// client's connection is closed.
func (c *raw) start(f func()) { c.tasks.Go(f) }

const handshake = "GET / HTTP/1.1\r\nHost: server\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// rawPair returns the two ends of a socket whose client has sent early right
// after its handshake.
func rawPair(tb testing.TB, o Options, early []byte) (*blocking, *raw) {
	tb.Helper()
	s := newSite(tb, o)
	conn, err := s.DialContext(tb.Context(), "", "")
	if err != nil {
		tb.Fatal(err)
	}
	c := &raw{Conn: conn, in: bufio.NewReaderSize(conn, 16), tb: tb}
	tb.Cleanup(func() {
		conn.Close()
		c.tasks.Wait()
	})
	c.send(append([]byte(handshake), early...))
	c.finishHandshake()
	return <-s.conns, c
}

func (c *raw) finishHandshake() {
	c.tb.Helper()
	for line := ""; line != "\r\n"; {
		var err error
		if line, err = c.in.ReadString('\n'); err != nil {
			c.tb.Fatalf("handshake: %v", err)
		}
	}
}

func (c *raw) send(p []byte) {
	c.tb.Helper()
	if _, err := c.Write(p); err != nil {
		c.tb.Errorf("client: write: %v", err)
	}
}

// frame reads one frame and returns its first byte and payload.
func (c *raw) frame() (first byte, payload []byte, err error) {
	var head [2]byte
	if _, err = io.ReadFull(c.in, head[:]); err != nil {
		return 0, nil, err
	}
	n := uint64(head[1])
	switch n {
	case 126:
		var b [2]byte
		_, err = io.ReadFull(c.in, b[:])
		n = uint64(binary.BigEndian.Uint16(b[:]))
	case 127:
		var b [8]byte
		_, err = io.ReadFull(c.in, b[:])
		n = binary.BigEndian.Uint64(b[:])
	}
	if err != nil {
		return 0, nil, err
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(c.in, payload)
	return head[0], payload, err
}

// closeCode reads until a close frame and returns its code, or -1.
func (c *raw) closeCode() websocket.StatusCode {
	for {
		first, p, err := c.frame()
		if err != nil {
			return -1
		}
		if isClose([]byte{first}) {
			return websocket.StatusCode(binary.BigEndian.Uint16(p))
		}
	}
}

// masked is a client's frame with the mask 0.
func masked(first byte, payload []byte) []byte {
	f := appendHeader(nil, len(payload), false)
	f[0], f[1] = first, f[1]|0x80
	return append(append(f, 0, 0, 0, 0), payload...)
}

func text(s string) []byte { return masked(finalBit|opText, []byte(s)) }

// read reads in a goroutine of its own, or as a poller wakes it.
func read(c *blocking) <-chan error {
	failed := make(chan error, 1)
	var next func()
	next = func() {
		for {
			_, err := c.Conn.Read(context.Background())
			if err == ErrWouldBlock {
				c.NotifyReadable(next)
				return
			}
			if err != nil {
				failed <- err
				return
			}
		}
	}
	go next()
	return failed
}

// Read waits for a message whatever kind of socket it is.
func (b *blocking) Read(ctx context.Context) ([]byte, error) {
	for {
		p, err := b.Conn.Read(ctx)
		if err != ErrWouldBlock {
			return p, err
		}
		ready := make(chan struct{})
		b.NotifyReadable(func() { close(ready) })
		<-ready
	}
}

// poller is one for as long as the test lasts.
func poller(tb testing.TB) *Poller {
	p, err := NewPoller()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { p.Close() })
	return p
}

// json makes n bytes of something that deflates.
func json(n int) []byte {
	return []byte(strings.Repeat(`{"code":"8888_alice","viewers":1201},`, n/37+1)[:n])
}

func deflating() *websocket.DialOptions {
	return &websocket.DialOptions{CompressionMode: websocket.CompressionNoContextTakeover}
}

func since(t time.Time) time.Duration { return time.Since(t) }
