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
	Provider Provider

	// Interval is from one round to the next. Shorter hears of a lost push sooner, and
	// has less room for single queries: rate × interval, less a page for each hundred
	// that are online. Tencent asks for a minute at least between two lists.
	Interval time.Duration

	// Targets gives the sessions to ask for, at the start of each round.
	Targets func() []Target

	// OnResult is told what was found out. It is called by one goroutine at a time, which
	// asks nothing meanwhile, so that it should not block for long. One session has at
	// most one word a round of that round's queries; a Failed may come a round later.
	OnResult func(Result)

	Logger  zerolog.Logger
	Metrics prometheus.Registerer // nil: none
}

// Poller asks, as long as it runs.
type Poller struct {
	// Static after construction.
	options Options
	metrics *metrics

	mu         sync.Mutex // guards what follows, and Tell
	unanswered map[presence.Session]unansweredQuery
	answeredAt time.Time // when the cloud last answered; zero: not since Run
	lastPolls  map[presence.Session]lastPoll
}

// unansweredQuery is a query that was not answered.
type unansweredQuery struct {
	target           Target
	previousAnswerAt time.Time // when the cloud had last answered, as the query began
	endedAt          time.Time
}

// lastPoll is what the poller knows of a session.
type lastPoll struct {
	round     int  // the round in which it was last asked for; 0: never
	wasOnline bool // by the last answer
}

// New returns a poller. It asks nobody before Run or Once.
func New(o Options) *Poller {
	return &Poller{options: o, metrics: newMetrics(o.Metrics)}
}

// Run asks, at once and then once an interval, until ctx ends and nothing is under way
// any more. It may be called again afterwards, by whoever is keeper again, and knows
// nothing of the time before.
func (p *Poller) Run(ctx context.Context) {
	p.mu.Lock()
	p.lastPolls, p.unanswered, p.answeredAt = nil, map[presence.Session]unansweredQuery{}, time.Time{}
	p.mu.Unlock()
	tick := time.NewTicker(p.options.Interval)
	defer tick.Stop()
	for n := 1; ; n++ {
		(&round{poller: p, number: n}).run(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// QueryNow asks for one stream, now, within the same budget: whether a push that is said to
// have ended really has. It returns the errors of the cloud's client. Clouds and media
// servers say so a moment before their own state does: ask a second later. It may be
// called concurrently, and while Run runs or does not.
func (p *Poller) QueryNow(ctx context.Context, code string) (cloud.State, error) {
	if p.options.Provider.PushState != nil {
		state, err := p.options.Provider.PushState(ctx, code)
		p.metrics.countQuery("one", err)
		return state, err
	}
	state := cloud.Offline
	err := p.options.Provider.ForEachOnline(ctx, func(named string) {
		if named == code {
			state = cloud.Online
		}
	})
	p.metrics.countQuery("list", err)
	if err != nil && state != cloud.Online {
		return 0, err
	}
	return state, nil
}

// lastAnswerTime is when the cloud last answered anybody.
func (p *Poller) lastAnswerTime() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answeredAt
}

// recordAnswer notes that the cloud has answered what it was asked at a time. It tells of
// those about whom it was silent between two answers, of which one had come before they
// were asked for and the other was asked for after: unless these are so far apart that
// it was silent about everybody.
func (p *Poller) recordAnswer(asked time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answeredAt = time.Now()
	for session, s := range p.unanswered {
		if s.endedAt.After(asked) {
			continue // what comes next tells
		}
		delete(p.unanswered, session)
		if p.answeredAt.Sub(s.previousAnswerAt) <= 2*p.options.Interval {
			p.reportLocked(s.target, NoAnswer)
		}
	}
}

// recordNoAnswer notes that the cloud gave no answer about a session.
func (p *Poller) recordNoAnswer(t Target, round int, before time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unanswered[t.Session] = unansweredQuery{t, before, time.Now()}
	p.lastPolls[t.Session] = lastPoll{round, p.lastPolls[t.Session].wasOnline}
}

// reportStatus tells what the cloud has answered.
func (p *Poller) reportStatus(t Target, round int, what Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.unanswered, t.Session)
	p.lastPolls[t.Session] = lastPoll{round, what == Online}
	p.reportLocked(t, what)
}

func (p *Poller) reportLocked(t Target, what Status) {
	p.metrics.results.WithLabelValues(what.String()).Inc()
	p.options.OnResult(Result{t.Session, t.Code, what})
}

// retainTargets keeps what is known of the sessions that live, and of no others.
func (p *Poller) retainTargets(targets []Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	lives := make(map[presence.Session]lastPoll, len(targets))
	for _, t := range targets {
		lives[t.Session] = p.lastPolls[t.Session]
	}
	p.lastPolls = lives
}

// sortByLastPoll sorts sessions by how long ago they were asked for: who never was comes
// first. Of those of one round, those come first that were not online.
func (p *Poller) sortByLastPoll(targets []Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.SortStableFunc(targets, func(a, b Target) int {
		x, y := p.lastPolls[a.Session], p.lastPolls[b.Session]
		switch {
		case x.round != y.round || x.wasOnline == y.wasOnline:
			return cmp.Compare(x.round, y.round)
		case y.wasOnline:
			return -1
		}
		return 1
	})
}
