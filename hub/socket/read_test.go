package socket

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

func TestViolations(t *testing.T) {
	for _, test := range []struct {
		name string
		send []byte
		want *ViolationError
	}{
		{"binary", masked(finalBit|0x2, []byte("x")), ErrBinaryMessage},
		{"half a binary", masked(0x2, []byte("x")), ErrBinaryMessage},
		{"not UTF-8", text("\xff\xfe"), ErrNotUTF8},
		{"half a rune", text("\xe2\x82"), ErrNotUTF8},
		{"too large", text(string(json(101))), ErrTooLarge},
		{"far too large", text(string(json(1 << 20))), ErrTooLarge},
		{"unmasked", Message{Head: []byte("x")}.AppendFrame(nil, false), ErrProtocol},
		{"reserved bit", masked(0xc1, []byte("x")), ErrProtocol},
		{"unknown opcode", masked(0x83, []byte("x")), ErrProtocol},
		{"fragmented ping", masked(opPing, []byte("x")), ErrProtocol},
		{"continuation of nothing", masked(0x80, []byte("x")), ErrProtocol},
		{"negative length", []byte{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}, ErrProtocol},
		{"two messages in one", append(masked(0x1, []byte("x")), text("y")...), ErrProtocol},
		{"close with a bad code", masked(0x88, []byte{3, 0xed}), ErrProtocol},
		{"empty fragments", append(masked(0x1, nil), bytes.Repeat(masked(0, nil), 1000)...), ErrTooManyFragments},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, client := rawPair(t, Options{ReadLimit: 100}, nil)
			failed := read(c)
			client.start(func() { client.Write(test.send) }) // the server need not read it all
			if got := client.closeCode(); got != test.want.Code {
				t.Errorf("%s: closed with %d, want %d", test.name, got, test.want.Code)
			}
			client.Close()
			if err := <-failed; !errors.Is(err, test.want) {
				t.Errorf("%s: Read: %v, want %v", test.name, err, test.want)
			}
			<-c.Closed()
		})
	}
}

func TestLargestMessage(t *testing.T) {
	c, client := pair(t, Options{ReadLimit: 5000}, deflating())
	go client.Write(t.Context(), websocket.MessageText, json(5000))
	if got, err := c.Read(t.Context()); err != nil || !bytes.Equal(got, json(5000)) {
		t.Fatalf("got %d bytes, %v", len(got), err)
	}
}

// TestTrickledMessage sends a byte every five seconds.
func TestTrickledMessage(t *testing.T) {
	for _, control := range []byte{0, opPing, opPong} { // does not help in between
		synctest.Test(t, func(t *testing.T) {
			c, client := rawPair(t, Options{}, nil)
			failed := read(c)
			start := time.Now()
			client.start(func() {
				client.Write(masked(0x1, nil))
				for {
					time.Sleep(5 * time.Second)
					if control != 0 {
						client.Write(masked(finalBit|control, nil))
					}
					if _, err := client.Write(masked(0x0, []byte("x"))); err != nil {
						return
					}
				}
			})
			if got := client.closeCode(); got != 1008 {
				t.Errorf("closed with %d, want 1008", got)
			}
			if got := since(start); got != 30*time.Second {
				t.Errorf("closed after %v, want 30s", got)
			}
			client.Close()
			if err := <-failed; !errors.Is(err, ErrMessageTimeout) {
				t.Errorf("Read: %v, want ErrTrickled", err)
			}
		})
	}
}

// TestIdleIsNotTrickling: between messages, time does not count, whatever
// control frames come.
func TestIdleIsNotTrickling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := rawPair(t, Options{}, nil)
		client.start(func() { io.Copy(io.Discard, client.in) })
		client.start(func() {
			for range 10 {
				for _, op := range []byte{opPing, opPong} {
					client.send(masked(finalBit|op, []byte("x")))
					time.Sleep(time.Minute)
				}
				client.send(text("beat"))
				time.Sleep(time.Minute)
			}
		})
		for range 10 {
			if got, err := c.Read(context.Background()); err != nil || string(got) != "beat" {
				t.Fatalf("got %q, %v", got, err)
			}
		}
	})
}

func TestPingFlood(t *testing.T) {
	for _, test := range []struct {
		every time.Duration
		want  websocket.StatusCode
	}{
		{0, 1008},
		{499 * time.Millisecond, 1008},
		{500 * time.Millisecond, 1000},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, client := rawPair(t, Options{}, nil)
			failed := read(c)
			client.start(func() {
				for range 100 {
					if _, err := client.Write(masked(finalBit|opPing, nil)); err != nil {
						return
					}
					time.Sleep(test.every)
				}
				c.Close(1000, "")
			})
			if got := client.closeCode(); got != test.want {
				t.Errorf("every %v: closed with %d, want %d", test.every, got, test.want)
			}
			client.Close()
			if err := <-failed; errors.Is(err, ErrPingFlood) != (test.want == 1008) {
				t.Errorf("every %v: Read: %v", test.every, err)
			}
		})
	}
}

func TestReadErrors(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, test := range []struct {
		name string
		ctx  context.Context
		do   func(*blocking, *websocket.Conn)
		want func(error) bool
	}{
		{
			"peer closes", t.Context(), func(_ *blocking, p *websocket.Conn) { p.Close(4321, "bye") },
			func(err error) bool { return websocket.CloseStatus(err) == 4321 },
		},
		{
			"peer vanishes", t.Context(), func(_ *blocking, p *websocket.Conn) { p.CloseNow() },
			func(err error) bool { return errors.Is(err, io.EOF) },
		},
		{
			"CloseNow", t.Context(), func(c *blocking, _ *websocket.Conn) { c.CloseNow() },
			func(err error) bool { return errors.Is(err, ErrClosed) },
		},
		{
			"context", cancelled, func(*blocking, *websocket.Conn) {},
			func(err error) bool { return errors.Is(err, context.Canceled) },
		},
	} {
		c, client := pair(t, Options{}, nil)
		go test.do(c, client)
		if _, err := c.Read(test.ctx); !test.want(err) {
			t.Errorf("%s: %v", test.name, err)
		}
		<-c.Closed()
		if err := c.WriteText([]byte("late")); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: Write afterwards: %v", test.name, err)
		}
		if _, err := c.Read(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: Read afterwards: %v", test.name, err)
		}
	}
}
