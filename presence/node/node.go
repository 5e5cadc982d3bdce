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

// ErrUnavailable is returned when a command was refused before it was written:
// trying again, perhaps on another node, cannot do anything twice.
var ErrUnavailable = errors.New("node: the log takes nothing at present")

// ErrUnknown is returned when the time ran out while a command was on its way:
// it may yet take effect, and is to be repeated under the same key.
var ErrUnknown = errors.New("node: the command may yet take effect")

// ErrSuperseded is returned when another process has joined the log under this
// node's name: one of the two is there by mistake, and the newer one stays.
var ErrSuperseded = errors.New("node: another process has joined the log under this node's name")

// Config is what a node needs besides its log.
type Config struct {
	Name     string
	Settings presence.Settings
	Logger   zerolog.Logger
	Metrics  prometheus.Registerer // nil: none
	Lists    []string              // those that metrics are to count from the start on
	// Shared: the log is one that may lose its tail, or all, as Redis does. What
	// is lost is put back by the nodes, and the views stand still for so long.
	Shared bool
	// OnRebuilt is called with the whole list: by Join, and whenever the list has
	// changed other than by entries that OnApplied was called for. It ends a
	// freeze. It must not retain the registry, block, or call the node. May be nil.
	OnRebuilt func(*presence.Registry)
	// OnFreeze is called when views must stand still until OnRebuilt is called: the
	// log has lost entries, or may have. May be nil.
	OnFreeze func()
	// OnApplied is called for every entry, in order, by the one goroutine that
	// applies, before any command of the entry is answered. It must not block and
	// must not call the node. May be nil.
	OnApplied func(Applied)
	// BatchBytes is about how many bytes are appended at once (256 KiB). Less delays
	// storms of commands, more delays what comes after one.
	BatchBytes int

	maxRules uint64 // the rules that the node knows, in tests; 0: Rules
}

// Applied is what one entry did, and what that means to this node.
type Applied struct {
	presence.Applied
	// Frozen: the log may have lost what was shown before, and the nodes reconcile
	// it; OnRebuilt shows what the entry did.
	Frozen     bool
	Replayed   bool      // the entry was read by Join, to catch up
	ReceivedAt time.Time // when the first of the entry's commands came to this node; zero: none did
}

// Node is one server's part in the list: it gathers what its sockets have to
// say, appends it, applies what the log says, and answers. All methods may be
// called concurrently.
type Node struct {
	// Static after Join.
	cfg              Config
	log              presence.Log
	process          uint64 // the first boot
	startedAt        time.Time
	metrics          *metrics
	hasNewerSettings bool // its settings are newer than the log's

	ready            chan struct{} // closed once the list may be shown
	wake             chan struct{} // of size one: something waits that a person waits for
	deadIncarnation  atomic.Uint64 // boots up to this one are over: the node is to join again
	frozen           atomic.Bool   // views stand still
	failingSince     atomic.Int64  // since when appends fail, in milliseconds since began; 0: they do not
	lastOwnApplied   atomic.Int64  // milliseconds since began when an own batch was last seen applied
	isolationTimeout atomic.Int64  // how many may pass until the next one before beats are held
	unwritableSince  atomic.Int64  // since when the log takes no durable command, Unix milliseconds; 0: it does

	// Owned by append, and by leave after it.
	incarnation uint64
	undecided   *presence.SealedBatch // a batch of which it is not known that the log has it, when the node stops

	// Owned by apply, and by Join before.
	lastOwnBatch    batchID           // the last own batch applied
	reconciliations []*reconciliation // losses that are being made good
	digestMatches   map[string]bool   // by node: whether its last digest was like ours

	mu  sync.RWMutex // guards reg; held for writing by the applying goroutine only
	reg *presence.Registry

	queue commandQueue
}

