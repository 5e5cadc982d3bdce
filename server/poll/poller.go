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
)

// Options configure a Poller.
type Options struct {
	Provider Provider

	// Interval is the time from one round to the next. A shorter interval detects a lost
	// push sooner and leaves room for fewer single queries: rate × interval, minus one
	// for each hundred streams online. Tencent requires a minute between two lists.
	Interval time.Duration

	// Targets returns the sessions to poll, at the start of each round.
	Targets func() []presence.PollTarget

	// OnResult receives the results (PollOnline, PollOffline or PollFailed), one call at a
	// time. It should return soon: no result is processed meanwhile. A session has at most
	// one result per round, except that a PollFailed may come one round later.
	OnResult func(target presence.PollTarget, signal presence.Signal)

	Logger  zerolog.Logger
	Metrics prometheus.Registerer // nil: none
}

// Poller polls the provider while it runs.
type Poller struct {
	// Static after construction.
	Options
	metrics *metrics

	mu         sync.Mutex // guards the fields below and OnResult
	unanswered map[presence.Session]unansweredQuery
	answeredAt time.Time // of the provider's latest response; zero: none since Run
	lastPolls  map[presence.Session]lastPoll
}

// unansweredQuery is a query without a response.
type unansweredQuery struct {
	target           presence.PollTarget
	previousAnswerAt time.Time // of the provider's latest response before the query
	endedAt          time.Time
}

// lastPoll is the latest query for a session.
type lastPoll struct {
	round     int  // 0: never
	wasOnline bool // by the latest response
}

// NewPoller returns a poller. It sends no query before Run or QueryIsOnline.
func NewPoller(o Options) *Poller {
	return &Poller{Options: o, metrics: newMetrics(o.Metrics)}
}

// Run polls immediately and then once per interval until ctx ends, and returns when no
// query is in progress. It may be called again, when the node becomes leader again, and
// starts without earlier results.
func (p *Poller) Run(ctx context.Context) {
	p.mu.Lock()
	p.lastPolls, p.unanswered, p.answeredAt = nil, map[presence.Session]unansweredQuery{}, time.Time{}
	p.mu.Unlock()
	ticker := time.NewTicker(p.Interval)
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

// QueryIsOnline returns whether there is a push to a live code, within the same budget, to
// confirm the end of a push. It returns the errors of the provider's client. Providers report
// an end shortly before their own state changes: query a second later. It is safe for
// concurrent use, also while Run runs.
func (p *Poller) QueryIsOnline(ctx context.Context, code string) (isOnline bool, err error) {
	if p.Provider.IsOnline != nil {
		isOnline, err = p.Provider.IsOnline(ctx, code)
		p.metrics.countQuery("one", err)
		return isOnline, err
	}
	err = p.Provider.ForEachOnline(ctx, func(onlineCode string) { isOnline = isOnline || onlineCode == code })
	p.metrics.countQuery("list", err)
	if isOnline {
		err = nil // the codes read before an error are online still
	}
	return isOnline, err
}

// lastAnswerTime returns the time of the provider's latest response.
func (p *Poller) lastAnswerTime() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answeredAt
}

// recordAnswerAndReportUnanswered records a response to a query that was sent at queriedAt. It reports
// PollFailed for unanswered queries between two responses: one before the query, and one to
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
		if p.answeredAt.Sub(q.previousAnswerAt) <= 2*p.Interval {
			p.reportLocked(q.target, presence.PollFailed)
		}
	}
}

// recordUnansweredQuery records a query without a response.
func (p *Poller) recordUnansweredQuery(t presence.PollTarget, round int, previousAnswerAt time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unanswered[t.Session] = unansweredQuery{t, previousAnswerAt, time.Now()}
	p.lastPolls[t.Session] = lastPoll{round, p.lastPolls[t.Session].wasOnline}
}

// reportAnswer records and reports the provider's response about a session.
func (p *Poller) reportAnswer(t presence.PollTarget, round int, isOnline bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.unanswered, t.Session)
	p.lastPolls[t.Session] = lastPoll{round, isOnline}
	if isOnline {
		p.reportLocked(t, presence.PollOnline)
	} else {
		p.reportLocked(t, presence.PollOffline)
	}
}

func (p *Poller) reportLocked(t presence.PollTarget, signal presence.Signal) {
	p.metrics.results.WithLabelValues(statusLabels[signal]).Inc()
	p.OnResult(t, signal)
}

// discardLastPollsExcept deletes the latest polls of all sessions except the targets.
func (p *Poller) discardLastPollsExcept(targets []presence.PollTarget) {
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
func (p *Poller) sortByLastPoll(targets []presence.PollTarget) {
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.SortStableFunc(targets, func(a, b presence.PollTarget) int {
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
