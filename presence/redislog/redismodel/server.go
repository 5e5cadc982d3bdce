package redismodel

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Options configure New.
type Options struct {
	Seed uint64 // of the replication ids
	// EntriesPerNode is how many entries of a stream a trim removes together (100),
	// as Redis removes whole nodes of its radix tree.
	EntriesPerNode int
	// OnAppended is called for each appended entry, with its number and epoch. It
	// must not call the model. May be nil.
	OnAppended func(number uint64, epoch string)
}

// Redis is the server. Its methods may be called concurrently.
type Redis struct {
	// Static after New.
	options Options

	mu          sync.Mutex // guards all below
	rng         *rand.Rand
	keys        *keyspace
	scriptNames map[string]string // of cached scripts, by SHA-1
	replID      string
	clockOffset time.Duration
	state       serverState
	backlog     []func()      // requests that came during a pause
	connections *connections  // all that are open
	changed     chan struct{} // closed and replaced after writes and pauses
}

// serverState are the faults of the server.
type serverState struct{ paused, down, outOfMemory bool }

// connections are all open connections of a server, or of a link. They break together.
type connections struct{ broken chan struct{} }

func newConnections() *connections { return &connections{make(chan struct{})} }

// New returns an empty Redis.
func New(o Options) *Redis {
	if o.EntriesPerNode == 0 {
		o.EntriesPerNode = 100
	}
	if o.OnAppended == nil {
		o.OnAppended = func(uint64, string) {}
	}
	r := &Redis{
		options: o, rng: rand.New(rand.NewPCG(o.Seed, 1)), keys: newKeyspace(), scriptNames: map[string]string{},
		connections: newConnections(), changed: make(chan struct{}),
	}
	r.changeReplID()
	return r
}

// changeReplID draws a new replication id. The caller holds mu, here and below.
func (r *Redis) changeReplID() {
	r.replID = fmt.Sprintf("%016x%016x%08x", r.rng.Uint64(), r.rng.Uint64(), r.rng.Uint32())
}

// breakConnections breaks all connections, and drops the backlog.
func (r *Redis) breakConnections() {
	close(r.connections.broken)
	r.connections, r.backlog = newConnections(), nil
	r.wakeReaders()
}

// wakeReaders wakes requests that wait for an entry or for the end of a pause.
func (r *Redis) wakeReaders() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// now returns the time of the server's clock.
func (r *Redis) now() time.Time { return time.Now().Add(r.clockOffset) }

func (r *Redis) withLock(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// Pause makes the server accept requests without a reply, as SIGSTOP does.
func (r *Redis) Pause() { r.withLock(func() { r.state.paused = true }) }

// Resume executes the requests since Pause, and ends the pause.
func (r *Redis) Resume() {
	r.withLock(func() {
		r.state.paused = false
		for _, execute := range r.backlog {
			execute()
		}
		r.backlog = nil
		r.wakeReaders()
	})
}

// Shutdown stops the server. It refuses connections until Start. The data stay on
// disk.
func (r *Redis) Shutdown() {
	r.withLock(func() {
		r.state.down, r.state.paused = true, false
		r.breakConnections()
	})
}

// Start starts the server again, with its data and a new replication id.
func (r *Redis) Start() {
	r.withLock(func() {
		r.state.down, r.scriptNames = false, map[string]string{}
		r.changeReplID()
	})
}

// Restart stops and starts the server, with its data or empty.
func (r *Redis) Restart(keepData bool) {
	r.Shutdown()
	if !keepData {
		r.withLock(func() { r.keys = newKeyspace() })
	}
	r.Start()
}

// FlushAll deletes all keys, as FLUSHALL does. The replication id stays.
func (r *Redis) FlushAll() {
	r.withLock(func() {
		r.keys = newKeyspace()
		r.wakeReaders()
	})
}

// Failover replaces the server by a replica that lacks the newest writes, and whose
// clock is ahead by clockStep.
func (r *Redis) Failover(lostPeriod, clockStep time.Duration) {
	r.withLock(func() {
		r.keys.undoChangesAfter(time.Now().Add(-lostPeriod))
		r.clockOffset += clockStep
		r.state.paused, r.scriptNames = false, map[string]string{}
		r.changeReplID()
		r.breakConnections()
	})
}

// Promote returns a second server: a promoted replica that lacks the newest writes. This
// server goes on, as an old primary that is separated from it. See Link.MoveTo.
func (r *Redis) Promote(lostPeriod time.Duration) *Redis {
	options := r.options
	options.Seed++ // another replication id
	promoted := New(options)
	r.withLock(func() {
		promoted.keys, promoted.clockOffset = r.keys.clone(time.Now().Add(-lostPeriod)), r.clockOffset
	})
	return promoted
}

// StepClock moves the server's clock, forwards or backwards.
func (r *Redis) StepClock(by time.Duration) { r.withLock(func() { r.clockOffset += by }) }

// SetOutOfMemory makes the server refuse writes, or accept them again.
func (r *Redis) SetOutOfMemory(outOfMemory bool) {
	r.withLock(func() { r.state.outOfMemory = outOfMemory })
}

// execute runs commands in order, at once or after a pause, and passes the replies
// to onReplies, which may be nil. It drops commands from broken connections.
func (r *Redis) execute(from *connections, cmds [][]any, onReplies func([]reply)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if from != r.connections || r.state.down {
		return
	}
	run := func() {
		replies := make([]reply, len(cmds))
		for i, args := range cmds {
			replies[i] = r.runCommand(args)
		}
		if onReplies != nil {
			onReplies(replies)
		}
	}
	if r.state.paused {
		r.backlog = append(r.backlog, run)
		return
	}
	run()
}
