package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/nodetest"
)

// TestHostileSockets: thousands of sockets that misuse the server do not disturb others. The
// servers are built without the race detector.
func TestHostileSockets(t *testing.T) {
	t.Parallel()
	binary := []string{buildBinary(t)}
	t.Run("sockets without tokens", func(t *testing.T) { testSocketsWithoutTokens(t, binary) })
	t.Run("connect and disconnect", func(t *testing.T) { testConnectAndDisconnect(t, binary) })
	t.Run("viewers that do not read", func(t *testing.T) { testViewersThatDoNotRead(t, binary) })
}

// runConcurrently calls f with 0 to n-1, from four goroutines.
func runConcurrently(n int, f func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
}

// testSocketsWithoutTokens: ten thousand sockets that never authenticate do not count as
// viewers, do not delay others, and are closed in time.
func testSocketsWithoutTokens(t *testing.T, binary []string) {
	const n, addresses = 10_000, 20
	p := startServer(t, binary, nil, "--viewer.anonymous=false", "--limits.handshakes", "100000/s")
	b := p.connectBystanders()
	goroutines := p.metricValue("go_goroutines")
	crowd := make([]*nodetest.RawSocket, n)
	defer func() {
		for _, c := range crowd {
			if c != nil {
				c.Close()
			}
		}
	}()
	var peak float64
	var closed atomic.Int64
	var first atomic.Pointer[error]
	b.checkServedDuring(func() {
		runConcurrently(n, func(i int) {
			c, err := p.dialRaw(fmt.Sprintf("127.0.0.%d", 2+i%addresses))
			if err == nil {
				crowd[i] = c
				err = c.SendRequest([]string{"/v1/viewer", "/v1/anchor"}[i%2])
			}
			if err != nil {
				first.CompareAndSwap(nil, &err)
			}
		})
		peak = p.metricValue(`onair_connections{kind="viewer",`) + p.metricValue(`onair_connections{kind="anchor",`)
		late := time.Now().Add(nodetest.ProcessTimeout)
		runConcurrently(n, func(i int) {
			if c := crowd[i]; c != nil {
				c.SetReadDeadline(late)
				if err := awaitAuthTimeout(c); err != nil {
					first.CompareAndSwap(nil, &err)
					return
				}
				closed.Add(1)
			}
		})
	})
	t.Logf("%v sockets at once, %d closed with %d", peak, closed.Load(), wire.CloseNoAuth)
	if closed.Load() != n {
		t.Errorf("only %d were: %v", closed.Load(), *first.Load())
	}
	if peak < n/4 {
		t.Errorf("at most %v sockets at once: too few for the test", peak)
	}
	p.awaitMetricAtMost(`onair_connections{kind="viewer",`, 1)
	p.awaitMetricAtMost(`onair_connections{kind="anchor",`, 1)
	p.awaitMetricAtMost("go_goroutines", goroutines+20)
	b.checkServed()
	if e, _ := b.viewer.View.Entry(b.code); e.Viewers != 1 {
		t.Errorf("%d viewers, want the one that watches", e.Viewers)
	}
	if stopped := nodetest.RequestReply[*wire.Stopped](b.anchor, &wire.Stop{ID: b.anchor.NextID()}); stopped.Summary.PeakViewers != 1 {
		t.Errorf("at most %d viewers, want the one that watches", stopped.Summary.PeakViewers)
	}
}

// awaitAuthTimeout reads the answer to the handshake, and waits until the server closes the
// socket because it does not authenticate.
func awaitAuthTimeout(c *nodetest.RawSocket) error {
	if status, err := c.ReadStatus(); status != 101 {
		return fmt.Errorf("HTTP %d, %w", status, err)
	}
	if code, err := c.AwaitClose(); code != wire.CloseNoAuth {
		return fmt.Errorf("closed with %d, %w", code, err)
	}
	if _, err := c.Reader.ReadByte(); err != io.EOF {
		return fmt.Errorf("after the close frame: %w", err)
	}
	return nil
}

// testConnectAndDisconnect: thousands of sockets that end properly or not leave no goroutines,
// files or subscriptions.
func testConnectAndDisconnect(t *testing.T, binary []string) {
	p := startServer(t, binary, nil, "--limits.sockets-per-address", "5000", "--limits.handshakes", "100000/s")
	b := p.connectBystanders()
	goroutines, files, views := p.metricValue("go_goroutines"), p.metricValue("process_open_fds"), p.metricValue("onair_view_subscriptions")
	anchor := "Authorization: Bearer " + nodetest.SignToken(t, auth.Anchor, "attacker")
	b.checkServedDuring(func() {
		runConcurrently(4000, func(i int) {
			c, err := p.dialRaw("")
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(nodetest.ProcessTimeout))
			path := []string{"/v1/viewer", "/v1/anchor"}[i%2]
			if err := c.Upgrade(path, anchor); err != nil {
				t.Errorf("%s: %v", path, err)
				return
			}
			if path == "/v1/viewer" {
				c.Write(nodetest.MaskedFrame(nodetest.FinalFrame|nodetest.OpText, `{"type":"subscribe"}`))
				c.Write(nodetest.MaskedFrame(nodetest.FinalFrame|nodetest.OpText, `{"type":"watch","code":"`+b.code+`"}`))
			}
			switch i / 2 % 4 {
			case 0: // as is proper
				c.Write(nodetest.MaskedFrame(nodetest.FinalFrame|nodetest.OpClose, "\x03\xe8"))
				if _, err := io.Copy(io.Discard, c.Reader); err != nil {
					t.Errorf("a close of ours ended in %v", err)
				}
			case 1: // the welcome has not been read
				c.CloseWithReset()
			case 2:
				c.ReadFrame()
			case 3:
				c.Write([]byte{nodetest.FinalFrame | nodetest.OpText, 0xff}) // half a frame
			}
		})
	})
	p.awaitMetricAtMost(`onair_connections{kind="viewer",`, 1)
	p.awaitMetricAtMost(`onair_connections{kind="anchor",`, 1)
	p.awaitMetricAtMost("onair_view_subscriptions", views)
	p.awaitMetricAtMost("go_goroutines", goroutines+20)
	p.awaitMetricAtMost("process_open_fds", files+10)
	b.viewer.AwaitView("one viewer again", func(l *wire.ClientView) bool { e, _ := l.Entry(b.code); return e.Viewers == 1 })
	b.checkServed()
}

