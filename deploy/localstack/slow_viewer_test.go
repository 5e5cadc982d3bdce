package main

import (
	"bufio"
	"context"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"onair/hub/wire"
)

// narrowLine makes connections whose client has the smallest receive buffer, as on a
// narrow line. All bytes that wait are elsewhere.
type narrowLine struct {
	bytesPerSecond float64 // 0: as fast as the client reads
}

func (l narrowLine) newClient() *http.Client {
	dialer := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 2048) })
	}}
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			return narrowConn{conn, l.bytesPerSecond}, err
		},
	}}
}

// narrowConn is read at a limited rate.
type narrowConn struct {
	net.Conn
	bytesPerSecond float64
}

func (c narrowConn) Read(p []byte) (int, error) {
	if c.bytesPerSecond == 0 {
		return c.Conn.Read(p)
	}
	n, err := c.Conn.Read(p[:min(len(p), 256)])
	time.Sleep(time.Duration(float64(n) / c.bytesPerSecond * float64(time.Second)))
	return n, err
}

// listReader reads the list at an address, and calls onMessage for each message, until ctx
// ends.
type listReader func(ctx context.Context, client *http.Client, address string, onMessage func(m wire.Message, bytes int)) error

// listReaders are the ways to read the list, by name.
var listReaders = map[string]listReader{"socket": readSocket, "events": readEvents}

func readSocket(ctx context.Context, client *http.Client, address string, onMessage func(m wire.Message, bytes int)) error {
	conn, _, err := websocket.Dial(ctx, "ws://"+address+"/v1/viewer", &websocket.DialOptions{
		HTTPClient: client, Subprotocols: []string{wire.Subprotocol},
	})
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	conn.SetReadLimit(-1)
	if err := conn.Write(ctx, websocket.MessageText, wire.Append(nil, &wire.Subscribe{ID: wire.IntID(1)})); err != nil {
		return err
	}
	for {
		_, text, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		m, err := wire.DecodeServerMessage(text)
		if err != nil {
			return err
		}
		onMessage(m, len(text))
	}
}

func readEvents(ctx context.Context, client *http.Client, address string, onMessage func(m wire.Message, bytes int)) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/v1/streams/events", nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, isData := strings.CutPrefix(lines.Text(), "data: ")
		if !isData {
			continue
		}
		m, err := wire.DecodeServerMessage([]byte(data))
		if err != nil {
			return err
		}
		onMessage(m, len(data))
	}
	return lines.Err()
}

// listViewer is a viewer of a busy list.
type listViewer struct {
	name    string
	gate    sync.RWMutex // write-locked: the viewer does not read
	newest  atomic.Int64 // greatest number of an update that it has read
	bytes   atomic.Int64
	lags    []time.Duration // of its messages, if numbers are Unix milliseconds
	readErr chan error
}

// startViewer starts a viewer that reads until ctx ends.
func startViewer(ctx context.Context, name string, read listReader, line narrowLine, address string) *listViewer {
	v := &listViewer{name: name, readErr: make(chan error, 1)}
	go func() {
		v.readErr <- read(ctx, line.newClient(), address, func(m wire.Message, bytes int) {
			v.gate.RLock()
			defer v.gate.RUnlock()
			v.bytes.Add(int64(bytes))
			if number := newestTitle(m); number > 0 {
				v.newest.Store(number)
				v.lags = append(v.lags, time.Since(time.UnixMilli(number)))
			}
		})
	}()
	return v
}

// startViewers starts a viewer of each kind for each way to the nodes.
func (s *testStack) startViewers(ctx context.Context, line narrowLine) (viewers []*listViewer) {
	ways := maps.Clone(s.proxies)
	ways["direct"] = s.addrs.nodes[0].api
	for _, way := range slices.Sorted(maps.Keys(ways)) {
		for kind, read := range listReaders {
			viewers = append(viewers, startViewer(ctx, way+"-"+kind, read, line, ways[way]))
		}
	}
	return viewers
}

// maxQueuedBytes bounds what waits for a viewer that does not read: a window, a diff on top
// of it, and the merged diff. The diffs here have 20 KiB. For event streams the buffers of
// HAProxy come on top. nginx has no setting for its buffer towards the node.
var maxQueuedBytes = map[string]int64{
	"direct-socket": 128 << 10, "haproxy-socket": 128 << 10, "nginx-socket": 128 << 10,
	"direct-events": 128 << 10, "haproxy-events": 320 << 10,
}

// TestSlowViewersAreNotQueuedFor: a viewer that stops reading, and then reads again, gets
// few old bytes, although a reverse proxy could buffer many for it.
func TestSlowViewersAreNotQueuedFor(t *testing.T) {
	s := newProxyStack(t)
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	list := s.startBusyList(20)
	fast := startViewer(ctx, "fast", readSocket, narrowLine{}, s.addrs.nodes[0].api)
	slow := s.startViewers(ctx, narrowLine{})
	number := int64(0)
	updateUntil := func(description string, holds func() bool) {
		t.Helper()
		s.await(description, func() bool {
			for range 20 {
				number++
				list.updateNext(number, 900)
			}
			return holds()
		})
	}
	updateUntil("all viewers to read", func() bool {
		return !slices.ContainsFunc(slow, func(v *listViewer) bool { return v.bytes.Load() < 100<<10 })
	})
	for _, v := range slow {
		v.gate.Lock()
	}
	start := fast.bytes.Load()
	updateUntil("600 KiB of diffs", func() bool { return fast.bytes.Load()-start > 600<<10 })
	s.await("the last diff", func() bool { return fast.newest.Load() == number })
	for _, v := range slow {
		before := v.bytes.Load()
		v.gate.Unlock()
		s.await(v.name+" to read the last diff", func() bool { return v.newest.Load() == number })
		got, limit := v.bytes.Load()-before, maxQueuedBytes[v.name]
		t.Logf("%s: %d KiB", v.name, got>>10)
		if limit > 0 && got > limit {
			t.Errorf("%s: %d KiB waited for a viewer that did not read, want at most %d", v.name, got>>10, limit>>10)
		}
	}
	cancel()
	for _, v := range append(slow, fast) {
		<-v.readErr
	}
}

// BenchmarkSlowViewers reports by how much viewers with 8 KiB/s lag behind a list with
// 13 KiB/s of diffs.
func BenchmarkSlowViewers(b *testing.B) {
	s := newProxyStack(b)
	list := s.startBusyList(40)
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	viewers := s.startViewers(ctx, narrowLine{bytesPerSecond: 8 << 10})
	ticker := time.NewTicker(time.Second / 40)
	defer ticker.Stop()
	for ctx.Err() == nil {
		<-ticker.C
		list.updateNext(time.Now().UnixMilli(), 180)
	}
	for _, v := range viewers {
		<-v.readErr
		slices.Sort(v.lags)
		b.ReportMetric(v.lags[len(v.lags)/2].Seconds(), v.name+"-median-s")
		b.ReportMetric(v.lags[len(v.lags)-1].Seconds(), v.name+"-max-s")
	}
	b.ReportMetric(0, "ns/op")
}
