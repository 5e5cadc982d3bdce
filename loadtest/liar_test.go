//go:build linux

package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"onair/hub/wire"
)

// lie changes a diff on its way to the n-th viewer; nil drops it.
type lie func(n int, d *wire.Diff) *wire.Diff

// liar stands between clients and a server, and lies to viewers.
type liar struct {
	listener net.Listener
	server   string
	lie      lie

	viewers atomic.Int64
	copies  sync.WaitGroup
}

// startLiar lies until the test ends.
func startLiar(t *testing.T, server string, how lie) *liar {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &liar{listener: listener, server: server, lie: how}
	ctx, cancel := context.WithCancel(context.Background())
	l.copies.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			l.copies.Go(func() { l.stand(ctx, conn) })
		}
	})
	t.Cleanup(func() {
		cancel()
		listener.Close()
		l.copies.Wait()
	})
	return l
}

// stand copies between a client and the server until either ends.
func (l *liar) stand(ctx context.Context, client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", l.server)
	if err != nil {
		return
	}
	defer server.Close()
	defer context.AfterFunc(ctx, func() {
		client.Close()
		server.Close()
	})()
	l.copies.Go(func() {
		io.Copy(server, client)
		server.Close()
	})
	l.tell(client, server)
}

// tell copies what the server says, with lies in it.
func (l *liar) tell(client io.Writer, server io.Reader) {
	var held []byte
	buf := make([]byte, 64<<10)
	shaken, n := false, int64(-1)
	for {
		got, err := server.Read(buf)
		if err != nil {
			return
		}
		held = append(held, buf[:got]...)
		var out []byte
		if end := bytes.Index(held, []byte("\r\n\r\n")); !shaken && end >= 0 {
			shaken = true
			out, held = append(out, held[:end+4]...), held[end+4:]
		}
		for shaken {
			f, size, err := parseFrame(held)
			if err != nil {
				return
			}
			if size == 0 {
				break
			}
			if n < 0 && bytes.Contains(f.payload, []byte(`"snapshot"`)) {
				n = l.viewers.Add(1)
			}
			out = append(out, l.changed(int(n), f, held[:size])...)
			held = held[size:]
		}
		if _, err := client.Write(out); err != nil {
			return
		}
	}
}

// changed is what a frame becomes.
func (l *liar) changed(n int, f frame, was []byte) []byte {
	if f.op != opText || n < 0 {
		return was
	}
	m, err := wire.DecodeServerMessage(f.payload)
	d, ok := m.(*wire.Diff)
	if err != nil || !ok {
		return was
	}
	if d = l.lie(n, d); d == nil {
		return nil
	}
	return serverFrame(opText, string(wire.Append(nil, d)))
}

// TestLiesAreFound: whatever a server lies about fails the run.
func TestLiesAreFound(t *testing.T) {
	s := startServer(t)
	for name, test := range map[string]struct {
		lie  func() lie
		want []faultKind // any of them
	}{
		"a diff is dropped": {func() lie {
			var once sync.Once // those that follow show it
			return func(n int, d *wire.Diff) *wire.Diff {
				sent := d
				if n == 3 && len(d.Set) > 0 {
					once.Do(func() { sent = nil })
				}
				return sent
			}
		}, []faultKind{faultBrokenChain}},
		"one viewer sees another title": {func() lie {
			return func(n int, d *wire.Diff) *wire.Diff {
				if n == 3 && len(d.Set) > 0 {
					d.Set[0].Members["title"] = []byte(`"another"`)
				}
				return d
			}
		}, []faultKind{faultDivergentLists}},
		"a live anchor leaves": {func() lie {
			return func(_ int, d *wire.Diff) *wire.Diff {
				if len(d.Set) > 0 && d.HasTotal && d.Total > 0 {
					d.Del = append(d.Del, d.Set[0].Code)
					d.Total--
				} else if len(d.Set) > 0 {
					d.Del, d.HasTotal, d.Total = append(d.Del, d.Set[0].Code), true, 4
				}
				return d
			}
		}, []faultKind{faultEarlyDeparture}},
		"nobody sees a change": {func() lie {
			var mu sync.Mutex
			hidden := ""
			return func(_ int, d *wire.Diff) *wire.Diff {
				mu.Lock()
				defer mu.Unlock()
				if hidden == "" && len(d.Set) > 0 {
					hidden = d.Set[0].Code
				}
				for i := range d.Set {
					if d.Set[i].Code == hidden {
						delete(d.Set[i].Members, "extra")
					}
				}
				return d
			}
		}, []faultKind{faultDivergentLists, faultStaleList}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := startLiar(t, s.address, test.lie())
			code, r, out := s.load(t, l.listener.Addr().String(), "--anchors", "5", "--viewers", "12", "--views", "1",
				"--duration", "2s", "--settle", "2s", "--updates-per-second", "10", "--watch-share", "0", "--likes-per-second", "0")
			found := 0
			for _, kind := range test.want {
				found += r.Faults[kind.String()]
			}
			t.Log(r.Examples)
			if code != exitFailed || r.Result != Failed || found == 0 {
				t.Errorf("exit %d, want %v\n%s", code, test.want, out)
			}
		})
	}
	t.Run("no lie", func(t *testing.T) {
		l := startLiar(t, s.address, func(_ int, d *wire.Diff) *wire.Diff { return d })
		code, _, out := s.load(t, l.listener.Addr().String(), "--anchors", "5", "--viewers", "12", "--views", "1",
			"--duration", "1s", "--updates-per-second", "10")
		if code != 0 {
			t.Errorf("exit %d\n%s", code, out)
		}
	})
}
