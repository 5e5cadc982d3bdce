package main

import (
	"bytes"
	"compress/flate"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"onair/hub/wire"
	"onair/server/auth"
)

// bomb is a message of n zero bytes, deflated.
func bomb(t *testing.T, n int) string {
	t.Helper()
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(out.String(), "\x00\x00\xff\xff")
}

// TestBadFrames: whatever a peer sends over a real connection, it is closed
// with the code that says what was wrong, and nobody else notices.
func TestBadFrames(t *testing.T) {
	t.Parallel()
	p := besiege(t, thisBinary(), nil)
	b := p.invite()
	const deflate = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	anchor := "Authorization: Bearer " + token(t, auth.Anchor, "siege")
	for _, test := range []struct {
		name string
		send []byte
		want websocket.StatusCode
	}{
		{"ping flood", bytes.Repeat(masked(final|opPing, "x"), 10_000), wire.ClosePolicy},
		{"fragment flood", append(masked(opText, ""), bytes.Repeat(masked(0, ""), 100_000)...), wire.ClosePolicy},
		{"too large", masked(final|opText, strings.Repeat("x", 64<<10+1)), wire.CloseTooLarge},
		{"too large in fragments", append(masked(opText, "x"), bytes.Repeat(masked(0, strings.Repeat("x", 1000)), 70)...), wire.CloseTooLarge},
		{"compression bomb", masked(final|0x40|opText, bomb(t, 10<<20)), wire.CloseTooLarge},
		{"a length of 2^62", append([]byte{final | opText, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, make([]byte, 64<<10+1)...), wire.CloseTooLarge},
		{"negative length", []byte{final | opText, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}, websocket.StatusProtocolError},
		{"reserved bit", masked(final|0x20|opText, "x"), websocket.StatusProtocolError},
		{"unknown opcode", masked(final|0x3, "x"), websocket.StatusProtocolError},
		{"unmasked", []byte{final | opText, 1, 'x'}, websocket.StatusProtocolError},
		{"fragmented ping", masked(opPing, "x"), websocket.StatusProtocolError},
		{"long ping", masked(final|opPing, strings.Repeat("x", 126)), websocket.StatusProtocolError},
		{"continuation of nothing", masked(final, "x"), websocket.StatusProtocolError},
		{"binary", masked(final|0x2, "x"), wire.CloseBinary},
		{"not UTF-8", masked(final|opText, "\xff\xfe"), wire.CloseInvalidUTF8},
		{"message flood", bytes.Repeat(masked(final|opText, `{"type":"unwatch","code":"x"}`), 1000), wire.CloseRateLimited},
		{"nonsense flood", bytes.Repeat(masked(final|opText, "x"), 1000), wire.CloseRateLimited},
	} {
		for _, path := range []string{"/v1/viewer", "/v1/anchor"} {
			c := p.rawSockets(1)[0]
			if err := c.upgrade(path, anchor, deflate); err != nil {
				t.Fatal(err)
			}
			wrote := make(chan struct{})
			go func() { defer close(wrote); c.Write(test.send) }() // the server need not take it all
			c.SetReadDeadline(time.Now().Add(soon))
			if got, err := c.closes(); got != test.want {
				t.Errorf("%s: %s: closed with %d (%v), want %d", path, test.name, got, err, test.want)
			}
			c.Close()
			<-wrote
		}
		b.served()
	}
	p.settles(`onair_connections{kind="viewer",`, 1)
	p.settles(`onair_connections{kind="anchor",`, 1)
	if n := p.gauge("onair_panics_total"); n != 0 {
		t.Errorf("%v panics", n)
	}
}

// dialPipe connects to the server in the bubble, below its WebSockets.
func (s *testServer) dialPipe() *rawSocket {
	s.t.Helper()
	conn, err := s.public.DialContext(s.t.Context(), "", "")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	return newRaw(conn)
}

// TestTrickledFrame: one byte now and then is no way to keep a socket busy.
func TestTrickledFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		c := s.dialPipe()
		if err := c.upgrade("/v1/viewer"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		frame := masked(final|opText, strings.Repeat("x", 10_000))
		wrote := make(chan struct{})
		go func() {
			defer close(wrote)
			for i := range frame {
				if _, err := c.Write(frame[i : i+1]); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		got, err := c.closes()
		if got != wire.ClosePolicy {
			t.Errorf("closed with %d, %v", got, err)
		}
		within(t, "closed", time.Since(began), 29*time.Second, 31*time.Second)
		c.Close()
		<-wrote
	})
}

// TestResetInAMessage: a connection that is reset half-way through a message
// costs nobody the session.
func TestResetInAMessage(t *testing.T) {
	t.Parallel()
	p := besiege(t, thisBinary(), nil)
	b := p.invite()
	tok := token(t, auth.Anchor, "alice")
	c := p.rawSockets(1)[0]
	if err := c.upgrade("/v1/anchor", "Authorization: Bearer "+tok); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(masked(final|opText, `{"type":"start","id":1,"title":"Hello"}`)); err != nil {
		t.Fatal(err)
	}
	var started *wire.Started
	for started == nil {
		_, text, err := c.frame()
		if err != nil {
			t.Fatal(err)
		}
		m, err := wire.DecodeServerMessage(text)
		if err != nil {
			t.Fatal(err)
		}
		started, _ = m.(*wire.Started)
	}
	half := masked(final|opText, `{"type":"update","id":2,"title":"Half"}`)
	if _, err := c.Write(half[:20]); err != nil {
		t.Fatal(err)
	}
	if err := c.reset(); err != nil {
		t.Fatal(err)
	}
	p.settles(`onair_connections{kind="anchor",`, 1)
	if e := p.codes()[started.Stream.Code]; e.Title != "Hello" {
		t.Errorf("after the reset alice is listed as %+v", e)
	}
	alice := p.dial("/v1/anchor", tok)
	again := answerTo[*wire.Started](alice, &wire.Resume{ID: alice.id(), Session: started.Session})
	if again.Session != started.Session {
		t.Error("another session")
	}
	b.served()
}
