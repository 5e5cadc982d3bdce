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
	"onair/server/nodetest"
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
	anchor := "Authorization: Bearer " + nodetest.SignToken(t, auth.Anchor, "siege")
	for _, test := range []struct {
		name string
		send []byte
		want websocket.StatusCode
	}{
		{"ping flood", bytes.Repeat(nodetest.MaskedFrame(nodetest.FinalFrame|nodetest.OpPing, "x"), 10_000), wire.ClosePolicy},
		{"fragment flood", append(nodetest.MaskedFrame(nodetest.OpText, ""), bytes.Repeat(nodetest.MaskedFrame(0, ""), 100_000)...), wire.ClosePolicy},
		{"too large", nodetest.MaskedFrame(nodetest.FinalFrame|nodetest.OpText, strings.Repeat("x", 64<<10+1)), wire.CloseTooLarge},
		{"too large in fragments", append(nodetest.MaskedFrame(nodetest.OpText, "x"), bytes.Repeat(nodetest.MaskedFrame(0, strings.Repeat("x", 1000)), 70)...), wire.CloseTooLarge},
		{"compression bomb", nodetest.MaskedFrame(nodetest.FinalFrame|0x40|nodetest.OpText, bomb(t, 10<<20)), wire.CloseTooLarge},
		{"a length of 2^62", append([]byte{nodetest.FinalFrame | nodetest.OpText, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, make([]byte, 64<<10+1)...), wire.CloseTooLarge},
		{"negative length", []byte{nodetest.FinalFrame | nodetest.OpText, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}, websocket.StatusProtocolError},
		{"reserved bit", nodetest.MaskedFrame(nodetest.FinalFrame|0x20|nodetest.OpText, "x"), websocket.StatusProtocolError},
		{"unknown opcode", nodetest.MaskedFrame(nodetest.FinalFrame|0x3, "x"), websocket.StatusProtocolError},
		{"unmasked", []byte{nodetest.FinalFrame | nodetest.OpText, 1, 'x'}, websocket.StatusProtocolError},
		{"fragmented ping", nodetest.MaskedFrame(nodetest.OpPing, "x"), websocket.StatusProtocolError},
		{"long ping", nodetest.MaskedFrame(nodetest.FinalFrame|nodetest.OpPing, strings.Repeat("x", 126)), websocket.StatusProtocolError},
		{"continuation of nothing", nodetest.MaskedFrame(nodetest.FinalFrame, "x"), websocket.StatusProtocolError},
		{"binary", nodetest.MaskedFrame(nodetest.FinalFrame|0x2, "x"), wire.CloseBinary},
		{"not UTF-8", nodetest.MaskedFrame(nodetest.FinalFrame|nodetest.OpText, "\xff\xfe"), wire.CloseInvalidUTF8},
		{"message flood", bytes.Repeat(nodetest.MaskedFrame(nodetest.FinalFrame|nodetest.OpText, `{"type":"unwatch","code":"x"}`), 1000), wire.CloseRateLimited},
		{"nonsense flood", bytes.Repeat(nodetest.MaskedFrame(nodetest.FinalFrame|nodetest.OpText, "x"), 1000), wire.CloseRateLimited},
	} {
		for _, path := range []string{"/v1/viewer", "/v1/anchor"} {
			c := p.rawSockets(1)[0]
			if err := c.Upgrade(path, anchor, deflate); err != nil {
				t.Fatal(err)
			}
			wrote := make(chan struct{})
			go func() { defer close(wrote); c.Write(test.send) }() // the server need not take it all
			c.SetReadDeadline(time.Now().Add(nodetest.ProcessTimeout))
			if got, err := c.AwaitClose(); got != test.want {
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

// TestTrickledFrame: one byte now and then is no way to keep a socket busy.
func TestTrickledFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		c := nodetest.DialRaw(s)
		if err := c.Upgrade("/v1/viewer"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		frame := nodetest.MaskedFrame(nodetest.FinalFrame|nodetest.OpText, strings.Repeat("x", 10_000))
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
		got, err := c.AwaitClose()
		if got != wire.ClosePolicy {
			t.Errorf("closed with %d, %v", got, err)
		}
		nodetest.RequireWithin(t, "closed", time.Since(began), 29*time.Second, 31*time.Second)
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
	tok := nodetest.SignToken(t, auth.Anchor, "alice")
	c := p.rawSockets(1)[0]
	if err := c.Upgrade("/v1/anchor", "Authorization: Bearer "+tok); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(nodetest.MaskedFrame(nodetest.FinalFrame|nodetest.OpText, `{"type":"start","id":1,"title":"Hello"}`)); err != nil {
		t.Fatal(err)
	}
	var started *wire.Started
	for started == nil {
		_, text, err := c.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		m, err := wire.DecodeServerMessage(text)
		if err != nil {
			t.Fatal(err)
		}
		started, _ = m.(*wire.Started)
	}
	half := nodetest.MaskedFrame(nodetest.FinalFrame|nodetest.OpText, `{"type":"update","id":2,"title":"Half"}`)
	if _, err := c.Write(half[:20]); err != nil {
		t.Fatal(err)
	}
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	p.settles(`onair_connections{kind="anchor",`, 1)
	if e := p.codes()[started.Stream.Code]; e.Title != "Hello" {
		t.Errorf("after the reset alice is listed as %+v", e)
	}
	alice := p.dial("/v1/anchor", tok)
	again := nodetest.RequestReply[*wire.Started](alice, &wire.Resume{ID: alice.NextID(), Session: started.Session})
	if again.Session != started.Session {
		t.Error("another session")
	}
	b.served()
}
