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
	"testing"
)

// FuzzReceiver checks that a socket with a poller receives and answers the same as
// one that a goroutine reads, for any input in any pieces.
func FuzzReceiver(f *testing.F) {
	deflated := Message{Body: NewBody(repeatedJSON(600))}.AppendFrame(nil, true)
	deflated = maskedFrame(deflated[0], deflated[4:])
	for _, seed := range [][]byte{
		textFrame("hi"),
		append(textFrame("one"), textFrame("two")...),
		append(append(maskedFrame(opText, []byte("a")), maskedFrame(finalBit|opPing, []byte("p"))...), maskedFrame(finalBit, []byte("b"))...),
		maskedFrame(finalBit|opPing, nil),
		append(maskedFrame(finalBit|opPong, []byte("x")), textFrame("after a pong")...),
		maskedFrame(finalBit|opClose, []byte{3, 0xe8}),
		append(textFrame("last"), maskedFrame(finalBit|opClose, nil)...),
		maskedFrame(finalBit|0x2, []byte("binary")),
		textFrame("\xff\xfe"),
		textFrame(string(repeatedJSON(200))),
		deflated,
		maskedFrame(0xc1, []byte("not deflated")),
		[]byte("\x81\x05hello"),
		{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1},
		bytes.Repeat(maskedFrame(0, nil), 3),
		append(maskedFrame(opText, nil), bytes.Repeat(maskedFrame(0, nil), 2000)...),
		append([]byte{0x81, 0xff, 0x5e, 0, 0, 0, 0, 0, 0, 1}, repeatedJSON(1100)...), // a huge positive length
	} {
		f.Add(seed, uint64(7))
	}
	withPoller, withoutPoller := newRecordingServer(f, newTestPoller(f)), newRecordingServer(f, nil)
	f.Fuzz(func(t *testing.T, sent []byte, cuts uint64) {
		if len(sent) > 20_000 {
			return // longer input finds nothing new
		}
		a, codeA := withPoller.exchange(t, sent, cuts)
		b, codeB := withoutPoller.exchange(t, sent, 0)
		// The two may detect different violations first. A receiver detects a message
		// that is too large before all of it has arrived.
		same := codeA == codeB || codeA > 1001 && codeB > 1001 || codeA == 1009 && codeB == 0
		if a != b || !same {
			t.Errorf("with a poller: %s, closed with %d\nwithout: %s, closed with %d", a, codeA, b, codeB)
		}
	})
}

// The header alone is enough to refuse a message that will never be complete.
func TestHugeLengthClosesWith1009(t *testing.T) {
	server := newRecordingServer(t, newTestPoller(t))
	for _, first := range []byte{0x00, 0x3f, 0x40, 0x5e, 0x7f} { // the first of the length's eight bytes
		header := []byte{0x81, 0xff, first, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4}
		if received, code := server.exchange(t, header, 0); received != "" || code != 1009 {
			t.Errorf("%x: received %q, closed with %d, want 1009", header, received, code)
		}
	}
}

// recordingServer is a server that records the messages of its sockets.
type recordingServer struct {
	address  string
	messages chan string
}

func newRecordingServer(tb testing.TB, p *Poller) *recordingServer {
	s := &recordingServer{messages: make(chan string, 1)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := Accept(w, r, Options{ReadLimit: 1000, Poller: p})
		if err != nil {
			tb.Error(err)
			return
		}
		b := newBlockingConn(c)
		go func() {
			all := ""
			for {
				m, err := b.Read(context.Background())
				if err != nil {
					s.messages <- all
					return
				}
				all += fmt.Sprintf("%q ", m)
			}
		}()
	}))
	tb.Cleanup(server.Close)
	s.address = server.Listener.Addr().String()
	return s
}

// exchange opens a socket and sends bytes in random pieces. It returns the messages
// that the server received and its close code.
func (s *recordingServer) exchange(t *testing.T, sent []byte, cuts uint64) (received string, closeCode uint16) {
	conn, err := net.Dial("tcp", s.address)
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
		conn.Write(rest[:n]) // fails after the server has closed
		rest = rest[n:]
	}
	conn.(*net.TCPConn).CloseWrite()
	answer, _ := io.ReadAll(in) // may end in a reset
	return <-s.messages, lastCloseCode(answer)
}

// lastCloseCode returns the code of the last close frame, or 0.
func lastCloseCode(frames []byte) (code uint16) {
	for len(frames) >= 2 && len(frames) >= 2+int(frames[1]) {
		if payload := frames[2 : 2+frames[1]]; isCloseFrame(frames) && len(payload) >= 2 {
			code = binary.BigEndian.Uint16(payload)
		}
		frames = frames[2+frames[1]:]
	}
	return code
}
