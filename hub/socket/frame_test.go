package socket

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"pgregory.net/rapid"
)

// decodeFrame independently implements RFC 6455 §5.2 and RFC 7692 §7.2.2.
func decodeFrame(t interface{ Fatalf(string, ...any) }, frame []byte) []byte {
	rest, n := frame[2:], int(frame[1])
	switch n {
	case 126:
		n, rest = int(binary.BigEndian.Uint16(rest)), rest[2:]
	case 127:
		n, rest = int(binary.BigEndian.Uint64(rest)), rest[8:]
	}
	if n != len(rest) {
		t.Fatalf("the header has length %d, the payload %d", n, len(rest))
	}
	switch frame[0] {
	case 0x81:
		return rest
	case 0xc1:
		end := bytes.NewReader([]byte("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))
		p, err := io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(rest), end)))
		if err != nil {
			t.Fatalf("inflate: %v", err)
		}
		return p
	}
	t.Fatalf("first byte %#x", frame[0])
	return nil
}

func TestFrameDecodesToMessage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		head := rapid.SliceOfN(rapid.ByteRange(32, 126), 0, 300).Draw(t, "head")
		size := rapid.OneOf(rapid.IntRange(0, 600), rapid.IntRange(0, 100_000)).Draw(t, "size")
		plain := repeatedJSON(size)
		if rapid.Bool().Draw(t, "noise") {
			for i := range plain {
				plain[i] = byte(32 + i*i%95)
			}
		}
		want := append(bytes.Clone(head), plain...)
		body := NewBody(plain)
		for _, deflated := range []bool{false, true} {
			frame := Message{head, body}.AppendFrame([]byte("x"), deflated)[1:]
			if got := decodeFrame(t, frame); !bytes.Equal(got, want) {
				t.Fatalf("deflated %t: got %q, want %q", deflated, got, want)
			}
			if !deflated && frame[0] != 0x81 {
				t.Fatalf("a plain frame starts with %#x", frame[0])
			}
		}
	})
}

func TestBodyIsDeflatedIfShorter(t *testing.T) {
	noise := make([]byte, 4000)
	for i, x := 0, uint32(1); i < len(noise); i++ {
		x = x*1664525 + 1013904223
		noise[i] = byte(x>>24) & 0x7f
	}
	for _, test := range []struct {
		name  string
		plain []byte
		want  byte
	}{
		{"empty", nil, 0x81},
		{"short", repeatedJSON(minDeflateBytes - 1), 0x81},
		{"long", repeatedJSON(minDeflateBytes), 0xc1},
		{"noise", noise[:300], 0x81},
	} {
		body := NewBody(test.plain)
		if got := (Message{Body: body}).AppendFrame(nil, true)[0]; got != test.want || body.Len() != len(test.plain) {
			t.Errorf("%s: first byte %#x, want %#x; length %d", test.name, got, test.want, body.Len())
		}
	}
}

// A head that needs more than one stored block is unusual, but allowed.
func TestLongHeadDecodes(t *testing.T) {
	head, body := repeatedJSON(200_000), NewBody(repeatedJSON(1000))
	got := decodeFrame(t, Message{head, body}.AppendFrame(nil, true))
	if want := append(bytes.Clone(head), repeatedJSON(1000)...); !bytes.Equal(got, want) {
		t.Fatal("a head of 200,000 bytes does not decode")
	}
}

func TestBodyIsSafeForConcurrentUse(t *testing.T) {
	body := NewBody(repeatedJSON(5000))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { decodeFrame(t, Message{Body: body}.AppendFrame(nil, true)) })
	}
	all.Wait()
}

// scriptedTransport answers a handshake and then sends the given bytes.
type scriptedTransport struct {
	extensions string
	bytes      []byte
}

func (s scriptedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	h := http.Header{}
	h.Set("Connection", "Upgrade")
	h.Set("Upgrade", "websocket")
	h.Set("Sec-WebSocket-Accept", base64.StdEncoding.EncodeToString(sum[:]))
	if s.extensions != "" {
		h.Set("Sec-WebSocket-Extensions", s.extensions)
	}
	body := struct {
		io.Reader
		io.Writer
		io.Closer
	}{bytes.NewReader(s.bytes), io.Discard, io.NopCloser(nil)}
	return &http.Response{StatusCode: http.StatusSwitchingProtocols, Header: h, Body: body, Request: r}, nil
}

// FuzzFrame checks that the library's client reads our frames. It reads two
// messages in a row, so that an error at the end of the first shows in the second.
// Long messages repeat short ones, so that the fuzzer's inputs stay small.
func FuzzFrame(f *testing.F) {
	f.Add([]byte(`{"type":"snapshot","id":7,`), uint16(1), []byte(`"streams":[]}`), uint16(1), false)
	f.Add([]byte(`{"type":"snapshot","id":7,`), uint16(1), repeatedJSON(30), uint16(100), true)
	f.Add([]byte(nil), uint16(0), repeatedJSON(40), uint16(2000), true)
	f.Add(repeatedJSON(40), uint16(2000), repeatedJSON(30), uint16(10), true)
	f.Fuzz(func(t *testing.T, head []byte, heads uint16, plain []byte, plains uint16, deflated bool) {
		if len(head)*int(heads)+len(plain)*int(plains) > 200_000 {
			return // longer input finds nothing new
		}
		head, plain = bytes.Repeat(head, int(heads)), bytes.Repeat(plain, int(plains))
		m := Message{head, NewBody(plain)}
		s := scriptedTransport{bytes: m.AppendFrame(m.AppendFrame(nil, deflated), deflated)}
		options := &websocket.DialOptions{}
		if deflated {
			s.extensions = "permessage-deflate; client_no_context_takeover; server_no_context_takeover"
			options = compressionOptions()
		}
		options.HTTPClient = &http.Client{Transport: s}
		c, _, err := websocket.Dial(context.Background(), "ws://server/", options)
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		want := append(bytes.Clone(head), plain...)
		for i := range 2 {
			kind, got, err := c.Read(context.Background())
			if err != nil || kind != websocket.MessageText || !bytes.Equal(got, want) {
				t.Fatalf("message %d: %v, %d bytes, want %d; %v", i, kind, len(got), len(want), err)
			}
		}
	})
}
