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

// anchors is everybody who broadcasts: a goroutine each.
type anchors struct {
	// Static after construction.
	o       *options
	clock   func() time.Duration
	ledger  *ledger
	clients []*http.Client  // by node
	steady  <-chan struct{} // closed when nothing but beats is to be sent any more
	fault   func(kind fault, what string)

	live                                              atomic.Int64
	starts, stops, crashes, resumes, updates, updated atomic.Int64
	disconnects, errors, beats                        atomic.Int64
	drained, refusals, moves, expired                 atomic.Int64

	mu      sync.Mutex
	reasons map[string]int
}

func newAnchors(o *options, clock func() time.Duration, l *ledger, steady <-chan struct{}, fault func(fault, string)) *anchors {
	a := &anchors{o: o, clock: clock, ledger: l, steady: steady, fault: fault, reasons: map[string]int{}}
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

// because counts why something went wrong, without the ports, of which each is
// another.
func (a *anchors) because(err error) {
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
func (a *anchors) run(ctx context.Context, over time.Duration) {
	var all sync.WaitGroup
	for i := range a.o.Anchors {
		all.Go(func() {
			if pause(ctx, over*time.Duration(i)/time.Duration(a.o.Anchors)) {
				a.anchor(i).career(ctx)
			}
		})
	}
	all.Wait()
}

// pause waits; false: ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
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
	*anchors
	i    int
	rand *rand.Rand
	tag  string

	node     int           // which its newest socket leads to
	step     int           // from there to the next
	interval time.Duration // of beats, 0 before the first welcome
	session  string        // to resume, or ""
	pending  *wire.Start   // is not answered yet, and so repeated as it was
	stopping bool          // the session's end has been asked for
	record   *session
	starts   int
}

// anchor is the i-th.
func (a *anchors) anchor(i int) *anchor {
	x := &anchor{anchors: a, i: i, rand: rand.New(rand.NewPCG(a.o.Seed, uint64(i)+2)), tag: tagOf(a.ledger.run, i%a.o.Views)}
	x.node, x.step = a.o.way(i)
	return x
}

// How a broadcast's socket ended.
var (
	errStopped = errors.New("stopped")
	errCrashed = errors.New("crashed")
	errOver    = errors.New("the session is over")
	errDrained = errors.New("moved on, as the node asked")
	errNoAck   = errors.New("no ack in time")
	errTaken   = errors.New("the session is no longer this socket's")
)

// retryError is a node that did not let an anchor in, or had it try again.
type retryError struct{ error }

func (e *retryError) Unwrap() error { return e.error }

// chosen says whether an anchor wanted that end.
func chosen(err error) bool { return errors.Is(err, errStopped) || errors.Is(err, errCrashed) }

// career is broadcast after broadcast.
func (a *anchor) career(ctx context.Context) {
	tries := 0
	for {
		began := a.clock()
		err := a.broadcast(ctx)
		if a.clock()-began > backoffCap {
			tries = 0
		}
		if ctx.Err() != nil {
			return
		}
		rest := backoff(a.rand, tries)
		tries++
		switch {
		case chosen(err):
			a.session, a.stopping = "", false
			rest, tries = a.about(a.o.RestFor), 0
		case errors.Is(err, errDrained):
			a.lost(err)
			rest, tries = 0, 0 // the node has spread those who come
		default:
			a.lost(err)
		}
		if !pause(ctx, rest) {
			return
		}
	}
}

// lost notes a socket that ended otherwise than the anchor wanted.
func (a *anchor) lost(err error) {
	a.because(err)
	_, again := errors.AsType[*retryError](err)
	switch {
	case again:
		a.refusals.Add(1)
	case errors.Is(err, errDrained):
		a.drained.Add(1)
	case errors.Is(err, errNoAck):
		a.moves.Add(1)
	default:
		a.disconnects.Add(1)
	}
	if errors.Is(err, errOver) {
		a.session = ""
	}
}

// patience is how long an answer may take before the anchor asks another node,
// if there is one: a quarter of the interval, at most 10 s. A second is the
// least that a busy machine needs.
func (a *anchor) patience() time.Duration {
	if !a.o.many() || a.interval == 0 {
		return a.o.patience()
	}
	return min(max(a.interval/4, time.Second), a.o.patience())
}

func (a *anchor) about(d time.Duration) time.Duration {
	return d/2 + time.Duration(a.rand.Int64N(int64(d)+1))
}

// token is that of the anchor's own user.
func (a *anchor) token() (string, error) {
	return mint(a.o.secret, fmt.Sprintf("%s-%d", a.ledger.run, a.i), time.Now())
}
