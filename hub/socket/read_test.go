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

func TestReadClosesAfterViolation(t *testing.T) {
	for _, test := range []struct {
		name string
		send []byte
		want *ViolationError
	}{
		{"binary", maskedFrame(finalBit|0x2, []byte("x")), ErrBinaryMessage},
		{"fragment of a binary", maskedFrame(0x2, []byte("x")), ErrBinaryMessage},
		{"not UTF-8", textFrame("\xff\xfe"), ErrNotUTF8},
		{"incomplete rune", textFrame("\xe2\x82"), ErrNotUTF8},
		{"too large", textFrame(string(repeatedJSON(101))), ErrTooLarge},
		{"far too large", textFrame(string(repeatedJSON(1 << 20))), ErrTooLarge},
		{"unmasked", Message{Head: []byte("x")}.AppendFrame(nil, false), ErrProtocol},
		{"reserved bit", maskedFrame(0xc1, []byte("x")), ErrProtocol},
		{"unknown opcode", maskedFrame(0x83, []byte("x")), ErrProtocol},
		{"fragmented ping", maskedFrame(opPing, []byte("x")), ErrProtocol},
		{"continuation without a message", maskedFrame(0x80, []byte("x")), ErrProtocol},
		{"negative length", []byte{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}, ErrProtocol},
		{"message within a message", append(maskedFrame(0x1, []byte("x")), textFrame("y")...), ErrProtocol},
		{"close with a bad code", maskedFrame(0x88, []byte{3, 0xed}), ErrProtocol},
		{"empty fragments", append(maskedFrame(0x1, nil), bytes.Repeat(maskedFrame(0, nil), 1000)...), ErrTooManyFragments},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, client := rawClientPair(t, Options{ReadLimit: 100}, nil)
			failed := readInBackground(c)
			client.goUntilClosed(func() { client.Write(test.send) }) // the server may close before it reads all
			if got := client.readCloseCode(); got != test.want.Code {
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

func TestReadReturnsLargestMessage(t *testing.T) {
	c, client := connPair(t, Options{ReadLimit: 5000}, compressionOptions())
	go client.Write(t.Context(), websocket.MessageText, repeatedJSON(5000))
	if got, err := c.Read(t.Context()); err != nil || !bytes.Equal(got, repeatedJSON(5000)) {
		t.Fatalf("got %d bytes, %v", len(got), err)
	}
}

// The client sends a byte every five seconds, with and without control frames in
// between.
func TestSlowMessageIsClosedAfterMessageTimeout(t *testing.T) {
	for _, control := range []byte{0, opPing, opPong} {
		synctest.Test(t, func(t *testing.T) {
			c, client := rawClientPair(t, Options{}, nil)
			failed := readInBackground(c)
			start := time.Now()
			client.goUntilClosed(func() {
				client.Write(maskedFrame(0x1, nil))
				for {
					time.Sleep(5 * time.Second)
					if control != 0 {
						client.Write(maskedFrame(finalBit|control, nil))
					}
					if _, err := client.Write(maskedFrame(0x0, []byte("x"))); err != nil {
						return
					}
				}
			})
			if got := client.readCloseCode(); got != 1008 {
				t.Errorf("closed with %d, want 1008", got)
			}
			if got := time.Since(start); got != 30*time.Second {
				t.Errorf("closed after %v, want 30s", got)
			}
			client.Close()
			if err := <-failed; !errors.Is(err, ErrMessageTimeout) {
				t.Errorf("Read: %v, want ErrMessageTimeout", err)
			}
		})
	}
}

// The time between messages does not count, with any control frames in between.
func TestIdleSocketHasNoTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := rawClientPair(t, Options{}, nil)
		client.goUntilClosed(func() { io.Copy(io.Discard, client.in) })
		client.goUntilClosed(func() {
			for range 10 {
				for _, op := range []byte{opPing, opPong} {
					client.send(maskedFrame(finalBit|op, []byte("x")))
					time.Sleep(time.Minute)
				}
				client.send(textFrame("beat"))
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

func TestTooManyPingsCloseSocket(t *testing.T) {
	for _, test := range []struct {
		every time.Duration
		want  websocket.StatusCode
	}{
		{0, 1008},
		{499 * time.Millisecond, 1008},
		{500 * time.Millisecond, 1000},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, client := rawClientPair(t, Options{}, nil)
			failed := readInBackground(c)
			client.goUntilClosed(func() {
				for range 100 {
					if _, err := client.Write(maskedFrame(finalBit|opPing, nil)); err != nil {
						return
					}
					time.Sleep(test.every)
				}
				c.Close(1000, "")
			})
			if got := client.readCloseCode(); got != test.want {
				t.Errorf("every %v: closed with %d, want %d", test.every, got, test.want)
			}
			client.Close()
			if err := <-failed; errors.Is(err, ErrPingFlood) != (test.want == 1008) {
				t.Errorf("every %v: Read: %v", test.every, err)
			}
		})
	}
}

func TestReadReturnsReasonOfClose(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, test := range []struct {
		name string
		ctx  context.Context
		act  func(*blockingConn, *websocket.Conn)
		want func(error) bool
	}{
		{
			"peer closes", t.Context(), func(_ *blockingConn, p *websocket.Conn) { p.Close(4321, "bye") },
			func(err error) bool { return websocket.CloseStatus(err) == 4321 },
		},
		{
			"peer vanishes", t.Context(), func(_ *blockingConn, p *websocket.Conn) { p.CloseNow() },
			func(err error) bool { return errors.Is(err, io.EOF) },
		},
		{
			"CloseNow", t.Context(), func(c *blockingConn, _ *websocket.Conn) { c.CloseNow() },
			func(err error) bool { return errors.Is(err, ErrClosed) },
		},
		{
			"context", cancelled, func(*blockingConn, *websocket.Conn) {},
			func(err error) bool { return errors.Is(err, context.Canceled) },
		},
	} {
		c, client := connPair(t, Options{}, nil)
		go test.act(c, client)
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
