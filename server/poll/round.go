package poll

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"onair/server/cloud"
)

const (
	// maxConcurrentAttempts bounds the single queries under way. Fewer would not use up a rate of 50
	// a second when answers take more than two seconds; more would only wait.
	maxConcurrentQueries = 128

	// queryShare is the part of what is left of the interval, in percent, over which single
	// queries are begun: what comes late has the rest to be answered.
	queryShare = 85
)

// round asks once for every session, within an interval.
type round struct {
	poller *Poller
	number int // counts from 1

	// What became of it.
	answered, failed atomic.Int64 // answers about sessions that matter; queries without one

	mu       sync.Mutex // guards err
	firstErr error      // the first
}

func (r *round) run(parent context.Context) {
	p := r.poller
	began, sent := time.Now(), p.options.Provider.Budget.Requests()
	ctx, cancel := context.WithDeadline(parent, began.Add(p.options.Interval))
	defer cancel()

	targets := p.options.Targets()
	p.retainTargets(targets)
	missing, whole := targets, false
	if p.options.Provider.ForEachOnline != nil && len(targets) > 0 {
		missing, whole = r.queryList(ctx, targets)
	}
	matter := relevantTargets(missing)
	switch {
	case len(matter) == 0:
	case p.options.Provider.PushState != nil:
		r.queryEach(ctx, matter)
	case whole:
		r.queryListAgain(ctx, matter)
	}
	if parent.Err() != nil {
		return // it was not to be finished
	}

	open := len(relevantTargets(targets)) - int(r.answered.Load())
	m := p.metrics
	m.roundDuration.Observe(time.Since(began).Seconds())
	m.budgetShare.Set(float64(p.options.Provider.Budget.Requests()-sent) / (p.options.Provider.Budget.Rate() * p.options.Interval.Seconds()))
	m.openSessions.Set(float64(open))
	if open == 0 {
		m.lastCompleteRound.SetToCurrentTime()
	}
	if r.firstErr != nil {
		p.options.Logger.Warn().Err(r.firstErr).Int64("failed", r.failed.Load()).Int64("answered", r.answered.Load()).Int("open", open).
			Msg("the cloud did not answer all that the status poller asked")
	}
}

// relevantTargets are those of the sessions that matter.
func relevantTargets(targets []Target) (matter []Target) {
	for _, t := range targets {
		if t.Matters {
			matter = append(matter, t)
		}
	}
	return matter
}

// recordQuery counts a query, and keeps the first error for the log.
func (r *round) recordQuery(kind string, err error) {
	r.poller.metrics.countQuery(kind, err)
	if err == nil || errors.Is(err, cloud.ErrIncomplete) {
		return
	}
	r.failed.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.firstErr = cmp.Or(r.firstErr, err)
}

func (r *round) reportStatus(t Target, what Status) {
	if t.Matters {
		r.answered.Add(1)
	}
	r.poller.reportStatus(t, r.number, what)
}

// queryList reads the list and tells of those that it names, page by page: at the end of a
// long one its beginning is old. It returns the others, and whether it was read to its
// end. It has half the interval, so that the other half is left for the others.
func (r *round) queryList(ctx context.Context, targets []Target) (missing []Target, whole bool) {
	listing, cancel := context.WithTimeout(ctx, r.poller.options.Interval/2)
	defer cancel()
	began := time.Now()
	missing, err := r.reportListed(listing, targets)
	if ctx.Err() != nil {
		return nil, false
	}
	r.recordQuery("list", err)
	if err == nil {
		r.poller.recordAnswer(began)
	}
	return missing, err == nil
}

// reportListed reads the list, says of those that it names that they are online, and returns
// the others, in their order.
func (r *round) reportListed(ctx context.Context, targets []Target) (missing []Target, err error) {
	byCode := make(map[string]int, len(targets))
	for i, t := range targets {
		byCode[t.Code] = i
	}
	online := make([]bool, len(targets))
	err = r.poller.options.Provider.ForEachOnline(ctx, func(code string) {
		if i, ours := byCode[code]; ours && !online[i] {
			online[i] = true
			r.reportStatus(targets[i], Online)
		}
	})
	for i, t := range targets {
		if !online[i] {
			missing = append(missing, t)
		}
	}
	return missing, err
}

// queryListAgain reads the list a second time, for those that it did not name: one that began
// while it was read is in it now.
func (r *round) queryListAgain(ctx context.Context, missing []Target) {
	still, err := r.reportListed(ctx, missing)
	if ctx.Err() != nil {
		return
	}
	r.recordQuery("list", err)
	if err == nil {
		for _, t := range still {
			r.reportStatus(t, Offline)
		}
	}
}

// queryEach asks for one after the other, evenly over what is left of the interval.
func (r *round) queryEach(ctx context.Context, missing []Target) {
	r.poller.sortByLastPoll(missing)
	began := time.Now()
	ends, _ := ctx.Deadline()
	gap := ends.Sub(began) * queryShare / 100 / time.Duration(len(missing))
	turns := make(chan Target)
	var wg sync.WaitGroup
	for range min(maxConcurrentQueries, len(missing)) {
		wg.Go(func() {
			for t := range turns {
				r.queryOne(ctx, t)
			}
		})
	}
	for i, t := range missing {
		if !sleepUntil(ctx, began.Add(gap*time.Duration(i))) {
			break
		}
		select {
		case turns <- t:
		case <-ctx.Done():
		}
	}
	close(turns)
	wg.Wait()
}

// queryOne asks for one session.
func (r *round) queryOne(ctx context.Context, t Target) {
	began, before := time.Now(), r.poller.lastAnswerTime()
	state, err := r.poller.options.Provider.PushState(ctx, t.Code)
	if err != nil && ctx.Err() != nil || errors.Is(err, cloud.ErrBudgetWait) {
		return // the round is over: nobody was asked, or nobody has waited for the answer
	}
	r.recordQuery("one", err)
	switch {
	case errors.Is(err, cloud.ErrRateLimited):
	case err != nil:
		r.poller.recordNoAnswer(t, r.number, before)
	default:
		r.poller.recordAnswer(began)
		if state == cloud.Online {
			r.reportStatus(t, Online)
		} else {
			r.reportStatus(t, Offline)
		}
	}
}

// sleepUntil reports whether a time came before ctx ended.
func sleepUntil(ctx context.Context, at time.Time) bool {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