// Join opens the log and gives the node, which has the list at once but
// hears and says nothing before Run. It returns ErrSettingsConflict when the log holds
// other settings under the same revision, and ErrInvalidSettings when the settings
// cannot be worked with.
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
		ready: make(chan struct{}), wake: make(chan struct{}, 1), queue: newCommandQueue(), digestMatches: map[string]bool{},
	}
	if err := n.loadRegistry(ctx); err != nil {
		return nil, err
	}
	if err := n.checkSettings(); err != nil {
		return nil, err
	}
	boot, err := log.Join(ctx, cfg.Name, n.reg.Incarnation(cfg.Name))
	if err != nil {
		return nil, err
	}
	n.incarnation, n.process = boot, boot
	n.queue.startIncarnation(boot)
	n.queue.confirmIncarnation(boot)
	return n, nil
}

// checkSettings compares the node's settings with the log's.
func (n *Node) checkSettings() error {
	have, own := n.reg.Settings(), n.cfg.Settings
	switch {
	case own.Revision < have.Revision:
		n.cfg.Logger.Warn().Int64("revision", have.Revision).Int64("configured", own.Revision).
			Msg("the log holds settings of a higher revision: they apply")
	case own.Revision == have.Revision && own != have:
		return presence.ErrSettingsConflict
	}
	n.hasNewerSettings = own.Revision > have.Revision
	return nil
}

// Read calls f with the registry, which f must neither change nor keep.
func (n *Node) Read(f func(*presence.Registry)) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	f(n.reg)
}

// now is milliseconds since the node began, by the monotonic clock.
func (n *Node) now() int64 { return time.Since(n.startedAt).Milliseconds() }

// Run takes part until ctx ends; then it leaves, and returns nil. It returns an
// error when the node cannot go on: the log is gone, an entry needs a newer
// version, another process has joined under its name, or the others run other
// settings under the same revision. It is called once.
func (n *Node) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var failed error // the first of the two that end by themselves
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
	if n.hasNewerSettings {
		wg.Go(func() {
			if err := n.appendSettings(ctx); err != nil {
				end(err)
			}
		})
	}
	wg.Wait()
	n.queue.close()
	if !errors.Is(failed, ErrSuperseded) {
		n.leave()
	}
	return failed
}

// appendSettings appends the node's settings, as often as it takes.
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
	var have presence.Settings
	n.Read(func(r *presence.Registry) { have = r.Settings() })
	if have.Revision == n.cfg.Settings.Revision && have != n.cfg.Settings {
		return presence.ErrSettingsConflict // another node was first
	}
	return nil
}

// leave says what still waits, and that nobody need wait for this node.
func (n *Node) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if n.deadIncarnation.Load() >= n.incarnation && n.rejoin(ctx) != nil {
		return // nobody would listen
	}
	if n.undecided != nil {
		// Who leaves has said all that it heard. Who cannot is found lost, and the
		// leases that it heard start anew.
		if err := n.log.Append(ctx, *n.undecided); err != nil {
			n.cfg.Logger.Warn().Err(err).Msg("could not say the last that this node heard, and so not that it leaves")
			return
		}
	}
	n.queueAllRestores()
	for more := true; more; {
		b := n.newBatch(true)
		if more = !n.queue.isDrained(); !more {
			b.Commands = append(b.Commands, &presence.Leave{})
		}
		if err := n.log.Append(ctx, b.Seal()); err != nil {
			n.cfg.Logger.Warn().Err(err).Msg("could not say that this node leaves")
			return
		}
	}
}

// refuseAfter is for how long appends must have failed, in milliseconds, before
// commands are refused rather than queued.
const refuseAfter = 1000

// Do appends a command and returns what Apply said of it. It returns
// ErrUnavailable when nothing was written, also for a session that is not in
// the log while the nodes put back what the log has lost; and ErrUnknown when
// ctx ended first.
func (n *Node) Do(ctx context.Context, c presence.Command) (presence.Result, error) {
	if since := n.failingSince.Load(); since != 0 && n.now()-since >= refuseAfter {
		return presence.Result{}, ErrUnavailable
	}
	switch c := c.(type) {
	case *presence.Start:
		c.AppliedNum = n.lastNum()
	case *presence.Resume:
		c.AppliedNum = n.lastNum()
	}
	call := n.queue.addAwaited(c)
	n.wakeAppender()
	select {
	case a := <-call.answer:
		return a.Result, a.err
	case <-ctx.Done():
	}
	if n.queue.withdraw(call) {
		return presence.Result{}, ErrUnavailable
	}
	select {
	case a := <-call.answer: // just in time
		return a.Result, a.err
	default:
		return presence.Result{}, ErrUnknown
	}
}

