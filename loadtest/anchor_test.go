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
)

// socket is an anchor's, as a node sees it that does what a test wants.
type socket struct {
	conn *websocket.Conn
	node int
}

func (s *socket) say(m wire.Message) {
	s.conn.Write(context.Background(), websocket.MessageText, wire.Append(nil, m))
}

// script says what a node does about a message; false: what a proper one does.
type script func(s *socket, m wire.Message) bool

// theatre is some nodes, and what they heard: "1 beat".
type theatre struct {
	script script
	mu     sync.Mutex
	heard  []string
	asked  []wire.Message
}

func (h *theatre) note(s *socket, m wire.Message) {
	typ, _ := m.Head()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heard, h.asked = append(h.heard, strconv.Itoa(s.node)+" "+typ), append(h.asked, m)
}

func (h *theatre) has(want ...string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	rest := h.heard
	for _, w := range want {
		i := slices.Index(rest, w)
		if i < 0 {
			return false
		}
		rest = rest[i+1:]
	}
	return true
}

// serve is a node: it welcomes, and then follows the script.
func (h *theatre) serve(node int, w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{wire.Subprotocol}})
	if err != nil {
		return
	}
	defer conn.CloseNow()
	s := &socket{conn, node}
	s.say(&wire.Welcome{Node: "n", HeartbeatMS: 400, MissedLimit: 3, IdleMS: 25000})
	for {
		_, data, err := conn.Read(r.Context())
		if err != nil {
			return
		}
		m, err := wire.DecodeAnchorRequest(data)
		if err != nil {
			return
		}
		h.note(s, m)
		if !h.script(s, m) {
			s.behave(m)
		}
	}
}

// behave answers as a node does with which nothing is wrong.
func (s *socket) behave(m wire.Message) {
	_, id := m.Head()
	switch m := m.(type) {
	case *wire.Start:
		s.say(&wire.Started{ID: id, Stream: theEntry(), Session: theSession})
	case *wire.Resume:
		s.say(&wire.Started{ID: id, Stream: theEntry(), Session: m.Session})
	case *wire.Beat:
		s.say(&wire.Ack{ID: id, N: m.N})
	case *wire.Stop:
		s.say(&wire.Stopped{ID: id, Summary: wire.Summary{}})
	}
}

const theSession = "abcdefghijklmnopqrstuvwxyz"

func theEntry() wire.Entry { return entry("8888_a", 1) }

// perform has one anchor broadcast, first at node 0 of those, until the nodes
// have heard what is wanted, in that order, among other things.
func perform(t *testing.T, nodes int, how script, want ...string) (*anchorPool, *theatre) {
	t.Helper()
	return performFor(t, 0, nodes, how, want...)
}

// performFor is perform with broadcasts that last so long.
func performFor(t *testing.T, life time.Duration, nodes int, how script, want ...string) (*anchorPool, *theatre) {
	t.Helper()
	t.Parallel() // it waits for timers, mostly
	h, f := &theatre{script: how}, &faultLog{}
	o := &options{Profile: Profile{Anchors: 1, Views: 1, AnchorLife: life}, Seed: 1, RestTime: 10 * time.Millisecond, secret: []byte("x")}
	for i := range nodes {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.serve(i, w, r) }))
		defer s.Close()
		host := strings.TrimPrefix(s.URL, "http://")
		o.nodes = append(o.nodes, node{host: host, address: netip.MustParseAddrPort(host)})
	}
	began := time.Now()
	clock := func() time.Duration { return time.Since(began) }
	a := newAnchorPool(o, clock, newLedger("run"), make(chan struct{}), func(kind faultKind, what string) { f.record(kind, "%s", what) })
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	over := make(chan struct{})
	go func() {
		defer close(over)
		a.newAnchor(0).runBroadcasts(ctx)
	}()
	for !h.has(want...) && sleep(ctx, 5*time.Millisecond) {
	}
	cancel()
	<-over
	if !h.has(want...) {
		t.Errorf("heard %q, want %q", h.heard, want)
	}
	if counts, examples := f.snapshot(); counts != [faultKindCount]int{} {
		t.Errorf("a fault is told of proper nodes: %q", examples)
	}
	return a, h
}

// tally is what an anchor counts of its ways.
func (a *anchorPool) tally() [6]int64 {
	return [6]int64{a.starts.Load(), a.resumes.Load(), a.disconnects.Load() + a.errors.Load(), a.drained.Load(), a.refusals.Load(), a.failovers.Load()}
}

// once does something the first time.
func once(f script) script {
	var mu sync.Mutex
	done := false
	return func(s *socket, m wire.Message) bool {
		mu.Lock()
		defer mu.Unlock()
		if done {
			return false
		}
		done = f(s, m)
		return done
	}
}

// TestAnchorIsSentOn: a drain is obeyed at once, and is nobody's fault.
func TestAnchorIsSentOn(t *testing.T) {
	for name, drain := range map[string]func(s *socket){
		"told":   func(s *socket) { s.say(&wire.Drain{ReconnectInMS: 20}) },
		"closed": func(s *socket) { s.say(&wire.Drain{ReconnectInMS: 60_000}); s.conn.Close(wire.CloseDrained, "") },
	} {
		t.Run(name, func(t *testing.T) {
			a, _ := perform(t, 2, once(func(s *socket, m wire.Message) bool {
				_, ok := m.(*wire.Beat)
				if ok {
					drain(s)
				}
				return ok
			}), "0 start", "0 beat", "1 resume", "1 beat")
			if got, want := a.tally(), [6]int64{1, 1, 0, 1, 0, 0}; got != want {
				t.Errorf("starts, resumes, disconnects, drained, refusals, moves: %d, want %d", got, want)
			}
		})
	}
}

