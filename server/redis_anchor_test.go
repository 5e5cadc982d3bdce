package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/nodetest"
)

// testAnchor is an anchor client that follows docs/protocol.md: it beats and answers probes. It
// resumes at another node after a notice, or when a beat is not acknowledged within a quarter
// of an interval. It repeats unanswered requests with the same key.
type testAnchor struct {
	*clientGroup
	sub       string
	token     string
	restless  bool // it starts, updates and stops; otherwise it stays live
	onlyBeats bool // it sends no requests once it is live

	mayBeBanned      atomic.Bool  // its ban was requested
	isBanned         atomic.Bool  // its ban was acknowledged
	startCount       atomic.Int64 // acknowledged starts
	moveCount        atomic.Int64 // changes to another node while its socket was open
	pendingBeatCount atomic.Int64 // beats acknowledged as held
	noticeCount      atomic.Int64 // notices that its node is degraded

	mu          sync.Mutex // guards below
	expected    expectedState
	currentNode *fleetNode // nil: it has no socket
	history     []string   // the last events, for reports of faults

	// Owned by the goroutine of run.
	socket         *nodeSocket // nil: it has no socket
	lastNode       *fleetNode
	session        string // "": it is not live
	isAttached     bool   // the socket is attached to the session
	resumeID       wire.ID
	resumeAt       time.Time // when to send the next resume
	resumeFailures int       // on this socket
	request        *repeatedRequest
	nextRequestAt  time.Time // when to choose the next request
	unackedSince   time.Time // when the first unacknowledged beat was sent; zero: all are acknowledged
	beatNumber     int64
	requestCount   int64
	isMoving       bool      // a resume at another node is open
	nextMoveAt     time.Time // not before this time
	mayBeElsewhere bool      // another node may have attached the session to a socket that is gone
	moveResults    chan *nodeSocket
}

// nodeSocket is a socket of a node, or the error of an attempt to get one.
type nodeSocket struct {
	*nodetest.Client
	node           *fleetNode
	err            error
	mayHaveSession bool // the result of the resume is unknown
	isStopped      bool // the session has ended by a stop
}

// expectedState is what the list must show of an anchor.
type expectedState struct {
	acknowledged listedState
	requested    *listedState // the result of the open request; nil: none is open
}

func (s expectedState) allows(got listedState) bool {
	return got == s.acknowledged || s.requested != nil && got == *s.requested
}

// repeatedRequest is a request that is repeated until it is answered.
type repeatedRequest struct {
	id         wire.ID
	newMessage func(wire.ID) wire.Message
	result     listedState
	sendAt     time.Time // when to send it next
}

func newTestAnchor(c *clientGroup, sub string, restless bool) *testAnchor {
	return &testAnchor{
		clientGroup: c, sub: sub, token: nodetest.SignToken(c.t, auth.Anchor, sub), restless: restless, moveResults: make(chan *nodeSocket, 1),
	}
}

func (p *testAnchor) expectedState() expectedState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.expected
}

