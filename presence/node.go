package presence

import (
	"cmp"
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
	// applies, before any command of the entry is answered, with the time at
	// which this node took the first of the entry's commands (zero: it took
	// none). It must not block and must not call the node. May be nil.
	Applied func(a Applied, taken time.Time)
	// Batch is about how many bytes are appended at once (256 KiB). Less delays
	// storms of commands, more delays what comes after one.
	Batch int
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

	wake       chan struct{} // of size one: something waits that a person waits for
	lastOwn    atomic.Int64  // milliseconds since began when an own batch was last seen applied
	patience   atomic.Int64  // how many may pass until the next one before beats are held
	unwritable atomic.Int64  // since when the log takes no durable command, Unix milliseconds; 0: it does

	// Owned by apply.
	seen uint64 // number of the last own batch applied

	mu  sync.RWMutex // guards reg; held for writing by the applying goroutine only
	reg *Registry

	out outbox
}

// JoinLog opens the log and gives the node, which has the list at once but
// hears and says nothing before Run. It returns ErrSettings when the log holds
// other settings under the same revision, and ErrBadSettings when the settings
// cannot be worked with.
func JoinLog(ctx context.Context, log Log, cfg NodeConfig) (*Node, error) {
	if cfg.Name == "" {
		return nil, errors.New("presence: a node needs a name")
	}
	if err := cfg.Settings.Check(); err != nil {
		return nil, err
	}
	if cfg.Applied == nil {
		cfg.Applied = func(Applied, time.Time) {}
	}
	cfg.Batch = cmp.Or(cfg.Batch, 256<<10)
	reg, _, err := log.Load(ctx, nil)
	if err != nil {
		return nil, err
	}
	boot, err := log.Join(ctx, cfg.Name, reg.boot(cfg.Name))
	if err != nil {
		return nil, err
	}
	have := reg.Settings()
	switch {
	case cfg.Settings.Revision < have.Revision:
		cfg.Logger.Warn().Int64("revision", have.Revision).Int64("configured", cfg.Settings.Revision).
			Msg("the log holds settings of a higher revision: they apply")
	case cfg.Settings.Revision == have.Revision && cfg.Settings != have:
		return nil, ErrSettings
	}
	n := &Node{
		cfg: cfg, log: log, boot: boot, began: time.Now(), reg: reg, newer: cfg.Settings.Revision > have.Revision,
		metrics: newMetrics(cfg.Metrics), wake: make(chan struct{}, 1), out: newOutbox(),
	}
	n.patience.Store(patience(have))
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
// version, the others declared it lost, or run other settings under the same
// revision. It is called once.
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
	wg.Go(func() { end(n.apply(ctx)) })
	wg.Go(func() { n.append(ctx) })
	if n.newer {
		wg.Go(func() {
			if err := n.settle(ctx); err != nil {
				end(err)
			}
		})
	}
	wg.Wait()
	n.out.close()
	if !errors.Is(failed, ErrDeclaredLost) {
		n.leave()
	}
	return failed
}

// settle appends the node's settings, as often as it takes.
func (n *Node) settle(ctx context.Context) error {
	for {
		if _, err := n.Do(ctx, &SetSettings{n.cfg.Settings}); err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
	var have Settings
	n.Read(func(r *Registry) { have = r.Settings() })
	if have.Revision == n.cfg.Settings.Revision && have != n.cfg.Settings {
		return ErrSettings // another node was first
	}
	return nil
}

// leave says what still waits, and that nobody need wait for this node.
func (n *Node) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	b := n.out.take(n.now(), n.cfg.Batch, true)
	b.Node, b.Boot, b.Knows, b.Commands = n.cfg.Name, n.boot, Rules, []Command{&Leave{}}
	if err := n.log.Append(ctx, b.Seal()); err != nil {
		n.cfg.Logger.Warn().Err(err).Msg("could not say that this node leaves")
	}
}

// apply is the one goroutine that changes the registry.
func (n *Node) apply(ctx context.Context) error {
	for e, err := range n.log.Tail(ctx, n.reg.Last()) {
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
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
		if err = n.applied(&a); err != nil {
			return err
		}
	}
	return nil
}

// applied passes on what an entry did, and answers those who waited for it.
func (n *Node) applied(a *Applied) error {
	n.metrics.applied(a)
	if a.Diverged != "" {
		n.cfg.Logger.Error().Str("node", a.Diverged).Msg("the registries of two nodes differ")
	}
	if a.Settings != nil {
		n.patience.Store(patience(*a.Settings))
	}
	var taken time.Time
	if a.Node == n.cfg.Name && a.Boot == n.boot && !a.Refused {
		taken = n.out.taken(a.No)
	}
	n.cfg.Applied(*a, taken)
	n.out.forget(a.Changes)
	switch {
	case a.Node != n.cfg.Name || a.Boot != n.boot:
	case !a.Refused:
		n.seen = a.No
		n.lastOwn.Store(n.now())
		n.out.answer(a)
	case a.No > n.seen: // not just a batch that came twice
		return ErrDeclaredLost
	}
	return nil
}

