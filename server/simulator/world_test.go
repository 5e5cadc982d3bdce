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

// Times of a run, from its start.
const (
	simInterval     = 4 * time.Second
	simTick         = time.Second
	simGrace        = 400 * time.Millisecond
	simFaultsEnd    = 93 * time.Second  // end of faults
	simChangesEnd   = 97 * time.Second  // end of starts, stops and updates
	simNetworkClear = 118 * time.Second // end of lost replies of Redis
	simEnd          = 130 * time.Second // final checks
)

// world is one run.
type world struct {
	t         *testing.T
	seed      uint64
	class     faultClass
	cfg       *config.Config
	rng       *rand.Rand // for the schedule of faults
	redis     *redismodel.Redis
	hosts     []*host
	oracle    *oracle
	startedAt time.Time
	done      chan struct{} // closed at the end: clients stop
	clients   sync.WaitGroup

	snapshots redislog.Options // the interval and the age of snapshots

	anchors []*simAnchor
	viewers []*simViewer
	trace   transcript

	forgottenSessions int // sessions that no remaining node knows; guarded by oracle.mu
}

// newRand returns the random source for a name, which depends on the seed.
func (w *world) newRand(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(w.seed, h.Sum64()))
}

// elapsed returns the time since the start of the run.
func (w *world) elapsed() time.Duration { return time.Since(w.startedAt) }

// randomDuration returns a random duration in nanoseconds, so that no two events are at the
// same instant.
func randomDuration(r *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(r.Int64N(int64(to-from)+1))
}

// host is a machine that runs a node, or none.
type host struct {
	w    *world
	name string
	rng  *rand.Rand

	mu            sync.Mutex // guards all below
	node          *simNode   // nil: none runs
	startCount    int
	reachable     chan struct{} // closed while the host is reachable
	isUnreachable bool
	conns         map[*hostConn]struct{}
	redisFaults   redismodel.Faults
}

// simNode is one process on a host.
type simNode struct {
	host   *host
	number int
	link   *redismodel.Link
	public *sockettest.Listener
	ctx    context.Context
	stop   context.CancelFunc
	done   chan struct{}
	joined atomic.Pointer[node.Node] // nil until it has joined

	crashedAt  time.Time // guarded by oracle.mu
	wasStopped bool      // it was stopped or crashed; guarded by oracle.mu
}

// servingNode returns the node, or nil until it serves.
func (n *simNode) servingNode() *node.Node {
	if s := n.joined.Load(); s != nil && s.HasStartedServing() {
		return s
	}
	return nil
}

// isIsolated reports whether the node is isolated, or does not serve yet.
func (n *simNode) isIsolated() bool {
	s := n.servingNode()
	return s == nil || s.Presence.IsIsolated()
}

func (n *simNode) String() string { return fmt.Sprintf("%s.%d", n.host.name, n.number) }

func newHost(w *world, i int) *host {
	h := &host{
		w: w, name: fmt.Sprintf("n%d", i+1), reachable: make(chan struct{}), conns: map[*hostConn]struct{}{},
		redisFaults: redismodel.Faults{MaxDelay: time.Millisecond, LostWriteReplies: 0.05, LateWrites: 0.05, LostReadReplies: 0.01},
	}
	h.rng = w.newRand(h.name)
	close(h.reachable)
	return h
}

// startNode starts a node on the host.
func (h *host) startNode() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.startCount++
	n := &simNode{host: h, number: h.startCount, public: sockettest.NewListener(), done: make(chan struct{})}
	n.public.PeerAddress = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(h.startCount))
	n.ctx, n.stop = context.WithCancel(context.Background())
	n.link = h.w.redis.Dial(h.rng.Uint64(), h.redisFaults)
	if h.isUnreachable {
		n.link.SetPartitioned(true)
	}
	h.node = n
	h.w.traceEvent("%v starts", n)
	go n.run()
}

// run runs the node until it ends.
func (n *simNode) run() {
	defer close(n.done)
	w := n.host.w
	cfg := *w.cfg
	cfg.Node = n.host.name
	logger := zerolog.New(nodeLog{w, n}).Level(zerolog.InfoLevel)
	o := w.snapshots
	o.Client, o.Logger = n.link.Client(), logger
	log := &observedStore{nodeStore: redislog.Open(o), node: n}
	s, err := node.New(n.ctx, node.Options{
		Config: &cfg, Store: log, IsShared: true, Metrics: prometheus.NewRegistry(), Log: logger, Level: new(logging.Level),
	})
	if err != nil {
		log.Close()
		n.reportEnd(err)
		return
	}
	n.joined.Store(s)
	ops := sockettest.NewListener()
	n.reportEnd(s.Serve(n.ctx, n.public, ops))
	n.public.Close()
}

