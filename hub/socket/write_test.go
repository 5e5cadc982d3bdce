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

// TestInterleaving has two writers, and pings both ways, share a socket.
func TestInterleaving(t *testing.T) {
	for _, d := range []*websocket.DialOptions{nil, deflating()} {
		c, client := pair(t, Options{PingLimit: 1 << 20}, d)
		interleave(t, c, client)
	}
}

// TestInterleavingTCP is the same where writes are cut short by the kernel.
func TestInterleavingTCP(t *testing.T) {
	for _, d := range []*websocket.DialOptions{nil, deflating()} {
		c, client := tcpPair(t, Options{PingLimit: 1 << 20}, d)
		interleave(t, c, client)
	}
}

// TestInterleavingTLS is the same where a write cannot be resumed.
func TestInterleavingTLS(t *testing.T) {
	c, client := loopback(t, httptest.NewTLSServer, Options{PingLimit: 1 << 20}, deflating())
	if !c.wire.out.whole || tcpConn(c.wire.Conn) == nil {
		t.Error("TLS is not seen as such")
	}
	interleave(t, c, client)
}

// tcpPair is pair over the loopback interface.
func tcpPair(t *testing.T, o Options, d *websocket.DialOptions) (*blocking, *websocket.Conn) {
	o.Poller = poller(t)
	return loopback(t, httptest.NewServer, o, d)
}

func loopback(t *testing.T, serve func(http.Handler) *httptest.Server, o Options, d *websocket.DialOptions) (*blocking, *websocket.Conn) {
	s := &site{conns: make(chan *blocking, 1)}
	server := serve(s.handler(t, o))
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

func interleave(t *testing.T, c *blocking, client *websocket.Conn) {
	const each = 100
	bodies := []*Body{NewBody(json(100)), NewBody(json(1500)), NewBody(json(90_000))}
	ctx := t.Context()
	read(c)
	var all sync.WaitGroup
	for writer := range 2 {
		all.Go(func() {
			for i := range each {
				if err := c.Write(Message{fmt.Appendf(nil, "%d %d ", writer, i), bodies[i%3]}); err != nil {
					t.Errorf("write: %v", err)
				}
			}
		})
	}
	for range each {
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
	if next != [2]int{each, each} {
		t.Errorf("got %v messages, want %d each", next, each)
	}
	if got := c.Stats(); got.Frames != 2*each {
		t.Errorf("%d frames counted, want %d", got.Frames, 2*each)
	}
}

func TestStalledReader(t *testing.T) {
	for _, size := range []int{10, 100_000} {
		synctest.Test(t, func(t *testing.T) {
			c, _ := rawPair(t, Options{}, nil)
			failed := read(c)
			start := time.Now()
			if err := c.Write(Message{[]byte("head"), NewBody(json(size))}); err != ErrSlowPeer {
				t.Errorf("got %v, want ErrSlow", err)
			}
			if got := since(start); got != 30*time.Second+lastWord {
				t.Errorf("failed after %v, want 30s", got)
			}
			<-c.Closed()
			if err := <-failed; !errors.Is(err, ErrClosed) {
				t.Errorf("Read: %v", err)
			}
		})
	}
}

// TestSlowReaderTCP is both with the kernel's buffers: a reader that takes
// something now and then gets it all, one that stops does not. TLS too must
// not fail the former. (With the default send buffer, smaller than a segment of
// the loopback interface, each segment would wait for a delayed ACK.)
func TestSlowReaderTCP(t *testing.T) {
	for name, serve := range map[string]func(http.Handler) *httptest.Server{
		"TCP": httptest.NewServer, "TLS": httptest.NewTLSServer,
	} {
		const stall = 1500 * time.Millisecond // a busy machine may keep the reader from reading for a while
		c, client := loopback(t, serve, Options{StallTimeout: stall, SendBufferBytes: 256 << 10}, nil)
		wrote := make(chan error, 1)
		go func() { wrote <- c.Write(Message{[]byte("head"), NewBody(json(16 << 20))}) }()
		_, r, err := client.Reader(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 4 {
			if _, err := io.CopyN(io.Discard, r, 2<<20); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			time.Sleep(stall / 2)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := <-wrote; err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := c.Write(Message{[]byte("head"), NewBody(json(16 << 20))}); err != ErrSlowPeer {
			t.Errorf("%s: got %v, want ErrSlow", name, err)
		}
	}
}

// TestStalledInAFrame: no close frame may be attempted.
func TestStalledInAFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := rawPair(t, Options{}, nil)
		client.start(func() { io.ReadFull(client.Conn, make([]byte, 5)) })
		start := time.Now()
		if err := c.WriteText([]byte("hello, world")); err != ErrSlowPeer {
			t.Errorf("got %v, want ErrSlow", err)
		}
		// The five bytes are noticed when the first slice ends.
		if got := since(start); got != 31*time.Second {
			t.Errorf("failed after %v, want 31s", got)
		}
	})
}

// TestSlowReader takes a byte every 20 seconds: that is fast enough for a
// frame of 14 bytes, but not for one of 1,000.
func TestSlowReader(t *testing.T) {
	for _, test := range []struct {
		size int
		want error
		time time.Duration
	}{
		{12, nil, 280 * time.Second},
		{998, ErrSlowPeer, 5 * time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, client := rawPair(t, Options{}, nil)
			client.start(func() {
				var one [1]byte
				for {
					time.Sleep(20 * time.Second)
					if _, err := client.Conn.Read(one[:]); err != nil {
						return
					}
				}
			})
			start := time.Now()
			if err := c.WriteText(json(test.size)); err != test.want {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if got := since(start); got != test.time {
				t.Errorf("took %v, want %v", got, test.time)
			}
		})
	}
}

// TestPingToASlowReader: the library gives a pong 5 s, then closes. A pong
// that waits for a data frame must not run into that.
func TestPingToASlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := rawPair(t, Options{}, nil)
		read(c)
		wrote := make(chan error, 1)
		go func() { wrote <- c.WriteText([]byte("slow")) }()
		synctest.Wait()
		for range 3 {
			client.send(masked(finalBit|opPing, []byte("p")))
		}
		time.Sleep(25 * time.Second)
		for _, want := range []string{"\x81slow", "\x8ap", "\x8ap", "\x8ap"} {
			first, p, err := client.frame()
			if got := string(append([]byte{first}, p...)); got != want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		}
		if err := <-wrote; err != nil {
			t.Error(err)
		}
	})
}

