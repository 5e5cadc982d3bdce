package socket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

// Two writers, and pings in both directions, share a socket.
func TestFramesDoNotInterleave(t *testing.T) {
	for _, d := range []*websocket.DialOptions{nil, compressionOptions()} {
		c, client := connPair(t, Options{PingLimit: 1 << 20}, d)
		checkInterleaving(t, c, client)
	}
}

// With TCP the kernel accepts only parts of frames.
func TestFramesDoNotInterleaveTCP(t *testing.T) {
	for _, d := range []*websocket.DialOptions{nil, compressionOptions()} {
		c, client := tcpConnPair(t, Options{PingLimit: 1 << 20}, d)
		checkInterleaving(t, c, client)
	}
}

// With TLS a write that timed out cannot be resumed.
func TestFramesDoNotInterleaveTLS(t *testing.T) {
	c, client := loopbackPair(t, httptest.NewTLSServer, Options{PingLimit: 1 << 20}, compressionOptions())
	if !c.transport.outbound.isTLS || tcpConn(c.transport.Conn) == nil {
		t.Error("the connection is not recognized as TLS")
	}
	checkInterleaving(t, c, client)
}

// tcpConnPair is connPair over the loopback interface.
func tcpConnPair(t *testing.T, o Options, d *websocket.DialOptions) (*blockingConn, *websocket.Conn) {
	o.Poller = newTestPoller(t)
	return loopbackPair(t, httptest.NewServer, o, d)
}

func loopbackPair(t *testing.T, serve func(http.Handler) *httptest.Server, o Options, d *websocket.DialOptions) (*blockingConn, *websocket.Conn) {
	s := &testServer{conns: make(chan *blockingConn, 1)}
	server := serve(s.newHandler(t, o))
	t.Cleanup(server.Close)
	var options websocket.DialOptions
	if d != nil {
		options = *d
	}
	options.HTTPClient = server.Client()
	client, _, err := websocket.Dial(t.Context(), strings.Replace(server.URL, "http", "ws", 1), &options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.CloseNow() })
	client.SetReadLimit(-1)
	return <-s.conns, client
}

func checkInterleaving(t *testing.T, c *blockingConn, client *websocket.Conn) {
	const count = 100
	bodies := []*Body{NewBody(repeatedJSON(100)), NewBody(repeatedJSON(1500)), NewBody(repeatedJSON(90_000))}
	ctx := t.Context()
	readInBackground(c)
	var all sync.WaitGroup
	for writer := range 2 {
		all.Go(func() {
			for i := range count {
				if err := c.Write(Message{fmt.Appendf(nil, "%d %d ", writer, i), bodies[i%3]}); err != nil {
					t.Errorf("write: %v", err)
				}
			}
		})
	}
	for range count {
		all.Go(func() {
			c.Ping()
			if err := client.Ping(ctx); err != nil {
				t.Errorf("ping: %v", err)
			}
		})
	}
	done := make(chan struct{})
	var next [2]int
	go func() {
		defer close(done)
		for {
			_, got, err := client.Read(ctx)
			if err != nil {
				return
			}
			var writer, i int
			fmt.Sscan(string(got[:10]), &writer, &i)
			want := append(fmt.Appendf(nil, "%d %d ", writer, i), bodies[i%3].plain...)
			if i != next[writer] || !bytes.Equal(got, want) {
				t.Errorf("got message %d of %d bytes, want %d", i, len(got), next[writer])
			}
			next[writer]++
		}
	}()
	all.Wait()
	c.Close(1000, "")
	<-done
	if next != [2]int{count, count} {
		t.Errorf("got %v messages, want %d each", next, count)
	}
	if got := c.Stats(); got.Frames != 2*count {
		t.Errorf("%d frames counted, want %d", got.Frames, 2*count)
	}
}

func TestStalledReaderIsClosedAfterStallTimeout(t *testing.T) {
	for _, size := range []int{10, 100_000} {
		synctest.Test(t, func(t *testing.T) {
			c, _ := rawClientPair(t, Options{}, nil)
			failed := readInBackground(c)
			start := time.Now()
			if err := c.Write(Message{[]byte("head"), NewBody(repeatedJSON(size))}); err != ErrSlowPeer {
				t.Errorf("got %v, want ErrSlowPeer", err)
			}
			if got := time.Since(start); got != 30*time.Second+goingAwayTimeout {
				t.Errorf("failed after %v, want 30s", got)
			}
			<-c.Closed()
			if err := <-failed; !errors.Is(err, ErrClosed) {
				t.Errorf("Read: %v", err)
			}
		})
	}
}

