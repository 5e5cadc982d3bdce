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
	"onair/loadtest/report"
)

// tamperFunc changes a diff on its way to the n-th viewer. With nil the diff is dropped.
type tamperFunc func(n int, d *wire.Diff) *wire.Diff

// tamperingProxy forwards between clients and a server, and changes diffs.
type tamperingProxy struct {
	listener      net.Listener
	serverAddress string
	tamper        tamperFunc

	viewers atomic.Int64
	copies  sync.WaitGroup
}

// startTamperingProxy runs until the end of the test.
func startTamperingProxy(t *testing.T, serverAddress string, tamper tamperFunc) *tamperingProxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tamperingProxy{listener: listener, serverAddress: serverAddress, tamper: tamper}
	ctx, cancel := context.WithCancel(context.Background())
	p.copies.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.copies.Go(func() { p.forwardConnection(ctx, conn) })
		}
	})
	t.Cleanup(func() {
		cancel()
		listener.Close()
		p.copies.Wait()
	})
	return p
}

// forwardConnection copies between a client and the server until either closes.
func (p *tamperingProxy) forwardConnection(ctx context.Context, client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.serverAddress)
	if err != nil {
		return
	}
	defer server.Close()
	defer context.AfterFunc(ctx, func() {
		client.Close()
		server.Close()
	})()
	p.copies.Go(func() {
		io.Copy(server, client)
		server.Close()
	})
	p.forwardFrames(client, server)
}

// forwardFrames copies the frames of the server, and changes diffs.
func (p *tamperingProxy) forwardFrames(client io.Writer, server io.Reader) {
	var pending []byte
	buf := make([]byte, 64<<10)
	hasHandshake, n := false, int64(-1)
	for {
		got, err := server.Read(buf)
		if err != nil {
			return
		}
		pending = append(pending, buf[:got]...)
		var out []byte
		if end := bytes.Index(pending, []byte("\r\n\r\n")); !hasHandshake && end >= 0 {
			hasHandshake = true
			out, pending = append(out, pending[:end+4]...), pending[end+4:]
		}
		for hasHandshake {
			f, size, err := parseFrame(pending)
			if err != nil {
				return
			}
			if size == 0 {
				break
			}
			if n < 0 && bytes.Contains(f.payload, []byte(`"snapshot"`)) {
				n = p.viewers.Add(1)
			}
			out = append(out, p.tamperWith(int(n), f, pending[:size])...)
			pending = pending[size:]
		}
		if _, err := client.Write(out); err != nil {
			return
		}
	}
}

// tamperWith returns the changed frame. original is the frame as it was sent.
func (p *tamperingProxy) tamperWith(n int, f frame, original []byte) []byte {
	if f.op != opText || n < 0 {
		return original
	}
	m, err := wire.DecodeServerMessage(f.payload)
	d, ok := m.(*wire.Diff)
	if err != nil || !ok {
		return original
	}
	if d = p.tamper(n, d); d == nil {
		return nil
	}
	return serverFrame(opText, string(wire.Append(nil, d)))
}

// TestFaultsFailTheRun: each kind of wrong diff is found, and fails the run.
func TestFaultsFailTheRun(t *testing.T) {
	s := startServer(t)
	for name, test := range map[string]struct {
		newTamper func() tamperFunc
		want      []faultKind // any of them
	}{
		"a diff is dropped": {func() tamperFunc {
			var once sync.Once // the next diffs show the gap
			return func(n int, d *wire.Diff) *wire.Diff {
				sent := d
				if n == 3 && len(d.Set) > 0 {
					once.Do(func() { sent = nil })
				}
				return sent
			}
		}, []faultKind{faultBrokenChain}},
		"one viewer sees another title": {func() tamperFunc {
			return func(n int, d *wire.Diff) *wire.Diff {
				if n == 3 && len(d.Set) > 0 {
					d.Set[0].Members["title"] = []byte(`"another"`)
				}
				return d
			}
		}, []faultKind{faultDivergentLists}},
		"a live anchor leaves": {func() tamperFunc {
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
		"a change is hidden": {func() tamperFunc {
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
			p := startTamperingProxy(t, s.address, test.newTamper())
			got := s.runLoadTest(t, p.listener.Addr().String(), "--anchors", "5", "--viewers", "12", "--views", "1",
				"--duration", "2s", "--settle", "2s", "--updates-per-second", "10", "--watch-share", "0", "--likes-per-second", "0")
			found := 0
			for _, kind := range test.want {
				found += got.report.Faults[kind.String()]
			}
			t.Log(got.report.Examples)
			if got.exitCode != exitFailed || got.report.Result != report.Failed || found == 0 {
				t.Errorf("exit %d, want %v\n%s", got.exitCode, test.want, got.output)
			}
		})
	}
	t.Run("nothing is changed", func(t *testing.T) {
		p := startTamperingProxy(t, s.address, func(_ int, d *wire.Diff) *wire.Diff { return d })
		got := s.runLoadTest(t, p.listener.Addr().String(), "--anchors", "5", "--viewers", "12", "--views", "1",
			"--duration", "1s", "--updates-per-second", "10")
		if got.exitCode != 0 {
			t.Errorf("exit %d\n%s", got.exitCode, got.output)
		}
	})
}
