package node

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"onair/presence"
)

// ErrUnavailable is returned when a command was certainly not written. It can be
// repeated, perhaps on another node.
var ErrUnavailable = errors.New("node: log unavailable: nothing was written")

// ErrUnknown is returned when ctx ended before the result of a command was
// known. The command may still be applied, and should be repeated with the same
// key.
var ErrUnknown = errors.New("node: result unknown: the command may still be applied")

// ErrSuperseded is returned when another process joined the log under this
// node's name. The name must be unique; the newer process continues.
var ErrSuperseded = errors.New("node: superseded: another process joined the log under this name")

// Config is what a node needs besides its log.
type Config struct {
	Name     string
	Settings presence.Settings
	Logger   zerolog.Logger
	Metrics  prometheus.Registerer // nil: no metrics
	Lists    []string              // lists whose metrics exist from the start
	// Shared: the log may lose entries, as Redis does. The nodes then restore
	// what was lost, and views are frozen meanwhile.
	Shared bool
	// OnRebuilt is called with the whole list: by Join, and whenever the list
	// changed other than by entries that OnApplied was called for. It ends a
	// freeze. It must not retain the registry, block, or call the node. May be
	// nil.
	OnRebuilt func(*presence.Registry)
	// OnFreeze is called when views must be frozen until OnRebuilt is called,
	// because the log may have lost entries. May be nil.
	OnFreeze func()
	// OnApplied is called for every entry, in order, by the goroutine that
	// applies, before the entry's commands are answered. It must not block or
	// call the node. May be nil.
	OnApplied func(Applied)
	// BatchBytes is the approximate size of a batch, 0 for 256 KiB. A smaller
	// one delays bursts of commands, a larger one delays what follows a batch.
	BatchBytes int

	maxRules uint64 // for tests; 0: presence.LatestRules
}

// Applied is what one entry did, and what that means to this node.
type Applied struct {
	presence.Applied
	// Frozen: views are frozen. OnRebuilt will have what the entry did.
	Frozen     bool
	Replayed   bool      // Join read the entry, to catch up
	ReceivedAt time.Time // when the node received the entry's first command; zero: it has none of this node
}

// Node is one server's part in the list. All methods may be called concurrently.
type Node struct {
	cfg       Config
	log       presence.Log
	process   uint64 // first incarnation of this process
	startedAt time.Time
	metrics   *metrics

	ready           chan struct{} // closed when the list may be shown
	wake            chan struct{} // has room for one: a command waits that must not wait for the tick
	deadIncarnation atomic.Uint64 // incarnations up to this one have ended: the node must rejoin
	frozen          atomic.Bool
	connection      connection

	appender appender
	applier  applier

	mu    sync.RWMutex // guards reg; only the applier locks it for writing
	reg   *presence.Registry
	queue commandQueue
}

// connection is what the node knows of its connection to the log. Times are
// milliseconds since the node's start where nothing else is said.
type connection struct {
	failingSince     atomic.Int64 // first of the appends that fail; 0: the last one succeeded
	lastOwnApplied   atomic.Int64 // when an own batch was applied last
	isolationTimeout atomic.Int64 // time without one after which the node is isolated
	unwritableSince  atomic.Int64 // Unix milliseconds; 0: the log accepts durable commands
}

// appender is the state of the goroutine that appends, and of leave after it.
type appender struct {
	incarnation uint64
	undecided   *presence.SealedBatch // batch that may or may not be in the log when the node stops
}

// applier is the state of the goroutine that applies, and of Join before it.
type applier struct {
	lastOwnBatch    batchID // that was applied
	reconciliations []*reconciliation
	digestMatches   map[string]bool // by node: its last digest was equal to this node's
}

// Join loads the list from the log and returns the node, which appends nothing
// before Run. It returns presence.ErrSettingsConflict when the log has other
// settings under the same revision, and presence.ErrInvalidSettings when the
// settings are invalid.
func Join(ctx context.Context, log presence.Log, cfg Config) (*Node, error) {
	if cfg.Name == "" {
		return nil, errors.New("node: no name")
	}
	if err := cfg.Settings.Check(); err != nil {
		return nil, err
	}
	if cfg.OnApplied == nil {
		cfg.OnApplied = func(Applied) {}
	}
	if cfg.OnRebuilt == nil {
		cfg.OnRebuilt = func(*presence.Registry) {}
	}
	if cfg.OnFreeze == nil {
		cfg.OnFreeze = func() {}
	}
	cfg.BatchBytes, cfg.maxRules = cmp.Or(cfg.BatchBytes, 256<<10), cmp.Or(cfg.maxRules, presence.LatestRules)
	n := &Node{
		cfg: cfg, log: log, startedAt: time.Now(), metrics: newMetrics(cfg.Metrics, cfg.Lists),
		ready: make(chan struct{}), wake: make(chan struct{}, 1), queue: newCommandQueue(),
		applier: applier{digestMatches: map[string]bool{}},
	}
	if err := n.loadRegistry(ctx); err != nil {
		return nil, err
	}
	if err := n.checkSettings(); err != nil {
		return nil, err
	}
	incarnation, err := log.Join(ctx, cfg.Name, n.reg.Incarnation(cfg.Name))
	if err != nil {
		return nil, err
	}
	n.appender.incarnation, n.process = incarnation, incarnation
	n.queue.startUnconfirmedIncarnation(incarnation)
	n.queue.confirmIncarnationAndRequeue(incarnation)
	return n, nil
}