// testViewersThatDoNotRead: viewers that have stopped reading cost only kernel buffers and no
// queue, also with a small memory limit.
func testViewersThatDoNotRead(t *testing.T, binary []string) {
	const readers, anchors, rounds, perReader = 1000, 20, 40, 64 << 10
	p := startServer(t, binary, []string{"GOMEMLIMIT=64MiB"}, "--limits.sockets-per-address", "5000", "--limits.burst", "10000",
		"--hub.tick", "20ms", "--hub.counters", "20ms")
	b := p.connectBystanders()
	var live []*nodetest.Client
	for i := range anchors {
		a := p.dial("/v1/anchor", nodetest.SignToken(t, auth.Anchor, fmt.Sprint("anchor", i)))
		nodetest.RequestReply[*wire.Started](a, &wire.Start{ID: a.NextID(), Title: "0"})
		live = append(live, a)
	}
	runConcurrently(readers, func(int) {
		c, err := p.dialRaw("")
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { c.Close() })
		if err := c.Upgrade("/v1/viewer"); err != nil {
			t.Error(err)
			return
		}
		c.Write(nodetest.MaskedFrame(nodetest.FinalFrame|nodetest.OpText, `{"type":"subscribe"}`))
	})
	if t.Failed() {
		t.FailNow()
	}
	b.checkServed()
	before := p.metricValue("process_resident_memory_bytes")
	diffs, sent := p.metricValue("onair_diffs_total"), p.metricValue(`onair_frames_sent_total{kind="diff"}`)
	for range rounds {
		for _, a := range live {
			text := fmt.Sprintf(`{"pad":"%0900d"}`, time.Now().UnixNano())
			nodetest.RequestReply[*wire.Updated](a, &wire.Update{ID: a.NextID(), Extra: wire.Some(json.RawMessage(text))})
		}
		b.checkServed()
	}
	after := p.metricValue("process_resident_memory_bytes")
	grown := (after - before) / readers
	diffs = p.metricValue("onair_diffs_total") - diffs
	sent = p.metricValue(`onair_frames_sent_total{kind="diff"}`) - sent
	t.Logf("%d viewers who do not read, %v diffs, %.1f written to each: %.0f bytes more for each, %.0f MiB in all",
		readers, diffs, sent/readers, grown, after/(1<<20))
	if sent > readers*diffs/2 {
		t.Errorf("%v of %v frames were written: the viewers were not slow", sent, readers*diffs)
	}
	if grown > perReader {
		t.Errorf("each costs %.0f bytes, want %d at most", grown, perReader)
	}
	if n := p.metricValue(`onair_connections{kind="viewer",`); n != readers+1 {
		t.Errorf("%v viewers are connected, want all %d: they were not slow for long", n, readers+1)
	}
}

// TestOpenFiles: when connections use all files that they may use, new ones are rejected and
// open ones continue. When some close, others are admitted.
func TestOpenFiles(t *testing.T) {
	t.Parallel()
	// 260 files leave room for 60 sockets, see reservedFiles.
	p := startServer(t, []string{"sh", "-c", `ulimit -n 260 && exec "$0" "$@"`, os.Args[0]}, nil)
	b := p.connectBystanders()
	var inside []*nodetest.RawSocket
	for full := false; !full; {
		c := p.dialRawSockets(1)[0]
		if err := c.SendRequest("/v1/viewer"); err != nil {
			t.Fatal(err)
		}
		c.SetReadDeadline(time.Now().Add(nodetest.ProcessTimeout))
		switch status, err := c.ReadStatus(); {
		case status == 101:
			inside = append(inside, c)
		case status == 503:
			full = true
		default:
			t.Fatalf("HTTP %d, %v", status, err)
		}
	}
	if got := len(inside) + 2; got != 60 {
		t.Errorf("%d sockets were admitted, want 60", got)
	}
	// Idle connections could use up the rest of the files. Those beyond the limit are closed at
	// once, the others in time, and metrics can be read meanwhile.
	idle := p.dialRawSockets(250)
	b.checkServedDuring(func() {
		for i, c := range idle {
			c.SetReadDeadline(time.Now().Add(nodetest.ProcessTimeout))
			if _, err := c.Reader.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("connection %d is still open: %v", i, err)
				return
			}
		}
	})
	if n := p.metricValue(`onair_connections_rejected_total{reason="files"}`); n < 50 {
		t.Errorf("%v of %d connections were too many", n, len(idle))
	}
	if n := lineCount(p.logText(), syscall.EMFILE.Error()); n != 0 {
		t.Errorf("%d lines of the log report that all files are used", n)
	}
	for _, c := range inside {
		c.Close()
	}
	p.awaitMetricAtMost(`onair_connections{kind="viewer",`, 1)
	p.dial("/v1/viewer", "")
	b.checkServed()
}

func lineCount(text, with string) (n int) {
	for line := range strings.Lines(text) {
		if strings.Contains(line, with) {
			n++
		}
	}
	return n
}
