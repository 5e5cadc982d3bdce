package hub

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"onair/hub/socket"
	"onair/hub/wire"
	"onair/presence"
)

// fakeConn is a Writer that keeps what it is given. While it is stuck it is full
// with the first message.
type fakeConn struct {
	closed chan struct{}
	ready  func(error)

	mu    sync.Mutex
	stuck bool
	full  []byte // what it is full with, nil: it is not
	inbox [][]byte
	code  websocket.StatusCode // of Close
}

func newFakeConn() *fakeConn { return &fakeConn{closed: make(chan struct{})} }

func (c *fakeConn) OnWritable(f func(error)) { c.ready = f }

func (c *fakeConn) Write(m socket.Message) (full bool, err error) {
	frame := m.AppendFrame(nil, false)
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.closed:
		return false, net.ErrClosed
	default:
	}
	if c.full != nil {
		panic("written to while full")
	}
	if c.stuck {
		c.full = payload(frame)
		return true, nil
	}
	c.inbox = append(c.inbox, payload(frame))
	return false, nil
}

// payload takes a server's frame apart.
func payload(frame []byte) []byte {
	switch n := frame[1]; n {
	case 126:
		return frame[4:][:binary.BigEndian.Uint16(frame[2:])]
	case 127:
		return frame[10:][:binary.BigEndian.Uint64(frame[2:])]
	default:
		return frame[2:][:n]
	}
}

func (c *fakeConn) Close(code websocket.StatusCode, _ string) error {
	c.mu.Lock()
	if c.code == 0 {
		c.code = code
	}
	c.mu.Unlock()
	return c.CloseNow()
}

func (c *fakeConn) CloseNow() error {
	c.mu.Lock()
	full := c.full
	c.full = nil
	select {
	case <-c.closed:
	default:
		close(c.closed)
	}
	c.mu.Unlock()
	if full != nil {
		c.ready(net.ErrClosed)
	}
	return nil
}

// stick makes the connection take nothing, or something again.
func (c *fakeConn) stick(on bool) {
	c.mu.Lock()
	full := c.full
	if c.stuck = on; !on {
		if full != nil {
			c.inbox = append(c.inbox, full)
		}
		c.full = nil
	}
	c.mu.Unlock()
	if !on && full != nil {
		c.ready(nil)
	}
}

// take returns the messages that came.
func (c *fakeConn) take() []wire.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []wire.Message
	for _, text := range c.inbox {
		m, err := wire.DecodeServerMessage(text)
		if err != nil {
			panic(fmt.Sprintf("%v in %s", err, text))
		}
		all = append(all, m)
	}
	c.inbox = nil
	return all
}

// fakeSigner renews the URLs of each code every seven seconds, each at another
// time.
type fakeSigner struct{}

const fakeHalf = 7000

func (fakeSigner) Protocols() []string { return []string{"rtmp", "flv", "hls"} }

func (fakeSigner) NextRenewal(code string, at int64) int64 {
	f := fnv.New32()
	f.Write([]byte(code))
	phase := int64(f.Sum32() % fakeHalf)
	into := ((at-phase)%fakeHalf + fakeHalf) % fakeHalf
	return at - into + fakeHalf
}

func (s fakeSigner) Expiry(code string, at int64) int64 { return s.NextRenewal(code, at) + fakeHalf }

func (fakeSigner) AppendURL(dst []byte, proto, code string, expires int64) []byte {
	dst = append(append(append(dst, proto...), "://play/"...), code...)
	return strconv.AppendInt(append(dst, '?'), expires, 10)
}

// position is the nth of a history.
func position(n int) presence.Position { return reissued(n, n) }

// reissued is a position with the nth id, which other histories may have used,
// and a hash that nothing else has.
func reissued(n, hash int) presence.Position {
	return presence.Position{ID: presence.ID{MS: 1763830000000 + uint64(n/3), Seq: uint64(n % 3)}, Hash: uint32(hash) * 2654435761}
}

// epoch is the log time at which tests begin.
const epoch = 1763830000000

// feed is a log for one hub in tests that need no random ones.
type feed struct {
	hub     *Hub
	n       int
	time    int64
	streams map[string]*presence.Stream
	hurried bool // the log's time stands still
}

func newFeed(tb testing.TB, o Options) *feed {
	f := &feed{hub: New(o), time: epoch, streams: map[string]*presence.Stream{}}
	f.hub.Load(func(func(*presence.Stream) bool) {}, position(0), epoch)
	return f
}

// run has the hub flush until the test ends.
func (f *feed) run(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.hub.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// edit applies an entry that changes one stream, or makes it; a nil edit ends it.
func (f *feed) edit(code string, edit func(*presence.Stream)) *presence.Stream {
	old := f.streams[code]
	var next *presence.Stream
	if edit != nil {
		next = &presence.Stream{
			Session: presence.Session{byte(f.n), byte(f.n >> 8), 1}, Code: code, Anchor: "user-" + code, List: "live",
			Details: presence.Details{Title: "Title of " + code}, StartedAt: f.time, State: presence.Live, Listed: true, Shown: true,
		}
		if old != nil {
			*next = *old
		}
		edit(next)
		f.streams[code] = next
	} else {
		delete(f.streams, code)
	}
	f.apply(presence.Change{Old: old, New: next})
	return next
}

// start makes a stream live.
func (f *feed) start(code string) *presence.Stream { return f.edit(code, func(*presence.Stream) {}) }

// apply applies an entry.
func (f *feed) apply(changes ...presence.Change) {
	f.n++
	if !f.hurried {
		f.time += 100
	}
	f.hub.Apply(position(f.n), f.time, changes, time.Time{})
}

// dial attaches a connection for as long as the test lasts.
func (f *feed) dial(t *testing.T) (*Socket, *fakeConn) {
	c := newFakeConn()
	s := f.hub.Attach(c)
	t.Cleanup(s.Close)
	return s, c
}
