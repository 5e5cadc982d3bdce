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

// rtmpClient can send any RTMP command at any time, which ffmpeg cannot. It ignores
// replies; tests check the callbacks instead.
type rtmpClient struct{ conn net.Conn }

// dialRTMP performs the handshake, and connects to the application.
func dialRTMP(t *testing.T, ctx context.Context, address string) *rtmpClient {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	r := &rtmpClient{conn}
	const handshakeBytes = 1536
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	conn.Write(append([]byte{3}, make([]byte, handshakeBytes)...))
	reply := make([]byte, 1+2*handshakeBytes)
	if _, err := io.ReadFull(conn, reply); err != nil {
		t.Fatal(err)
	}
	conn.Write(reply[1 : 1+handshakeBytes])
	conn.SetDeadline(time.Time{})
	readerDone := make(chan struct{})
	go func() {
		defer close(readerDone)
		io.Copy(io.Discard, conn) // until the connection is closed
	}()
	t.Cleanup(func() {
		conn.Close()
		<-readerDone
	})
	r.sendMessage(1, 0, binary.BigEndian.AppendUint32(nil, 1<<16)) // chunk size: each message is one chunk
	r.sendCommand(0, "connect", 1, map[string]string{"app": app, "tcUrl": "rtmp://" + address + "/" + app})
	r.sendCommand(0, "createStream", 2, nil)
	return r
}

// sendCommand sends a command. Arguments are nil, a map or a string.
func (r *rtmpClient) sendCommand(stream uint32, name string, number float64, args ...any) {
	var b bytes.Buffer
	writeText := func(s string) {
		binary.Write(&b, binary.BigEndian, uint16(len(s)))
		b.WriteString(s)
	}
	writeValue := func(v any) {
		switch v := v.(type) {
		case string:
			b.WriteByte(2)
			writeText(v)
		case float64:
			b.WriteByte(0)
			binary.Write(&b, binary.BigEndian, math.Float64bits(v))
		case map[string]string:
			b.WriteByte(3)
			for key, v := range v {
				writeText(key)
				b.WriteByte(2)
				writeText(v)
			}
			b.Write([]byte{0, 0, 9})
		default:
			b.WriteByte(5)
		}
	}
	writeValue(name)
	writeValue(number)
	for _, arg := range args {
		writeValue(arg)
	}
	r.sendMessage(20, stream, b.Bytes())
}

// sendMessage sends a message in one chunk.
func (r *rtmpClient) sendMessage(kind byte, stream uint32, body []byte) {
	n := len(body)
	header := []byte{3, 0, 0, 0, byte(n >> 16), byte(n >> 8), byte(n), kind}
	header = binary.LittleEndian.AppendUint32(header, stream)
	r.conn.Write(append(header, body...)) // after an error the expected callback is missing
}

// TestPlayOnPublishersConnection: Mallory pushes under her own name, and plays Alice's
// stream on the same connection. From then on nginx sends the callbacks of Mallory's push
// with Alice's name. They must not affect Alice's stream, and must not be accepted.
func TestPlayOnPublishersConnection(t *testing.T) {
	t.Parallel()
	set := quietSettings(t)
	set.UnsignedPlay = true // otherwise her signature is not enough to play it
	callbacks := recordCallbacks(t, &set)
	s := newTestEnvironment(t, set)
	_, alice := s.startSession("alice")
	_, mallory := s.startSession("mallory")
	code := alice.Stream.Code

	for _, state := range []string{wire.StateStarting, wire.StateLive} {
		if state == wire.StateLive {
			s.startPush(alice)
		}
		position := s.viewer.position()
		client, clientID := s.startForeignPush(callbacks, mallory, code)
		update, err := callbacks.awaitCallback(s.ctx, 0, "update_publish", code, clientID)
		if err != nil {
			t.Fatal(err)
		}
		if update.status/100 == 2 {
			t.Errorf("while Alice is %s, an update of Mallory's push under Alice's name has status %d", state, update.status)
		}
		client.conn.Close()
		if _, err := callbacks.awaitCallback(s.ctx, 0, "publish_done", code, clientID); err != nil {
			t.Fatal(err)
		}
		s.expectUnchanged(position, code, state)
		recorded, err := callbacks.awaitCallback(s.ctx, 0, "record_done", code, clientID)
		if err != nil {
			t.Fatal(err)
		}
		if recorded.status/100 == 2 {
			t.Errorf("while Alice is %s, a recording of Mallory's push under Alice's name has status %d", state, recorded.status)
		}
	}
}

// TestPlayNeedsItsOwnSignature: the signature of a push URL does not allow to play another
// stream.
func TestPlayNeedsItsOwnSignature(t *testing.T) {
	t.Parallel()
	set := quietSettings(t)
	callbacks := recordCallbacks(t, &set)
	s := newTestEnvironment(t, set)
	_, alice := s.startSession("alice")
	_, mallory := s.startSession("mallory")
	s.startPush(alice)
	client := dialRTMP(t, s.ctx, s.addrs.rtmp)
	client.sendCommand(1, "play", 3, nil, alice.Stream.Code+"?"+urlQuery(mallory.Push.RTMP))
	play, err := callbacks.awaitCallback(s.ctx, 0, "play", alice.Stream.Code, "")
	if err != nil {
		t.Fatal(err)
	}
	if play.status/100 == 2 {
		t.Errorf("the callback has status %d", play.status)
	}
	client.conn.Close()
}

// startForeignPush starts a push that nginx then reports under another code. clientID is
// nginx's number of the connection.
func (s *testEnvironment) startForeignPush(callbacks *callbackRecorder, started *wire.Started, code string) (client *rtmpClient, clientID string) {
	s.t.Helper()
	callbackPosition := callbacks.position()
	signature := urlQuery(started.Push.RTMP)
	client = dialRTMP(s.t, s.ctx, s.addrs.rtmp)
	client.sendCommand(1, "publish", 3, nil, started.Stream.Code+"?"+signature, app)
	publish, err := callbacks.awaitCallback(s.ctx, callbackPosition, "publish", started.Stream.Code, "")
	if err != nil {
		s.t.Fatal(err)
	}
	clientID = publish.form.Get("clientid")
	if _, err := callbacks.awaitCallback(s.ctx, callbackPosition, "update_publish", started.Stream.Code, clientID); err != nil {
		s.t.Fatal(err)
	}
	client.sendCommand(1, "play", 4, nil, code+"?"+signature)
	return client, clientID
}
