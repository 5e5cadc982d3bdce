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

// The tests of this file pin what this package relies on in the WebSocket
// library, some of it against the library's own documentation. When one fails
// after an upgrade of the library, reading by readiness has to be thought over.

// errNothing is what a wrapper's Read says when there is nothing to read now.
var errNothing = errors.New("nothing to read now")

// script is a connection that has what it is given, and notes what is written.
type script struct {
	net.Conn
	in     [][]byte
	wrote  chan []byte
	closed chan struct{}
}

func newScript() *script {
	return &script{wrote: make(chan []byte, 16), closed: make(chan struct{})}
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.in) == 0 {
		return 0, errNothing
	}
	n := copy(p, s.in[0])
	if s.in[0] = s.in[0][n:]; len(s.in[0]) == 0 {
		s.in = s.in[1:]
	}
	return n, nil
}

func (s *script) Write(p []byte) (int, error) {
	s.wrote <- bytes.Clone(p)
	return len(p), nil
}

func (s *script) Close() error {
	close(s.closed) // once, or it panics
	return nil
}

func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// take returns what was written, each Write apart.
func (s *script) take() (all []string) {
	for {
		select {
		case p := <-s.wrote:
			all = append(all, string(p))
		default:
			return all
		}
	}
}

func (s *script) isOpen() bool {
	select {
	case <-s.closed:
		return false
	default:
		return true
	}
}

// hijackable is an http.ResponseWriter whose connection is a script.
type hijackable struct {
	*httptest.ResponseRecorder
	script *script
	rw     *bufio.ReadWriter
}

func (h *hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) { return h.script, h.rw, nil }

// accept runs the library on a script, through buffers of these sizes.
func accept(t *testing.T, s *script, read, write int, o websocket.AcceptOptions) *websocket.Conn {
	return acceptThrough(t, s, bufio.NewReaderSize(s, read), write, o)
}

func acceptThrough(t *testing.T, s *script, r *bufio.Reader, write int, o websocket.AcceptOptions) *websocket.Conn {
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
	w := &hijackable{httptest.NewRecorder(), s, bufio.NewReadWriter(r, bufio.NewWriterSize(s, write))}
	c, err := websocket.Accept(w, request, &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	return c
}

// frame is a client's frame with the mask 0.
func frame(first byte, payload string) []byte {
	f := []byte{first, 0x80 | byte(len(payload))}
	if len(payload) > 125 {
		f = []byte{first, 0x80 | 126, byte(len(payload) >> 8), byte(len(payload))}
	}
	return append(append(f, 0, 0, 0, 0), payload...)
}

// deflated is text as a message's payload without context takeover.
func deflated(text string) string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestSpeed)
	io.WriteString(w, text)
	w.Flush()
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// mustHaveNothing reads, and expects the wrapper's own error on an open
// connection.
func mustHaveNothing(t *testing.T, c *websocket.Conn, s *script) {
	t.Helper()
	if _, _, err := c.Reader(context.Background()); !errors.Is(err, errNothing) {
		t.Fatalf("got %v, want the error of the wrapper", err)
	}
	if !s.isOpen() {
		t.Fatal("the library has closed the connection")
	}
}

// mustRead reads a message.
func mustRead(t *testing.T, c *websocket.Conn, want string) {
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
	final, rsv1                           = 0x80, 0x40
	opMore, opData, opEnd, opHail, opEcho = 0x0, 0x1, 0x8, 0x9, 0xa
)

// TestGuardNothingToRead: what Read says at the boundary of two messages is
// what Reader returns, and nothing is lost by it. The library's documentation
// has it that any error of reading closes the connection.
func TestGuardNothingToRead(t *testing.T) {
	long := strings.Repeat(`{"code":"8888_alice"},`, 40)
	small := deflated(long)
	for name, test := range map[string]struct {
		frames [][]byte
		want   string
		writes []string
	}{
		"empty":      {[][]byte{frame(final|opData, "")}, "", nil},
		"plain":      {[][]byte{frame(final|opData, long)}, long, nil},
		"compressed": {[][]byte{frame(final|rsv1|opData, small)}, long, nil},
		"fragmented": {[][]byte{frame(opData, long[:300]), frame(opMore, ""), frame(final|opMore, long[300:])}, long, nil},
		"fragments with a ping between": {
			[][]byte{frame(opData, long[:300]), frame(final|opHail, "p"), frame(final|opMore, long[300:])},
			long,
			[]string{"\x8a\x01p"},
		},
		"compressed fragments": {
			[][]byte{frame(rsv1|opData, small[:10]), frame(final|opHail, "p"), frame(final|opMore, small[10:])},
			long,
			[]string{"\x8a\x01p"},
		},
		"behind a ping": {[][]byte{frame(final|opHail, "p"), frame(final|opData, long)}, long, []string{"\x8a\x01p"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, buffer := range []int{16, 128, 4096} {
				for _, whole := range []bool{true, false} {
					s := newScript()
					c := accept(t, s, buffer, 131, websocket.AcceptOptions{})
					for range 3 {
						mustHaveNothing(t, c, s)
						mustHaveNothing(t, c, s)
						if s.in = slices.Clone(test.frames); whole {
							s.in = [][]byte{bytes.Join(test.frames, nil)}
						}
						mustRead(t, c, test.want)
						if got := s.take(); !slices.Equal(got, test.writes) {
							t.Errorf("wrote %q, want %q", got, test.writes)
						}
					}
					mustHaveNothing(t, c, s)
				}
			}
		})
	}
}

