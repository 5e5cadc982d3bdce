package presence

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// ErrUnavailable is returned when a command was refused before it was written:
// trying again, perhaps on another node, cannot do anything twice.
var ErrUnavailable = errors.New("presence: the log takes nothing at present")

// ErrUnknown is returned when the time ran out while a command was on its way:
// it may yet take effect, and is to be repeated under the same key.
var ErrUnknown = errors.New("presence: the command may yet take effect")

// ErrDeclaredLost is returned when the log went on without this node: what it
// says now is refused until it starts anew.
var ErrDeclaredLost = errors.New("presence: the other nodes have declared this one lost")

// NodeConfig is what a node needs besides its log.
type NodeConfig struct {
	Name     string
	Settings Settings
	Logger   zerolog.Logger
	Metrics  prometheus.Registerer // nil: none
	// Applied is called for every entry, in order, by the one goroutine that
	// applies, before any command of the entry is answered. It must not block
	// and must not call the node.
	Applied func(Applied)
}

// Node is one server's part in the list: it gathers what its sockets have to
// say, appends it, applies what the log says, and answers. All methods may be
// called concurrently.
type Node struct {
	// Static after Join.
	cfg     NodeConfig
	log     Log
	boot    uint64
	began   time.Time
	metrics *metrics
	newer   bool // its settings are newer than the log's

	wake    chan struct{} // of size one: something waits that a person waits for
	lastOwn atomic.Int64  // milliseconds since began when an own batch was last seen applied

	mu  sync.RWMutex // guards reg; held for writing by the applying goroutine only
	reg *Registry

	out outbox
}

// JoinLog opens the log and gives the node, which has the list at once but
// hears and says nothing before Run. It returns ErrSettings when the log holds
// other settings under the same revision.
func JoinLog(ctx context.Context, log Log, cfg NodeConfig) (*Node, error) {
	reg, boot, err := log.Join(ctx, cfg.Name)
	if err != nil {
		return nil, err
	}
	n := &Node{
		cfg: cfg, log: log, boot: boot, began: time.Now(), reg: reg,
		metrics: newMetrics(cfg.Metrics), wake: make(chan struct{}, 1), out: newOutbox(),
	}
	switch have := reg.Settings(); {
	case cfg.Settings.Revision > have.Revision:
		n.newer = true
	case cfg.Settings.Revision < have.Revision:
		cfg.Logger.Warn().Int64("revision", have.Revision).Int64("configured", cfg.Settings.Revision).
			Msg("the log holds settings of a higher revision: they apply")
	case cfg.Settings != have:
		return nil, ErrSettings
	}
	for st := range reg.Streams() {
		n.metrics.streams.WithLabelValues(st.State.String()).Inc()
	}
	return n, nil
}

// Read calls f with the registry, which f must neither change nor keep.
func (n *Node) Read(f func(*Registry)) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	f(n.reg)
}

// now is milliseconds since the node began, by the monotonic clock.
func (n *Node) now() int64 { return time.Since(n.began).Milliseconds() }

// Run takes part until ctx ends; then it leaves, and returns nil. It returns an
// error when the node cannot go on: the log is gone, an entry needs a newer
// version, or the others declared it lost.
func (n *Node) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	wg.Go(func() { stop(n.apply(ctx)) })
	wg.Go(func() { n.append(ctx) })
	if n.newer {
		wg.Go(func() { n.settle(ctx) })
	}
	wg.Wait()
	n.out.refuse()
	n.leave()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// settle appends the node's settings, as often as it takes.
