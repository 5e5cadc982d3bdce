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
	// atOnce bounds the single queries under way. Fewer would not use up a rate of 50
	// a second when answers take more than two seconds; more would only wait.
	atOnce = 128

	// spread is the part of what is left of the interval, in percent, over which single
	// queries are begun: what comes late has the rest to be answered.
	spread = 85
)

// round asks once for every session, within an interval.
type round struct {
	p *Poller
	n int // counts from 1

	// What became of it.
	said, failed atomic.Int64 // answers about sessions that matter; queries without one

	mu  sync.Mutex // guards err
	err error      // the first
}

func (r *round) run(parent context.Context) {
	p := r.p
	began, sent := time.Now(), p.o.Cloud.Budget.Sent()
	ctx, cancel := context.WithDeadline(parent, began.Add(p.o.Interval))
	defer cancel()

	targets := p.o.Targets()
	p.forget(targets)
	missing, whole := targets, false
	if p.o.Cloud.Online != nil && len(targets) > 0 {
		missing, whole = r.list(ctx, targets)
	}
	matter := mattering(missing)
	switch {
	case len(matter) == 0:
	case p.o.Cloud.State != nil:
		r.singly(ctx, matter)
	case whole:
		r.again(ctx, matter)
	}
	if parent.Err() != nil {
		return // it was not to be finished
	}

	open := len(mattering(targets)) - int(r.said.Load())
	m := p.metrics
	m.took.Observe(time.Since(began).Seconds())
	m.share.Set(float64(p.o.Cloud.Budget.Sent()-sent) / (p.o.Cloud.Budget.PerSecond() * p.o.Interval.Seconds()))
	m.open.Set(float64(open))
	if open == 0 {
		m.complete.SetToCurrentTime()
	}
	if r.err != nil {
		p.o.Logger.Warn().Err(r.err).Int64("failed", r.failed.Load()).Int64("answered", r.said.Load()).Int("open", open).
			Msg("the cloud did not answer all that the status poller asked")
	}
}

// mattering are those of the sessions that matter.
func mattering(targets []Target) (matter []Target) {
	for _, t := range targets {
		if t.Matters {
			matter = append(matter, t)
		}
	}
	return matter
}

// asked counts a query, and keeps the first error for the log.
func (r *round) asked(kind string, err error) {
	r.p.metrics.query(kind, err)
	if err == nil || errors.Is(err, cloud.ErrIncomplete) {
		return
	}
	r.failed.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = cmp.Or(r.err, err)
}

func (r *round) say(t Target, what Say) {
	if t.Matters {
		r.said.Add(1)
	}
	r.p.say(t, r.n, what)
}

// list reads the list and tells of those that it names, page by page: at the end of a
// long one its beginning is old. It returns the others, and whether it was read to its
// end. It has half the interval, so that the other half is left for the others.
func (r *round) list(ctx context.Context, targets []Target) (missing []Target, whole bool) {
	listing, cancel := context.WithTimeout(ctx, r.p.o.Interval/2)
	defer cancel()
	began := time.Now()
	missing, err := r.named(listing, targets)
	if ctx.Err() != nil {
		return nil, false
	}
	r.asked("list", err)
	if err == nil {
		r.p.answered(began)
	}
	return missing, err == nil
}

// named reads the list, says of those that it names that they are online, and returns
// the others, in their order.
func (r *round) named(ctx context.Context, targets []Target) (missing []Target, err error) {
	byCode := make(map[string]int, len(targets))
	for i, t := range targets {
		byCode[t.Code] = i
	}
	online := make([]bool, len(targets))
	err = r.p.o.Cloud.Online(ctx, func(code string) {
		if i, ours := byCode[code]; ours && !online[i] {
			online[i] = true
			r.say(targets[i], Online)
		}
	})
	for i, t := range targets {
		if !online[i] {
			missing = append(missing, t)
		}
	}
	return missing, err
}

// again reads the list a second time, for those that it did not name: one that began
// while it was read is in it now.
func (r *round) again(ctx context.Context, missing []Target) {
	still, err := r.named(ctx, missing)
	if ctx.Err() != nil {
		return
	}
	r.asked("list", err)
	if err == nil {
		for _, t := range still {
			r.say(t, Offline)
		}
	}
}

// singly asks for one after the other, evenly over what is left of the interval.
func (r *round) singly(ctx context.Context, missing []Target) {
	r.p.lateFirst(missing)
	began := time.Now()
	ends, _ := ctx.Deadline()
	gap := ends.Sub(began) * spread / 100 / time.Duration(len(missing))
	turns := make(chan Target)
	var wg sync.WaitGroup
	for range min(atOnce, len(missing)) {
		wg.Go(func() {
			for t := range turns {
				r.one(ctx, t)
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

// one asks for one session.
func (r *round) one(ctx context.Context, t Target) {
	began, before := time.Now(), r.p.lastAnswer()
	state, err := r.p.o.Cloud.State(ctx, t.Code)
	if err != nil && ctx.Err() != nil || errors.Is(err, cloud.ErrNoTurn) {
		return // the round is over: nobody was asked, or nobody has waited for the answer
	}
	r.asked("one", err)
	switch {
	case errors.Is(err, cloud.ErrRateLimited):
	case err != nil:
		r.p.silent(t, r.n, before)
	default:
		r.p.answered(began)
		if state == cloud.Online {
			r.say(t, Online)
		} else {
			r.say(t, Offline)
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