// TestAnchorRepeatsStart: a start that is not answered is repeated, as it was,
// at the next node.
func TestAnchorRepeatsStart(t *testing.T) {
	a, h := perform(t, 2, once(func(s *socket, m wire.Message) bool {
		_, ok := m.(*wire.Start)
		if ok {
			s.say(&wire.Error{ID: startID, Code: wire.CodeUnknown, Message: "x"})
		}
		return ok
	}), "0 start", "1 start", "1 beat")
	first, second := h.asked[0].(*wire.Start), h.asked[1].(*wire.Start)
	if first.Key == "" || first.Key != second.Key || first.Title != second.Title || string(first.Extra) != string(second.Extra) {
		t.Errorf("repeated %+v as %+v", first, second)
	}
	if got, want := a.tally(), [6]int64{1, 0, 0, 0, 1, 0}; got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}

// TestAnchorTriesAgain: a resume that is unavailable is tried elsewhere; the
// session is not given up.
func TestAnchorTriesAgain(t *testing.T) {
	a, _ := perform(t, 3, func(s *socket, m wire.Message) bool {
		switch m := m.(type) {
		case *wire.Beat:
			if s.node == 0 {
				s.conn.CloseNow()
				return true
			}
		case *wire.Resume:
			if s.node == 1 {
				s.say(&wire.Error{ID: m.ID, Code: wire.CodeUnavailable, Message: "x"})
				return true
			}
		}
		return false
	}, "0 start", "1 resume", "2 resume", "2 beat")
	if got, want := a.tally(), [6]int64{1, 1, 1, 0, 1, 0}; got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}

// TestAnchorGoesWithoutAck: a node that acknowledges nothing is left.
func TestAnchorGoesWithoutAck(t *testing.T) {
	silent := func(s *socket, m wire.Message) bool {
		_, ok := m.(*wire.Beat)
		return ok && s.node == 0
	}
	a, _ := perform(t, 2, silent, "0 start", "0 beat", "1 resume", "1 beat")
	if got, want := a.tally(), [6]int64{1, 1, 0, 0, 0, 1}; got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}

// degraded is a node that does not know whether it is heard; as soon as another
// has the session, it has it no longer.
func degraded(taken func(node int) bool) script {
	var mu sync.Mutex
	gone := false
	return func(s *socket, m wire.Message) bool {
		_, id := m.Head()
		mu.Lock()
		defer mu.Unlock()
		switch m := m.(type) {
		case *wire.Beat:
			switch {
			case s.node != 0:
				return false
			case gone:
				s.say(&wire.Error{ID: id, Code: wire.CodeSessionGone, Message: "x"})
			default:
				s.say(&wire.Notice{Code: wire.NoticeDegraded, Message: "x"})
				s.say(&wire.Ack{ID: id, N: m.N, Pending: true})
			}
			return true
		case *wire.Resume:
			if taken(s.node) {
				gone = true
				return false
			}
			s.say(&wire.Error{ID: id, Code: wire.CodeUnavailable, Message: "x"})
			return true
		}
		return false
	}
}

// TestAnchorHasSecondSocket: told of a degraded node, an anchor tries the others
// with a second socket, and goes over to it.
func TestAnchorHasSecondSocket(t *testing.T) {
	a, _ := perform(t, 3, degraded(func(node int) bool { return node == 2 }),
		"0 start", "0 beat", "1 resume", "2 resume", "2 beat")
	if got, want := a.tally(), [6]int64{1, 1, 0, 0, 0, 1}; got != want {
		t.Errorf("got %d, want %d", got, want)
	}
	for _, s := range a.ledger.sessions {
		if s.acknowledgedAt == 0 {
			t.Error("the resume is no promise")
		}
	}
}

// TestAnchorStays: where no other node has the session, an anchor stays, beats,
// tries again, and takes held acks for no promise.
func TestAnchorStays(t *testing.T) {
	a, _ := perform(t, 2, degraded(func(int) bool { return false }),
		"0 start", "0 beat", "1 resume", "0 beat", "1 resume", "0 beat")
	if got, want := a.tally(), [6]int64{1, 0, 0, 0, 0, 0}; got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}

// TestAnchorStopsAgain: a stop whose answer is lost is over, or stopped again.
func TestAnchorStopsAgain(t *testing.T) {
	for name, gone := range map[string]bool{"over": true, "not yet": false} {
		t.Run(name, func(t *testing.T) {
			stopped := once(func(s *socket, m wire.Message) bool {
				_, ok := m.(*wire.Stop)
				if ok {
					s.say(&wire.Error{ID: stopID, Code: wire.CodeUnknown, Message: "x"})
				}
				return ok
			})
			want := []string{"0 stop", "1 resume", "0 start"}
			if !gone {
				want = []string{"0 stop", "1 resume", "1 stop", "0 start"}
			}
			how := func(s *socket, m wire.Message) bool {
				if m, ok := m.(*wire.Resume); ok && gone {
					s.say(&wire.Error{ID: m.ID, Code: wire.CodeSessionGone, Message: "x", Reason: wire.EndStopped})
					return true
				}
				return stopped(s, m)
			}
			a, _ := performFor(t, 50*time.Millisecond, 2, how, want...)
			if a.stops.Load() == 0 || a.disconnects.Load() != 0 || a.errors.Load() != 0 {
				t.Errorf("%d stops, %d disconnects, %d errors", a.stops.Load(), a.disconnects.Load(), a.errors.Load())
			}
		})
	}
}
