package hub

import (
	"context"
	"errors"
	"hash/fnv"
	"strconv"
	"testing"
	"time"

	"onair/hub/wire"
	"onair/presence"
)

// fakeSigner renews URLs every seven seconds, at a different time for each code.
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

// position is the nth position of the usual epoch.
func position(n int) presence.Position { return positionWithHash(n, n) }

// positionWithHash is a position with the nth id and a hash. Other epochs may have
// the same id.
func positionWithHash(n, hash int) presence.Position {
	return presence.Position{ID: presence.ID{MS: 1763830000000 + uint64(n/3), Seq: uint64(n % 3)}, Hash: uint32(hash) * 2654435761}
}

// testStart is the first log time, in Unix milliseconds.
const testStart = 1763830000000

// fakeLog is a log for one hub.
type fakeLog struct {
	hub         *Hub
	entries     int
	logTime     int64
	streams     map[string]*presence.Stream
	timeStopped bool // log time does not advance by itself
}

func newFakeLog(tb testing.TB, o Options) *fakeLog {
	f := &fakeLog{hub: New(o), logTime: testStart, streams: map[string]*presence.Stream{}}
	f.hub.Load(func(func(*presence.Stream) bool) {}, position(0), testStart)
	return f
}

// runHub calls Run until the test ends.
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

// editStream applies an entry that starts or changes one stream. A nil edit ends it.
func (f *fakeLog) editStream(code string, edit func(*presence.Stream)) *presence.Stream {
	old := f.streams[code]
	var next *presence.Stream
	if edit != nil {
		next = &presence.Stream{
			Session: presence.Session{byte(f.entries), byte(f.entries >> 8), 1}, Code: code, Anchor: "user-" + code, List: "live",
			Details: presence.Details{Title: "Title of " + code}, StartedAt: f.logTime, State: presence.Live, Listed: true, Shown: true,
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

// startStream applies an entry that starts a stream.
func (f *fakeLog) startStream(code string) *presence.Stream {
	return f.editStream(code, func(*presence.Stream) {})
}

// applyEntry applies an entry with changes.
func (f *fakeLog) applyEntry(changes ...presence.Change) {
	f.entries++
	if !f.timeStopped {
		f.logTime += 100
	}
	f.hub.Apply(position(f.entries), f.logTime, changes, time.Time{})
}

// connect attaches a connection until the test ends.
func (f *fakeLog) connect(t *testing.T) (*Socket, *fakeConn) {
	c := newFakeConn()
	s := f.hub.Attach(c)
	t.Cleanup(s.Close)
	return s, c
}

func subscribe(t *testing.T, f *fakeLog, s *Socket, m *wire.Subscribe) {
	t.Helper()
	if e := f.hub.Subscribe(s, m); e != nil {
		t.Fatal(e)
	}
}

// errorCode is the code of an error for a client, "" for other errors and nil.
func errorCode(err error) wire.ErrorCode {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e.Code
	}
	return ""
}

func setViewers(n int64) func(*presence.Stream) {
	return func(st *presence.Stream) { st.Viewers = n }
}

func setTitle(s string) func(*presence.Stream) {
	return func(st *presence.Stream) { st.Title = s }
}
