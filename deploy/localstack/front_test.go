package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coder/websocket"

	"onair/hub/wire"
)

// dial opens a viewer's socket, as a page from there does, and returns it with
// the name of its node.
func (s *scene) dial(ctx context.Context, address string) (*websocket.Conn, string, error) {
	conn, _, err := websocket.Dial(ctx, "ws://"+address+"/v1/viewer", &websocket.DialOptions{
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
		return nil, "", fmt.Errorf("no welcome but %s, %w", text, err)
	}
	return conn, welcome.Node, nil
}

// watches sees a simulated anchor through a front, by a viewer's socket, and
// what changes.
func (s *scene) watches(name, address string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Second)
	defer cancel()
	conn, _, err := s.dial(ctx, address)
	if err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	defer conn.CloseNow()
	if err := conn.Write(ctx, websocket.MessageText, wire.Append(nil, &wire.Subscribe{ID: wire.IntID(1)})); err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	var list wire.ClientView
	live := func() bool {
		for _, e := range list.Sorted("") {
			if e.State == wire.StateLive {
				return true
			}
		}
		return false
	}
	for diffs := 0; diffs < 2 || !live(); {
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

// listens reads server-sent events through a front as they come: a front that
// held them back would keep them until the response ends, which it never does.
func (s *scene) listens(name, address string) {
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

// takesAway stops a node under load: nobody who asks through a front notices,
// and all sockets come to the other node. It is used again when it is back.
func (s *scene) takesAway() {
	s.t.Helper()
	ctx, stop := context.WithCancel(s.ctx)
	var asked atomic.Int64
	failures := make(chan string, 100)
	asking := make(chan struct{}, len(s.fronts))
	for name, address := range s.fronts {
		go func() {
			defer func() { asking <- struct{}{} }()
			for ; ctx.Err() == nil; asked.Add(1) {
				if why := s.tries(ctx, address); why != "" && ctx.Err() == nil {
					select {
					case failures <- name + ": " + why:
					default:
					}
				}
			}
		}()
	}
	s.nodes[0].Signal(syscall.SIGTERM)
	if code, err := s.nodes[0].AwaitExit(s.ctx); err != nil || code != 0 {
		s.t.Fatalf("a node that is stopped ends with %d, %v", code, err)
	}
	for name, address := range s.fronts {
		for range 10 {
			conn, node, err := s.dial(s.ctx, address)
			if err != nil || node != "onair-2" {
				s.t.Fatalf("%s: a socket while a node is away is at %q: %v", name, node, err)
			}
			conn.CloseNow()
		}
	}
	s.until("all viewers to be at the other node", func() bool {
		return s.viewers(1) > 400 // of the simulator's 500 a tenth are away now and then
	})
	if err := s.startNode(0); err != nil {
		s.t.Fatal(err)
	}
	for name, address := range s.fronts {
		s.until(name+" to use the node that is back", func() bool {
			conn, node, err := s.dial(s.ctx, address)
			if err != nil {
				s.t.Fatalf("%s: %v", name, err)
			}
			conn.CloseNow()
			return node == "onair-1"
		})
	}
	stop()
	for range s.fronts {
		<-asking
	}
	close(failures)
	for why := range failures {
		s.t.Errorf("while a node went and came back, %s", why)
	}
	if asked.Load() < 100 {
		s.t.Errorf("only %d calls were made", asked.Load())
	}
}

// tries makes a call on a connection of its own, and returns what was wrong.
func (s *scene) tries(ctx context.Context, address string) string {
	time.Sleep(10 * time.Millisecond)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/v1/streams?limit=1", nil)
	if err != nil {
		return err.Error()
	}
	req.Close = true
	res, err := s.client.Do(req)
	if err != nil {
		return err.Error()
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return res.Status
	}
	return ""
}

// viewers is how many viewers' sockets a node has.
func (s *scene) viewers(node int) (n int) {
	_, body := s.asks("", http.MethodGet, "http://"+s.at.nodes[node].ops+"/metrics", "")
	for line := range strings.Lines(string(body)) {
		if _, err := fmt.Sscanf(line, `onair_connections{kind="viewer",role="anonymous"} %d`, &n); err == nil {
			return n
		}
	}
	return 0
}
