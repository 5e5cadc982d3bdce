package redismodel

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Options say how a Redis behaves.
type Options struct {
	Seed uint64
	// TrimNode is how many entries of a stream are trimmed together (100).
	TrimNode int
	// Appended is called for every entry that is appended, with the number and the
	// history that it was given. It must not call the model. May be nil.
	Appended func(num uint64, history string)
}

// Redis is the server. Its methods may be called concurrently.
type Redis struct {
	// Static after New.
	options Options

	mu      sync.Mutex // guards all below
	rng     *rand.Rand
	store   *store
	scripts map[string]string // the names of those that are cached, by hash
	repl    string
	ahead   time.Duration // of its clock
	stopped bool
	down    bool
	full    bool
	backlog []func()      // what came while it was stopped
	life    *life         // of the connections that there are
	news    chan struct{} // closed when something was written, or it goes on
}

// life is that of connections: of all of a server, or of all of a link.
type life struct{ over chan struct{} }

func newLife() *life { return &life{make(chan struct{})} }

func (l *life) end() { close(l.over) }

// New gives an empty Redis.
func New(o Options) *Redis {
	if o.TrimNode == 0 {
		o.TrimNode = 100
	}
	if o.Appended == nil {
		o.Appended = func(uint64, string) {}
	}
	r := &Redis{
		options: o, rng: rand.New(rand.NewPCG(o.Seed, 1)), store: newStore(), scripts: map[string]string{},
		life: newLife(), news: make(chan struct{}),
	}
	r.rename()
	return r
}

// rename gives it another replication id. The caller holds mu, here and below.
func (r *Redis) rename() {
	r.repl = fmt.Sprintf("%016x%016x%08x", r.rng.Uint64(), r.rng.Uint64(), r.rng.Uint32())
}

// breakOff ends all connections, and what came on them and was not done.
func (r *Redis) breakOff() {
	r.life.end()
	r.life, r.backlog = newLife(), nil
	r.wake()
}

// wake has those look again who wait for something.
func (r *Redis) wake() {
	close(r.news)
	r.news = make(chan struct{})
}

// now is its TIME.
func (r *Redis) now() time.Time { return time.Now().Add(r.ahead) }

// clock is the same in milliseconds.
func (r *Redis) clock() int64 { return r.now().UnixMilli() }

func (r *Redis) locked(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// Stop has it accept, and answer nothing, as SIGSTOP does.
func (r *Redis) Stop() { r.locked(func() { r.stopped = true }) }

// Continue has it do what it was asked for since Stop, and go on.
func (r *Redis) Continue() {
	r.locked(func() {
		r.stopped = false
		for _, do := range r.backlog {
			do()
		}
		r.backlog = nil
		r.wake()
	})
}

// Down ends it: nobody can connect. What it has is kept on disk.
func (r *Redis) Down() {
	r.locked(func() {
		r.down, r.stopped = true, false
		r.breakOff()
	})
}

// Up starts it again, with what it has on disk, under another replication id.
func (r *Redis) Up() {
	r.locked(func() {
		r.down, r.scripts = false, map[string]string{}
		r.rename()
	})
}

// Restart ends it and starts it again at once; keep says whether with its data.
func (r *Redis) Restart(keep bool) {
	r.Down()
	if !keep {
		r.locked(func() { r.store = newStore() })
	}
	r.Up()
}

// Flush is FLUSHALL: all is gone, under the same replication id.
func (r *Redis) Flush() {
	r.locked(func() {
		r.store = newStore()
		r.wake()
	})
}

// Failover puts a replica in its place that lacks what was written in the last
// lost, and whose clock is ahead by step.
func (r *Redis) Failover(lost, step time.Duration) {
	r.locked(func() {
		r.store.lose(time.Now().Add(-lost))
		r.ahead += step
		r.stopped, r.scripts = false, map[string]string{}
		r.rename()
		r.breakOff()
	})
}

// Step sets its clock, forwards or backwards.
func (r *Redis) Step(by time.Duration) { r.locked(func() { r.ahead += by }) }

// Full has it refuse writes for want of memory, or take them again.
func (r *Redis) Full(full bool) { r.locked(func() { r.full = full }) }

// do executes commands one after the other, on a connection of some life, and
// gives the answers to then, if any; later, while it is stopped.
func (r *Redis) do(on *life, cmds [][]any, then func([]answer)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if on != r.life || r.down {
		return
	}
	execute := func() {
		answers := make([]answer, len(cmds))
		for i, args := range cmds {
			answers[i] = r.command(args)
		}
		if then != nil {
			then(answers)
		}
	}
	if r.stopped {
		r.backlog = append(r.backlog, execute)
		return
	}
	execute()
}