// TestGuardManyAtOnce: what the library has read ahead is served before the
// wrapper is asked again.
func TestGuardManyAtOnce(t *testing.T) {
	s := newScript()
	c := accept(t, s, 128, 131, websocket.AcceptOptions{})
	var all []byte
	for i := range 30 {
		all = append(all, frame(final|opData, fmt.Sprint("message ", i))...)
	}
	s.in = [][]byte{all}
	for i := range 30 {
		mustRead(t, c, fmt.Sprint("message ", i))
	}
	mustHaveNothing(t, c, s)
}

// TestGuardControlFrames: control frames alone are seen to within Reader, which
// then has nothing. The callbacks hear of each.
func TestGuardControlFrames(t *testing.T) {
	var heard []string
	refused := false
	s := newScript()
	c := accept(t, s, 128, 131, websocket.AcceptOptions{
		OnPingReceived: func(_ context.Context, p []byte) bool {
			heard = append(heard, "ping "+string(p))
			return !refused
		},
		OnPongReceived: func(_ context.Context, p []byte) { heard = append(heard, "pong "+string(p)) },
	})
	for _, test := range []struct {
		in     [][]byte
		refuse bool
		heard  []string
		writes []string
	}{
		{[][]byte{frame(final|opHail, "a")}, false, []string{"ping a"}, []string{"\x8a\x01a"}},
		{[][]byte{frame(final|opHail, ""), frame(final|opHail, "b")}, false, []string{"ping ", "ping b"}, []string{"\x8a\x00", "\x8a\x01b"}},
		{[][]byte{frame(final|opHail, "c")}, true, []string{"ping c"}, nil},
		{[][]byte{frame(final|opEcho, "d")}, false, []string{"pong d"}, nil},
	} {
		heard, refused, s.in = nil, test.refuse, test.in
		mustHaveNothing(t, c, s)
		if got := s.take(); !slices.Equal(got, test.writes) || !slices.Equal(heard, test.heard) {
			t.Errorf("%q: wrote %q and heard %q, want %q and %q", test.in, got, heard, test.writes, test.heard)
		}
	}
}

// TestGuardPing: a pong that Reader comes across ends the Ping that waits for it.
func TestGuardPing(t *testing.T) {
	s := newScript()
	c := accept(t, s, 128, 131, websocket.AcceptOptions{})
	done := make(chan error, 1)
	go func() { done <- c.Ping(t.Context()) }()
	ping := <-s.wrote
	if len(ping) < 2 || ping[0] != final|opHail || int(ping[1]) != len(ping)-2 {
		t.Fatalf("%q is not a ping in one Write", ping)
	}
	s.in = [][]byte{frame(final|opEcho, string(ping[2:]))}
	mustHaveNothing(t, c, s)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestGuardClose: a close frame is answered in one Write, and is Reader's
// error; then the library closes.
func TestGuardClose(t *testing.T) {
	s := newScript()
	c := accept(t, s, 128, 131, websocket.AcceptOptions{})
	mustHaveNothing(t, c, s)
	s.in = [][]byte{frame(final|opEnd, "\x03\xe8bye")}
	_, _, err := c.Reader(context.Background())
	if websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("got %v", err)
	}
	if got := s.take(); !slices.Equal(got, []string{"\x88\x05\x03\xe8bye"}) {
		t.Errorf("wrote %q", got)
	}
	if _, _, err := c.Reader(context.Background()); err == nil || errors.Is(err, errNothing) {
		t.Errorf("after the close frame: %v", err)
	}
	<-s.closed
}

// TestGuardOneWrite: the longest control frames are one Write each through a
// buffer that is small, but not smaller than they are.
func TestGuardOneWrite(t *testing.T) {
	longest := strings.Repeat("x", 125)
	for _, size := range []int{128, 131, 144, 4096} {
		s := newScript()
		c := accept(t, s, 128, size, websocket.AcceptOptions{})
		s.in = [][]byte{frame(final|opHail, longest), frame(final|opHail, "")}
		mustHaveNothing(t, c, s)
		if got := s.take(); !slices.Equal(got, []string{"\x8a\x7d" + longest, "\x8a\x00"}) {
			t.Errorf("buffer of %d: pongs are %q", size, got)
		}
		s.in = [][]byte{frame(final|opEnd, "\x03\xe8"+longest[2:])}
		c.Reader(context.Background())
		if got := s.take(); !slices.Equal(got, []string{"\x88\x7d\x03\xe8" + longest[2:]}) {
			t.Errorf("buffer of %d: close frames are %q", size, got)
		}
	}
}

// TestGuardEarlyBytes: what is in the buffer at Hijack is served by the library
// itself, once. So a wrapper must either serve it and hand out an empty buffer,
// or leave it there: not both.
func TestGuardEarlyBytes(t *testing.T) {
	early := append(frame(final|opData, "first"), frame(final|opData, "second")...)
	for cut := range len(early) + 1 {
		s := newScript()
		for _, p := range [][]byte{early[:cut], early[cut:]} {
			if len(p) > 0 {
				s.in = append(s.in, p)
			}
		}
		r := bufio.NewReaderSize(s, 128)
		if _, err := r.Peek(cut); err != nil {
			t.Fatal(err)
		}
		c := acceptThrough(t, s, r, 131, websocket.AcceptOptions{})
		mustRead(t, c, "first")
		mustRead(t, c, "second")
		mustHaveNothing(t, c, s)
	}
}
