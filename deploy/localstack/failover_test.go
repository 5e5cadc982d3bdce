package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coder/websocket"

	"onair/hub/wire"
)

// dialViewer opens a viewer's socket, as a page does, and returns the name of its node.
func (s *testStack) dialViewer(ctx context.Context, address string) (conn *websocket.Conn, node string, err error) {
	conn, _, err = websocket.Dial(ctx, "ws://"+address+"/v1/viewer", &websocket.DialOptions{
		HTTPClient: s.client, Subprotocols: []string{wire.Subprotocol}, HTTPHeader: http.Header{"Origin": {"http://" + address}},
	})
	if err != nil {
		return nil, "", err
	}
	conn.SetReadLimit(-1)
	_, text, err := conn.Read(ctx)
	if err != nil {
		return nil, "", err
	}
	m, err := wire.DecodeServerMessage(text)
	welcome, ok := m.(*wire.Welcome)
	if !ok {
		return nil, "", fmt.Errorf("got %s instead of a welcome: %w", text, err)
	}
	return conn, welcome.Node, nil
}

// checkViewerSocket expects a live stream and diffs on a viewer's socket through a proxy.
func (s *testStack) checkViewerSocket(name, address string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Second)
	defer cancel()
	conn, _, err := s.dialViewer(ctx, address)
	if err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	defer conn.CloseNow()
	if err := conn.Write(ctx, websocket.MessageText, wire.Append(nil, &wire.Subscribe{ID: wire.IntID(1)})); err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	var list wire.ClientView
	hasLive := func() bool {
		for _, e := range list.Sorted("") {
			if e.State == wire.StateLive {
				return true
			}
		}
		return false
	}
	for diffs := 0; diffs < 2 || !hasLive(); {
		_, text, err := conn.Read(ctx)
		if err != nil {
			s.t.Fatalf("%s: after %d diffs, with %d streams: %v", name, diffs, len(list.Sorted("")), err)
		}
		m, err := wire.DecodeServerMessage(text)
		if err != nil {
			s.t.Fatalf("%s: %v", name, err)
		}
		list.Apply(m)
		if _, ok := m.(*wire.Diff); ok {
			diffs++
		}
	}
}

// checkEvents expects server-sent events through a proxy. The response never ends, so a
// proxy that buffers it would forward no event.
func (s *testStack) checkEvents(name, address string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/v1/streams/events", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := s.client.Do(req)
	if err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	for diffs := 0; diffs < 3; {
		if !lines.Scan() {
			s.t.Fatalf("%s: %s, %d diffs, then %v", name, res.Status, diffs, lines.Err())
		}
		if lines.Text() == "event: diff" {
			diffs++
		}
	}
}

// checkNodeRestart stops a node under load, and starts it again. No request through a
// proxy fails, all sockets go to the other node, and the proxies use the restarted node.
func (s *testStack) checkNodeRestart() {
	s.t.Helper()
	stopLoad := s.startLoad()
	s.nodes[0].Signal(syscall.SIGTERM)
	if code, err := s.nodes[0].AwaitExit(s.ctx); err != nil || code != 0 {
		s.t.Fatalf("the stopped node has exit code %d, %v", code, err)
	}
	for name, address := range s.proxies {
		for range 10 {
			conn, node, err := s.dialViewer(s.ctx, address)
			if err != nil || node != "onair-2" {
				s.t.Fatalf("%s: a socket while a node is down is at %q: %v", name, node, err)
			}
			conn.CloseNow()
		}
	}
	s.await("all viewers to be on the other node", func() bool {
		return s.viewerCount(1) > 400 // about a tenth of the simulator's 500 are offline
	})
	if err := s.startNode(0); err != nil {
		s.t.Fatal(err)
	}
	for name, address := range s.proxies {
		s.await(name+" to use the restarted node", func() bool {
			conn, node, err := s.dialViewer(s.ctx, address)
			if err != nil {
				s.t.Fatalf("%s: %v", name, err)
			}
			conn.CloseNow()
			return node == "onair-1"
		})
	}
	stopLoad()
}

// startLoad sends requests through all proxies until stop is called. stop fails the test
// for requests that failed.
func (s *testStack) startLoad() (stop func()) {
	ctx, cancel := context.WithCancel(s.ctx)
	var sent atomic.Int64
	var senders sync.WaitGroup
	failures := make(chan error, 100)
	for name, address := range s.proxies {
		senders.Go(func() {
			for ; ctx.Err() == nil; sent.Add(1) {
				if err := s.listStreams(ctx, address); err != nil && ctx.Err() == nil {
					select {
					case failures <- fmt.Errorf("%s: %w", name, err):
					default:
					}
				}
			}
		})
	}
	return func() {
		s.t.Helper()
		cancel()
		senders.Wait()
		close(failures)
		for err := range failures {
			s.t.Errorf("during the restart of a node: %v", err)
		}
		if sent.Load() < 100 {
			s.t.Errorf("only %d requests were sent", sent.Load())
		}
	}
}

// listStreams sends a request on a new connection.
func (s *testStack) listStreams(ctx context.Context, address string) error {
	time.Sleep(10 * time.Millisecond)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/v1/streams?limit=1", nil)
	if err != nil {
		return err
	}
	req.Close = true
	res, err := s.client.Do(req)
	if err != nil {
		return err
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	return nil
}

// viewerCount returns the number of viewers' sockets on a node.
func (s *testStack) viewerCount(node int) (n int) {
	_, body := s.request("", http.MethodGet, "http://"+s.addrs.nodes[node].ops+"/metrics", "")
	for line := range strings.Lines(string(body)) {
		if _, err := fmt.Sscanf(line, `onair_connections{kind="viewer",role="anonymous"} %d`, &n); err == nil {
			return n
		}
	}
	return 0
}
