package socket

import (
	"bufio"
	"bytes"
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

// Clients connect, leave and reset, so that descriptors are reused at once. They
// send pings, closes, fragments and incomplete frames, and several goroutines
// write to each socket. No byte reaches another socket or another frame.
func TestSocketsDoNotMixUnderStress(t *testing.T) {
	p := newTestPoller(t)
	var number atomic.Int64
	var mu sync.Mutex // guards closed, and additions to serving
	var closed bool
	var serving sync.WaitGroup
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := Accept(w, r, Options{Poller: p, SendBufferBytes: 4 << 10, CloseTimeout: 10 * time.Millisecond})
		if err != nil {
			return // the client has left already
		}
		mu.Lock()
		defer mu.Unlock()
		if closed { // the client has left, and the test is over
			c.CloseNow()
			return
		}
		b := newBlockingConn(c)
		serving.Go(func() { writeNumbered(b, number.Add(1)) })
	}))
	defer server.Close()
	var clients sync.WaitGroup
	for worker := range 8 {
		clients.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 1))
			for range 60 {
				if fault := runHostileClient(server.Listener.Addr().String(), random); fault != "" {
					t.Error(fault)
				}
			}
		})
	}
	clients.Wait()
	mu.Lock()
	closed = true
	mu.Unlock()
	serving.Wait()
	// A handler may be closing the socket of a client that left early.
	for deadline := time.Now().Add(5 * time.Second); p.receiverCount() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the poller still has %d sockets", p.receiverCount())
		}
	}
}

// writeNumbered writes messages that contain the socket's number, until the socket
// is closed. The number determines the content and the length.
func writeNumbered(b *blockingConn, number int64) {
	closed := readInBackground(b)
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
	<-closed
	writers.Wait()
}

// runHostileClient opens a socket and sends valid and invalid input. It returns a
// description of the first wrong message that it receives, or "".
func runHostileClient(address string, random *rand.Rand) (fault string) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	if random.IntN(2) == 0 {
		conn.(*net.TCPConn).SetLinger(0) // Close resets the connection
	}
	io.WriteString(conn, handshake)
	in := bufio.NewReaderSize(conn, 64)
	if _, err := http.ReadResponse(in, nil); err != nil {
		return err.Error()
	}
	random, reads := rand.New(rand.NewPCG(random.Uint64(), 2)), 50+random.IntN(200)
	go func() {
		inputs := [][]byte{
			textFrame("hello"), maskedFrame(finalBit|opPing, []byte("ping")), maskedFrame(finalBit|opPong, nil),
			append(maskedFrame(opText, []byte("a")), maskedFrame(finalBit, []byte("b"))...), textFrame("half")[:3],
			{0x81},
		}
		for range random.IntN(20) {
			if _, err := conn.Write(inputs[random.IntN(len(inputs)-2)]); err != nil {
				return
			}
		}
		switch random.IntN(4) {
		case 0:
			conn.Write(inputs[4+random.IntN(2)])
			conn.Close()
		case 1:
			conn.Write(maskedFrame(finalBit|opClose, []byte{3, 0xe8}))
		case 2:
			conn.Close()
		}
	}()
	number := ""
	for range reads {
		op, payload, err := readClientFrame(in)
		switch {
		case err != nil || op == opClose:
			return ""
		case op == opPing:
			conn.Write(maskedFrame(finalBit|opPong, payload)) // an error shows at the next read
			continue
		case op == opPong:
			continue
		case op != opText:
			return fmt.Sprintf("a frame with opcode %x", op)
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

func readClientFrame(in *bufio.Reader) (op byte, payload []byte, err error) {
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
