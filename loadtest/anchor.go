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

	"github.com/coder/websocket"

	"onair/hub/wire"
)

// anchors is everybody who broadcasts: a goroutine each.
type anchors struct {
	// Static after construction.
	o      *options
	clock  func() time.Duration
	ledger *ledger
	client *http.Client
	steady <-chan struct{} // closed when nothing but beats is to be sent any more
	fault  func(kind fault, what string)

	live                                              atomic.Int64
	starts, stops, crashes, resumes, updates, updated atomic.Int64
	disconnects, errors, beats                        atomic.Int64

	mu      sync.Mutex
	reasons map[string]int
}

func newAnchors(o *options, clock func() time.Duration, l *ledger, steady <-chan struct{}, fault func(fault, string)) *anchors {
	var n atomic.Int64
	transport := &http.Transport{DisableKeepAlives: true}
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		if o.address.Addr().Is4() && o.address.Addr().IsLoopback() { // as with viewers
			d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 2, byte(1+n.Add(1)/socketsPerSource%250))}
		}
		return d.DialContext(ctx, network, o.address.String())
	}
	return &anchors{
		o: o, clock: clock, ledger: l, client: &http.Client{Transport: transport}, steady: steady, fault: fault,
		reasons: map[string]int{},
	}
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
			r := rand.New(rand.NewPCG(a.o.Seed, uint64(i)+2))
			if pause(ctx, over*time.Duration(i)/time.Duration(a.o.Anchors)) {
				(&anchor{anchors: a, i: i, rand: r, tag: tagOf(a.ledger.run, i%a.o.Views)}).career(ctx)
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

	session string // to resume, or ""
	record  *session
	starts  int
}

// How a broadcast's socket ended.
var (
	errStopped = errors.New("stopped")
	errCrashed = errors.New("crashed")
	errOver    = errors.New("the session is over")
)

// career is broadcast after broadcast.
func (a *anchor) career(ctx context.Context) {
	tries := 0
	for {
		began := a.clock()
		err := a.broadcast(ctx)
		if a.clock()-began > backoffCap {
			tries = 0
		}
		rest := backoff(a.rand, tries)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errStopped), errors.Is(err, errCrashed):
			a.session = ""
			rest, tries = a.about(a.o.RestFor), 0
		case errors.Is(err, errOver):
			a.session = ""
			a.because(err)
			a.disconnects.Add(1)
			tries++
		default:
			a.because(err)
			a.disconnects.Add(1)
			tries++
		}
		if !pause(ctx, rest) {
			return
		}
	}
}

func (a *anchor) about(d time.Duration) time.Duration {
	return d/2 + time.Duration(a.rand.Int64N(int64(d)+1))
}

// token is that of the anchor's own user.
func (a *anchor) token() (string, error) {
	return mint(a.o.secret, fmt.Sprintf("%s-%d", a.ledger.run, a.i), time.Now())
}

// line is an anchor's socket.
type line struct {
	conn  *websocket.Conn
	inbox chan wire.Message
	err   error // once inbox is closed
}

// open connects, and reads until the socket ends.
func (a *anchor) open(ctx context.Context, readers *sync.WaitGroup) (*line, error) {
	token, err := a.token()
	if err != nil {
		return nil, err
	}
	dialing, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	conn, res, err := websocket.Dial(dialing, "ws://"+a.o.host+"/v1/anchor", &websocket.DialOptions{
		HTTPClient: a.client, HTTPHeader: http.Header{"Authorization": {"Bearer " + token}},
		Subprotocols: []string{wire.Subprotocol}, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		if res != nil {
			err = &refusedError{res.StatusCode}
		}
		return nil, err
	}
	conn.SetReadLimit(1 << 20)
	l := &line{conn: conn, inbox: make(chan wire.Message, 256)}
	readers.Go(func() {
		defer close(l.inbox)
		for {
			_, data, err := conn.Read(context.Background())
			if err != nil {
				l.err = err
				return
			}
			m, err := wire.DecodeServer(data)
			if err != nil {
				l.err = err
				a.fault(faultProtocol, err.Error())
				return
			}
			l.inbox <- m
		}
	})
	return l, nil
}

// tell sends a message.
func (l *line) tell(m wire.Message) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return l.conn.Write(ctx, websocket.MessageText, wire.Append(nil, m))
}

// wait waits for the answer to the request with an id.
func (l *line) wait(ctx context.Context, id wire.ID) (wire.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		select {
		case m, ok := <-l.inbox:
			if !ok {
				return nil, l.err
			}
			if _, got := m.Head(); got == id {
				return m, nil
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("no answer to request %s: %w", id, ctx.Err())
		}
	}
}