// lastNum is the number of the newest entry applied.
func (n *Node) lastNum() (num uint64) {
	n.Read(func(r *presence.Registry) { num = r.LastNum() })
	return num
}

// Sync returns once this node has applied all that was in the log when it was
// called. It returns the errors of Do.
func (n *Node) Sync(ctx context.Context) error {
	_, err := n.Do(ctx, &presence.AdoptSettings{}) // nobody has that session: it changes nothing
	if n.frozen.Load() {
		return ErrUnavailable
	}
	return err
}

// Enqueue sends a command along with the next tick, for things nobody waits for.
func (n *Node) Enqueue(c presence.Command) { n.queue.addUnawaited(c) }

// Beat notes a heartbeat. It goes out with the next tick, stamped with the
// time at which Beat was called. It allocates nothing. When known is false
// nothing was noted: the lease is not one that was last renewed through this
// node, as after a loss of the log's tail or of this node, and the session is
// to be heard by its name.
func (n *Node) Beat(l presence.Lease) (held, known bool) {
	n.mu.RLock()
	known = n.reg.IsRenewedThrough(l, n.cfg.Name)
	n.mu.RUnlock()
	if !known {
		return false, false
	}
	now := n.now()
	n.queue.addBeat(l, now)
	n.metrics.beats.Inc()
	return n.isIsolatedAt(now) || n.frozen.Load(), true
}

// IsIsolated reports whether this node cannot know that it is heard: it has not seen
// a batch of its own applied for half an interval, at most ten seconds. Beats
// are then answered as held, and new anchors are sent elsewhere.
func (n *Node) IsIsolated() bool { return n.isIsolatedAt(n.now()) }

// IsFrozen reports whether views stand still, since the nodes put back what the
// log has lost: a session that is not there may be in a moment.
func (n *Node) IsFrozen() bool { return n.frozen.Load() }

// Ready is closed once the node has the list as it is, is heard itself, and
// may show the list.
func (n *Node) Ready() <-chan struct{} { return n.ready }

// BeatSession notes a heartbeat of a session that is named, as apps without sockets
// do. The first through this node is answered once it is in the log, later ones
// at once, as Beat does it. It returns the errors of Do.
func (n *Node) BeatSession(ctx context.Context, s presence.Session) (a presence.Result, held bool, err error) {
	live := false
	n.Read(func(r *presence.Registry) { a, live = r.SessionResult(s) })
	if live {
		if held, known := n.Beat(a.Lease); known {
			return a, held, nil
		}
	}
	a, err = n.Do(ctx, &presence.Observe{Session: s, Source: presence.FromBeats, Signal: presence.BeatReceived})
	n.metrics.beats.Inc()
	return a, n.frozen.Load(), err
}

// UnwritableSince is since when the log has taken no durable command, although asked to;
// zero when it does.
func (n *Node) UnwritableSince() time.Time {
	if since := n.unwritableSince.Load(); since != 0 {
		return time.UnixMilli(since)
	}
	return time.Time{}
}

func (n *Node) isIsolatedAt(now int64) bool {
	return now-n.lastOwnApplied.Load() > n.isolationTimeout.Load()
}

func isolationTimeoutOf(s presence.Settings) int64 { return min(s.Interval/2, 10_000) }

// SetViewers says how many viewers a session has on this node now.
func (n *Node) SetViewers(s presence.Session, count int) { n.queue.viewers.setCount(s, int64(count)) }

// AddLikes adds to a session's likes.
func (n *Node) AddLikes(s presence.Session, count int) { n.queue.likes.addToCount(s, int64(count)) }