// checkSettings compares the configured settings with the log's.
func (n *Node) checkSettings() error {
	logged, own := n.reg.Settings(), n.cfg.Settings
	switch {
	case own.Revision < logged.Revision:
		n.cfg.Logger.Warn().Int64("revision", logged.Revision).Int64("configured", own.Revision).
			Msg("configured settings superseded by log")
	case own.Revision == logged.Revision && own != logged:
		return presence.ErrSettingsConflict
	}
	return nil
}

// Read calls f with the registry, which f must neither change nor retain.
func (n *Node) Read(f func(*presence.Registry)) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	f(n.reg)
}

// Query returns the result of f for the registry of a node, which f must neither change nor
// retain.
func Query[T any](n *Node, f func(*presence.Registry) T) (result T) {
	n.Read(func(r *presence.Registry) { result = f(r) })
	return result
}

// uptime is the time since the node's start in milliseconds, by the monotonic
// clock.
func (n *Node) uptime() (ms int64) { return time.Since(n.startedAt).Milliseconds() }

// Run appends and applies until ctx ends, then leaves the log and returns nil.
// It returns an error when the node cannot continue: the log failed, an entry
// needs a newer build, another process joined under its name, or the log has
// other settings under the same revision. It is called once.
func (n *Node) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	hasNewerSettings := n.cfg.Settings.Revision > n.reg.Settings().Revision
	var failed error // the first one
	var once sync.Once
	end := func(err error) {
		once.Do(func() { failed = err })
		stop()
	}
	var wg sync.WaitGroup
	wg.Go(func() { end(n.runApplier(ctx)) })
	wg.Go(func() {
		if err := n.runAppender(ctx); err != nil {
			end(err)
		}
	})
	if hasNewerSettings {
		wg.Go(func() {
			if err := n.appendSettings(ctx); err != nil {
				end(err)
			}
		})
	}
	wg.Wait()
	n.queue.close()
	if !errors.Is(failed, ErrSuperseded) {
		n.flushAndLeave()
	}
	return failed
}

// appendSettings appends the configured settings, and retries until they are in
// the log.
func (n *Node) appendSettings(ctx context.Context) error {
	for {
		if _, err := n.Do(ctx, &presence.SetSettings{Settings: n.cfg.Settings}); err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
	var logged presence.Settings
	n.Read(func(r *presence.Registry) { logged = r.Settings() })
	if logged.Revision == n.cfg.Settings.Revision && logged != n.cfg.Settings {
		return presence.ErrSettingsConflict // another node was first
	}
	return nil
}

// flushAndLeave appends all beats that wait, and then Leave, so that the other nodes
// need not wait for this one.
func (n *Node) flushAndLeave() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if n.deadIncarnation.Load() >= n.appender.incarnation && n.rejoinAndResendCounts(ctx) != nil {
		return // the log would refuse its batches
	}
	if n.appender.undecided != nil {
		// A node leaves only when all its beats are in the log. Otherwise the others
		// declare it lost, and the leases that it renewed get their full time again.
		if err := n.log.Append(ctx, *n.appender.undecided); err != nil {
			n.cfg.Logger.Warn().Err(err).Msg("append at shutdown failed")
			return
		}
	}
	n.queueAllRestores()
	for more := true; more; {
		b := n.newBatch(true)
		if more = n.queue.hasBeatsOrRestores(); !more {
			b.Commands = append(b.Commands, &presence.Leave{})
		}
		if err := n.log.Append(ctx, b.Seal()); err != nil {
			n.cfg.Logger.Warn().Err(err).Msg("append at shutdown failed")
			return
		}
	}
}

// refuseAfter is how long appends must have failed, in milliseconds, before
// commands are refused rather than queued.
const refuseAfter = 1000

