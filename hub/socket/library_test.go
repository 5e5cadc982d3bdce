package socket_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// These tests check the behaviour of the WebSocket library that this package
// relies on. Some of it contradicts the library's documentation. If one fails
// after an upgrade of the library, non-blocking reading needs a review.

// errNoInput is the error of scriptedConn.Read if no input is left.
var errNoInput = errors.New("no input is left")

// scriptedConn is a connection with given input. It records its output.
type scriptedConn struct {
	net.Conn
	in     [][]byte
	wrote  chan []byte
	closed chan struct{}
}

func newScriptedConn() *scriptedConn {
	return &scriptedConn{wrote: make(chan []byte, 16), closed: make(chan struct{})}
}

func (s *scriptedConn) Read(p []byte) (int, error) {
	if len(s.in) == 0 {
		return 0, errNoInput
	}
	n := copy(p, s.in[0])
	if s.in[0] = s.in[0][n:]; len(s.in[0]) == 0 {
		s.in = s.in[1:]
	}
	return n, nil
}

func (s *scriptedConn) Write(p []byte) (int, error) {
	s.wrote <- bytes.Clone(p)
	return len(p), nil
}

func (s *scriptedConn) Close() error {
	close(s.closed) // panics if it is called twice
	return nil
}

func (s *scriptedConn) SetDeadline(time.Time) error      { return nil }
func (s *scriptedConn) SetReadDeadline(time.Time) error  { return nil }
func (s *scriptedConn) SetWriteDeadline(time.Time) error { return nil }

// takeWrites removes and returns the recorded Writes.
func (s *scriptedConn) takeWrites() (all []string) {
	for {
		select {
		case p := <-s.wrote:
			all = append(all, string(p))
		default:
			return all
		}
	}
}

func (s *scriptedConn) isOpen() bool {
	select {
	case <-s.closed:
		return false
	default:
		return true
	}
}

// hijackableRecorder is an http.ResponseWriter with a scriptedConn.
type hijackableRecorder struct {
	*httptest.ResponseRecorder
	conn *scriptedConn
	rw   *bufio.ReadWriter
}

func (h *hijackableRecorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, h.rw, nil
}

// acceptConn runs the library on s, with buffers of the given sizes.
func acceptConn(t *testing.T, s *scriptedConn, readSize, writeSize int, o websocket.AcceptOptions) *websocket.Conn {
	return acceptBuffered(t, s, bufio.NewReaderSize(s, readSize), writeSize, o)
}

func acceptBuffered(t *testing.T, s *scriptedConn, r *bufio.Reader, writeSize int, o websocket.AcceptOptions) *websocket.Conn {
	t.Helper()
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key":        "dGhlIHNhbXBsZSBub25jZQ==",
		"Sec-WebSocket-Extensions": "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
	} {
		request.Header.Set(name, value)
	}
	o.CompressionMode = websocket.CompressionNoContextTakeover
	w := &hijackableRecorder{httptest.NewRecorder(), s, bufio.NewReadWriter(r, bufio.NewWriterSize(s, writeSize))}
	c, err := websocket.Accept(w, request, &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	return c
}

// frame returns a client's frame with the mask 0.
func frame(first byte, payload string) []byte {
	f := []byte{first, 0x80 | byte(len(payload))}
	if len(payload) > 125 {
		f = []byte{first, 0x80 | 126, byte(len(payload) >> 8), byte(len(payload))}
	}
	return append(append(f, 0, 0, 0, 0), payload...)
}

// deflated returns text as a compressed payload without context takeover.
func deflated(text string) string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestSpeed)
	io.WriteString(w, text)
	w.Flush()
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// expectNoMessage checks that Reader returns the connection's own error and the
// library does not close the connection.
func expectNoMessage(t *testing.T, c *websocket.Conn, s *scriptedConn) {
	t.Helper()
	if _, _, err := c.Reader(context.Background()); !errors.Is(err, errNoInput) {
		t.Fatalf("got %v, want the connection's own error", err)
	}
	if !s.isOpen() {
		t.Fatal("the library has closed the connection")
	}
}

