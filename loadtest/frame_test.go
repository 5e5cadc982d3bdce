package main

import (
	"bytes"
	"strings"
	"testing"
)

// serverFrame is an unmasked frame, as servers send it.
func serverFrame(op byte, payload string) []byte {
	f := appendMaskedFrame(nil, op, []byte(payload), 0) // with a zero mask the payload stays
	head := len(f) - len(payload) - 4
	f[1] &^= maskBit
	return append(f[:head:head], f[head+4:]...)
}

func TestParseFrame(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 127, 0xFFFF, 0x10000, 300_000} {
		payload := strings.Repeat("x", size)
		whole := serverFrame(opText, payload)
		for _, missing := range []int{1, size / 2, size, len(whole) - 1, len(whole)} {
			if missing < 1 || missing > len(whole) {
				continue
			}
			if _, n, err := parseFrame(whole[:len(whole)-missing]); n != 0 || err != nil {
				t.Errorf("%d bytes, %d missing: parsed %d, %v", size, missing, n, err)
			}
		}
		f, n, err := parseFrame(append(whole, "next"...))
		if err != nil || n != len(whole) || f.op != opText || !f.isFinal || f.isDeflated || string(f.payload) != payload {
			t.Errorf("%d bytes: got %d bytes, opcode %d, %v", size, n, f.op, err)
		}
	}
}

func TestParseFrameRejectsInvalidFrames(t *testing.T) {
	for name, data := range map[string][]byte{
		"masked":             appendMaskedFrame(nil, opText, []byte("x"), 1),
		"reserved bit":       {finalBit | 0x20 | opText, 0},
		"opcode 3":           {finalBit | 3, 0},
		"opcode 11":          {finalBit | 11, 0},
		"long ping":          {finalBit | opPing, 126, 0, 126},
		"fragmented ping":    {opPing, 0},
		"deflated close":     {finalBit | deflatedBit | opClose, 0},
		"longer than memory": {finalBit | opText, 127, 0xFF, 0, 0, 0, 0, 0, 0, 0},
	} {
		if _, n, err := parseFrame(data); err == nil || n != 0 {
			t.Errorf("%s: parsed %d bytes, want an error", name, n)
		}
	}
}

func TestAppendFrameMasks(t *testing.T) {
	const key = 0x11223344
	got := appendMaskedFrame(nil, opText, []byte("hello"), key)
	want := []byte{finalBit | opText, maskBit | 5, 0x11, 0x22, 0x33, 0x44, 'h' ^ 0x11, 'e' ^ 0x22, 'l' ^ 0x33, 'l' ^ 0x44, 'o' ^ 0x11}
	if !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

// FuzzParseFrame: any data is parsed within its bounds, or refused. A parsed frame is
// the same after encoding and parsing.
func FuzzParseFrame(f *testing.F) {
	f.Add(serverFrame(opText, "hello"))
	f.Add(serverFrame(opText, strings.Repeat("x", 200)))
	f.Add(serverFrame(opClose, "\x03\xe8bye"))
	f.Add([]byte{finalBit | deflatedBit | opText, 127, 0, 0, 0, 0, 0, 0, 0, 1, 'x'})
	f.Fuzz(func(t *testing.T, data []byte) {
		frame, n, err := parseFrame(data)
		if n < 0 || n > len(data) || err != nil && n != 0 {
			t.Fatalf("parsed %d of %d bytes, %v", n, len(data), err)
		}
		if n == 0 {
			return
		}
		if short, m, _ := parseFrame(data[:n-1]); m != 0 {
			t.Fatalf("parsed %d bytes (%+v) without the last one", m, short)
		}
		again, _, err := parseFrame(serverFrame(frame.op, string(frame.payload)))
		if err != nil || again.op != frame.op || !bytes.Equal(again.payload, frame.payload) {
			t.Fatalf("%+v becomes %+v, %v", frame, again, err)
		}
	})
}
