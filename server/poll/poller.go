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

// Options configure a Poller.
type Options struct {
	Provider Provider

	// Interval is the time from one round to the next. A shorter interval detects a lost
	// push sooner and leaves room for fewer single queries: rate × interval, minus one
	// for each hundred streams online. Tencent requires a minute between two lists.
	Interval time.Duration

	// Targets returns the sessions to poll, at the start of each round.
	Targets func() []Target

	// OnResult receives the results, one call at a time. It should return soon: no result
	// is processed meanwhile. A session has at most one result per round, except that a
	// NoAnswer may come one round later.
	OnResult func(Result)

	Logger  zerolog.Logger
	Metrics prometheus.Registerer // nil: none
}

// Poller polls the provider while it runs.
type Poller struct {
	// Static after construction.
	options Options
	metrics *metrics

	mu         sync.Mutex // guards the fields below and OnResult
	unanswered map[presence.Session]unansweredQuery
	answeredAt time.Time // of the provider's latest response; zero: none since Run
	lastPolls  map[presence.Session]lastPoll
}

// unansweredQuery is a query without a response.
type unansweredQuery struct {
	target           Target
	previousAnswerAt time.Time // of the provider's latest response before the query
	endedAt          time.Time
}

// lastPoll is the latest query for a session.
type lastPoll struct {
	round     int  // 0: never
	wasOnline bool // by the latest response
}

// NewPoller returns a poller. It sends no query before Run or QueryPushState.
func NewPoller(o Options) *Poller {
	return &Poller{options: o, metrics: newMetrics(o.Metrics)}
}

// Run polls immediately and then once per interval until ctx ends, and returns when no
// query is in progress. It may be called again, when the node becomes leader again, and
// starts without earlier results.
func (p *Poller) Run(ctx context.Context) {
	p.mu.Lock()
	p.lastPolls, p.unanswered, p.answeredAt = nil, map[presence.Session]unansweredQuery{}, time.Time{}
	p.mu.Unlock()
	ticker := time.NewTicker(p.options.Interval)
	defer ticker.Stop()
	for number := 1; ; number++ {
		(&round{poller: p, number: number}).run(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// QueryPushState returns the state of one stream, within the same budget, to confirm the end of
// a push. It returns the errors of the provider's client. Providers report an end shortly
// before their own state changes: query a second later. It is safe for concurrent use,
// also while Run runs.
func (p *Poller) QueryPushState(ctx context.Context, code string) (cloud.State, error) {
	if p.options.Provider.PushState != nil {
		state, err := p.options.Provider.PushState(ctx, code)
		p.metrics.countQuery("one", err)
		return state, err
	}
	state := cloud.Offline
	err := p.options.Provider.ForEachOnline(ctx, func(onlineCode string) {
		if onlineCode == code {
			state = cloud.Online
		}
	})
	p.metrics.countQuery("list", err)
	if err != nil && state != cloud.Online {
		return 0, err
	}
	return state, nil
}

// lastAnswerTime returns the time of the provider's latest response.
func (p *Poller) lastAnswerTime() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answeredAt
}

// recordAnswerAndReportUnanswered records a response to a query that was sent at queriedAt. It reports
// NoAnswer for unanswered queries between two responses: one before the query, and one to
// a query after it. If these are too far apart, it was an outage of the provider.
func (p *Poller) recordAnswerAndReportUnanswered(queriedAt time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answeredAt = time.Now()
	for session, q := range p.unanswered {
		if q.endedAt.After(queriedAt) {
			continue // a later response decides
		}
		delete(p.unanswered, session)
		if p.answeredAt.Sub(q.previousAnswerAt) <= 2*p.options.Interval {
			p.reportLocked(q.target, NoAnswer)
		}
	}
}

// recordUnansweredQuery records a query without a response.
func (p *Poller) recordUnansweredQuery(t Target, round int, previousAnswerAt time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unanswered[t.Session] = unansweredQuery{t, previousAnswerAt, time.Now()}
	p.lastPolls[t.Session] = lastPoll{round, p.lastPolls[t.Session].wasOnline}
}

// reportStatus records and reports the provider's response about a session.
func (p *Poller) reportStatus(t Target, round int, status Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.unanswered, t.Session)
	p.lastPolls[t.Session] = lastPoll{round, status == Online}
	p.reportLocked(t, status)
}

func (p *Poller) reportLocked(t Target, status Status) {
	p.metrics.results.WithLabelValues(status.String()).Inc()
	p.options.OnResult(Result{t.Session, t.Code, status})
}

// discardLastPollsExcept deletes the latest polls of all sessions except the targets.
func (p *Poller) discardLastPollsExcept(targets []Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	retained := make(map[presence.Session]lastPoll, len(targets))
	for _, t := range targets {
		retained[t.Session] = p.lastPolls[t.Session]
	}
	p.lastPolls = retained
}

// sortByLastPoll sorts targets by their latest query, never queried ones first. Within one
// round, those that were not online come first.
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
