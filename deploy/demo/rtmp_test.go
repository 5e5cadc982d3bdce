package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math"
	"net"
	"testing"
	"time"

	"onair/hub/wire"
)

// rtmp is an encoder that does what ffmpeg cannot be told to: any command, at
// any time. It reads no answers; what nginx makes of it, its callbacks tell.
type rtmp struct{ conn net.Conn }

// dialRTMP shakes hands and connects to the application.
func dialRTMP(t *testing.T, ctx context.Context, address string) *rtmp {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	r := &rtmp{conn}
	const hello = 1536
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	conn.Write(append([]byte{3}, make([]byte, hello)...))
	answer := make([]byte, 1+2*hello)
	if _, err := io.ReadFull(conn, answer); err != nil {
		t.Fatal(err)
	}
	conn.Write(answer[1 : 1+hello])
	conn.SetDeadline(time.Time{})
	read := make(chan struct{})
	go func() {
		defer close(read)
		io.Copy(io.Discard, conn) // until it is closed
	}()
	t.Cleanup(func() {
		conn.Close()
		<-read
	})
	r.send(1, 0, binary.BigEndian.AppendUint32(nil, 1<<16)) // chunk size: no message is split
	r.command(0, "connect", 1, map[string]string{"app": app, "tcUrl": "rtmp://" + address + "/" + app})
	r.command(0, "createStream", 2, nil)
	return r
}

// command sends a command with its arguments: nil, an object or a string.
func (r *rtmp) command(stream uint32, name string, number float64, args ...any) {
	var b bytes.Buffer
	text := func(s string) {
		binary.Write(&b, binary.BigEndian, uint16(len(s)))
		b.WriteString(s)
	}
	value := func(v any) {
		switch v := v.(type) {
		case string:
			b.WriteByte(2)
			text(v)
		case float64:
			b.WriteByte(0)
			binary.Write(&b, binary.BigEndian, math.Float64bits(v))
		case map[string]string:
			b.WriteByte(3)
			for key, v := range v {
				text(key)
				b.WriteByte(2)
				text(v)
			}
			b.Write([]byte{0, 0, 9})
		default:
			b.WriteByte(5)
		}
	}
	value(name)
	value(number)
	for _, arg := range args {
		value(arg)
	}
	r.send(20, stream, b.Bytes())
}

// send sends one message as one chunk.
func (r *rtmp) send(kind byte, stream uint32, body []byte) {
	n := len(body)
	header := []byte{3, 0, 0, 0, byte(n >> 16), byte(n >> 8), byte(n), kind}
	header = binary.LittleEndian.AppendUint32(header, stream)
	r.conn.Write(append(header, body...)) // that it failed is seen by what does not come
}

// Mallory pushes under her own name, and on the same connection plays Alice's
// stream. From then on nginx reports Mallory's push under Alice's name: that it
// goes on, and that it has ended. Neither may mean anything to Alice, whether
// she pushes or not; nor may it keep the push of a Mallory who was banned.
func TestPlayOnPublishersConnection(t *testing.T) {
	t.Parallel()
	set := quiet(t)
	set.Open = true // else she could not play it under her own signature
	heard := listen(t, &set)
	s := newScene(t, set)
	_, alice := s.starts("alice")
	_, mallory := s.starts("mallory")
	code := alice.Stream.Code

	for _, state := range []string{wire.StateStarting, wire.StateLive} {
		if state == wire.StateLive {
			s.pushes(alice)
		}
		from := s.viewer.now()
		line, client := s.masquerades(heard, mallory, code)
		told, err := heard.answered(s.ctx, 0, "update_publish", code, client)
		if err != nil {
			t.Fatal(err)
		}
		if told.status/100 == 2 {
			t.Errorf("while she is %s, onair answers %d to a push of Mallory's that goes on under Alice's name", state, told.status)
		}
		line.conn.Close()
		if _, err := heard.answered(s.ctx, 0, "publish_done", code, client); err != nil {
			t.Fatal(err)
		}
		s.mustStay(from, code, state)
		recorded, err := heard.answered(s.ctx, 0, "record_done", code, client)
		if err != nil {
			t.Fatal(err)
		}
		if recorded.status/100 == 2 {
			t.Errorf("while she is %s, onair takes a recording of Mallory's for Alice's: %d", state, recorded.status)
		}
	}
}

// Who asks to play a stream must have a play URL of it: a push URL of one's own is
// none.
func TestPlayerIsAsked(t *testing.T) {
	t.Parallel()
	set := quiet(t)
	heard := listen(t, &set)
	s := newScene(t, set)
	_, alice := s.starts("alice")
	_, mallory := s.starts("mallory")
	s.pushes(alice)
	line := dialRTMP(t, s.ctx, s.rtmp)
	line.command(1, "play", 3, nil, alice.Stream.Code+"?"+query(mallory.Push.RTMP))
	asked, err := heard.answered(s.ctx, 0, "play", alice.Stream.Code, "")
	if err != nil {
		t.Fatal(err)
	}
	if asked.status/100 == 2 {
		t.Errorf("onair answers %d", asked.status)
	}
	line.conn.Close()
}

// masquerades begins a push that its media server then takes for another's. It
// returns nginx's number of its connection.
func (s *scene) masquerades(heard *callbacks, as *wire.Started, code string) (line *rtmp, client string) {
	s.t.Helper()
	before := heard.now()
	sig := query(as.Push.RTMP)
	line = dialRTMP(s.t, s.ctx, s.rtmp)
	line.command(1, "publish", 3, nil, as.Stream.Code+"?"+sig, app)
	begun, err := heard.answered(s.ctx, before, "publish", as.Stream.Code, "")
	if err != nil {
		s.t.Fatal(err)
	}
	client = begun.form.Get("clientid")
	if _, err := heard.answered(s.ctx, before, "update_publish", as.Stream.Code, client); err != nil {
		s.t.Fatal(err)
	}
	line.command(1, "play", 4, nil, code+"?"+sig)
	return line, client
}
