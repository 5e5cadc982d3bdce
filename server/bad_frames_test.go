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

// compressedZeros returns a deflated message of n zero bytes.
func compressedZeros(t *testing.T, n int) string {
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

// TestBadFrames: a peer that sends invalid frames is closed with the code of its fault. Other
// clients are still served.
func TestBadFrames(t *testing.T) {
	t.Parallel()
	p := startServer(t, testBinary(), nil)
	b := p.connectBystanders()
	const deflate = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	anchor := "Authorization: Bearer " + nodetest.SignToken(t, auth.Anchor, "attacker")
	for _, test := range []struct {
		name string
		send []byte
		want websocket.StatusCode
	}{
		{"ping flood", bytes.Repeat(nodetest.MaskedFrame(nodetest.FinalFrame|nodetest.OpPing, "x"), 10_000), wire.ClosePolicy},
		{"fragment flood", append(nodetest.MaskedFrame(nodetest.OpText, ""), bytes.Repeat(nodetest.MaskedFrame(0, ""), 100_000)...), wire.ClosePolicy},
		{"too large", nodetest.MaskedFrame(nodetest.FinalFrame|nodetest.OpText, strings.Repeat("x", 64<<10+1)), wire.CloseTooLarge},
		{"too large in fragments", append(nodetest.MaskedFrame(nodetest.OpText, "x"), bytes.Repeat(nodetest.MaskedFrame(0, strings.Repeat("x", 1000)), 70)...), wire.CloseTooLarge},
		{"compression bomb", nodetest.MaskedFrame(nodetest.FinalFrame|0x40|nodetest.OpText, compressedZeros(t, 10<<20)), wire.CloseTooLarge},
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
			c := p.dialRawSockets(1)[0]
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
		b.checkServed()
	}
	p.awaitMetricAtMost(`onair_connections{kind="viewer",`, 1)
	p.awaitMetricAtMost(`onair_connections{kind="anchor",`, 1)
	if n := p.metricValue("onair_panics_total"); n != 0 {
		t.Errorf("%v panics", n)
	}
}

// TestSlowFrame: a socket whose frame arrives byte by byte is closed after a time limit.
func TestSlowFrame(t *testing.T) {
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

// TestResetDuringMessage: a session survives the reset of its connection in the middle of a
// message.
func TestResetDuringMessage(t *testing.T) {
	t.Parallel()
	p := startServer(t, testBinary(), nil)
	b := p.connectBystanders()
	tok := nodetest.SignToken(t, auth.Anchor, "alice")
	c := p.dialRawSockets(1)[0]
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
	if err := c.CloseWithReset(); err != nil {
		t.Fatal(err)
	}
	p.awaitMetricAtMost(`onair_connections{kind="anchor",`, 1)
	if e := p.listedEntries()[started.Stream.Code]; e.Title != "Hello" {
		t.Errorf("after the reset alice is listed as %+v", e)
	}
	alice := p.dial("/v1/anchor", tok)
	again := nodetest.RequestReply[*wire.Started](alice, &wire.Resume{ID: alice.NextID(), Session: started.Session})
	if again.Session != started.Session {
		t.Error("another session")
	}
	b.checkServed()
}
