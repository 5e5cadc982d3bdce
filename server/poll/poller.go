package poll

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"onair/presence"
	"onair/server/cloud"
)

// Options are what New needs.
type Options struct {
	Cloud Cloud

	// Interval is from one round to the next. Shorter hears of a lost push sooner, and
	// has less room for single queries: rate × interval, less a page for each hundred
	// that are online. Tencent asks for a minute at least between two lists.
	Interval time.Duration

	// Targets gives the sessions to ask for, at the start of each round.
	Targets func() []Target

	// Tell is told what was found out. It is called by one goroutine at a time, which
	// asks nothing meanwhile, so that it should not block for long. One session has at
	// most one word a round of that round's queries; a Failed may come a round later.
	Tell func(Word)

	Logger  zerolog.Logger
	Metrics prometheus.Registerer // nil: none
}

// Poller asks, as long as it runs.
type Poller struct {
	// Static after construction.
	o       Options
	metrics *metrics

	mu         sync.Mutex // guards what follows, and Tell
	unanswered map[presence.Session]silence
	answeredAt time.Time // when the cloud last answered; zero: not since Run
	known      map[presence.Session]record
}

// silence is a query that was not answered.
type silence struct {
	target Target
	before time.Time // when the cloud had last answered, as the query began
	ended  time.Time
}

// record is what the poller knows of a session.
type record struct {
	asked  int  // the round in which it was last asked for; 0: never
	online bool // by the last answer
}

// New returns a poller. It asks nobody before Run or Once.
func New(o Options) *Poller {
	return &Poller{o: o, metrics: newMetrics(o.Metrics)}
}

// Run asks, at once and then once an interval, until ctx ends and nothing is under way
// any more. It may be called again afterwards, by whoever is keeper again, and knows
// nothing of the time before.
func (p *Poller) Run(ctx context.Context) {
	p.mu.Lock()
	p.known, p.unanswered, p.answeredAt = nil, map[presence.Session]silence{}, time.Time{}
	p.mu.Unlock()
	tick := time.NewTicker(p.o.Interval)
	defer tick.Stop()
	for n := 1; ; n++ {
		(&round{p: p, n: n}).run(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Once asks for one stream, now, within the same budget: whether a push that is said to
// have ended really has. It returns the errors of the cloud's client. Clouds and media
// servers say so a moment before their own state does: ask a second later. It may be
// called concurrently, and while Run runs or does not.
func (p *Poller) Once(ctx context.Context, code string) (cloud.State, error) {
	if p.o.Cloud.State != nil {
		state, err := p.o.Cloud.State(ctx, code)
		p.metrics.query("one", err)
		return state, err
	}
	state := cloud.Offline
	err := p.o.Cloud.Online(ctx, func(named string) {
		if named == code {
			state = cloud.Online
		}
	})
	p.metrics.query("list", err)
	if err != nil && state != cloud.Online {
		return 0, err
	}
	return state, nil
}

// lastAnswer is when the cloud last answered anybody.
func (p *Poller) lastAnswer() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answeredAt
}

// answered notes that the cloud has answered what it was asked at a time. It tells of
// those about whom it was silent between two answers, of which one had come before they
// were asked for and the other was asked for after: unless these are so far apart that
// it was silent about everybody.
func (p *Poller) answered(asked time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answeredAt = time.Now()
	for session, s := range p.unanswered {
		if s.ended.After(asked) {
			continue // what comes next tells
		}
		delete(p.unanswered, session)
		if p.answeredAt.Sub(s.before) <= 2*p.o.Interval {
			p.sayLocked(s.target, Failed)
		}
	}
}

// silent notes that the cloud gave no answer about a session.
func (p *Poller) silent(t Target, round int, before time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unanswered[t.Session] = silence{t, before, time.Now()}
	p.known[t.Session] = record{round, p.known[t.Session].online}
}

// say tells what the cloud has answered.
func (p *Poller) say(t Target, round int, what Say) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.unanswered, t.Session)
	p.known[t.Session] = record{round, what == Online}
	p.sayLocked(t, what)
}

func (p *Poller) sayLocked(t Target, what Say) {
	p.metrics.words.WithLabelValues(what.String()).Inc()
	p.o.Tell(Word{t.Session, t.Code, what})
}

// forget keeps what is known of the sessions that live, and of no others.
func (p *Poller) forget(targets []Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	lives := make(map[presence.Session]record, len(targets))
	for _, t := range targets {
		lives[t.Session] = p.known[t.Session]
	}
	p.known = lives
}

// lateFirst sorts sessions by how long ago they were asked for: who never was comes
// first. Of those of one round, those come first that were not online.
func (p *Poller) lateFirst(targets []Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.SortStableFunc(targets, func(a, b Target) int {
		x, y := p.known[a.Session], p.known[b.Session]
		switch {
		case x.asked != y.asked || x.online == y.online:
			return cmp.Compare(x.asked, y.asked)
		case y.online:
			return -1
		}
		return 1
	})
}
