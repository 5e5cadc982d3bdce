package leader

import (
	"context"
	"slices"
	"sync"
	"time"

	"onair/presence"
	"onair/server/webhooks"
)

// outboxInterval is how often the leader looks into the outbox.
const outboxInterval = 100 * time.Millisecond

// deliveryLoop deliver the events of the registry's outbox to the archive, the cloud
// and the app's back end. Once all parts of an event have been done, or were given
// up, the log gets its conclusion.
type deliveryLoop struct {
	// Static after construction.
	leader      *Leader
	partResults chan partResult
	dispatcher  *webhooks.Dispatcher // nil: there are no webhooks

	// Owned by runDeliveries.
	nextEventNumber  uint64 // the number of the first event that was not looked at
	seenRebuilds     uint64 // of the list, at that time
	openDeliveries   map[presence.EventID]*delivery
	unarchived       []*delivery
	archiveNotBefore time.Time // the archive failed: not again before
}

// delivery is an outbox event on its way.
type delivery struct {
	*presence.OutboxEvent
	openParts int
	failure   string // why a part was given up
}

// sendsWebhook reports whether a kind of events goes to the back end.
func (l *Leader) sendsWebhook(kind presence.EventKind) bool {
	return slices.Contains(l.Config.Webhooks.Events, kind.String())
}

// newWebhookEvent is what the back end gets of an outbox event.
func newWebhookEvent(e *presence.OutboxEvent) webhooks.Event {
	w := webhooks.Event{ID: e.ID.String(), Type: webhooks.EventType(e.Kind.String()), Time: e.At, Recording: e.Recording}
	if e.Ended != nil {
		w.Ended = e.Ended
	} else {
		w.Stream = e.Stream
	}
	return w
}

// partResult is the result of a part of a delivery.
type partResult struct {
	eventID presence.EventID
	failure string // why it was given up; empty: it was done
}

// runDeliveries delivers what is in the outbox, until ctx ends.
func (l *Leader) runDeliveries(ctx context.Context) {
	d := &deliveryLoop{leader: l, partResults: make(chan partResult, 64), openDeliveries: map[presence.EventID]*delivery{}}
	var helpers sync.WaitGroup
	defer helpers.Wait()
	if l.Webhooks != nil {
		d.dispatcher = l.Webhooks.NewDispatcher(func(id string, dead bool, why string) {
			if e, ok := presence.ParseEventID(id); ok {
				d.sendPartResult(ctx, partResult{e, why})
			}
		})
		helpers.Go(func() { d.dispatcher.Run(ctx) })
	}
	tick := time.NewTicker(outboxInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-d.partResults:
			d.recordPartResult(r)
			continue
		case <-tick.C:
		}
		for _, e := range d.newDeliveries() {
			d.startDelivery(ctx, &helpers, e)
		}
		d.archiveRecordings(ctx)
	}
}

// maxEventsPerRead bounds how many events are gathered at once.
const maxEventsPerRead = 1000

// newDeliveries returns the new events in the outbox. After the list was rebuilt it looks
// at all again: events may have other numbers now, or be there again.
func (d *deliveryLoop) newDeliveries() (fresh []*delivery) {
	if now := d.leader.RebuildCount(); now != d.seenRebuilds {
		d.nextEventNumber, d.seenRebuilds = 0, now
	}
	var found []*presence.OutboxEvent
	d.leader.Node.Read(func(r *presence.Registry) {
		for seq, e := range r.OutboxEvents(d.nextEventNumber) {
			if found = append(found, e); len(found) == maxEventsPerRead {
				d.nextEventNumber = seq + 1
				return
			}
			d.nextEventNumber = seq + 1
		}
	})
	for _, e := range found {
		if d.openDeliveries[e.ID] == nil {
			d.openDeliveries[e.ID] = &delivery{OutboxEvent: e}
			fresh = append(fresh, d.openDeliveries[e.ID])
		}
	}
	return fresh
}

