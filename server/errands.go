package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"onair/presence"
	"onair/server/webhooks"
)

// errandsEvery is how often the keeper looks into the outbox.
const errandsEvery = 100 * time.Millisecond

// errands are what the keeper does in the world outside, one for each effect in
// the registry's outbox: it tells the archive, the cloud and the app's back end.
// Once all that an effect is for has been done, or was given up, the log is told.
type errands struct {
	// Static after construction.
	server  *server
	settled chan settlement // by whoever does a part
	pump    *webhooks.Pump  // nil: the back end is not told

	// Owned by run.
	from  uint64 // the number of the first effect that was not looked at
	since uint64 // s.rebuilds at that time
	open  map[presence.EventID]*errand
	file  []*errand // for the archive
	rest  time.Time // the archive failed: not again before
}

// errand is an effect on its way.
type errand struct {
	*presence.OutboxEvent
	parts int    // that are still to be done
	why   string // one was given up
}

// tells reports whether the back end is told of a kind of effects.
func (s *server) tells(kind presence.EventKind) bool {
	return slices.Contains(s.cfg.Webhooks.Events, effectNames[kind])
}

// webhookOf is what the back end is told of an effect.
func webhookOf(e *presence.OutboxEvent) webhooks.Event {
	w := webhooks.Event{ID: e.ID.String(), Type: webhooks.EventType(effectNames[e.Kind]), Time: e.At, Recording: e.Recording}
	if e.Ended != nil {
		w.Ended = e.Ended
	} else {
		w.Stream = e.Stream
	}
	return w
}

// settlement is what became of a part of an errand.
type settlement struct {
	id  presence.EventID
	why string // it was given up; empty: it was done
}

// runErrands empties the outbox until ctx ends.
func (s *server) runErrands(ctx context.Context) {
	x := &errands{server: s, settled: make(chan settlement, 64), open: map[presence.EventID]*errand{}}
	var helpers sync.WaitGroup
	defer helpers.Wait()
	if s.webhooks != nil {
		x.pump = s.webhooks.NewPump(func(id string, dead bool, why string) {
			if e, ok := presence.ParseEventID(id); ok {
				x.report(ctx, settlement{e, why})
			}
		})
		helpers.Go(func() { x.pump.Run(ctx) })
	}
	tick := time.NewTicker(errandsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case d := <-x.settled:
			x.settle(d)
			continue
		case <-tick.C:
		}
		for _, e := range x.gather() {
			x.begin(ctx, &helpers, e)
		}
		x.archive(ctx)
	}
}

// manyErrands bounds how many effects are taken up at once.
const manyErrands = 1000

// gather takes up what has come into the outbox. After the list was rebuilt all
// is looked at again: effects may have other numbers now, or be there again.
func (x *errands) gather() (fresh []*errand) {
	if now := x.server.rebuilds.Load(); now != x.since {
		x.from, x.since = 0, now
	}
	var found []*presence.OutboxEvent
	x.server.node.Read(func(r *presence.Registry) {
		for seq, e := range r.OutboxEvents(x.from) {
			if found = append(found, e); len(found) == manyErrands {
				x.from = seq + 1
				return
			}
			x.from = seq + 1
		}
	})
	for _, e := range found {
		if x.open[e.ID] == nil {
			x.open[e.ID] = &errand{OutboxEvent: e}
			fresh = append(fresh, x.open[e.ID])
		}
	}
	return fresh
}

// begin hands an effect to everybody whom it is for.
func (x *errands) begin(ctx context.Context, helpers *sync.WaitGroup, e *errand) {
	if e.Recording != nil {
		e.parts++
		x.file = append(x.file, e)
	}
	if x.pump != nil && x.server.tells(e.Kind) {
		e.parts++
		x.pump.Enqueue(webhookOf(e.OutboxEvent))
	}
	if do := x.server.moderation(e.OutboxEvent); do != nil {
		e.parts++
		helpers.Go(func() {
			if why := x.server.insist(ctx, e.OutboxEvent, do); ctx.Err() == nil {
				x.report(ctx, settlement{e.ID, why})
			}
		})
	}
	if e.parts == 0 && !x.outdated(e) {
		x.conclude(e)
	}
}

// outdated reports whether other nodes run later settings than this one, which
// does not know whom an effect is for: a later keeper will.
func (x *errands) outdated(e *errand) bool {
	own := settingsOf(x.server.cfg)
	return !own.EventKinds.Has(e.Kind) && x.server.settings().Revision > own.Revision
}

// report hands in what became of a part.
func (x *errands) report(ctx context.Context, d settlement) {
	select {
	case x.settled <- d:
	case <-ctx.Done(): // the next keeper does it again
	}
}

// settle takes what became of a part.
func (x *errands) settle(d settlement) {
	e := x.open[d.id]
	if e == nil {
		return
	}
	if d.why != "" {
		e.why = d.why
	}
	if e.parts--; e.parts == 0 {
		x.conclude(e)
	}
}

func (x *errands) conclude(e *errand) {
	delete(x.open, e.ID)
	if e.why != "" {
		x.server.log.Error().Str("effect", e.ID.String()).Str("why", e.why).Msg("given up")
	}
	x.server.node.Enqueue(&presence.CompleteEvent{ID: e.ID, Failure: e.why})
}

// Limits of what the archive is given at once, and how long it is waited for.
const (
	fileAtOnce = 200
	fileWithin = 10 * time.Second
	fileRest   = time.Second // after it failed
)

// archive files the recordings that wait, each as it is now: what an effect has of
// one may be older than what was filed since.
func (x *errands) archive(ctx context.Context) {
	for len(x.file) > 0 && time.Now().After(x.rest) {
		some := x.file[:min(len(x.file), fileAtOnce)]
		within, cancel := context.WithTimeout(ctx, fileWithin)
		err := x.keep(within, some)
		cancel()
		if err != nil {
			if ctx.Err() == nil {
				x.server.log.Warn().Err(err).Int("recordings", len(x.file)).Msg("the archive takes no recordings, trying again")
			}
			x.rest = time.Now().Add(fileRest)
			return
		}
		x.file = x.file[len(some):]
		for _, e := range some {
			x.settle(settlement{id: e.ID})
		}
	}
}

// keep files some recordings. One that the list has forgotten, as it does after a
// day, is what its effect has of it, unless the archive has one.
func (x *errands) keep(ctx context.Context, some []*errand) error {
	var list []presence.Recording
	for _, e := range some {
		rec, known := *e.Recording, false
		x.server.node.Read(func(r *presence.Registry) {
			if now, is := r.Recording(rec.ID); is {
				rec, known = now, true
			}
		})
		if !known {
			_, has, err := x.server.store.Recording(ctx, rec.ID)
			if err != nil {
				return err
			}
			if has {
				continue
			}
		}
		list = append(list, rec)
	}
	if len(list) == 0 {
		return nil
	}
	return x.server.store.Store(ctx, list)
}