// TestPongGoesLater: a pong that is not taken does not keep the reader; it goes
// before the next frame, whole.
func TestPongGoesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := rawPair(t, Options{}, nil)
		start := time.Now()
		client.start(func() { client.send(append(masked(finalBit|opPing, []byte("ping")), text("hello")...)) })
		var half [3]byte
		client.start(func() { io.ReadFull(client.Conn, half[:]) })
		if got, err := c.Read(context.Background()); string(got) != "hello" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		if got := since(start); got != 0 {
			t.Errorf("the pong kept the reader for %v", got)
		}
		time.Sleep(20 * time.Second)
		client.start(func() { c.WriteText([]byte("data")) })
		rest := make([]byte, len("\x8a\x04ping\x81\x04data")-len(half))
		io.ReadFull(client.Conn, rest)
		if got := string(half[:]) + string(rest); got != "\x8a\x04ping\x81\x04data" {
			t.Errorf("got %q", got)
		}
	})
}

// TestWaitingIsBounded: pongs are dropped rather than kept without limit.
func TestWaitingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := rawPair(t, Options{PingLimit: 1 << 20, StallTimeout: time.Hour, FrameTimeout: time.Hour}, nil)
		read(c)
		client.start(func() { c.WriteText([]byte("slow")) })
		synctest.Wait()
		for range 1000 {
			client.send(masked(finalBit|opPing, []byte("ping")))
		}
		synctest.Wait()
		o := &c.wire.out
		o.mu.Lock()
		defer o.mu.Unlock()
		if len(o.drain.waiting) > maxWaiting {
			t.Errorf("%d bytes wait", len(o.drain.waiting))
		}
	})
}

// TestOnlyControlFrames pins what we rely on in the library.
func TestOnlyControlFrames(t *testing.T) {
	c, _ := pair(t, Options{}, nil)
	for _, data := range []string{"", "\x8a", "\x8a\x01", "\x8a\x00\x00", "\x81\x00", "\x0a\x00", "\xca\x00"} {
		if _, err := c.wire.Write([]byte(data)); err != errNotControl {
			t.Errorf("%q: %v", data, err)
		}
	}
	if err := c.ws.Write(t.Context(), websocket.MessageText, json(1000)); !errors.Is(err, errNotControl) {
		t.Errorf("the library's own Write: %v", err)
	}
}