// startDelivery starts all parts of a delivery.
func (d *deliveryLoop) startDelivery(ctx context.Context, helpers *sync.WaitGroup, e *delivery) {
	if e.Recording != nil {
		e.openParts++
		d.unarchived = append(d.unarchived, e)
	}
	if d.dispatcher != nil && d.leader.sendsWebhook(e.Kind) {
		e.openParts++
		d.dispatcher.Enqueue(newWebhookEvent(e.OutboxEvent))
	}
	if do := d.leader.newModerationCall(e.OutboxEvent); do != nil {
		e.openParts++
		helpers.Go(func() {
			if why := d.leader.moderateWithRetries(ctx, e.OutboxEvent, do); ctx.Err() == nil {
				d.sendPartResult(ctx, partResult{e.ID, why})
			}
		})
	}
	if e.openParts == 0 && !d.isForNewerSettings(e) {
		d.completeDelivery(e)
	}
}

// isForNewerSettings reports whether other nodes run later settings than this one, which
// does not know what an event is for: a later leader will.
func (d *deliveryLoop) isForNewerSettings(e *delivery) (isOutdated bool) {
	own := d.leader.Settings
	d.leader.Node.Read(func(r *presence.Registry) {
		isOutdated = !own.EventKinds.Has(e.Kind) && r.Settings().Revision > own.Revision
	})
	return isOutdated
}

// sendPartResult hands in the result of a part.
func (d *deliveryLoop) sendPartResult(ctx context.Context, r partResult) {
	select {
	case d.partResults <- r:
	case <-ctx.Done(): // the next leader does it again
	}
}

// recordPartResult concludes a delivery with its last part.
func (d *deliveryLoop) recordPartResult(r partResult) {
	e := d.openDeliveries[r.eventID]
	if e == nil {
		return
	}
	if r.failure != "" {
		e.failure = r.failure
	}
	if e.openParts--; e.openParts == 0 {
		d.completeDelivery(e)
	}
}

func (d *deliveryLoop) completeDelivery(e *delivery) {
	delete(d.openDeliveries, e.ID)
	if e.failure != "" {
		d.leader.Log.Error().Str("effect", e.ID.String()).Str("why", e.failure).Msg("given up")
	}
	d.leader.Node.Enqueue(&presence.CompleteEvent{ID: e.ID, Failure: e.failure})
}

// Limits of what the archive is given at once, and how long it is waited for.
const (
	archiveBatch   = 200
	archiveTimeout = 10 * time.Second
	archiveBackoff = time.Second // after it failed
)

// archiveRecordings files the recordings that wait, each as it is now: what an effect has of
// one may be older than what was filed since.
func (d *deliveryLoop) archiveRecordings(ctx context.Context) {
	for len(d.unarchived) > 0 && time.Now().After(d.archiveNotBefore) {
		some := d.unarchived[:min(len(d.unarchived), archiveBatch)]
		within, cancel := context.WithTimeout(ctx, archiveTimeout)
		err := d.storeInArchive(within, some)
		cancel()
		if err != nil {
			if ctx.Err() == nil {
				d.leader.Log.Warn().Err(err).Int("recordings", len(d.unarchived)).Msg("the archive takes no recordings, trying again")
			}
			d.archiveNotBefore = time.Now().Add(archiveBackoff)
			return
		}
		d.unarchived = d.unarchived[len(some):]
		for _, e := range some {
			d.recordPartResult(partResult{eventID: e.ID})
		}
	}
}

// storeInArchive archives some recordings. One that the registry has forgotten, as it
// does after a day, is taken from its event, unless the archive has one.
func (d *deliveryLoop) storeInArchive(ctx context.Context, some []*delivery) error {
	var list []presence.Recording
	for _, e := range some {
		rec, known := *e.Recording, false
		d.leader.Node.Read(func(r *presence.Registry) {
			if now, is := r.Recording(rec.ID); is {
				rec, known = now, true
			}
		})
		if !known {
			_, has, err := d.leader.Archive.Recording(ctx, rec.ID)
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
	return d.leader.Archive.Store(ctx, list)
}
