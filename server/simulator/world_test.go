//go:build !race

package simulator

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"onair/hub/socket/sockettest"
	"onair/presence"
	"onair/presence/redislog"
	"onair/presence/redislog/redismodel"
	"onair/server/auth"
	"onair/server/config"
	"onair/server/logging"
	"onair/server/node"
	"onair/server/nodetest"
)

// The simulator runs whole nodes, as they are, over a model of Redis, with
// clients that keep to the protocol, in a bubble: two minutes in which things
// go wrong, and an end at which all must be well. A seed decides all of it.

// The times of a run.
const (
	simInterval = 4 * time.Second
	simTick     = time.Second
	simGrace    = 400 * time.Millisecond
	simFaults   = 93 * time.Second  // until then things go wrong
	simActs     = 97 * time.Second  // until then anchors begin and end
	simClear    = 118 * time.Second // from then on no reply is lost
	simEnd      = 130 * time.Second // all is checked
)

// world is one run.
type world struct {
	t      *testing.T
	seed   uint64
	class  simClass
	cfg    *config.Config
	rng    *rand.Rand // the fault schedule's
	redis  *redismodel.Redis
	hosts  []*host
	oracle *oracle
	began  time.Time
	over   chan struct{} // closed at the end: clients go
	people sync.WaitGroup

	snapshots redislog.Options // how often, how old

	anchors []*simAnchor
	viewers []*simViewer
	trace   transcript

	forgotten int // sessions; guarded by oracle.mu
}

// lot gives a source of randomness of its own to whoever has that name.
func (w *world) lot(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(w.seed, h.Sum64()))
}

// since is how long the run has lasted.
func (w *world) since() time.Duration { return time.Since(w.began) }

// between draws a duration, to the nanosecond, so that no two things happen at
// one instant.
func between(r *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(r.Int64N(int64(to-from)+1))
}

// host is a machine on which a node runs, or not.
type host struct {
	w    *world
	name string
	rng  *rand.Rand

	mu      sync.Mutex // guards all below
	node    *simNode   // nil: none runs
	booted  int
	away    bool          // it comes back by itself
	thawed  chan struct{} // closed while it is not frozen
	frozen  bool
	conns   map[*hostConn]struct{}
	weather redismodel.Faults
}

// simNode is one process on a host.
type simNode struct {
	host   *host
	nth    int
	link   *redismodel.Link
	public *sockettest.Listener
	ctx    context.Context
	stop   context.CancelFunc
	done   chan struct{}
	s      atomic.Pointer[node.Node] // nil until it has joined

	crashed time.Time // guarded by oracle.mu
	stopped bool      // it was asked to stop; guarded by oracle.mu
}

// server is the node's, nil until it serves.
func (n *simNode) server() *node.Node {
	if s := n.s.Load(); s != nil && s.IsServing() {
		return s
	}
	return nil
}

// cutOff tells whether the node does not know that it is heard, or has yet to join.
func (n *simNode) cutOff() bool {
	s := n.server()
	return s == nil || s.Presence.IsIsolated()
}

func (n *simNode) String() string { return fmt.Sprintf("%s.%d", n.host.name, n.nth) }

func newHost(w *world, i int) *host {
	h := &host{
		w: w, name: fmt.Sprintf("n%d", i+1), thawed: make(chan struct{}), conns: map[*hostConn]struct{}{},
		weather: redismodel.Faults{MaxDelay: time.Millisecond, LostWriteReplies: 0.05, LateWrites: 0.05, LostReadReplies: 0.01},
	}
	h.rng = w.lot(h.name)
	close(h.thawed)
	return h
}

// start starts a node.
func (h *host) start() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.booted++
	n := &simNode{host: h, nth: h.booted, public: sockettest.NewListener(), done: make(chan struct{})}
	n.public.PeerAddress = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(h.booted))
	n.ctx, n.stop = context.WithCancel(context.Background())
	n.link = h.w.redis.Dial(h.rng.Uint64(), h.weather)
	if h.frozen {
		n.link.SetPartitioned(true)
	}
	h.node, h.away = n, false
	h.w.note("%v starts", n)
	go n.run()
}

// run is the node's process.
func (n *simNode) run() {
	defer close(n.done)
	w := n.host.w
	cfg := *w.cfg
	cfg.Node = n.host.name
	logger := zerolog.New(nodeLog{w, n}).Level(zerolog.InfoLevel)
	o := w.snapshots
	o.Client, o.Logger = n.link.Client(), logger
	log := &watched{nodeStore: redislog.Open(o), node: n}
	s, err := node.New(n.ctx, node.Options{
		Config: &cfg, Store: log, IsShared: true, Metrics: prometheus.NewRegistry(), Log: logger, Level: new(logging.Level),
	})
	if err != nil {
		log.Close()
		n.ended(err)
		return
	}
	n.s.Store(s)
	ops := sockettest.NewListener()
	n.ended(s.Serve(n.ctx, n.public, ops))
	n.public.Close()
}

