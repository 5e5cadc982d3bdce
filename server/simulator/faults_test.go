//go:build !race

package simulator

import (
	"math/rand/v2"
	"time"

	"onair/presence/redislog/redismodel"
	"onair/server/auth"
)

// faultClass selects faults in addition to those that lose no entries.
type faultClass struct {
	name                              string
	clockSteps, failovers, emptyRedis bool // emptyRedis: Redis loses all entries
}

var faultClasses = []faultClass{
	{name: "a"},
	{name: "b", clockSteps: true},
	{name: "c", failovers: true},
	{name: "d", clockSteps: true, failovers: true, emptyRedis: true},
}

// faultKind is a kind of fault. begin also schedules its end.
type faultKind struct {
	weight int
	begin  func(w *world, r *rand.Rand)
}

// faultKinds returns the kinds of faults of a class.
func faultKinds(c faultClass) []faultKind {
	all := []faultKind{
		{3, (*world).isolateHost},
		{3, (*world).crashRandomHost},
		{1, (*world).restartAllNodes},
		{3, (*world).pauseRedis},
		{2, (*world).shutDownRedis},
		{3, (*world).cutHostFromRedis},
		{3, (*world).slowHostReads},
		{1, (*world).fillRedis},
		{1, (*world).banAnchor},
	}
	if c.clockSteps {
		all = append(all, faultKind{4, (*world).stepClock})
	}
	if c.failovers {
		all = append(all, faultKind{5, (*world).failOverRedis})
	}
	if c.emptyRedis {
		all = append(all, faultKind{2, (*world).emptyRedis})
	}
	return all
}

