package socket

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// FuzzFeed: whatever a client sends, in whatever pieces, a socket that is read
// by readiness hears and answers the same as one that a goroutine waits on.
func FuzzFeed(f *testing.F) {
	deflated := Message{Body: NewBody(json(600))}.AppendFrame(nil, true)
	deflated = masked(deflated[0], deflated[4:])
	for _, seed := range [][]byte{
		text("hi"),
		append(text("one"), text("two")...),
		append(append(masked(opText, []byte("a")), masked(finalBit|opPing, []byte("p"))...), masked(finalBit, []byte("b"))...),
		masked(finalBit|opPing, nil),
		append(masked(finalBit|opPong, []byte("x")), text("after a pong")...),
		masked(finalBit|opClose, []byte{3, 0xe8}),
		append(text("last"), masked(finalBit|opClose, nil)...),
		masked(finalBit|0x2, []byte("binary")),
		text("\xff\xfe"),
		text(string(json(200))),
		deflated,
		masked(0xc1, []byte("not deflated")),
		[]byte("\x81\x05hello"),
		{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1},
		bytes.Repeat(masked(0, nil), 3),
		append(masked(opText, nil), bytes.Repeat(masked(0, nil), 2000)...),
		append([]byte{0x81, 0xff, 0x5e, 0, 0, 0, 0, 0, 0, 1}, json(1100)...), // a length that is not negative
	} {
		f.Add(seed, uint64(7))
	}
	byReadiness, byGoroutine := listenAndHear(f, poller(f)), listenAndHear(f, nil)
	f.Fuzz(func(t *testing.T, sent []byte, cuts uint64) {
		if len(sent) > 20_000 {
			return // more of the same
		}
		a, codeA := byReadiness.tell(t, sent, cuts)
		b, codeB := byGoroutine.tell(t, sent, 0)
		// Of several faults another may be seen first; and readiness need not have
		// all of a message to know that it is too large.
		same := codeA == codeB || codeA > 1001 && codeB > 1001 || codeA == 1009 && codeB == 0
		if a != b || !same {
			t.Errorf("read by readiness: %s, closed with %d\nread by a goroutine: %s, closed with %d", a, codeA, b, codeB)
		}
	})
}

// TestHugeLength: the header of a message that will never be whole is enough to
// refuse it.
func TestHugeLength(t *testing.T) {
	server := listenAndHear(t, poller(t))
	for _, first := range []byte{0x00, 0x3f, 0x40, 0x5e, 0x7f} { // of the length's eight
		header := []byte{0x81, 0xff, first, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4}
		if heard, code := server.tell(t, header, 0); heard != "" || code != 1009 {
			t.Errorf("%x: heard %q, closed with %d, want 1009", header, heard, code)
		}
	}
}

// hearing is a server that notes what its sockets hear.
type hearing struct {
	address string
	heard   chan string
}

func listenAndHear(tb testing.TB, p *Poller) *hearing {
	h := &hearing{heard: make(chan string, 1)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := Accept(w, r, Options{ReadLimit: 1000, Poller: p})
		if err != nil {
			tb.Error(err)
			return
		}
		b := newBlocking(c)
		go func() {
			all := ""
			for {
				m, err := b.Read(context.Background())
				if err != nil {
					h.heard <- all
					return
				}
				all += fmt.Sprintf("%q ", m)
			}
		}()
	}))
	tb.Cleanup(server.Close)
	h.address = server.Listener.Addr().String()
	return h
}

// tell sends to a socket of its own, cut into pieces, and returns what was
// heard and what it was closed with.
func (h *hearing) tell(t *testing.T, sent []byte, cuts uint64) (heard string, code uint16) {
	conn, err := net.Dial("tcp", h.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const upgrade = "GET / HTTP/1.1\r\nHost: server\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
		"Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover\r\n\r\n"
	io.WriteString(conn, upgrade)
	in := bufio.NewReader(conn)
	if _, err := http.ReadResponse(in, nil); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(cuts, 0))
	for rest := sent; len(rest) > 0; {
		n := len(rest)
		if cuts != 0 && n > 1 {
			n = 1 + random.IntN(min(n, 300)-1)
		}
		conn.Write(rest[:n]) // a server that has heard enough does not take it
		rest = rest[n:]
	}
	conn.(*net.TCPConn).CloseWrite()
	answer, _ := io.ReadAll(in) // which may end in a reset
	return <-h.heard, closeCodeIn(answer)
}

// closeCodeIn returns the code of the close frame that frames end in, or 0.
func closeCodeIn(frames []byte) (code uint16) {
	for len(frames) >= 2 && len(frames) >= 2+int(frames[1]) {
		if payload := frames[2 : 2+frames[1]]; isClose(frames) && len(payload) >= 2 {
			code = binary.BigEndian.Uint16(payload)
		}
		frames = frames[2+frames[1]:]
	}
	return code
}