// A slow reader receives everything, and a reader that stops is closed, over the
// kernel's buffers. The default send buffer is smaller than a segment of the
// loopback interface, so each segment would wait for a delayed ACK.
func TestOnlyStalledReaderIsClosedTCP(t *testing.T) {
	for name, serve := range map[string]func(http.Handler) *httptest.Server{
		"TCP": httptest.NewServer, "TLS": httptest.NewTLSServer,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// The reader pauses for much less than the stall: a busy machine adds to it.
			const stall, pause = 5 * time.Second, 500 * time.Millisecond
			c, client := loopbackPair(t, serve, Options{StallTimeout: stall, SendBufferBytes: 256 << 10}, nil)
			readInBackground(c)
			wrote := make(chan error, 1)
			go func() { wrote <- c.Write(Message{[]byte("head"), NewBody(repeatedJSON(16 << 20))}) }()
			_, r, err := client.Reader(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for range 4 {
				if _, err := io.CopyN(io.Discard, r, 2<<20); err != nil {
					t.Fatal(err)
				}
				time.Sleep(pause)
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				t.Fatal(err)
			}
			go client.Reader(t.Context()) // answers the ping, and reads the beginning of the next message
			if err := <-wrote; err != nil {
				t.Error(err)
			}
			if err := c.Write(Message{[]byte("head"), NewBody(repeatedJSON(16 << 20))}); err != ErrSlowPeer {
				t.Errorf("got %v, want ErrSlowPeer", err)
			}
		})
	}
}

// No close frame may be sent within a frame.
func TestStallWithinFrameSendsNoCloseFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := rawClientPair(t, Options{}, nil)
		client.goUntilClosed(func() { io.ReadFull(client.Conn, make([]byte, 5)) })
		start := time.Now()
		if err := c.WriteText([]byte("hello, world")); err != ErrSlowPeer {
			t.Errorf("got %v, want ErrSlowPeer", err)
		}
		// The five bytes are detected at the end of the first step.
		if got := time.Since(start); got != 31*time.Second {
			t.Errorf("failed after %v, want 31s", got)
		}
	})
}

// The reader reads a byte every 20 seconds. That is enough for a frame of 14 bytes,
// but not for one of 1,000.
func TestSlowFrameIsClosedAfterFrameTimeout(t *testing.T) {
	for _, test := range []struct {
		size int
		want error
		time time.Duration
	}{
		{12, nil, 280 * time.Second},
		{998, ErrSlowPeer, 5 * time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, client := rawClientPair(t, Options{}, nil)
			client.goUntilClosed(func() {
				var one [1]byte
				for {
					time.Sleep(20 * time.Second)
					if _, err := client.Conn.Read(one[:]); err != nil {
						return
					}
				}
			})
			start := time.Now()
			if err := c.WriteText(repeatedJSON(test.size)); err != test.want {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if got := time.Since(start); got != test.time {
				t.Errorf("took %v, want %v", got, test.time)
			}
		})
	}
}

// The library closes a connection if a pong takes 5 s. A pong that waits for a data
// frame must not cause that.
func TestPongMayWaitForDataFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := rawClientPair(t, Options{}, nil)
		readInBackground(c)
		wrote := make(chan error, 1)
		go func() { wrote <- c.WriteText([]byte("slow")) }()
		synctest.Wait()
		for range 3 {
			client.send(maskedFrame(finalBit|opPing, []byte("p")))
		}
		time.Sleep(25 * time.Second)
		for _, want := range []string{"\x81slow", "\x8ap", "\x8ap", "\x8ap"} {
			first, p, err := client.readFrame()
			if got := string(append([]byte{first}, p...)); got != want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		}
		if err := <-wrote; err != nil {
			t.Error(err)
		}
	})
}

// A pong that the peer does not accept does not block Read. It is completed before
// the next frame.
func TestUnsentPongDoesNotBlockRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := rawClientPair(t, Options{}, nil)
		start := time.Now()
		client.goUntilClosed(func() { client.send(append(maskedFrame(finalBit|opPing, []byte("ping")), textFrame("hello")...)) })
		var half [3]byte
		client.goUntilClosed(func() { io.ReadFull(client.Conn, half[:]) })
		if got, err := c.Read(context.Background()); string(got) != "hello" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("the pong blocked Read for %v", got)
		}
		time.Sleep(20 * time.Second)
		client.goUntilClosed(func() { c.WriteText([]byte("data")) })
		rest := make([]byte, len("\x8a\x04ping\x81\x04data")-len(half))
		io.ReadFull(client.Conn, rest)
		if got := string(half[:]) + string(rest); got != "\x8a\x04ping\x81\x04data" {
			t.Errorf("got %q", got)
		}
	})
}

func TestPendingPongsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := rawClientPair(t, Options{PingLimit: 1 << 20, StallTimeout: time.Hour, FrameTimeout: time.Hour}, nil)
		readInBackground(c)
		client.goUntilClosed(func() { c.WriteText([]byte("slow")) })
		synctest.Wait()
		for range 1000 {
			client.send(maskedFrame(finalBit|opPing, []byte("ping")))
		}
		synctest.Wait()
		o := &c.transport.outbound
		o.mu.Lock()
		defer o.mu.Unlock()
		if len(o.drainer.controlFrames) > maxPendingControlBytes {
			t.Errorf("%d bytes are pending", len(o.drainer.controlFrames))
		}
	})
}

func TestTransportAcceptsOnlyControlFrames(t *testing.T) {
	c, _ := connPair(t, Options{}, nil)
	for _, data := range []string{"", "\x8a", "\x8a\x01", "\x8a\x00\x00", "\x81\x00", "\x0a\x00", "\xca\x00"} {
		if _, err := c.transport.Write([]byte(data)); err != errNotControl {
			t.Errorf("%q: %v", data, err)
		}
	}
	if err := c.ws.Write(t.Context(), websocket.MessageText, repeatedJSON(1000)); !errors.Is(err, errNotControl) {
		t.Errorf("the library's own Write: %v", err)
	}
}
