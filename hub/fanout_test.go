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

func (nobody) Write(socket.Message) error               { return nil }
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

// crowd is a view on which sockets stand whose writers are not there: they are
// idle when settle says so.
func crowd(tb testing.TB, streams, sockets int) (*feed, *view) {
	f := newFeed(tb, Options{})
	var all []*presence.Stream
	for i := range streams {
		all = append(all, &presence.Stream{
			Session: presence.Session{byte(i), byte(i >> 8), byte(i >> 16)}, Code: fmt.Sprintf("8888_%06d", i),
			Anchor: fmt.Sprint(i), List: "live", Title: "A title of the usual length", Tags: []string{"game", "music"},
			Cover: "https://covers.example/some/path.jpg", StartedAt: epoch - int64(i), Viewers: int64(i % 1000),
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
		s := &Socket{hub: f.hub, w: nobody{}, wake: make(chan struct{}, 1)}
		f.hub.enrol(s, v, false)
	}
	return f, v
}

// settle has the writers of a crowd take what was handed over.
func settle(v *view) {
	for _, c := range v.cursors {
		select {
		case <-c.socket.wake:
		default:
		}
		c.socket.next()
	}
}

func TestFanOutAllocatesNothing(t *testing.T) {
	f, v := crowd(t, 100, 1000)
	frame := f.hub.bring(v, v.last.pos)
	frame.prev = v.last.pos
	frame.message("")
	settle(v)
	got := testing.AllocsPerRun(10, func() {
		f.hub.fanOut(v, frame, time.Time{})
		settle(v)
	})
	if got > 0 {
		t.Errorf("%v allocations for 1,000 viewers", got)
	}
}

// TestResyncWithdraws: a frame that the writer has not taken yet would come
// behind the answer to a resync, where it does not fit.
func TestResyncWithdraws(t *testing.T) {
	f, v := crowd(t, 10, 1)
	s := v.cursors[0].socket
	settle(v)
	f.edit("8888_000001", title("new"))
	f.hub.advance(v, time.Now())
	if !s.handedOver() {
		t.Fatal("an idle socket was not given the frame")
	}
	if e := f.hub.Subscribe(s, &wire.Subscribe{ID: "1"}); e != nil {
		t.Fatal(e)
	}
	if o, more := s.next(); o.kind != snapshotMessage || more != something {
		t.Errorf("first comes %s", kindNames[o.kind])
	}
	if o, more := s.next(); more != nothing {
		t.Errorf("then comes %s", kindNames[o.kind])
	}
}

func (s *Socket) handedOver() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.to != nil
}