// reportEnd traces the end of a node. It is a fault if the node ended by itself.
func (n *simNode) reportEnd(err error) {
	w := n.host.w
	w.traceEvent("%v has ended: %v", n, err)
	if n.ctx.Err() == nil && !w.oracle.hasCrashed(n) {
		w.oracle.reportFault("node-ended", "%v ended by itself: %v", n, err)
	}
}

// endNode ends the node of a host: by a crash, or by a stop with a drain.
func (h *host) endNode(crash bool) *simNode {
	h.mu.Lock()
	n := h.node
	if n == nil {
		h.mu.Unlock()
		return nil
	}
	h.node = nil
	conns := h.conns
	if crash {
		h.conns = map[*hostConn]struct{}{}
	}
	h.mu.Unlock()
	h.w.oracle.recordNodeEnd(n, crash)
	if crash {
		h.w.traceEvent("%v crashes", n)
		n.link.KillNode()
		for c := range conns {
			c.Close()
		}
		n.public.Close()
	} else {
		h.w.traceEvent("%v is stopped", n)
	}
	n.stop()
	return n
}

// setUnreachable partitions a host from Redis and clients, or ends that.
func (h *host) setUnreachable(isUnreachable bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if isUnreachable == h.isUnreachable {
		return
	}
	h.w.traceEvent("%s unreachable: %v", h.name, isUnreachable)
	if h.isUnreachable = isUnreachable; isUnreachable {
		h.reachable = make(chan struct{})
	} else {
		close(h.reachable)
	}
	if h.node != nil {
		h.node.link.SetPartitioned(isUnreachable)
	}
}

// changeRedisFaults changes the faults between a host and Redis.
func (h *host) changeRedisFaults(change func(*redismodel.Faults)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(&h.redisFaults)
	if h.node != nil {
		h.node.link.SetFaults(h.redisFaults)
	}
}

// reachableSignal returns a channel that is closed while the host is reachable.
func (h *host) reachableSignal() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.reachable
}

// runningNode returns the node of the host, or nil.
func (h *host) runningNode() *simNode {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.node
}

var errNoNode = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

// dial connects a client to the node of the host.
func (h *host) dial(ctx context.Context) (net.Conn, *simNode, error) {
	select {
	case <-h.reachableSignal():
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	n := h.runningNode()
	if n == nil {
		return nil, nil, errNoNode
	}
	conn, err := n.public.DialContext(ctx, "", "")
	if err != nil {
		return nil, nil, err
	}
	c := &hostConn{Conn: conn, host: h, closed: make(chan struct{})}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.node != n && errors.Is(n.ctx.Err(), context.Canceled) && h.w.oracle.hasCrashed(n) {
		conn.Close()
		return nil, nil, errNoNode
	}
	h.conns[c] = struct{}{}
	return c, n, nil
}

// hostConn is the client's end of a connection to a host.
type hostConn struct {
	net.Conn
	host   *host
	once   sync.Once
	closed chan struct{}
}

// awaitReachable waits until the host is reachable.
func (c *hostConn) awaitReachable() error {
	select {
	case <-c.host.reachableSignal():
		return nil
	case <-c.closed:
		return net.ErrClosed
	}
}

func (c *hostConn) Read(p []byte) (int, error) {
	if err := c.awaitReachable(); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p)
	if err == nil {
		err = c.awaitReachable()
	}
	return n, err
}

func (c *hostConn) Write(p []byte) (int, error) {
	if err := c.awaitReachable(); err != nil {
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

// observedStore reports each applied entry of a node to the oracle.
type observedStore struct {
	nodeStore
	node *simNode
}

func (l *observedStore) Load(ctx context.Context, have *presence.Registry) (*presence.Registry, uint64, error) {
	r, head, err := l.nodeStore.Load(ctx, have)
	if err == nil {
		l.node.host.w.oracle.recordLoad(l.node, r)
	}
	return r, head, err
}

func (l *observedStore) ConfirmApplied(r *presence.Registry, e presence.Entry) {
	l.nodeStore.ConfirmApplied(r, e)
	l.node.host.w.oracle.checkApplied(l.node, r, e)
}

func (w *world) token(role auth.Role, sub string) string {
	text, err := auth.SignToken([]byte(nodetest.TokenSecret), "", auth.Identity{Subject: sub, Role: role}, 24*time.Hour, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}
