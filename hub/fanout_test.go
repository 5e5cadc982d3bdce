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

// nobody is a Writer that takes everything and forgets it.
type nobody struct{}

func (nobody) OnWritable(func(error))                   {}
func (nobody) Write(socket.Message) (bool, error)       { return false, nil }
func (nobody) Close(websocket.StatusCode, string) error { return nil }
func (nobody) CloseNow() error                          { return nil }

// TestOneEncodePerFlush: whatever the number of viewers, their answers' ids and
// how many of them are behind.
func TestOneEncodePerFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(t, Options{})
		f.run(t)
		for i := range 50 {
			f.start(fmt.Sprint("a", i))
		}
		var conns []*fakeConn
		for i := range 100 {
			s, c := f.dial(t)
			subscribe(t, f, s, &wire.Subscribe{ID: wire.IntID(int64(i))})
			conns = append(conns, c)
		}
		encoded := func() int {
			synctest.Wait()
			f.hub.mu.Lock()
			defer f.hub.mu.Unlock()
			return f.hub.encoded
		}
		if n := encoded(); n != 1 {
			t.Errorf("%d frames encoded for the first snapshot, want 1", n)
		}
		for i := range 3 {
			time.Sleep(time.Second)
			f.edit("a1", title(fmt.Sprint(i)))
		}
		if n := encoded(); n != 4 {
			t.Errorf("%d frames encoded after three diffs, want 4", n)
		}
		for _, c := range conns[:50] {
			c.stick(true)
		}
		for i := range 3 {
			time.Sleep(time.Second)
			f.edit("a2", title(fmt.Sprint(i)))
		}
		if n := encoded(); n != 7 {
			t.Errorf("%d frames encoded with half of the viewers stuck, want 7", n)
		}
		for _, c := range conns {
			c.stick(false)
		}
		if n := encoded(); n != 8 {
			t.Errorf("%d frames encoded for those that were behind, want 8", n)
		}
	})
}

// crowd is a view on which sockets stand that take everything.
func crowd(tb testing.TB, streams, sockets int) (*feed, *view) {
	f := newFeed(tb, Options{})
	var all []*presence.Stream
	for i := range streams {
		all = append(all, &presence.Stream{
			Session: presence.Session{byte(i), byte(i >> 8), byte(i >> 16)}, Code: fmt.Sprintf("8888_%06d", i),
			Anchor: fmt.Sprint(i), List: "live", Details: presence.Details{Title: "A title of the usual length", Tags: []string{"game", "music"}, Cover: "https://covers.example/some/path.jpg"}, StartedAt: epoch - int64(i), Viewers: int64(i % 1000),
			State: presence.Live, Listed: true, Shown: true,
		})
	}
	f.hub.Load(func(yield func(*presence.Stream) bool) {
		for _, st := range all {
			f.streams[st.Code] = st
			yield(st)
		}
	}, position(0), epoch)
	q, _ := f.hub.newQuery(&wire.Subscribe{})
	v := f.hub.viewOf(q, time.Now())
	for range sockets {
		f.hub.enrol(f.hub.AttachAnchor(nobody{}), v, false, 0)
	}
	return f, v
}

// fly hands a frame out to a crowd, which stands at its prev.
func fly(f *feed, v *view, frame *frame) {
	flight := &flight{view: v, outgoing: outgoing{frame.message(""), what{kind: frame.kind}}, prev: frame.prev, next: frame.prev}
	for _, sh := range f.hub.shards {
		f.hub.handOut(sh, flight, time.Now())
	}
}

// TestFanOutAllocatesNothing: but one flight for all.
func TestFanOutAllocatesNothing(t *testing.T) {
	f, v := crowd(t, 100, 1000)
	frame := f.hub.bring(v, v.last.pos)
	frame.prev = v.last.pos
	frame.message("")
	if got := testing.AllocsPerRun(10, func() { fly(f, v, frame) }); got > 1 {
		t.Errorf("%v allocations for 1,000 viewers", got)
	}
}
