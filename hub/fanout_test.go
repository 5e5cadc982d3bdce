package hub

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"onair/hub/socket"
	"onair/hub/wire"
	"onair/presence"
)

// discardConn is a Conn that accepts and discards all messages.
type discardConn struct{}

func (discardConn) OnWritable(func(error))                   {}
func (discardConn) Write(socket.Message) (bool, error)       { return false, nil }
func (discardConn) Close(websocket.StatusCode, string) error { return nil }
func (discardConn) CloseNow() error                          { return nil }

// TestFrameIsEncodedOnce checks that the number of encodings does not depend on the
// viewers, the ids of their requests, nor the number of those behind.
func TestFrameIsEncodedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{})
		f.runHub(t)
		for i := range 50 {
			f.startStream(fmt.Sprint("a", i))
		}
		var conns []*fakeConn
		for i := range 100 {
			s, c := f.connect(t)
			subscribe(t, f, s, &wire.Subscribe{ID: wire.IntID(int64(i))})
			conns = append(conns, c)
		}
		encoded := func() int {
			synctest.Wait()
			f.hub.mu.Lock()
			defer f.hub.mu.Unlock()
			return f.hub.encoder.encoded
		}
		if n := encoded(); n != 1 {
			t.Errorf("%d frames encoded for the first snapshot, want 1", n)
		}
		for i := range 3 {
			time.Sleep(time.Second)
			f.editStream("a1", setTitle(fmt.Sprint(i)))
		}
		if n := encoded(); n != 4 {
			t.Errorf("%d frames encoded after three diffs, want 4", n)
		}
		for _, c := range conns[:50] {
			c.setStuck(true)
		}
		for i := range 3 {
			time.Sleep(time.Second)
			f.editStream("a2", setTitle(fmt.Sprint(i)))
		}
		if n := encoded(); n != 7 {
			t.Errorf("%d frames encoded with half of the viewers stuck, want 7", n)
		}
		for _, c := range conns {
			c.setStuck(false)
		}
		if n := encoded(); n != 8 {
			t.Errorf("%d frames encoded for those that were behind, want 8", n)
		}
	})
}

// newViewWithSockets makes a list and a view, with sockets that discard messages.
func newViewWithSockets(tb testing.TB, streams, sockets int) (*fakeLog, *view) {
	f := newFakeLog(tb, Options{})
	var all []*presence.Stream
	for i := range streams {
		all = append(all, &presence.Stream{
			Session: presence.Session{byte(i), byte(i >> 8), byte(i >> 16)}, Code: fmt.Sprintf("8888_%06d", i),
			Anchor: fmt.Sprint(i), List: "live",
			Details:   presence.Details{Title: "A title of the usual length", Tags: []string{"game", "music"}, Cover: "https://covers.example/some/path.jpg"},
			StartedAt: testStart - int64(i), Viewers: int64(i % 1000),
			State: presence.Live, Listed: true, Shown: true,
		})
	}
	f.hub.Load(func(yield func(*presence.Stream) bool) {
		for _, st := range all {
			f.streams[st.Code] = st
			yield(st)
		}
	}, position(0), testStart)
	q, _ := f.hub.normalizeQuery(&wire.Subscribe{})
	v, _ := f.hub.findOrCreateView(q, time.Now())
	for range sockets {
		f.hub.openCursor(f.hub.AttachAnchor(discardConn{}), v, false, 0)
	}
	return f, v
}

// fanOutFrame writes a frame to all sockets of newViewWithSockets.
func fanOutFrame(f *fakeLog, v *view, frame *frame) {
	flight := &broadcast{view: v, outgoing: outgoing{frame.message(""), messageInfo{kind: frame.kind}}, prev: frame.prev, next: frame.prev}
	for _, sh := range f.hub.fanout.shards {
		f.hub.writeBroadcastToView(sh, flight, time.Now())
	}
}

// TestFanOutDoesNotAllocate allows one broadcast for all viewers.
func TestFanOutDoesNotAllocate(t *testing.T) {
	f, v := newViewWithSockets(t, 100, 1000)
	frame := f.hub.catchUpOrSnapshotFrame(v, v.published.pos)
	frame.prev = v.published.pos
	frame.message("")
	if got := testing.AllocsPerRun(10, func() { fanOutFrame(f, v, frame) }); got > 1 {
		t.Errorf("%v allocations for 1,000 viewers", got)
	}
}
