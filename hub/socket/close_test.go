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

// TestClose: the peer learns code and reason, whether or not someone reads
// here, and it takes no time.
func TestClose(t *testing.T) {
	for _, reading := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c, client := pair(t, Options{}, nil)
			if reading {
				read(c)
			}
			start := time.Now()
			heard := make(chan error, 1)
			go func() {
				_, _, err := client.Read(t.Context())
				heard <- err
			}()
			if err := c.Close(4208, "three missed beats"); err != nil {
				t.Errorf("Close: %v", err)
			}
			var ce websocket.CloseError
			if err := <-heard; !errors.As(err, &ce) || ce.Code != 4208 || ce.Reason != "three missed beats" {
				t.Errorf("client: %v", err)
			}
			if got := since(start); got != 0 {
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

// TestCloseIsBounded: peers that do not read, that read but do not answer,
// that go on sending, and that are in the middle of a frame.
func TestCloseIsBounded(t *testing.T) {
	for name, peer := range map[string]func(*blocking, *raw){
		"deaf":       func(*blocking, *raw) {},
		"mute":       func(_ *blocking, p *raw) { io.Copy(io.Discard, p.in) },
		"talkative":  func(_ *blocking, p *raw) { p.start(func() { io.Copy(io.Discard, p.in) }); talk(p) },
		"in a frame": func(c *blocking, _ *raw) { c.WriteText([]byte("slow")) },
	} {
		for _, reading := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				c, client := rawPair(t, Options{}, nil)
				if reading {
					read(c)
				}
				client.start(func() { peer(c, client) })
				synctest.Wait()
				start := time.Now()
				c.Close(4200, "")
				if got := since(start); got != time.Second {
					t.Errorf("%s, reading %t: took %v, want 1s", name, reading, got)
				}
			})
		}
	}
}

func talk(p *raw) {
	for {
		if _, err := p.Write(text("x")); err != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestCloseAfterAFrame: a close frame goes behind the frame that is being
// written, and nothing behind it.
func TestCloseAfterAFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := rawPair(t, Options{}, nil)
		failed := read(c)
		var writers sync.WaitGroup
		var results [2]error
		writers.Go(func() { results[0] = c.WriteText([]byte("first")) })
		synctest.Wait()
		writers.Go(func() { results[1] = c.WriteText([]byte("second")) })
		writers.Go(func() { c.Close(4009, "taken over") })
		synctest.Wait()
		client.send(masked(finalBit|opPing, nil)) // gets no answer
		first, p, _ := client.frame()
		if first != 0x81 || string(p) != "first" {
			t.Errorf("got %#x %q", first, p)
		}
		first, p, _ = client.frame()
		if first != 0x88 || string(p[2:]) != "taken over" {
			t.Errorf("got %#x %q", first, p)
		}
		client.send(masked(0x88, p))
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

// TestPeerClosesDuringAFrame: the library closes at once; the writer notices.
func TestPeerClosesDuringAFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := rawPair(t, Options{}, nil)
		read(c)
		wrote := make(chan error, 1)
		go func() { wrote <- c.WriteText([]byte("slow")) }()
		synctest.Wait()
		client.send(masked(0x88, []byte{3, 0xe8}))
		if err := <-wrote; err != ErrClosed {
			t.Errorf("got %v, want ErrClosed", err)
		}
	})
}

// TestTooLargeOverTCP: the client hears 1009 although it has sent much that
// nobody read.
func TestTooLargeOverTCP(t *testing.T) {
	c, client := tcpPair(t, Options{}, nil)
	failed := read(c)
	go client.Write(t.Context(), websocket.MessageText, json(4<<20))
	if _, _, err := client.Read(t.Context()); websocket.CloseStatus(err) != 1009 {
		t.Errorf("client: %v, want 1009", err)
	}
	if err := <-failed; !errors.Is(err, ErrTooLarge) {
		t.Errorf("Read: %v", err)
	}
}

func TestCloseReasonIsCut(t *testing.T) {
	f := closeFrame(1000, strings.Repeat("直", 100))
	if !isControl(f) || len(f) != 4+123 {
		t.Errorf("%d bytes", len(f))
	}
	if f := closeFrame(1000, strings.Repeat("直播码x", 13)); !isControl(f) || len(f) > maxControlFrame {
		t.Errorf("%d bytes", len(f))
	}
}

// TestHandlerMayReturn is how servers use it: net/http is done with a request
// when Accept has returned.
func TestHandlerMayReturn(t *testing.T) {
	c, client := pair(t, Options{}, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"http://server"}}})
	go client.Write(t.Context(), websocket.MessageText, []byte("hi"))
	if got, err := c.Read(t.Context()); err != nil || string(got) != "hi" {
		t.Errorf("got %q, %v", got, err)
	}
	if c.RemoteAddr() == nil {
		t.Error("no address")
	}
}
