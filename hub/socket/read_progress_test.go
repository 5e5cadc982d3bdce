package socket

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

// bufferedClient is a client behind a proxy with a large buffer: it accepts all bytes, and
// answers a ping when the test says so.
type bufferedClient struct {
	*rawClient
	pings chan []byte // payloads of unanswered pings
}

func newBufferedClientPair(t *testing.T) (*blockingConn, *bufferedClient) {
	c, raw := rawClientPair(t, Options{}, nil)
	readInBackground(c)
	client := &bufferedClient{raw, make(chan []byte, 1000)}
	client.goUntilClosed(func() {
		for {
			first, payload, err := client.readFrame()
			if err != nil {
				return
			}
			if first == finalBit|opPing {
				client.pings <- payload
			}
		}
	})
	return c, client
}

func (c *bufferedClient) answerPing() { c.send(maskedFrame(finalBit|opPong, <-c.pings)) }

// writeUntilFull writes messages of 1 KiB until the socket is full, and returns their
// number.
func writeUntilFull(t *testing.T, c *blockingConn) (messages int) {
	t.Helper()
	for messages < 1000 {
		full, err := c.Conn.Write(Message{Body: NewBody(repeatedJSON(1020))})
		if err != nil {
			t.Fatal(err)
		}
		messages++
		synctest.Wait()
		select {
		case err := <-c.written: // a drainer has written the message
			if err != nil {
				t.Fatal(err)
			}
		default:
			if full {
				return messages
			}
		}
	}
	return messages
}

// The bytes that a proxy buffers for a slow peer are bounded. A pong shows how many the
// peer has read.
func TestUnreadBytesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := newBufferedClientPair(t)
		if got := writeUntilFull(t, c); got != 32 {
			t.Errorf("full after %d KiB, want 32", got)
		}
		if full, err := c.Conn.Write(Message{Head: []byte("x")}); !full || err != ErrFull {
			t.Errorf("a message to a full socket: %t, %v", full, err)
		}
		for range 5 {
			client.send(maskedFrame(finalBit|opPong, nil)) // unsolicited
			synctest.Wait()
			if len(c.written) > 0 {
				t.Fatal("an unsolicited pong made the socket writable")
			}
			client.answerPing() // 16 KiB are read
			if err := <-c.written; err != nil {
				t.Fatal(err)
			}
			if got := writeUntilFull(t, c); got < 16 || got > 17 {
				t.Errorf("full after %d KiB more, want 16 or 17", got)
			}
		}
	})
}

// A peer that answers is waited for as long as a frame may take, then closed.
func TestUnreadPeerIsClosedAfterFrameTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := newBufferedClientPair(t)
		writeUntilFull(t, c)
		client.answerPing()
		<-c.written
		writeUntilFull(t, c)
		start := time.Now()
		if err := <-c.written; err != ErrSlowPeer {
			t.Errorf("got %v, want ErrSlowPeer", err)
		}
		if got := time.Since(start); got != 5*time.Minute {
			t.Errorf("closed after %v, want 5m", got)
		}
		<-c.Closed()
	})
}

// A peer whose library answers no pings gets everything, as the kernel accepts it.
func TestPeerWithoutPongsIsNotLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := newBufferedClientPair(t)
		writeUntilFull(t, c)
		start := time.Now()
		if err := <-c.written; err != nil {
			t.Fatal(err)
		}
		if got := time.Since(start); got != firstPongTimeout {
			t.Errorf("waited for %v, want %v", got, firstPongTimeout)
		}
		if got := writeUntilFull(t, c); got != 1000 {
			t.Errorf("full after %d KiB", got)
		}
		client.answerPing() // late
		synctest.Wait()
		writeUntilFull(t, c) // the rest before the next ping is unknown
		client.answerPing()
		<-c.written
		if got := writeUntilFull(t, c); got > 32 {
			t.Errorf("full after %d KiB, want at most 32", got)
		}
	})
}

// The same over TCP, whose kernel accepts much more than the peer reads.
func TestUnreadBytesAreBoundedTCP(t *testing.T) {
	for name, serve := range map[string]func(http.Handler) *httptest.Server{
		"TCP": httptest.NewServer, "TLS": httptest.NewTLSServer,
	} {
		t.Run(name, func(t *testing.T) {
			s := &testServer{conns: make(chan *blockingConn, 1)}
			server := serve(s.newHandler(t, Options{Poller: newTestPoller(t), SendBufferBytes: 1 << 20}))
			defer server.Close()
			isRead := make(chan struct{})
			client, _, err := websocket.Dial(t.Context(), strings.Replace(server.URL, "http", "ws", 1), &websocket.DialOptions{
				HTTPClient: server.Client(),
				OnPingReceived: func(context.Context, []byte) bool {
					<-isRead
					return true
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer client.CloseNow()
			c := <-s.conns
			readInBackground(c)
			received := make(chan int)
			go func() {
				n := 0
				for {
					_, r, err := client.Reader(context.Background())
					if err != nil {
						received <- n
						return
					}
					io.Copy(io.Discard, r)
					n++
				}
			}()
			sent := 0
			for full := false; !full && sent < 1000; sent++ {
				if full, err = c.Conn.Write(Message{Body: NewBody(repeatedJSON(1020))}); err != nil {
					t.Fatal(err)
				}
				if full {
					select {
					case <-c.written: // only the drainer was busy
						full = false
					case <-time.After(100 * time.Millisecond):
					}
				}
			}
			if sent != 32 {
				t.Errorf("%d KiB are unread, want 32", sent)
			}
			close(isRead)
			if err := <-c.written; err != nil {
				t.Error(err)
			}
			c.Close(1000, "")
			if got := <-received; got != sent {
				t.Errorf("received %d messages, want %d", got, sent)
			}
		})
	}
}

// A peer whose pong took long gets one message at a time, until a pong comes soon.
func TestSlowPeerGetsOneMessageAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := newBufferedClientPair(t)
		writeUntilFull(t, c)
		for _, test := range []struct {
			pong     time.Duration
			messages int // until the socket is full again
		}{{2 * time.Second, 1}, {2 * time.Second, 1}, {500 * time.Millisecond, 32}} {
			time.Sleep(test.pong)
			client.answerPing()
			if err := <-c.written; err != nil {
				t.Fatal(err)
			}
			if got := writeUntilFull(t, c); got > test.messages || got < test.messages/2 {
				t.Errorf("full after %d messages, want %d, as the pong took %v", got, test.messages, test.pong)
			}
		}
	})
}