// injectFaults begins random faults until shortly before simFaultsEnd.
func (w *world) injectFaults() {
	faults := faultKinds(w.class)
	sum := 0
	for _, f := range faults {
		sum += f.weight
	}
	for {
		time.Sleep(randomDuration(w.rng, 500*time.Millisecond, 4500*time.Millisecond))
		if w.elapsed() > simFaultsEnd-time.Second {
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

// endNetworkFaults ends lost and late replies between nodes and Redis.
func (w *world) endNetworkFaults() {
	w.traceEvent("network faults end")
	for _, h := range w.hosts {
		h.changeRedisFaults(func(l *redismodel.Faults) { *l = redismodel.Faults{MaxDelay: l.MaxDelay} })
	}
}

// schedule calls a function after a time, at the latest at simFaultsEnd.
func (w *world) schedule(d time.Duration, do func()) {
	time.AfterFunc(max(1, min(d, simFaultsEnd-w.elapsed()+randomDuration(w.rng, 0, 100*time.Millisecond))), do)
}

func (w *world) randomHost() *host { return w.hosts[w.rng.IntN(len(w.hosts))] }

func (w *world) isolateHost(r *rand.Rand) {
	h := w.randomHost()
	h.setUnreachable(true)
	w.schedule(randomDuration(r, time.Second, 16*time.Second), func() { h.setUnreachable(false) })
}

func (w *world) crashRandomHost(r *rand.Rand) {
	h := w.randomHost()
	back := randomDuration(r, 300*time.Millisecond, 8*time.Second)
	if h.endNode(true) != nil {
		w.schedule(back, h.startNode)
	}
}

// restartAllNodes restarts the nodes one after the other, as an upgrade does.
func (w *world) restartAllNodes(r *rand.Rand) {
	pause := randomDuration(r, 500*time.Millisecond, 3*time.Second)
	w.clients.Go(func() {
		for _, h := range w.hosts {
			if w.elapsed() > simFaultsEnd-5*time.Second {
				return
			}
			if n := h.endNode(false); n != nil {
				<-n.done
				time.Sleep(100 * time.Millisecond)
				h.startNode()
				time.Sleep(pause)
			}
		}
	})
}

func (w *world) pauseRedis(r *rand.Rand) {
	w.traceEvent("redis stops answering")
	w.redis.Pause()
	w.schedule(randomDuration(r, 500*time.Millisecond, 9*time.Second), func() {
		w.traceEvent("redis answers again")
		w.redis.Resume()
	})
}

func (w *world) shutDownRedis(r *rand.Rand) {
	w.traceEvent("redis is down")
	w.redis.Shutdown()
	w.schedule(randomDuration(r, 200*time.Millisecond, 6*time.Second), func() {
		w.traceEvent("redis is up")
		w.redis.Start()
	})
}

func (w *world) cutHostFromRedis(r *rand.Rand) {
	h := w.randomHost()
	w.traceEvent("%s is disconnected from redis", h.name)
	cut := func(on bool) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.node != nil && !h.isUnreachable {
			h.node.link.SetPartitioned(on)
		}
	}
	cut(true)
	w.schedule(randomDuration(r, 500*time.Millisecond, 20*time.Second), func() {
		w.traceEvent("%s is connected to redis again", h.name)
		cut(false)
	})
}

func (w *world) slowHostReads(r *rand.Rand) {
	h := w.randomHost()
	tailDelay, dropsReplies := randomDuration(r, 200*time.Millisecond, 900*time.Millisecond), r.IntN(3) == 0
	w.traceEvent("%s reads slowly: %v, drops replies: %v", h.name, tailDelay, dropsReplies)
	h.changeRedisFaults(func(l *redismodel.Faults) { l.MaxTailDelay, l.DropTailReplies = tailDelay, dropsReplies })
	w.schedule(randomDuration(r, time.Second, 8*time.Second), func() {
		w.traceEvent("%s reads normally", h.name)
		h.changeRedisFaults(func(l *redismodel.Faults) { l.MaxTailDelay, l.DropTailReplies = 0, false })
	})
}

func (w *world) fillRedis(r *rand.Rand) {
	w.traceEvent("redis is full")
	w.redis.SetOutOfMemory(true)
	w.schedule(randomDuration(r, 300*time.Millisecond, 4*time.Second), func() {
		w.traceEvent("redis has room")
		w.redis.SetOutOfMemory(false)
	})
}

func (w *world) stepClock(r *rand.Rand) {
	by := randomDuration(r, -20*time.Second, 20*time.Second)
	w.traceEvent("redis's clock is set by %v", by)
	w.oracle.recordClockStep(by)
	w.redis.StepClock(by)
}

func (w *world) failOverRedis(r *rand.Rand) {
	lostTime, step := randomDuration(r, 0, 4*time.Second), time.Duration(0)
	if w.class.clockSteps {
		step = randomDuration(r, -20*time.Second, 20*time.Second)
	}
	w.traceEvent("redis fails over: it loses %v, and its clock is set by %v", lostTime, step)
	w.oracle.recordClockStep(step)
	w.redis.Failover(lostTime, step)
}

func (w *world) emptyRedis(r *rand.Rand) {
	if r.IntN(2) == 0 {
		w.traceEvent("redis is flushed")
		w.redis.FlushAll()
		return
	}
	w.traceEvent("redis restarts empty")
	w.redis.Restart(false)
}

// banAnchor bans an anchor for some seconds, over HTTP.
func (w *world) banAnchor(r *rand.Rand) {
	a := w.anchors[r.IntN(len(w.anchors))]
	h, token := w.randomHost(), w.token(auth.Admin, "admin")
	banDuration := randomDuration(r, 3*time.Second, 12*time.Second)
	o := w.oracle
	o.mu.Lock()
	old := o.bans[a.name]
	if old == nil {
		o.bans[a.name] = &simBan{requestedAt: time.Now()}
	}
	b := o.bans[a.name]
	o.mu.Unlock()
	if old != nil {
		return // each anchor is banned at most once
	}
	rng := w.newRand("ban " + a.name)
	w.clients.Go(func() {
		status, _, _ := h.callHTTP("PUT", "/v1/bans/"+a.name, token, "", nil, 3*time.Second)
		w.traceEvent("%s is banned over %s: %d", a.name, h.name, status)
		if status == 200 {
			o.mu.Lock()
			b.ackedAt = time.Now()
			o.mu.Unlock()
		}
		time.Sleep(banDuration)
		o.mu.Lock()
		b.liftedAt = time.Now()
		o.mu.Unlock()
		for w.elapsed() < simChangesEnd {
			if status, _, _ := w.hosts[rng.IntN(len(w.hosts))].callHTTP("DELETE", "/v1/bans/"+a.name, token, "", nil, 3*time.Second); status == 204 {
				w.traceEvent("%s is no longer banned", a.name)
				return
			}
			time.Sleep(randomDuration(rng, 100*time.Millisecond, time.Second))
		}
	})
}
