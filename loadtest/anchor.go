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

	"onair/hub/wire"
)

// anchorPool is everybody who broadcasts: a goroutine each.
type anchorPool struct {
	// Static after construction.
	options     *options
	clock       func() time.Duration
	ledger      *ledger
	clients     []*http.Client  // by node
	updatesDone <-chan struct{} // closed when nothing but beats is to be sent any more
	recordFault func(kind faultKind, what string)

	live                                                          atomic.Int64
	starts, stops, crashes, resumes, updates, updatesAcknowledged atomic.Int64
	disconnects, errors, beats                                    atomic.Int64
	drained, refusals, failovers, expired                         atomic.Int64

	mu      sync.Mutex
	reasons map[string]int
}

func newAnchorPool(o *options, clock func() time.Duration, l *ledger, steady <-chan struct{}, fault func(faultKind, string)) *anchorPool {
	a := &anchorPool{options: o, clock: clock, ledger: l, updatesDone: steady, recordFault: fault, reasons: map[string]int{}}
	var dialed atomic.Int64
	for _, n := range o.nodes {
		transport := &http.Transport{DisableKeepAlives: true}
		transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			if n.address.Addr().Is4() && n.address.Addr().IsLoopback() { // as with viewers
				d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 2, byte(1+dialed.Add(1)/socketsPerSource%250))}
			}
			return d.DialContext(ctx, network, n.address.String())
		}
		a.clients = append(a.clients, &http.Client{Transport: transport})
	}
	return a
}

// countReason counts why something went wrong, without the ports, of which each is
// another.
func (a *anchorPool) countReason(err error) {
	why := err.Error()
	if broke, ok := errors.AsType[*net.OpError](err); ok {
		why = broke.Op + ": " + broke.Err.Error()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reasons[why]++
}

// run has all anchors come, spread over the ramp, and stay until ctx ends. Then
// each stops.
func (a *anchorPool) run(ctx context.Context, over time.Duration) {
	var all sync.WaitGroup
	for i := range a.options.Anchors {
		all.Go(func() {
			if sleep(ctx, over*time.Duration(i)/time.Duration(a.options.Anchors)) {
				a.newAnchor(i).runBroadcasts(ctx)
			}
		})
	}
	all.Wait()
}

// sleep waits; false: ctx has ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// anchor is one of them. All is owned by its goroutine.
type anchor struct {
	*anchorPool
	index int
	rand  *rand.Rand
	tag   string

	node         int           // which its newest socket leads to
	step         int           // from there to the next
	beatInterval time.Duration // of beats, 0 before the first welcome
	sessionID    string        // to resume, or ""
	pendingStart *wire.Start   // is not answered yet, and so repeated as it was
	isStopping   bool          // the session's end has been asked for
	session      *session
	startCount   int
}

// newAnchor is the i-th.
func (a *anchorPool) newAnchor(i int) *anchor {
	x := &anchor{anchorPool: a, index: i, rand: rand.New(rand.NewPCG(a.options.Seed, uint64(i)+2)), tag: viewTag(a.ledger.runID, i%a.options.Views)}
	x.node, x.step = a.options.firstNode(i)
	return x
}

// How a broadcast's socket ended.
var (
	errStopped      = errors.New("stopped")
	errCrashed      = errors.New("crashed")
	errSessionEnded = errors.New("the session is over")
	errDrained      = errors.New("moved on, as the node asked")
	errNoAck        = errors.New("no ack in time")
	errSessionMoved = errors.New("the session is no longer this socket's")
)

// retryError is a node that did not let an anchor in, or had it try again.
type retryError struct{ error }

func (e *retryError) Unwrap() error { return e.error }

// isIntended says whether an anchor wanted that end.
func isIntended(err error) bool { return errors.Is(err, errStopped) || errors.Is(err, errCrashed) }

// runBroadcasts is broadcast after broadcast.
func (a *anchor) runBroadcasts(ctx context.Context) {
	tries := 0
	for {
		began := a.clock()
		err := a.runBroadcast(ctx)
		if a.clock()-began > backoffCap {
			tries = 0
		}
		if ctx.Err() != nil {
			return
		}
		rest := backoffDelay(a.rand, tries)
		tries++
		switch {
		case isIntended(err):
			a.sessionID, a.isStopping = "", false
			rest, tries = a.randomAround(a.options.RestTime), 0
		case errors.Is(err, errDrained):
			a.countSocketEnd(err)
			rest, tries = 0, 0 // the node has spread those who come
		default:
			a.countSocketEnd(err)
		}
		if !sleep(ctx, rest) {
			return
		}
	}
}

// countSocketEnd notes a socket that ended otherwise than the anchor wanted.
func (a *anchor) countSocketEnd(err error) {
	a.countReason(err)
	_, again := errors.AsType[*retryError](err)
	switch {
	case again:
		a.refusals.Add(1)
	case errors.Is(err, errDrained):
		a.drained.Add(1)
	case errors.Is(err, errNoAck):
		a.failovers.Add(1)
	default:
		a.disconnects.Add(1)
	}
	if errors.Is(err, errSessionEnded) {
		a.sessionID = ""
	}
}

// answerTimeout is how long an answer may take before the anchor asks another node,
// if there is one: a quarter of the interval, at most 10 s. A second is the
// least that a busy machine needs.
func (a *anchor) answerTimeout() time.Duration {
	if !a.options.hasManyNodes() || a.beatInterval == 0 {
		return a.options.answerTimeout()
	}
	return min(max(a.beatInterval/4, time.Second), a.options.answerTimeout())
}

func (a *anchor) randomAround(d time.Duration) time.Duration {
	return d/2 + time.Duration(a.rand.Int64N(int64(d)+1))
}

// token is that of the anchor's own user.
func (a *anchor) token() (string, error) {
	return signToken(a.options.secret, fmt.Sprintf("%s-%d", a.ledger.runID, a.index), time.Now())
}
