package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"onair/hub/wire"
	"onair/loadtest/report"
)

// anchorPool runs all anchors, each in a goroutine.
type anchorPool struct {
	// Static after construction.
	runState
	clients     []*http.Client  // by node
	updatesDone <-chan struct{} // closed when anchors send only beats from now on

	live atomic.Int64 // sessions on air

	mu      sync.Mutex           // guards both
	figures report.AnchorFigures // since the beginning of the run
	reasons map[string]int       // of socket ends and errors
}

func newAnchorPool(shared runState, updatesDone <-chan struct{}) *anchorPool {
	p := &anchorPool{runState: shared, updatesDone: updatesDone, reasons: map[string]int{}}
	var dials atomic.Int64
	for _, n := range p.options.nodes {
		transport := &http.Transport{DisableKeepAlives: true}
		transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			if n.address.Addr().Is4() && n.address.Addr().IsLoopback() { // see sourceAddress
				d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 2, byte(1+dials.Add(1)/socketsPerSource%250))}
			}
			return d.DialContext(ctx, network, n.address.String())
		}
		p.clients = append(p.clients, &http.Client{Transport: transport})
	}
	return p
}

// incrementFigure adds one to a member of figures.
func (p *anchorPool) incrementFigure(figure *int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*figure++
}

// hasManyNodes reports whether a new socket may lead to another node: by its URL, or through
// a balancer.
func (p *anchorPool) hasManyNodes() bool {
	return p.options.hasManyNodes() || p.ledger.hasManyNodeNames()
}

// countReason counts an error, without the addresses in it.
func (p *anchorPool) countReason(err error) {
	reason := err.Error()
	if opErr, ok := errors.AsType[*net.OpError](err); ok {
		reason = opErr.Op + ": " + opErr.Err.Error()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reasons[reason]++
}

// runAnchors runs all anchors, whose first connects are spread over the ramp. When ctx is
// done, each stops its session.
func (p *anchorPool) runAnchors(ctx context.Context, ramp time.Duration) {
	var anchors sync.WaitGroup
	for i := range p.options.Anchors {
		anchors.Go(func() {
			if sleep(ctx, ramp*time.Duration(i)/time.Duration(p.options.Anchors)) {
				p.newAnchor(i).runBroadcasts(ctx)
			}
		})
	}
	anchors.Wait()
}

// sleep waits for d. It returns false as soon as ctx is done.
func sleep(ctx context.Context, d time.Duration) (isElapsed bool) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// anchor is one simulated anchor. Its goroutine owns it.
type anchor struct {
	*anchorPool
	index int
	rand  *rand.Rand
	tag   string

	route
	beatInterval time.Duration // 0 before the first welcome
	sessionID    string        // to resume, or ""
	pendingStart *wire.Start   // has no answer yet, and is repeated unchanged
	isStopping   bool          // a stop of the session was sent
	session      *session
	startCount   int
}

func (p *anchorPool) newAnchor(index int) *anchor {
	return &anchor{
		anchorPool: p, index: index, rand: rand.New(rand.NewPCG(p.options.Seed, uint64(index)+2)),
		tag: viewTag(p.ledger.runID, index%p.options.Views), route: p.options.clientRoute(index),
	}
}

// Reasons for the end of a broadcast's socket.
var (
	errStopped      = errors.New("stopped")
	errCrashed      = errors.New("crashed")
	errSessionEnded = errors.New("the session has ended")
	errDrained      = errors.New("left a draining node")
	errNoAck        = errors.New("no ack in time")
	errSessionMoved = errors.New("the session has moved to another socket")
)

// retryError is returned when a node does not admit an anchor, or asks for a retry.
type retryError struct{ error }

// Unwrap returns the wrapped error.
func (e *retryError) Unwrap() error { return e.error }

// isIntendedEnd reports whether the anchor ended its broadcast itself.
func isIntendedEnd(err error) bool { return errors.Is(err, errStopped) || errors.Is(err, errCrashed) }

// runBroadcasts broadcasts again and again, until ctx is done.
func (a *anchor) runBroadcasts(ctx context.Context) {
	attempts := 0
	for {
		startedAt := a.clock()
		err := a.connectAndBroadcast(ctx)
		if a.clock()-startedAt > backoffCap {
			attempts = 0
		}
		if ctx.Err() != nil {
			return
		}
		delay := randomBackoff(a.rand, attempts, a.ledger.maxAnchorBackoff())
		attempts++
		switch {
		case isIntendedEnd(err):
			a.sessionID, a.isStopping = "", false
			delay, attempts = a.randomAround(a.options.RestTime), 0
		case errors.Is(err, errDrained):
			a.countSocketEnd(err)
			delay, attempts = 0, 0 // the node has spread the reconnects
		default:
			a.countSocketEnd(err)
			if errors.Is(err, errSessionEnded) {
				a.sessionID = ""
			}
		}
		if !sleep(ctx, delay) {
			return
		}
	}
}

// countSocketEnd counts a socket that ended against the anchor's will.
func (a *anchor) countSocketEnd(err error) {
	a.countReason(err)
	_, isRetryable := errors.AsType[*retryError](err)
	switch {
	case isRetryable:
		a.incrementFigure(&a.figures.Refusals)
	case errors.Is(err, errDrained):
		a.incrementFigure(&a.figures.Drained)
	case errors.Is(err, errNoAck):
		a.incrementFigure(&a.figures.Failovers)
	default:
		a.incrementFigure(&a.figures.Disconnects)
	}
}

// answerTimeout is how long the anchor waits for an answer. Where there is another
// node, it is a quarter of the beat interval, at most 10 s, and at least the second
// that a busy machine needs.
func (a *anchor) answerTimeout() time.Duration {
	if !a.hasManyNodes() || a.beatInterval == 0 {
		return a.options.answerTimeout()
	}
	return min(max(a.beatInterval/4, time.Second), a.options.answerTimeout())
}

func (a *anchor) randomAround(average time.Duration) time.Duration {
	return average/2 + time.Duration(a.rand.Int64N(int64(average)+1))
}

// signToken returns a token of the anchor's own user. It outlasts every run.
func (a *anchor) signToken() (string, error) {
	now := time.Now()
	return jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": fmt.Sprintf("%s-%d", a.ledger.runID, a.index), "role": "anchor", "iat": now.Unix(), "exp": now.Add(24 * time.Hour).Unix(),
	}).SignedString(a.options.secret)
}
