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

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"onair/hub/socket/sockettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testServer accepts sockets and passes them to the test.
type testServer struct {
	*sockettest.Listener
	conns chan *blockingConn
}

// blockingConn is a Conn whose Write waits until the message is sent or failed.
type blockingConn struct {
	*Conn
	writeLock chan struct{} // full while a goroutine writes
	written   chan error
}

func newBlockingConn(c *Conn) *blockingConn {
	b := &blockingConn{c, make(chan struct{}, 1), make(chan error, 1)}
	c.OnWritable(func(err error) { b.written <- err })
	return b
}

func (b *blockingConn) Write(m Message) error {
	b.writeLock <- struct{}{}
	defer func() { <-b.writeLock }()
	full, err := b.Conn.Write(m)
	if full && err == nil {
		err = <-b.written
	}
	return err
}

func (b *blockingConn) WriteText(text []byte) error { return b.Write(Message{Head: text}) }

// newTestServer serves until the test ends.
func newTestServer(tb testing.TB, o Options) *testServer {
	s := &testServer{conns: make(chan *blockingConn, 1)}
	s.Listener = sockettest.Serve(tb, s.newHandler(tb, o))
	return s
}

func (s *testServer) newHandler(tb testing.TB, o Options) http.Handler {
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
		s.conns <- newBlockingConn(c)
	})
}

// connPair returns the two ends of a socket.
func connPair(tb testing.TB, o Options, d *websocket.DialOptions) (*blockingConn, *websocket.Conn) {
	tb.Helper()
	s := newTestServer(tb, o)
	client := s.Dial(tb, "", d)
	client.SetReadLimit(-1)
	return <-s.conns, client
}

// rawClient is a client that writes and reads the bytes of frames.
type rawClient struct {
	net.Conn
	in         *bufio.Reader
	tb         testing.TB
	goroutines sync.WaitGroup
}

// goUntilClosed runs f in a goroutine. At the end of the test the client's
// connection is closed, and the test waits for f.
func (c *rawClient) goUntilClosed(f func()) { c.goroutines.Go(f) }

const handshake = "GET / HTTP/1.1\r\nHost: server\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// rawClientPair returns the two ends of a socket. The client sends earlyBytes right
// after its handshake.
func rawClientPair(tb testing.TB, o Options, earlyBytes []byte) (*blockingConn, *rawClient) {
	tb.Helper()
	s := newTestServer(tb, o)
	conn, err := s.DialContext(tb.Context(), "", "")
	if err != nil {
		tb.Fatal(err)
	}
	c := &rawClient{Conn: conn, in: bufio.NewReaderSize(conn, 16), tb: tb}
	tb.Cleanup(func() {
		conn.Close()
		c.goroutines.Wait()
	})
	c.send(append([]byte(handshake), earlyBytes...))
	c.skipHandshakeAnswer()
	return <-s.conns, c
}

func (c *rawClient) skipHandshakeAnswer() {
	c.tb.Helper()
	for line := ""; line != "\r\n"; {
		var err error
		if line, err = c.in.ReadString('\n'); err != nil {
			c.tb.Fatalf("handshake: %v", err)
		}
	}
}

func (c *rawClient) send(p []byte) {
	c.tb.Helper()
	if _, err := c.Write(p); err != nil {
		c.tb.Errorf("client: write: %v", err)
	}
}

// readFrame reads one frame and returns its first byte and payload.
func (c *rawClient) readFrame() (first byte, payload []byte, err error) {
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

// readCloseCode reads until a close frame and returns its code, or -1.
func (c *rawClient) readCloseCode() websocket.StatusCode {
	for {
		first, p, err := c.readFrame()
		if err != nil {
			return -1
		}
		if isCloseFrame([]byte{first}) {
			return websocket.StatusCode(binary.BigEndian.Uint16(p))
		}
	}
}

// maskedFrame returns a client's frame with the mask 0.
func maskedFrame(first byte, payload []byte) []byte {
	f := appendFrameHeader(nil, len(payload), false)
	f[0], f[1] = first, f[1]|0x80
	return append(append(f, 0, 0, 0, 0), payload...)
}

func textFrame(s string) []byte { return maskedFrame(finalBit|opText, []byte(s)) }

// readInBackground reads in a goroutine, or when the poller notifies. The channel
// receives the error of the last Read.
func readInBackground(c *blockingConn) <-chan error {
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

// Read waits for a message, with and without a poller.
func (b *blockingConn) Read(ctx context.Context) ([]byte, error) {
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

// newTestPoller returns a poller that is closed at the end of the test.
func newTestPoller(tb testing.TB) *Poller {
	p, err := NewPoller()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { p.Close() })
	return p
}

// repeatedJSON returns n bytes that compress well.
func repeatedJSON(n int) []byte {
	return []byte(strings.Repeat(`{"code":"8888_alice","viewers":1201},`, n/37+1)[:n])
}

func compressionOptions() *websocket.DialOptions {
	return &websocket.DialOptions{CompressionMode: websocket.CompressionNoContextTakeover}
}