// expectMessage checks the next message.
func expectMessage(t *testing.T, c *websocket.Conn, want string) {
	t.Helper()
	kind, r, err := c.Reader(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil || kind != websocket.MessageText || string(got) != want {
		t.Fatalf("got %v %q, %v, want %q", kind, got, err, want)
	}
}

const (
	final, rsv1                                     = 0x80, 0x40
	opContinuation, opText, opClose, opPing, opPong = 0x0, 0x1, 0x8, 0x9, 0xa
)

// An error between two messages is Reader's error, and nothing is lost. According to
// the library's documentation any read error closes the connection.
func TestLibraryContinuesAfterErrorBetweenMessages(t *testing.T) {
	long := strings.Repeat(`{"code":"8888_alice"},`, 40)
	small := deflated(long)
	for name, test := range map[string]struct {
		frames [][]byte
		want   string
		writes []string
	}{
		"empty":      {[][]byte{frame(final|opText, "")}, "", nil},
		"plain":      {[][]byte{frame(final|opText, long)}, long, nil},
		"compressed": {[][]byte{frame(final|rsv1|opText, small)}, long, nil},
		"fragmented": {[][]byte{frame(opText, long[:300]), frame(opContinuation, ""), frame(final|opContinuation, long[300:])}, long, nil},
		"fragments with a ping between": {
			[][]byte{frame(opText, long[:300]), frame(final|opPing, "p"), frame(final|opContinuation, long[300:])},
			long,
			[]string{"\x8a\x01p"},
		},
		"compressed fragments": {
			[][]byte{frame(rsv1|opText, small[:10]), frame(final|opPing, "p"), frame(final|opContinuation, small[10:])},
			long,
			[]string{"\x8a\x01p"},
		},
		"behind a ping": {[][]byte{frame(final|opPing, "p"), frame(final|opText, long)}, long, []string{"\x8a\x01p"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, bufferSize := range []int{16, 128, 4096} {
				for _, joined := range []bool{true, false} {
					s := newScriptedConn()
					c := acceptConn(t, s, bufferSize, 131, websocket.AcceptOptions{})
					for range 3 {
						expectNoMessage(t, c, s)
						expectNoMessage(t, c, s)
						if s.in = slices.Clone(test.frames); joined {
							s.in = [][]byte{bytes.Join(test.frames, nil)}
						}
						expectMessage(t, c, test.want)
						if got := s.takeWrites(); !slices.Equal(got, test.writes) {
							t.Errorf("wrote %q, want %q", got, test.writes)
						}
					}
					expectNoMessage(t, c, s)
				}
			}
		})
	}
}

// The library returns messages that it has read ahead before it reads again.
func TestLibraryReturnsBufferedMessages(t *testing.T) {
	s := newScriptedConn()
	c := acceptConn(t, s, 128, 131, websocket.AcceptOptions{})
	var all []byte
	for i := range 30 {
		all = append(all, frame(final|opText, fmt.Sprint("message ", i))...)
	}
	s.in = [][]byte{all}
	for i := range 30 {
		expectMessage(t, c, fmt.Sprint("message ", i))
	}
	expectNoMessage(t, c, s)
}

// Reader handles control frames, and then returns the connection's own error. Each
// control frame causes a callback.
func TestLibraryHandlesControlFramesInReader(t *testing.T) {
	var callbacks []string
	isRefused := false
	s := newScriptedConn()
	c := acceptConn(t, s, 128, 131, websocket.AcceptOptions{
		OnPingReceived: func(_ context.Context, p []byte) bool {
			callbacks = append(callbacks, "ping "+string(p))
			return !isRefused
		},
		OnPongReceived: func(_ context.Context, p []byte) { callbacks = append(callbacks, "pong "+string(p)) },
	})
	for _, test := range []struct {
		in     [][]byte
		refuse bool
		want   []string
		writes []string
	}{
		{[][]byte{frame(final|opPing, "a")}, false, []string{"ping a"}, []string{"\x8a\x01a"}},
		{[][]byte{frame(final|opPing, ""), frame(final|opPing, "b")}, false, []string{"ping ", "ping b"}, []string{"\x8a\x00", "\x8a\x01b"}},
		{[][]byte{frame(final|opPing, "c")}, true, []string{"ping c"}, nil},
		{[][]byte{frame(final|opPong, "d")}, false, []string{"pong d"}, nil},
	} {
		callbacks, isRefused, s.in = nil, test.refuse, test.in
		expectNoMessage(t, c, s)
		if got := s.takeWrites(); !slices.Equal(got, test.writes) || !slices.Equal(callbacks, test.want) {
			t.Errorf("%q: wrote %q with callbacks %q, want %q and %q", test.in, got, callbacks, test.writes, test.want)
		}
	}
}

// A pong that Reader handles ends the Ping that waits for it.
func TestLibraryPingEndsWithPong(t *testing.T) {
	s := newScriptedConn()
	c := acceptConn(t, s, 128, 131, websocket.AcceptOptions{})
	done := make(chan error, 1)
	go func() { done <- c.Ping(t.Context()) }()
	ping := <-s.wrote
	if len(ping) < 2 || ping[0] != final|opPing || int(ping[1]) != len(ping)-2 {
		t.Fatalf("%q is not a ping in one Write", ping)
	}
	s.in = [][]byte{frame(final|opPong, string(ping[2:]))}
	expectNoMessage(t, c, s)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// The library answers a close frame with one Write, returns it as Reader's error,
// and closes the connection.
func TestLibraryAnswersCloseFrame(t *testing.T) {
	s := newScriptedConn()
	c := acceptConn(t, s, 128, 131, websocket.AcceptOptions{})
	expectNoMessage(t, c, s)
	s.in = [][]byte{frame(final|opClose, "\x03\xe8bye")}
	_, _, err := c.Reader(context.Background())
	if websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("got %v", err)
	}
	if got := s.takeWrites(); !slices.Equal(got, []string{"\x88\x05\x03\xe8bye"}) {
		t.Errorf("wrote %q", got)
	}
	if _, _, err := c.Reader(context.Background()); err == nil || errors.Is(err, errNoInput) {
		t.Errorf("after the close frame: %v", err)
	}
	<-s.closed
}

// Each control frame of the maximum size is one Write, if the buffer can hold it.
func TestLibraryWritesControlFrameAtOnce(t *testing.T) {
	longest := strings.Repeat("x", 125)
	for _, size := range []int{128, 131, 144, 4096} {
		s := newScriptedConn()
		c := acceptConn(t, s, 128, size, websocket.AcceptOptions{})
		s.in = [][]byte{frame(final|opPing, longest), frame(final|opPing, "")}
		expectNoMessage(t, c, s)
		if got := s.takeWrites(); !slices.Equal(got, []string{"\x8a\x7d" + longest, "\x8a\x00"}) {
			t.Errorf("buffer of %d: pongs are %q", size, got)
		}
		s.in = [][]byte{frame(final|opClose, "\x03\xe8"+longest[2:])}
		c.Reader(context.Background())
		if got := s.takeWrites(); !slices.Equal(got, []string{"\x88\x7d\x03\xe8" + longest[2:]}) {
			t.Errorf("buffer of %d: close frames are %q", size, got)
		}
	}
}

// The library itself returns the bytes in the buffer of Hijack, once. So a wrapper
// must either return them and provide an empty buffer, or leave them in the buffer.
func TestLibraryReturnsEarlyBytes(t *testing.T) {
	early := append(frame(final|opText, "first"), frame(final|opText, "second")...)
	for cut := range len(early) + 1 {
		s := newScriptedConn()
		for _, p := range [][]byte{early[:cut], early[cut:]} {
			if len(p) > 0 {
				s.in = append(s.in, p)
			}
		}
		r := bufio.NewReaderSize(s, 128)
		if _, err := r.Peek(cut); err != nil {
			t.Fatal(err)
		}
		c := acceptBuffered(t, s, r, 131, websocket.AcceptOptions{})
		expectMessage(t, c, "first")
		expectMessage(t, c, "second")
		expectNoMessage(t, c, s)
	}
}
