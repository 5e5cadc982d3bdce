package socket

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

// The peer receives the code and the reason, with or without a concurrent Read,
// and Close takes no time.
func TestCloseDeliversCodeAndReason(t *testing.T) {
	for _, reading := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c, client := connPair(t, Options{}, nil)
			if reading {
				readInBackground(c)
			}
			start := time.Now()
			received := make(chan error, 1)
			go func() {
				_, _, err := client.Read(t.Context())
				received <- err
			}()
			if err := c.Close(4208, "three missed beats"); err != nil {
				t.Errorf("Close: %v", err)
			}
			var ce websocket.CloseError
			if err := <-received; !errors.As(err, &ce) || ce.Code != 4208 || ce.Reason != "three missed beats" {
				t.Errorf("client: %v", err)
			}
			if got := time.Since(start); got != 0 {
				t.Errorf("took %v", got)
			}
			<-c.Closed()
			if err := c.WriteText([]byte("late")); err != ErrClosed {
				t.Errorf("Write: %v", err)
			}
			if err := c.Close(1000, ""); err != nil {
				t.Errorf("Close again: %v", err)
			}
		})
	}
}

// The peers do not read, read but do not answer, continue to send, or have
// received part of a frame.
func TestCloseTakesAtMostCloseTimeout(t *testing.T) {
	for name, peer := range map[string]func(*blockingConn, *rawClient){
		"not reading":   func(*blockingConn, *rawClient) {},
		"not answering": func(_ *blockingConn, p *rawClient) { io.Copy(io.Discard, p.in) },
		"sending": func(_ *blockingConn, p *rawClient) {
			p.goUntilClosed(func() { io.Copy(io.Discard, p.in) })
			sendUntilClosed(p)
		},
		"in a frame": func(c *blockingConn, _ *rawClient) { c.WriteText([]byte("slow")) },
	} {
		for _, reading := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				c, client := rawClientPair(t, Options{}, nil)
				if reading {
					readInBackground(c)
				}
				client.goUntilClosed(func() { peer(c, client) })
				synctest.Wait()
				start := time.Now()
				c.Close(4200, "")
				if got := time.Since(start); got != time.Second {
					t.Errorf("%s, reading %t: took %v, want 1s", name, reading, got)
				}
			})
		}
	}
}

func sendUntilClosed(p *rawClient) {
	for {
		if _, err := p.Write(textFrame("x")); err != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// A close frame follows the frame that is being written, and nothing follows it.
func TestCloseFrameIsLastFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := rawClientPair(t, Options{}, nil)
		failed := readInBackground(c)
		var writers sync.WaitGroup
		var results [2]error
		writers.Go(func() { results[0] = c.WriteText([]byte("first")) })
		synctest.Wait()
		writers.Go(func() { results[1] = c.WriteText([]byte("second")) })
		writers.Go(func() { c.Close(4009, "taken over") })
		synctest.Wait()
		client.send(maskedFrame(finalBit|opPing, nil)) // gets no answer
		first, p, _ := client.readFrame()
		if first != 0x81 || string(p) != "first" {
			t.Errorf("got %#x %q", first, p)
		}
		first, p, _ = client.readFrame()
		if first != 0x88 || string(p[2:]) != "taken over" {
			t.Errorf("got %#x %q", first, p)
		}
		client.send(maskedFrame(0x88, p))
		if n, err := io.Copy(io.Discard, client.in); n != 0 || err != nil {
			t.Errorf("%d bytes after the close frame, %v", n, err)
		}
		writers.Wait()
		if results != [2]error{nil, ErrClosed} {
			t.Errorf("writes: %v", results)
		}
		if err := <-failed; websocket.CloseStatus(err) != 4009 {
			t.Errorf("Read: %v", err)
		}
	})
}

// The library closes the connection at once.
func TestWriteFailsWhenPeerClosesDuringFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := rawClientPair(t, Options{}, nil)
		readInBackground(c)
		wrote := make(chan error, 1)
		go func() { wrote <- c.WriteText([]byte("slow")) }()
		synctest.Wait()
		client.send(maskedFrame(0x88, []byte{3, 0xe8}))
		if err := <-wrote; err != ErrClosed {
			t.Errorf("got %v, want ErrClosed", err)
		}
	})
}

// The client receives 1009 although the server has not read all of its message.
func TestTooLargeMessageClosesWith1009(t *testing.T) {
	c, client := tcpConnPair(t, Options{}, nil)
	failed := readInBackground(c)
	go client.Write(t.Context(), websocket.MessageText, repeatedJSON(4<<20))
	if _, _, err := client.Read(t.Context()); websocket.CloseStatus(err) != 1009 {
		t.Errorf("client: %v, want 1009", err)
	}
	if err := <-failed; !errors.Is(err, ErrTooLarge) {
		t.Errorf("Read: %v", err)
	}
}

func TestCloseReasonIsCut(t *testing.T) {
	f := newCloseFrame(1000, strings.Repeat("直", 100))
	if !isWholeControlFrame(f) || len(f) != 4+123 {
		t.Errorf("%d bytes", len(f))
	}
	if f := newCloseFrame(1000, strings.Repeat("直播码x", 13)); !isWholeControlFrame(f) || len(f) > maxControlFrame {
		t.Errorf("%d bytes", len(f))
	}
}

// Servers use sockets like this: the handler returns right after Accept.
func TestConnOutlivesHandler(t *testing.T) {
	c, client := connPair(t, Options{}, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"http://server"}}})
	go client.Write(t.Context(), websocket.MessageText, []byte("hi"))
	if got, err := c.Read(t.Context()); err != nil || string(got) != "hi" {
		t.Errorf("got %q, %v", got, err)
	}
	if c.RemoteAddr() == nil {
		t.Error("RemoteAddr is nil")
	}
}
