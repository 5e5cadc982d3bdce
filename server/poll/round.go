package poll

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"onair/presence"
	"onair/server/cloud"
)

const (
	// maxConcurrentQueries bounds single queries. Fewer would not use a rate of 50 per
	// second when responses take more than two seconds; more would only wait.
	maxConcurrentQueries = 128

	// queryShare is the share of the rest of the interval, in percent, in which single
	// queries start. The remainder is for late responses.
	queryShare = 85
)

// round polls every session once within an interval.
type round struct {
	poller *Poller
	number int // from 1

	answered, failed atomic.Int64 // results of sessions that matter; queries without response

	mu       sync.Mutex // guards firstErr
	firstErr error
}

func (r *round) run(parent context.Context) {
	p := r.poller
	startedAt, requestsBefore := time.Now(), p.Provider.Budget.RequestCount()
	ctx, cancel := context.WithDeadline(parent, startedAt.Add(p.Interval))
	defer cancel()

	targets := p.Targets()
	p.discardLastPollsExcept(targets)
	missing, isComplete := targets, false
	if p.Provider.ForEachOnline != nil && len(targets) > 0 {
		missing, isComplete = r.queryList(ctx, targets)
	}
	relevant := targetsWhereOfflineCounts(missing)
	switch {
	case len(relevant) == 0:
	case p.Provider.IsOnline != nil:
		r.spreadQueries(ctx, relevant)
	case isComplete:
		r.reportOfflineBySecondList(ctx, relevant)
	}
	if parent.Err() != nil {
		return // stopped
	}

	open := len(targetsWhereOfflineCounts(targets)) - int(r.answered.Load())
	m := p.metrics
	m.roundDuration.Observe(time.Since(startedAt).Seconds())
	m.budgetShare.Set(float64(p.Provider.Budget.RequestCount()-requestsBefore) / (p.Provider.Budget.ConfiguredRate() * p.Interval.Seconds()))
	m.openSessions.Set(float64(open))
	if open == 0 {
		m.lastCompleteRound.SetToCurrentTime()
	}
	if r.firstErr != nil {
		p.Logger.Warn().Err(r.firstErr).Int64("failed", r.failed.Load()).Int64("answered", r.answered.Load()).Int("open", open).
			Msg("poll queries failed")
	}
}

// targetsWhereOfflineCounts returns the targets that matter.
func targetsWhereOfflineCounts(targets []presence.PollTarget) []presence.PollTarget {
	return slices.DeleteFunc(slices.Clone(targets), func(t presence.PollTarget) bool { return !t.OfflineCounts })
}

// countQueryAndStoreError counts a query, and keeps the first error for the log.
func (r *round) countQueryAndStoreError(kind string, err error) {
	r.poller.metrics.countQuery(kind, err)
	if err == nil || errors.Is(err, cloud.ErrIncomplete) {
		return
	}
	r.failed.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.firstErr = cmp.Or(r.firstErr, err)
}

func (r *round) reportAnswer(t presence.PollTarget, isOnline bool) {
	if t.OfflineCounts {
		r.answered.Add(1)
	}
	r.poller.reportAnswer(t, r.number, isOnline)
}

// queryList reads the list and reports the targets in it as online. It does so page by
// page, because the begin of a long list is old at its end. It returns the other targets,
// and whether the list was complete. It takes at most half of the interval, to leave time
// for single queries.
func (r *round) queryList(ctx context.Context, targets []presence.PollTarget) (missing []presence.PollTarget, isComplete bool) {
	listCtx, cancel := context.WithTimeout(ctx, r.poller.Interval/2)
	defer cancel()
	queriedAt := time.Now()
	missing, err := r.reportOnlineWhileListing(listCtx, targets)
	if ctx.Err() != nil {
		return nil, false
	}
	r.countQueryAndStoreError("list", err)
	if err == nil {
		r.poller.recordAnswerAndReportUnanswered(queriedAt)
	}
	return missing, err == nil
}

// reportOnlineWhileListing reads the list, reports the targets in it as online, and returns the others
// in their order.
func (r *round) reportOnlineWhileListing(ctx context.Context, targets []presence.PollTarget) (missing []presence.PollTarget, err error) {
	indexByCode := make(map[string]int, len(targets))
	for i, t := range targets {
		indexByCode[t.Code] = i
	}
	online := make([]bool, len(targets))
	err = r.poller.Provider.ForEachOnline(ctx, func(code string) {
		if i, ok := indexByCode[code]; ok && !online[i] {
			online[i] = true
			r.reportAnswer(targets[i], true)
		}
	})
	for i, t := range targets {
		if !online[i] {
			missing = append(missing, t)
		}
	}
	return missing, err
}

// reportOfflineBySecondList reads the list a second time for targets that were missing: a push that
// began during the first read is in the second list.
func (r *round) reportOfflineBySecondList(ctx context.Context, missing []presence.PollTarget) {
	stillMissing, err := r.reportOnlineWhileListing(ctx, missing)
	if ctx.Err() != nil {
		return
	}
	r.countQueryAndStoreError("list", err)
	if err == nil {
		for _, t := range stillMissing {
			r.reportAnswer(t, false)
		}
	}
}

// spreadQueries queries the targets one by one, evenly over the rest of the interval.
func (r *round) spreadQueries(ctx context.Context, targets []presence.PollTarget) {
	r.poller.sortByLastPoll(targets)
	startedAt := time.Now()
	deadline, _ := ctx.Deadline()
	gap := deadline.Sub(startedAt) * queryShare / 100 / time.Duration(len(targets))
	queries := make(chan presence.PollTarget)
	var wg sync.WaitGroup
	for range min(maxConcurrentQueries, len(targets)) {
		wg.Go(func() {
			for t := range queries {
				r.queryOne(ctx, t)
			}
		})
	}
	for i, t := range targets {
		if !sleepUntil(ctx, startedAt.Add(gap*time.Duration(i))) {
			break
		}
		select {
		case queries <- t:
		case <-ctx.Done():
		}
	}
	close(queries)
	wg.Wait()
}

// queryOne queries one target.
func (r *round) queryOne(ctx context.Context, t presence.PollTarget) {
	queriedAt, previousAnswerAt := time.Now(), r.poller.lastAnswerTime()
	isOnline, err := r.poller.Provider.IsOnline(ctx, t.Code)
	if err != nil && ctx.Err() != nil || errors.Is(err, cloud.ErrBudgetWait) {
		return // the round ended before the request or its response
	}
	r.countQueryAndStoreError("one", err)
	switch {
	case errors.Is(err, cloud.ErrRateLimited):
	case err != nil:
		r.poller.recordUnansweredQuery(t, r.number, previousAnswerAt)
	default:
		r.poller.recordAnswerAndReportUnanswered(queriedAt)
		r.reportAnswer(t, isOnline)
	}
}

// sleepUntil reports whether the time came before ctx ended.
func sleepUntil(ctx context.Context, at time.Time) (reached bool) {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
