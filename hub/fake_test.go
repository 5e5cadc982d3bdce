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

// fakeConn is a Conn that keeps what it is given. While it is stuck it is full
// with the first message.
type fakeConn struct {
	closed  chan struct{}
	onReady func(error)

	mu      sync.Mutex
	stuck   bool
	pending []byte // what it is full with, nil: it is not
	inbox   [][]byte
	code    websocket.StatusCode // of Close
}

func newFakeConn() *fakeConn { return &fakeConn{closed: make(chan struct{})} }

func (c *fakeConn) OnWritable(f func(error)) { c.onReady = f }

func (c *fakeConn) Write(m socket.Message) (full bool, err error) {
	frame := m.AppendFrame(nil, false)
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.closed:
		return false, net.ErrClosed
	default:
	}
	if c.pending != nil {
		panic("written to while full")
	}
	if c.stuck {
		c.pending = payload(frame)
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
	full := c.pending
	c.pending = nil
	select {
	case <-c.closed:
	default:
		close(c.closed)
	}
	c.mu.Unlock()
	if full != nil {
		c.onReady(net.ErrClosed)
	}
	return nil
}

// setStuck makes the connection take nothing, or something again.
func (c *fakeConn) setStuck(on bool) {
	c.mu.Lock()
	full := c.pending
	if c.stuck = on; !on {
		if full != nil {
			c.inbox = append(c.inbox, full)
		}
		c.pending = nil
	}
	c.mu.Unlock()
	if !on && full != nil {
		c.onReady(nil)
	}
}

// takeMessages returns the messages that came.
func (c *fakeConn) takeMessages() []wire.Message {
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

const fakeHalfTTL = 7000

func (fakeSigner) Protocols() []string { return []string{"rtmp", "flv", "hls"} }

func (fakeSigner) NextRenewal(code string, at int64) int64 {
	f := fnv.New32()
	f.Write([]byte(code))
	phase := int64(f.Sum32() % fakeHalfTTL)
	into := ((at-phase)%fakeHalfTTL + fakeHalfTTL) % fakeHalfTTL
	return at - into + fakeHalfTTL
}

func (s fakeSigner) Expiry(code string, at int64) int64 { return s.NextRenewal(code, at) + fakeHalfTTL }

func (fakeSigner) AppendURL(dst []byte, proto, code string, expires int64) []byte {
	dst = append(append(append(dst, proto...), "://play/"...), code...)
	return strconv.AppendInt(append(dst, '?'), expires, 10)
}

// position is the nth of a history.
func position(n int) presence.Position { return positionWithHash(n, n) }

// positionWithHash is a position with the nth id, which other histories may have used,
// and a hash that nothing else has.
func positionWithHash(n, hash int) presence.Position {
	return presence.Position{ID: presence.ID{MS: 1763830000000 + uint64(n/3), Seq: uint64(n % 3)}, Hash: uint32(hash) * 2654435761}
}

// testStart is the log time at which tests begin.
const testStart = 1763830000000

// fakeLog is a log for one hub in tests that need no random ones.
type fakeLog struct {
	hub         *Hub
	entries     int
	time        int64
	streams     map[string]*presence.Stream
	timeStopped bool // the log's time stands still
}

func newFakeLog(tb testing.TB, o Options) *fakeLog {
	f := &fakeLog{hub: New(o), time: testStart, streams: map[string]*presence.Stream{}}
	f.hub.Load(func(func(*presence.Stream) bool) {}, position(0), testStart)
	return f
}

// runHub has the hub flush until the test ends.
func (f *fakeLog) runHub(t *testing.T) {
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

// editStream applies an entry that changes one stream, or makes it; a nil edit ends it.
func (f *fakeLog) editStream(code string, edit func(*presence.Stream)) *presence.Stream {
	old := f.streams[code]
	var next *presence.Stream
	if edit != nil {
		next = &presence.Stream{
			Session: presence.Session{byte(f.entries), byte(f.entries >> 8), 1}, Code: code, Anchor: "user-" + code, List: "live",
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
	f.applyEntry(presence.Change{Old: old, New: next})
	return next
}

// startStream makes a stream live.
func (f *fakeLog) startStream(code string) *presence.Stream {
	return f.editStream(code, func(*presence.Stream) {})
}

// applyEntry applies an entry.
func (f *fakeLog) applyEntry(changes ...presence.Change) {
	f.entries++
	if !f.timeStopped {
		f.time += 100
	}
	f.hub.Apply(position(f.entries), f.time, changes, time.Time{})
}

// connect attaches a connection for as long as the test lasts.
func (f *fakeLog) connect(t *testing.T) (*Socket, *fakeConn) {
	c := newFakeConn()
	s := f.hub.Attach(c)
	t.Cleanup(s.Close)
	return s, c
}