// TestUnderFire: sockets come, go and are reset, so that descriptors are used
// again at once, while pings, closes, fragments and half-written frames come in
// and messages go out from several goroutines. No byte is seen on a stranger's
// socket, and none within another's frame.
func TestUnderFire(t *testing.T) {
	p := poller(t)
	var number atomic.Int64
	var door sync.Mutex // guards closed, and adding to serving
	var closed bool
	var serving sync.WaitGroup
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := Accept(w, r, Options{Poller: p, SendBufferBytes: 4 << 10, CloseTimeout: 10 * time.Millisecond})
		if err != nil {
			return // the client was gone already
		}
		door.Lock()
		defer door.Unlock()
		if closed { // its client has gone, and the test is over
			c.CloseNow()
			return
		}
		b := newBlocking(c)
		serving.Go(func() { defend(b, number.Add(1)) })
	}))
	defer server.Close()
	var clients sync.WaitGroup
	for worker := range 8 {
		clients.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 1))
			for range 60 {
				if fault := attack(server.Listener.Addr().String(), random); fault != "" {
					t.Error(fault)
				}
			}
		})
	}
	clients.Wait()
	door.Lock()
	closed = true
	door.Unlock()
	serving.Wait()
	// A handler may be closing the socket of a client that left early.
	for deadline := time.Now().Add(5 * time.Second); p.count() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the poller still knows %d sockets", p.count())
		}
	}
}

// defend writes messages with the socket's number in them, each of its own
// length, until the socket is gone.
func defend(b *blocking, number int64) {
	gone := read(b)
	var writers sync.WaitGroup
	for writer := range 2 {
		writers.Go(func() {
			body := NewBody(bytes.Repeat([]byte{byte('a' + number%26)}, 10+int(number%7)*700))
			for i := 0; ; i++ {
				if b.Write(Message{Head: fmt.Appendf(nil, "%d ", number), Body: body}) != nil {
					return
				}
				if i%16 == writer {
					b.Ping()
				}
			}
		})
	}
	<-gone
	writers.Wait()
}

// attack opens a socket, misbehaves for a while, and returns what was wrong
// with what came.
func attack(address string, random *rand.Rand) string {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	if random.IntN(2) == 0 {
		conn.(*net.TCPConn).SetLinger(0) // closing resets
	}
	io.WriteString(conn, handshake)
	in := bufio.NewReaderSize(conn, 64)
	if _, err := http.ReadResponse(in, nil); err != nil {
		return err.Error()
	}
	random, reads := rand.New(rand.NewPCG(random.Uint64(), 2)), 50+random.IntN(200)
	go func() {
		shots := [][]byte{
			text("hello"), masked(finalBit|opPing, []byte("ping")), masked(finalBit|opPong, nil),
			append(masked(opText, []byte("a")), masked(finalBit, []byte("b"))...), text("half")[:3],
			{0x81},
		}
		for range random.IntN(20) {
			if _, err := conn.Write(shots[random.IntN(len(shots)-2)]); err != nil {
				return
			}
		}
		switch random.IntN(4) {
		case 0:
			conn.Write(shots[4+random.IntN(2)])
			conn.Close()
		case 1:
			conn.Write(masked(finalBit|opClose, []byte{3, 0xe8}))
		case 2:
			conn.Close()
		}
	}()
	number := ""
	for range reads {
		op, payload, err := nextFrame(in)
		switch {
		case err != nil || op == opClose:
			return ""
		case op == opPing || op == opPong:
			continue
		case op != opText:
			return fmt.Sprintf("a frame of kind %x", op)
		}
		name, letters, _ := bytes.Cut(payload, []byte(" "))
		if number == "" {
			number = string(name)
		}
		var n int64
		fmt.Sscan(number, &n)
		if string(name) != number || len(letters) != 10+int(n%7)*700 || len(bytes.Trim(letters, string(rune('a'+n%26)))) > 0 {
			return fmt.Sprintf("socket %s got %.40q", number, payload)
		}
	}
	return ""
}

func nextFrame(in *bufio.Reader) (op byte, payload []byte, err error) {
	var head [4]byte
	if _, err = io.ReadFull(in, head[:2]); err != nil {
		return 0, nil, err
	}
	n := int(head[1])
	if n == 126 {
		if _, err = io.ReadFull(in, head[2:]); err != nil {
			return 0, nil, err
		}
		n = int(binary.BigEndian.Uint16(head[2:]))
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(in, payload)
	return head[0] & 0xf, payload, err
}