// Do appends a command and returns its result. It returns ErrUnavailable when
// the command was certainly not written, or names a session that is missing
// while the nodes reconcile. It returns ErrUnknown when ctx ended first.
func (n *Node) Do(ctx context.Context, c presence.Command) (presence.Result, error) {
	if since := n.connection.failingSince.Load(); since != 0 && n.uptime()-since >= refuseAfter {
		return presence.Result{}, ErrUnavailable
	}
	switch c := c.(type) {
	case *presence.Start:
		c.AskedAfter = n.lastApplied()
	case *presence.Resume:
		c.AskedAfter = n.lastApplied()
	case *presence.Update:
		c.AskedAfter = n.lastApplied()
	}
	waiting := n.queue.addAwaited(c)
	n.wakeAppender()
	select {
	case outcome := <-waiting.answer:
		return outcome.Result, outcome.err
	case <-ctx.Done():
	}
	if n.queue.withdrawOrAbandon(waiting) {
		return presence.Result{}, ErrUnavailable
	}
	select {
	case outcome := <-waiting.answer:
		return outcome.Result, outcome.err
	default:
		return presence.Result{}, ErrUnknown
	}
}

// lastApplied names the last entry applied.
func (n *Node) lastApplied() (e presence.EntryRef) {
	n.Read(func(r *presence.Registry) {
		last := r.LastEntry()
		e = presence.EntryRef{Epoch: last.Epoch, Num: last.Num}
	})
	return e
}

// Sync returns when this node has applied all entries that were in the log at
// the call. It returns the errors of Do.
func (n *Node) Sync(ctx context.Context) error {
	_, err := n.Do(ctx, &presence.AdoptLeaseParams{}) // no session has the zero id: it changes nothing
	if n.frozen.Load() {
		return ErrUnavailable
	}
	return err
}

// Enqueue queues a command for the next tick, without waiting for its result.
func (n *Node) Enqueue(c presence.Command) { n.queue.addUnawaited(c) }

// Beat queues a heartbeat for the next tick, stamped with the time of the call.
// It does not allocate. isRenewedHere is false when this node did not renew the lease
// last, for instance after a loss; the caller must then use BeatSession.
// isIsolated reports that the node is isolated or frozen, so that the beat may not
// reach the log.
func (n *Node) Beat(l presence.Lease) (isIsolated, isRenewedHere bool) {
	n.mu.RLock()
	isRenewedHere = n.reg.IsRenewedThrough(l, n.cfg.Name)
	n.mu.RUnlock()
	if !isRenewedHere {
		return false, false
	}
	now := n.uptime()
	n.queue.addBeat(l, now)
	n.metrics.beats.Inc()
	return n.isIsolatedAt(now) || n.frozen.Load(), true
}

// IsIsolated reports whether no own batch was applied for half an interval, at
// most ten seconds. The node then cannot confirm that its appends reach the log,
// and anchors should use another node.
func (n *Node) IsIsolated() bool { return n.isIsolatedAt(n.uptime()) }

// HasFrozenViews reports whether views are frozen because the nodes reconcile. A
// missing session may then be restored.
func (n *Node) HasFrozenViews() bool { return n.frozen.Load() }

// Ready is closed when the node has the present list, has seen an own batch
// applied, and is not frozen.
func (n *Node) Ready() <-chan struct{} { return n.ready }

// BeatSession is the heartbeat of a session, for apps without sockets. The first
// one through this node waits until it is in the log; later ones are queued as
// by Beat. It returns the errors of Do.
func (n *Node) BeatSession(ctx context.Context, s presence.Session) (result presence.Result, isIsolated bool, err error) {
	isLive := false
	n.Read(func(r *presence.Registry) { result, isLive = r.SessionResult(s) })
	if isLive {
		if isolated, accepted := n.Beat(result.Lease); accepted {
			return result, isolated, nil
		}
	}
	result, err = n.Do(ctx, &presence.Observe{Session: s, Source: presence.FromBeats, Signal: presence.BeatReceived})
	n.metrics.beats.Inc()
	return result, n.frozen.Load(), err
}

// DurableRefusedSince is the time of the first durable command that the log refused,
// zero when it accepts them.
func (n *Node) DurableRefusedSince() time.Time {
	if since := n.connection.unwritableSince.Load(); since != 0 {
		return time.UnixMilli(since)
	}
	return time.Time{}
}

func (n *Node) isIsolatedAt(uptimeMS int64) bool {
	return uptimeMS-n.connection.lastOwnApplied.Load() > n.connection.isolationTimeout.Load()
}

// isolationTimeoutOf is the time without an own batch after which a node is
// isolated, in milliseconds.
func isolationTimeoutOf(s presence.Settings) (ms int64) { return min(s.Interval/2, 10_000) }

// SetViewers sets how many viewers a session has on this node.
func (n *Node) SetViewers(s presence.Session, count int) { n.queue.viewers.setCount(s, int64(count)) }

// AddLikes adds to a session's likes.
func (n *Node) AddLikes(s presence.Session, count int) { n.queue.likes.addToCount(s, int64(count)) }