// ended notes how a node came to its end.
func (n *simNode) ended(err error) {
	w := n.host.w
	w.note("%v has ended: %v", n, err)
	if n.ctx.Err() == nil && !w.oracle.crashed(n) {
		w.oracle.violate("node-ended", "%v ended by itself: %v", n, err)
	}
}

// end ends a node: at once and unheard, or after it has drained.
func (h *host) end(crash bool) *simNode {
	h.mu.Lock()
	n := h.node
	if n == nil {
		h.mu.Unlock()
		return nil
	}
	h.node, h.away = nil, true
	conns := h.conns
	if crash {
		h.conns = map[*hostConn]struct{}{}
	}
	h.mu.Unlock()
	h.w.oracle.left(n, crash)
	if crash {
		h.w.note("%v crashes", n)
		n.link.KillNode()
		for c := range conns {
			c.Close()
		}
		n.public.Close()
	} else {
		h.w.note("%v is stopped", n)
	}
	n.stop()
	return n
}

// freeze isolates a host: nobody hears of it, and it hears nobody.
func (h *host) freeze(on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if on == h.frozen {
		return
	}
	h.w.note("%s frozen: %v", h.name, on)
	if h.frozen = on; on {
		h.thawed = make(chan struct{})
	} else {
		close(h.thawed)
	}
	if h.node != nil {
		h.node.link.SetPartitioned(on)
	}
}

// set changes the weather between a host and Redis.
func (h *host) set(change func(*redismodel.Faults)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(&h.weather)
	if h.node != nil {
		h.node.link.SetFaults(h.weather)
	}
}

// gate is closed, as a channel is, while packets get through.
func (h *host) gate() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.thawed
}

// running is the node that runs there, nil for none.
func (h *host) running() *simNode {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.node
}

var errNobody = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

// dial connects a client to the node that runs there.
func (h *host) dial(ctx context.Context) (net.Conn, *simNode, error) {
	select {
	case <-h.gate():
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	n := h.running()
	if n == nil {
		return nil, nil, errNobody
	}
	conn, err := n.public.DialContext(ctx, "", "")
	if err != nil {
		return nil, nil, err
	}
	c := &hostConn{Conn: conn, host: h, closed: make(chan struct{})}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.node != n && errors.Is(n.ctx.Err(), context.Canceled) && h.w.oracle.crashed(n) {
		conn.Close()
		return nil, nil, errNobody
	}
	h.conns[c] = struct{}{}
	return c, n, nil
}

// hostConn is a connection to a host, at the client's end.
type hostConn struct {
	net.Conn
	host   *host
	once   sync.Once
	closed chan struct{}
}

// pass waits until packets get through.
func (c *hostConn) pass() error {
	select {
	case <-c.host.gate():
		return nil
	case <-c.closed:
		return net.ErrClosed
	}
}

func (c *hostConn) Read(p []byte) (int, error) {
	if err := c.pass(); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p)
	if err == nil {
		err = c.pass()
	}
	return n, err
}

func (c *hostConn) Write(p []byte) (int, error) {
	if err := c.pass(); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Close implements net.Conn.
func (c *hostConn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.host.mu.Lock()
		delete(c.host.conns, c)
		c.host.mu.Unlock()
	})
	return c.Conn.Close()
}

// nodeStore is the store of a node.
type nodeStore = node.Store

// watched tells the oracle of every entry that a node applies.
type watched struct {
	nodeStore
	node *simNode
}

func (l *watched) Load(ctx context.Context, have *presence.Registry) (*presence.Registry, uint64, error) {
	r, head, err := l.nodeStore.Load(ctx, have)
	if err == nil {
		l.node.host.w.oracle.loaded(l.node, r)
	}
	return r, head, err
}

func (l *watched) ConfirmApplied(r *presence.Registry, e presence.Entry) {
	l.nodeStore.ConfirmApplied(r, e)
	l.node.host.w.oracle.applied(l.node, r, e)
}

func (w *world) token(role auth.Role, sub string) string {
	text, err := auth.SignToken([]byte(nodetest.TokenSecret), "", auth.Identity{Subject: sub, Role: role}, 24*time.Hour, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}