// append gathers and appends, one batch at a time: at each tick, and in between
// whatever somebody waits for.
func (n *Node) append(ctx context.Context) {
	tick := time.NewTimer(0)
	defer tick.Stop()
	var digested, asked int64
	var counts bool // are due
	for {
		var ticked bool
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		case <-tick.C:
			ticked = true
		}
		counts = counts || ticked
		b := n.out.take(n.now(), n.cfg.Batch, counts)
		b.Node, b.Boot, b.Knows = n.cfg.Name, n.boot, Rules
		if ticked {
			full := n.now()-digested >= digestEvery
			if full {
				digested = n.now()
			}
			tick.Reset(n.tick(b, full))
			if n.unwritable.Load() != 0 && n.now()-asked >= askEvery {
				asked = n.now()
				n.out.tell(&SetSettings{n.cfg.Settings}) // durable, and changes nothing
			}
		}
		if !n.commit(ctx, b) {
			continue
		}
		counts = false
		if n.out.waits(n.cfg.Batch) {
			n.poke() // more than one batch takes
		}
	}
}

// askEvery is how often a log that took no durable command is asked again, in
// milliseconds.
const askEvery = 5_000

// digestEvery is how often a node says its digest, in milliseconds.
const digestEvery = 60_000

// tick returns how long it is to the next one. Once in a while it adds to the
// batch what the nodes need to know of each other: a raise of the rules is
// durable, and a disk that takes nothing must not keep back every tick's beats.
func (n *Node) tick(b *Batch, full bool) (next time.Duration) {
	n.Read(func(r *Registry) {
		next = time.Duration(r.Settings().Tick()) * time.Millisecond
		if !full {
			return
		}
		b.Digest = &Digest{At: r.Position(), Sum: r.Digest()}
		if known := r.KnownRules(); known > r.rules && r.Keeper() == n.cfg.Name {
			b.Commands = append(b.Commands, &RaiseRules{known})
		}
	})
	return next
}

// commit appends one batch until its fate is known; it reports whether the
// batch is in the log.
func (n *Node) commit(ctx context.Context, b *Batch) bool {
	sealed := b.Seal()
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := n.log.Append(ctx, sealed)
		switch {
		case err == nil:
			if sealed.Durable {
				n.unwritable.Store(0)
			}
			return true
		case errors.Is(err, ErrNotWritten):
			n.unwritable.CompareAndSwap(0, time.Now().UnixMilli())
			n.cfg.Logger.Error().Err(err).Int("commands", len(b.Commands)).Msg("nothing was written to the log")
			if n.out.notWritten(b, n.now()) {
				n.poke() // the rest needs no disk
			}
			return false
		}
		n.metrics.retries.Inc()
		n.cfg.Logger.Warn().Err(err).Msg("append failed, trying again")
		select {
		case <-ctx.Done():
			return false
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
	}
	if n.out.withdraw(call) {
		return Result{}, ErrUnavailable
	}
	select {
	case a := <-call.answer: // just in time
		return a.Result, a.err
	default:
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

// Hear notes a heartbeat of a session that is named, as apps without sockets
// do. The first through this node is answered once it is in the log, later ones
// at once, as Beat does it. It returns the errors of Do.
func (n *Node) Hear(ctx context.Context, s Session) (a Result, held bool, err error) {
	through := false
	n.Read(func(r *Registry) {
		a, _ = r.Lease(s)
		through = r.Through(s, n.cfg.Name)
	})
	if through {
		return a, n.Beat(a.Lease), nil
	}
	a, err = n.Do(ctx, &Observe{Session: s, Source: FromBeats, Sign: Heard})
	n.metrics.beats.Inc()
	return a, false, err
}

// Unwritable is since when the log has taken no durable command, although asked to;
// zero when it does.
func (n *Node) Unwritable() time.Time {
	if since := n.unwritable.Load(); since != 0 {
		return time.UnixMilli(since)
	}
	return time.Time{}
}

func (n *Node) cutOff(now int64) bool {
	return now-n.lastOwn.Load() > n.patience.Load()
}

func patience(s Settings) int64 { return min(s.Interval/2, 10_000) }

// Viewers says how many viewers a stream has on this node now.
func (n *Node) Viewers(l Lease, count int) { n.out.viewers.set(l, int64(count)) }

// Like adds to a stream's likes.
func (n *Node) Like(l Lease, count int) { n.out.likes.add(l, int64(count)) }