func (p *testAnchor) recordEvent(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.history = append(p.history[max(0, len(p.history)-30):], fmt.Sprintf("%v ", time.Since(p.startedAt).Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

// reportFaultWithHistory reports a fault with the anchor's last events.
func (p *testAnchor) reportFaultWithHistory(format string, args ...any) {
	p.mu.Lock()
	before := strings.Join(p.history, "\n\t")
	p.mu.Unlock()
	p.reportFault("%s: %s\n\t%s", p.sub, fmt.Sprintf(format, args...), before)
}

// changeExpected changes the expected state, which is final after a ban.
func (p *testAnchor) changeExpected(change func(*expectedState)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.isBanned.Load() {
		change(&p.expected)
	}
}

// setBanned records that the ban of the anchor was acknowledged.
func (p *testAnchor) setBanned() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = expectedState{}
	p.isBanned.Store(true)
}

func (p *testAnchor) run() {
	beat, look := time.NewTicker(heartbeatInterval), time.NewTicker(50*time.Millisecond)
	defer beat.Stop()
	defer look.Stop()
	for p.ctx.Err() == nil && !p.isBanned.Load() {
		if p.socket == nil {
			p.connectToAnyNode()
			continue
		}
		select {
		case <-p.ctx.Done():
		case r, open := <-p.socket.Inbox:
			if !open {
				r.Err = errors.New("closed")
			}
			p.handleMessage(r)
		case b := <-p.moveResults:
			p.handleMoveResult(b)
		case <-beat.C:
			p.sendBeat()
		case now := <-look.C:
			p.sendDueRequests(now)
		}
	}
	if p.socket != nil {
		p.socket.Conn.CloseNow()
	}
}

// connectToAnyNode dials a random node.
func (p *testAnchor) connectToAnyNode() {
	if p.isMoving { // the result decides which node has the session
		select {
		case b := <-p.moveResults:
			p.handleMoveResult(b)
		case <-p.ctx.Done():
		}
		return
	}
	n := p.otherNode(p.lastNode)
	c, _, err := p.dial(n, "/v1/anchor", p.token)
	p.lastNode = n
	if err != nil {
		p.recordEvent("dial %s: %v", n.name, err)
		sleepUpTo(p.ctx, heartbeatInterval/4)
		return
	}
	p.useSocket(&nodeSocket{Client: c, node: n})
	p.isAttached = false
}

// useSocket makes a socket the current one. An open request is sent again.
func (p *testAnchor) useSocket(b *nodeSocket) {
	p.recordEvent("at %s", b.node.name)
	p.socket, p.lastNode = b, b.node
	p.setCurrentNode(b.node)
	p.resumeID, p.resumeAt, p.resumeFailures, p.unackedSince = "", time.Time{}, 0, time.Time{}
	if p.request != nil {
		p.request.id, p.request.sendAt = "", time.Time{}
	}
	p.sendDueRequests(time.Now())
}

// closeSocket closes the current socket.
func (p *testAnchor) closeSocket(why string) {
	p.recordEvent("socket at %s closed: %s", p.socket.node.name, why)
	p.socket.Conn.CloseNow()
	p.socket, p.isAttached = nil, false
	p.setCurrentNode(nil)
}

func (p *testAnchor) setCurrentNode(at *fleetNode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.currentNode = at
}

func (p *testAnchor) node() *fleetNode {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.currentNode
}

func (p *testAnchor) sendMessage(m wire.Message) {
	if err := p.socket.Send(m); err != nil {
		p.recordEvent("%T was not sent: %v", m, err) // the end of the socket is received, too
	}
}

// sendBeat sends a beat if the socket is attached to the session.
func (p *testAnchor) sendBeat() {
	if !p.isAttached {
		return
	}
	p.beatNumber++
	if p.unackedSince.IsZero() {
		p.unackedSince = time.Now()
	}
	p.sendMessage(&wire.Beat{ID: p.socket.NextID(), N: p.beatNumber})
}

// sendDueRequests sends a resume or a request that is due, and moves if no ack came in time.
func (p *testAnchor) sendDueRequests(now time.Time) {
	switch {
	case p.session != "" && !p.isAttached:
		if now.After(p.resumeAt) {
			p.resumeID, p.resumeAt = p.socket.NextID(), now.Add(12*time.Second) // the server answers within ten
			p.sendMessage(&wire.Resume{ID: p.resumeID, Session: p.session})
		}
		return
	case p.request == nil && !p.isPaused.Load() && now.After(p.nextRequestAt) && (p.session == "" || !p.onlyBeats):
		p.chooseRequest()
	case p.request == nil && p.session == "" && p.startCount.Load() == 0:
		p.chooseRequest() // it must be live, also while requests are paused
	}
	if p.request != nil && now.After(p.request.sendAt) {
		p.request.id, p.request.sendAt = p.socket.NextID(), now.Add(12*time.Second)
		p.sendMessage(p.request.newMessage(p.request.id))
	}
	if !p.unackedSince.IsZero() && now.Sub(p.unackedSince) > heartbeatInterval/4 {
		p.moveToOtherNode("no ack")
	}
}

// chooseRequest chooses the next request.
func (p *testAnchor) chooseRequest() {
	p.requestCount++
	title := fmt.Sprintf("%s %d", p.sub, p.requestCount)
	a := &repeatedRequest{result: listedState{true, title}}
	switch {
	case p.session == "":
		a.newMessage = func(id wire.ID) wire.Message { return &wire.Start{ID: id, Title: title, Key: title} }
	case p.restless && rand.IntN(3) == 0:
		a.result = listedState{}
		a.newMessage = func(id wire.ID) wire.Message { return &wire.Stop{ID: id} }
	default:
		a.newMessage = func(id wire.ID) wire.Message { return &wire.Update{ID: id, Title: wire.Some(title)} }
	}
	p.request = a
	p.changeExpected(func(s *expectedState) { s.requested = &a.result })
}

// completeRequest records that the request was acknowledged.
func (p *testAnchor) completeRequest() {
	p.changeExpected(func(s *expectedState) { *s = expectedState{acknowledged: p.request.result} })
	pause := 200 * time.Millisecond
	if !p.restless {
		pause = time.Second
	}
	p.request, p.nextRequestAt = nil, time.Now().Add(pause/2+rand.N(pause))
}

// handleMessage handles a message, or the end of the socket.
func (p *testAnchor) handleMessage(r nodetest.Received) {
	if r.Err != nil {
		p.handleClose(r.Err)
		return
	}
	_, id := wire.Head(r)
	mine := id != "" && p.request != nil && id == p.request.id
	switch m := r.Message.(type) {
	case *wire.Ack:
		if m.N == p.beatNumber {
			p.unackedSince = time.Time{}
		}
		if m.Pending {
			p.pendingBeatCount.Add(1)
		}
	case *wire.Probe:
		p.recordEvent("probed")
		p.sendBeat()
	case *wire.Notice:
		p.noticeCount.Add(1)
		p.moveToOtherNode(m.Code)
	case *wire.Drain:
		p.moveToOtherNode("drain")
	case *wire.Ended:
		p.handleEnded(m.Reason)
	case *wire.Started:
		if id == p.resumeID || mine {
			p.handleStarted(m, mine)
		}
	case *wire.Updated:
		if mine {
			p.completeRequest()
		}
	case *wire.Stopped:
		if mine {
			p.handleStopped()
		}
	case *wire.Error:
		p.handleError(m, mine)
	}
}

func (p *testAnchor) handleStarted(m *wire.Started, asStart bool) {
	p.session, p.isAttached, p.resumeID, p.mayBeElsewhere = m.Session, true, "", false
	if asStart {
		p.completeRequest()
		p.startCount.Add(1)
	}
	p.recordEvent("attached at %s, title %q", p.socket.node.name, m.Stream.Title)
	p.sendBeat()
}

func (p *testAnchor) handleStopped() {
	p.completeRequest()
	p.session, p.isAttached, p.unackedSince = "", false, time.Time{}
}

// handleClose handles the end of the socket.
func (p *testAnchor) handleClose(err error) {
	switch code := websocket.CloseStatus(err); {
	case code == wire.CloseRemoved && p.mayBeBanned.Load():
	case code == wire.CloseTakenOver && (p.isMoving || p.mayBeElsewhere): // by itself
	case code == wire.CloseTakenOver, code == wire.CloseRemoved, code == wire.CloseMissedBeats, code == wire.CloseRateLimited:
		p.reportFaultWithHistory("closed with %d", code)
	}
	p.closeSocket(err.Error())
}

// handleEnded handles the end of the session, which is a fault unless the anchor stopped it or
// is banned.
func (p *testAnchor) handleEnded(reason string) {
	if p.mayBeBanned.Load() && reason == wire.EndBanned {
		p.session, p.isAttached, p.request = "", false, nil
		return
	}
	if reason == wire.EndStopped && p.request != nil && p.request.result == (listedState{}) {
		p.handleStopped() // the stop was answered with unknown, and had its effect
		return
	}
	p.reportFaultWithHistory("ended: %s", reason)
	p.session, p.isAttached = "", false
	p.mu.Lock()
	p.expected.acknowledged = listedState{}
	p.mu.Unlock()
}

// handleError handles an error message.
func (p *testAnchor) handleError(m *wire.Error, mine bool) {
	p.recordEvent("%s %s (act: %v)", m.Code, m.Reason, mine)
	again := time.Now().Add(100*time.Millisecond + rand.N(200*time.Millisecond))
	switch {
	case m.Code == wire.CodeBanned && p.mayBeBanned.Load():
		p.session, p.isAttached, p.request = "", false, nil
	case m.Code == wire.CodeUnavailable || m.Code == wire.CodeUnknown:
		if mine {
			p.request.sendAt = again
			if p.session == "" {
				p.closeSocket("no start") // it has no session at this node
			}
		} else if m.ID == p.resumeID {
			p.resumeAt = again
			if p.resumeFailures++; p.resumeFailures%4 == 0 {
				p.closeSocket("no resume")
			}
		}
	case m.Code == wire.CodeSessionGone:
		p.handleSessionGone(m, mine)
	default:
		p.reportFaultWithHistory("refused: %v", m)
		p.closeSocket("refused")
	}
}

// handleSessionGone handles the error that the session has ended or is attached elsewhere.
func (p *testAnchor) handleSessionGone(m *wire.Error, mine bool) {
	stops := p.request != nil && p.request.result == listedState{}
	switch {
	case stops && m.Reason == wire.EndStopped:
		p.handleStopped()
	case mine && p.session == "": // the answer to the start was lost, and the session expired without a beat
		p.request = nil
		p.mu.Lock()
		p.expected.requested = nil
		p.mu.Unlock()
	case m.Reason == "" && m.ID != p.resumeID:
		p.isAttached = false // it must be resumed
		p.unackedSince = time.Time{}
		if p.request != nil {
			p.request.sendAt = time.Time{}
		}
	case m.Reason == "":
		p.handleEnded("session unknown")
	default:
		p.handleEnded(m.Reason)
	}
}

// moveToOtherNode tries to resume at another node. The current socket stays in use meanwhile.
func (p *testAnchor) moveToOtherNode(why string) {
	if p.isMoving || !p.isAttached || time.Now().Before(p.nextMoveAt) {
		return
	}
	p.recordEvent("moving: %s", why)
	p.isMoving = true
	from, session := p.socket.node, p.session
	p.tasks.Go(func() { p.moveResults <- p.resumeAtNode(p.otherNode(from), session) })
}

// resumeAtNode dials a node and resumes the session there.
func (p *testAnchor) resumeAtNode(n *fleetNode, session string) *nodeSocket {
	c, _, err := p.dial(n, "/v1/anchor", p.token)
	if err != nil {
		return &nodeSocket{node: n, err: err}
	}
	answer, err := c.Request(&wire.Resume{ID: c.NextID(), Session: session})
	b := &nodeSocket{Client: c, node: n, err: err, mayHaveSession: err != nil}
	if _, ok := answer.(*wire.Started); !ok && err == nil {
		e, _ := answer.(*wire.Error)
		b.err, b.mayHaveSession = fmt.Errorf("%T %v", answer, e), e != nil && e.Code == wire.CodeUnknown
		b.isStopped = e != nil && e.Code == wire.CodeSessionGone && e.Reason == wire.EndStopped
	}
	if b.err != nil {
		c.Conn.CloseNow()
	}
	return b
}

// handleMoveResult changes to the socket of the other node, if the session was resumed there.
func (p *testAnchor) handleMoveResult(b *nodeSocket) {
	p.isMoving, p.nextMoveAt = false, time.Now().Add(heartbeatInterval)
	if b.err != nil {
		p.recordEvent("not resumed at %s: %v", b.node.name, b.err)
		p.mayBeElsewhere = p.mayBeElsewhere || b.mayHaveSession
		if b.isStopped && p.request != nil && p.request.result == (listedState{}) {
			p.handleStopped() // the answer to the stop is lost
			if p.socket != nil {
				p.closeSocket("stopped") // its node has not read the end
			}
		}
		return
	}
	if p.session == "" { // it was stopped meanwhile
		b.Conn.CloseNow()
		return
	}
	p.moveCount.Add(1)
	if p.socket != nil {
		p.socket.Conn.CloseNow()
	}
	p.isAttached, p.mayBeElsewhere = true, false
	p.useSocket(b)
	p.sendBeat()
}
