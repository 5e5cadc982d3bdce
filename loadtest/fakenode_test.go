package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"onair/hub/wire"
	"onair/loadtest/profile"
)

// nodeSocket is a fake node's end of an anchor's socket.
type nodeSocket struct {
	conn *websocket.Conn
	node int
}

func (s *nodeSocket) send(m wire.Message) {
	s.conn.Write(context.Background(), websocket.MessageText, wire.Append(nil, m))
}

func (s *nodeSocket) sendError(id wire.ID, code wire.ErrorCode) {
	s.send(&wire.Error{ID: id, Code: code, Message: "x"})
}

// nodeScript handles a message at a fake node. Where it returns false, the node answers
// as a proper one.
type nodeScript func(s *nodeSocket, m wire.Message) (isHandled bool)

// fakeNodes are some nodes, and what they have received.
type fakeNodes struct {
	script   nodeScript
	mu       sync.Mutex // guards both
	received []string   // such as "1 beat", at node 1
	messages []wire.Message
}

func (f *fakeNodes) recordMessage(s *nodeSocket, m wire.Message) {
	typ, _ := wire.Head(m)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.received, f.messages = append(f.received, strconv.Itoa(s.node)+" "+typ), append(f.messages, m)
}

// hasReceived reports whether messages came in that order, among others.
func (f *fakeNodes) hasReceived(want ...string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	rest := f.received
	for _, w := range want {
		i := slices.Index(rest, w)
		if i < 0 {
			return false
		}
		rest = rest[i+1:]
	}
	return true
}

// serveNode is one node: it sends the welcome, and then follows the script.
func (f *fakeNodes) serveNode(node int, w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{wire.Subprotocol}})
	if err != nil {
		return
	}
	defer conn.CloseNow()
	s := &nodeSocket{conn, node}
	s.send(&wire.Welcome{Node: "n", HeartbeatMS: 400, MissedLimit: 3, IdleMS: 25000})
	for {
		_, data, err := conn.Read(r.Context())
		if err != nil {
			return
		}
		m, err := wire.DecodeAnchorRequest(data)
		if err != nil {
			return
		}
		f.recordMessage(s, m)
		if !f.script(s, m) {
			s.answerMessage(m)
		}
	}
}

// answerMessage answers as a proper node.
func (s *nodeSocket) answerMessage(m wire.Message) {
	const sessionID = "abcdefghijklmnopqrstuvwxyz"
	_, id := wire.Head(m)
	switch m := m.(type) {
	case *wire.Start:
		s.send(&wire.Started{ID: id, Stream: newEntry("8888_a", 1), Session: sessionID})
	case *wire.Resume:
		s.send(&wire.Started{ID: id, Stream: newEntry("8888_a", 1), Session: m.Session})
	case *wire.Beat:
		s.send(&wire.Ack{ID: id, N: m.N})
	case *wire.Stop:
		s.send(&wire.Stopped{ID: id, Summary: wire.Summary{}})
	}
}

// runAnchor lets one anchor broadcast, first at node 0, until the nodes have received
// the wanted messages.
func runAnchor(t *testing.T, nodes int, script nodeScript, want ...string) (*anchorPool, *fakeNodes) {
	t.Helper()
	return runAnchorFor(t, 0, nodes, script, want...)
}

// runAnchorFor is runAnchor with broadcasts of that length.
func runAnchorFor(t *testing.T, anchorLife time.Duration, nodes int, script nodeScript, want ...string) (*anchorPool, *fakeNodes) {
	t.Helper()
	t.Parallel() // it mostly waits for timers
	fake, startedAt := &fakeNodes{script: script}, time.Now()
	o := &options{
		Profile: profile.Profile{Anchors: 1, Views: 1, AnchorLife: anchorLife}, clientOptions: clientOptions{RestTime: 10 * time.Millisecond},
		Seed: 1, secret: []byte("x"),
	}
	for i := range nodes {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fake.serveNode(i, w, r) }))
		defer s.Close()
		host := strings.TrimPrefix(s.URL, "http://")
		o.nodes = append(o.nodes, node{host: host, address: netip.MustParseAddrPort(host)})
	}
	shared := runState{o, func() time.Duration { return time.Since(startedAt) }, newLedger("run"), &faultLog{}}
	pool := newAnchorPool(shared, make(chan struct{}))
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		pool.newAnchor(0).runBroadcasts(ctx)
	}()
	for !fake.hasReceived(want...) && sleep(ctx, 5*time.Millisecond) {
	}
	cancel()
	<-ended
	if !fake.hasReceived(want...) {
		t.Errorf("received %q, want %q", fake.received, want)
	}
	if counts, examples := shared.faults.countsAndExamples(); counts != [faultKindCount]int{} {
		t.Errorf("faults of proper nodes: %q", examples)
	}
	return pool, fake
}

// handleOnce runs a script until it has handled a message.
func handleOnce(script nodeScript) nodeScript {
	var mu sync.Mutex
	isDone := false
	return func(s *nodeSocket, m wire.Message) bool {
		mu.Lock()
		defer mu.Unlock()
		if isDone {
			return false
		}
		isDone = script(s, m)
		return isDone
	}
}

// degradedNode is a script where node 0 is isolated from the log, and loses the session
// as soon as another has resumed it.
func degradedNode(canResumeAt func(node int) bool) nodeScript {
	var mu sync.Mutex
	isResumed := false
	return func(s *nodeSocket, m wire.Message) bool {
		_, id := wire.Head(m)
		mu.Lock()
		defer mu.Unlock()
		switch m := m.(type) {
		case *wire.Beat:
			switch {
			case s.node != 0:
				return false
			case isResumed:
				s.sendError(id, wire.CodeSessionGone)
			default:
				s.send(&wire.Notice{Code: wire.NoticeDegraded, Message: "x"})
				s.send(&wire.Ack{ID: id, N: m.N, Pending: true})
			}
			return true
		case *wire.Resume:
			if canResumeAt(s.node) {
				isResumed = true
				return false
			}
			s.sendError(id, wire.CodeUnavailable)
			return true
		}
		return false
	}
}
