//go:build !race

package simulator

import (
	"math/rand/v2"
	"time"

	"onair/presence/redislog/redismodel"
	"onair/server/auth"
)

// simClass is which faults there are beside those that lose nothing.
type simClass struct {
	name                   string
	steps, failovers, void bool // void: Redis comes back empty
}

var simClasses = []simClass{
	{name: "a"},
	{name: "b", steps: true},
	{name: "c", failovers: true},
	{name: "d", steps: true, failovers: true, void: true},
}

// simFault is one kind of fault; begin has it end again in so long.
type simFault struct {
	weight int
	begin  func(w *world, r *rand.Rand)
}

// faultsOf are the kinds of a class.
func faultsOf(c simClass) []simFault {
	all := []simFault{
		{3, (*world).freezeHost},
		{3, (*world).crashHost},
		{1, (*world).roll},
		{3, (*world).stopRedis},
		{2, (*world).downRedis},
		{3, (*world).cutHost},
		{3, (*world).lagHost},
		{1, (*world).fillRedis},
		{1, (*world).ban},
	}
	if c.steps {
		all = append(all, simFault{4, (*world).stepClock})
	}
	if c.failovers {
		all = append(all, simFault{5, (*world).failOver})
	}
	if c.void {
		all = append(all, simFault{2, (*world).empty})
	}
	return all
}

// vex has things go wrong until it is time for quiet.
func (w *world) vex() {
	faults := faultsOf(w.class)
	sum := 0
	for _, f := range faults {
		sum += f.weight
	}
	for {
		time.Sleep(between(w.rng, 500*time.Millisecond, 4500*time.Millisecond))
		if w.since() > simFaults-time.Second {
			return
		}
		k := w.rng.IntN(sum)
		for _, f := range faults {
			if k -= f.weight; k < 0 {
				f.begin(w, w.rng)
				break
			}
		}
	}
}

// clear has the network between nodes and Redis be as it should.
func (w *world) clear() {
	w.note("the weather is fair")
	for _, h := range w.hosts {
		h.set(func(l *redismodel.Faults) { *l = redismodel.Faults{MaxDelay: l.MaxDelay} })
	}
}

// later does something after so long, but before the quiet at the latest.
func (w *world) later(d time.Duration, do func()) {
	time.AfterFunc(max(1, min(d, simFaults-w.since()+between(w.rng, 0, 100*time.Millisecond))), do)
}

func (w *world) host() *host { return w.hosts[w.rng.IntN(len(w.hosts))] }

func (w *world) freezeHost(r *rand.Rand) {
	h := w.host()
	h.freeze(true)
	w.later(between(r, time.Second, 16*time.Second), func() { h.freeze(false) })
}

func (w *world) crashHost(r *rand.Rand) {
	h := w.host()
	back := between(r, 300*time.Millisecond, 8*time.Second)
	if h.end(true) != nil {
		w.later(back, h.start)
	}
}

// roll restarts all nodes, one after the other, as an upgrade does.
func (w *world) roll(r *rand.Rand) {
	pause := between(r, 500*time.Millisecond, 3*time.Second)
	w.people.Go(func() {
		for _, h := range w.hosts {
			if w.since() > simFaults-5*time.Second {
				return
			}
			if n := h.end(false); n != nil {
				<-n.done
				time.Sleep(100 * time.Millisecond)
				h.start()
				time.Sleep(pause)
			}
		}
	})
}

func (w *world) stopRedis(r *rand.Rand) {
	w.note("redis stops answering")
	w.redis.Pause()
	w.later(between(r, 500*time.Millisecond, 9*time.Second), func() {
		w.note("redis answers again")
		w.redis.Resume()
	})
}

func (w *world) downRedis(r *rand.Rand) {
	w.note("redis is down")
	w.redis.Shutdown()
	w.later(between(r, 200*time.Millisecond, 6*time.Second), func() {
		w.note("redis is up")
		w.redis.Start()
	})
}

func (w *world) cutHost(r *rand.Rand) {
	h := w.host()
	w.note("%s is cut off redis", h.name)
	cut := func(on bool) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.node != nil && !h.frozen {
			h.node.link.SetPartitioned(on)
		}
	}
	cut(true)
	w.later(between(r, 500*time.Millisecond, 20*time.Second), func() {
		w.note("%s is no longer cut off redis", h.name)
		cut(false)
	})
}

func (w *world) lagHost(r *rand.Rand) {
	h := w.host()
	tail, deaf := between(r, 200*time.Millisecond, 900*time.Millisecond), r.IntN(3) == 0
	w.note("%s reads slowly: %v, deaf: %v", h.name, tail, deaf)
	h.set(func(l *redismodel.Faults) { l.MaxTailDelay, l.DropTailReplies = tail, deaf })
	w.later(between(r, time.Second, 8*time.Second), func() {
		w.note("%s reads as ever", h.name)
		h.set(func(l *redismodel.Faults) { l.MaxTailDelay, l.DropTailReplies = 0, false })
	})
}

func (w *world) fillRedis(r *rand.Rand) {
	w.note("redis is full")
	w.redis.SetOutOfMemory(true)
	w.later(between(r, 300*time.Millisecond, 4*time.Second), func() {
		w.note("redis has room")
		w.redis.SetOutOfMemory(false)
	})
}

func (w *world) stepClock(r *rand.Rand) {
	by := between(r, -20*time.Second, 20*time.Second)
	w.note("redis's clock is set by %v", by)
	w.oracle.stepped(by)
	w.redis.StepClock(by)
}

func (w *world) failOver(r *rand.Rand) {
	lost, step := between(r, 0, 4*time.Second), time.Duration(0)
	if w.class.steps {
		step = between(r, -20*time.Second, 20*time.Second)
	}
	w.note("redis fails over: it loses %v, and its clock is set by %v", lost, step)
	w.oracle.stepped(step)
	w.redis.Failover(lost, step)
}

func (w *world) empty(r *rand.Rand) {
	if r.IntN(2) == 0 {
		w.note("redis is flushed")
		w.redis.FlushAll()
		return
	}
	w.note("redis comes back empty")
	w.redis.Restart(false)
}

// ban bans an anchor for a while, over HTTP.
func (w *world) ban(r *rand.Rand) {
	a := w.anchors[r.IntN(len(w.anchors))]
	h, token := w.host(), w.token(auth.Admin, "admin")
	lasts := between(r, 3*time.Second, 12*time.Second)
	o := w.oracle
	o.mu.Lock()
	old := o.bans[a.name]
	if old == nil {
		o.bans[a.name] = &simBan{asked: time.Now()}
	}
	b := o.bans[a.name]
	o.mu.Unlock()
	if old != nil {
		return // one is enough
	}
	own := w.lot("ban " + a.name)
	w.people.Go(func() {
		status, _, _ := h.call("PUT", "/v1/bans/"+a.name, token, "", nil, 3*time.Second)
		w.note("%s is banned over %s: %d", a.name, h.name, status)
		if status == 200 {
			o.mu.Lock()
			b.acked = time.Now()
			o.mu.Unlock()
		}
		time.Sleep(lasts)
		o.mu.Lock()
		b.lifted = time.Now()
		o.mu.Unlock()
		for w.since() < simActs {
			if status, _, _ := w.hosts[own.IntN(len(w.hosts))].call("DELETE", "/v1/bans/"+a.name, token, "", nil, 3*time.Second); status == 204 {
				w.note("%s is no longer banned", a.name)
				return
			}
			time.Sleep(between(own, 100*time.Millisecond, time.Second))
		}
	})
}