func (n *Node) settle(ctx context.Context) {
	for ctx.Err() == nil {
		if _, err := n.Do(ctx, &SetSettings{n.cfg.Settings}); err == nil {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// leave tells the others that nobody need wait for this node.
func (n *Node) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	b := Batch{Node: n.cfg.Name, Boot: n.boot, No: n.out.no + 1, Knows: Rules, Commands: []Command{&Leave{}}}
	if err := n.log.Append(ctx, b.Seal()); err != nil {
		n.cfg.Logger.Warn().Err(err).Msg("could not say that this node leaves")
	}
}

// apply is the one goroutine that changes the registry.
func (n *Node) apply(ctx context.Context) error {
	for e, err := range n.log.Tail(ctx, n.reg.Position()) {
		if err != nil {
			return err
		}
		n.mu.Lock()
		a, err := n.reg.Apply(e)
		if err == nil {
			n.log.Applied(n.reg, e)
		}
		n.mu.Unlock()
		if err != nil {
			return err
		}
		n.metrics.applied(&a)
		if a.Diverged != "" {
			n.cfg.Logger.Error().Str("node", a.Diverged).Msg("the registries of two nodes differ")
		}
		n.cfg.Applied(a)
		if a.Node != n.cfg.Name || a.Boot != n.boot {
			continue
		}
		if a.Refused {
			return ErrDeclaredLost
		}
		n.lastOwn.Store(n.now())
		n.out.answer(&a)
	}
	return nil
}

// append gathers and appends, one batch at a time.
func (n *Node) append(ctx context.Context) {
	tick := time.NewTimer(0)
	defer tick.Stop()
	var digested int64
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		case <-tick.C:
		}
		b := n.out.take(n.now())
		b.Node, b.Boot, b.Knows = n.cfg.Name, n.boot, Rules
		var every int64
		n.Read(func(r *Registry) {
			every = r.Settings().Tick()
			if n.now()-digested >= digestEvery {
				digested = n.now()
				b.Digest = &Digest{At: r.Position(), Sum: r.Digest()}
			}
			if known := r.KnownRules(); known > r.rules && r.Keeper() == n.cfg.Name {
				b.Commands = append(b.Commands, &RaiseRules{known})
			}
		})
		tick.Reset(time.Duration(every) * time.Millisecond)
		n.commit(ctx, b)
	}
}

// digestEvery is how often a node says its digest, in milliseconds.
const digestEvery = 60_000

// commit appends one batch until its fate is known.
func (n *Node) commit(ctx context.Context, b *Batch) {
	sealed := b.Seal()
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := n.log.Append(ctx, sealed)
		switch {
		case err == nil:
			return
		case errors.Is(err, ErrNotWritten):
			n.cfg.Logger.Error().Err(err).Int("commands", len(b.Commands)).Msg("nothing was written to the log")
			if n.out.notWritten(b, n.now()) {
				n.poke() // the rest needs no disk
			}
			return
		}
		n.metrics.retries.Inc()
		n.cfg.Logger.Warn().Err(err).Msg("append failed, trying again")
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (n *Node) poke() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Do appends a command and returns what Apply said of it. It returns
// ErrUnavailable when nothing was written, and ErrUnknown when ctx ended first.
func (n *Node) Do(ctx context.Context, c Command) (Result, error) {
	call := n.out.ask(c)
	n.poke()
	select {
	case a := <-call.answer:
		return a.Result, a.err
	case <-ctx.Done():
		if n.out.withdraw(call) {
			return Result{}, ErrUnavailable
		}
		return Result{}, ErrUnknown
	}
}

// Tell sends a command along with the next tick, for things nobody waits for.
func (n *Node) Tell(c Command) { n.out.tell(c) }

// Beat notes a heartbeat. It goes out with the next tick, stamped with the
// time at which Beat was called. It allocates nothing.
func (n *Node) Beat(l Lease) (held bool) {
	now := n.now()
	n.out.beat(l, now)
	n.metrics.beats.Inc()
	return n.cutOff(now)
}

// Held reports whether this node cannot know that it is heard: it has not seen
// a batch of its own applied for half an interval, at most ten seconds. Beats
// are then answered as held, and new anchors are sent elsewhere.
func (n *Node) Held() bool { return n.cutOff(n.now()) }

func (n *Node) cutOff(now int64) bool {
	return now-n.lastOwn.Load() > min(n.cfg.Settings.Interval/2, 10_000)
}

// Viewers says how many viewers a stream has on this node now.
func (n *Node) Viewers(l Lease, count int) { n.out.viewers.set(l, int64(count)) }

// Like adds to a stream's likes.
func (n *Node) Like(l Lease, count int) { n.out.likes.add(l, int64(count)) }
