package leader

import (
	"context"
	"slices"
	"sync"
	"time"

	"onair/presence"
	presencenode "onair/presence/node"
	"onair/server/webhooks"
)

// outboxInterval is how often the leader reads the outbox.
const outboxInterval = 100 * time.Millisecond

// deliveryLoop delivers the events of the registry's outbox to the archive, the cloud and the
// app's back end. When all parts of a delivery are done or given up, it appends CompleteEvent.
type deliveryLoop struct {
	// Static after construction.
	leader      *Leader
	partResults chan partResult
	dispatcher  *webhooks.Dispatcher // nil: there are no webhooks

	// Owned by runDeliveries.
	nextEventNumber  uint64 // of the first event that was not read
	seenRebuilds     uint64 // rebuilds of the list before that event was read
	openDeliveries   map[presence.EventID]*delivery
	unarchived       []*delivery
	archiveNotBefore time.Time // when the archive may be called again after a failure
}

// delivery is an outbox event that is being delivered.
type delivery struct {
	*presence.OutboxEvent
	openParts int
	failure   string // why a part was given up
}

// partResult is the result of one part of a delivery.
type partResult struct {
	eventID presence.EventID
	failure string // why it was given up; empty: it is done
}

// runDeliveries delivers the events of the outbox until ctx ends.
func (l *Leader) runDeliveries(ctx context.Context) {
	d := &deliveryLoop{leader: l, partResults: make(chan partResult, 64), openDeliveries: map[presence.EventID]*delivery{}}
	var helpers sync.WaitGroup
	defer helpers.Wait()
	if l.Webhooks != nil {
		d.dispatcher = l.Webhooks.NewDispatcher(func(id presence.EventID, failure string) {
			d.sendPartResult(ctx, partResult{id, failure})
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
		for _, e := range d.openNewDeliveries() {
			d.startPartsOrComplete(ctx, &helpers, e)
		}
		d.archiveRecordings(ctx)
	}
}

// maxEventsPerRead bounds the events of one read, which locks the registry.
const maxEventsPerRead = 1000

// openNewDeliveries opens a delivery for each new event of the outbox. After a rebuild of the
// list it reads the outbox from its beginning, because events may have other numbers.
func (d *deliveryLoop) openNewDeliveries() (opened []*delivery) {
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
			opened = append(opened, d.openDeliveries[e.ID])
		}
	}
	return opened
}

// startPartsOrComplete starts all parts of a delivery.
func (d *deliveryLoop) startPartsOrComplete(ctx context.Context, helpers *sync.WaitGroup, e *delivery) {
	if e.Recording != nil {
		e.openParts++
		d.unarchived = append(d.unarchived, e)
	}
	if d.dispatcher != nil && slices.Contains(d.leader.Config.Webhooks.Events, e.Kind.String()) {
		e.openParts++
		d.dispatcher.Enqueue(e.OutboxEvent)
	}
	if call := d.leader.newModerationCall(e.OutboxEvent); call != nil {
		e.openParts++
		helpers.Go(func() {
			if failure := d.leader.moderateWithRetries(ctx, e.OutboxEvent, call); ctx.Err() == nil {
				d.sendPartResult(ctx, partResult{e.ID, failure})
			}
		})
	}
	if e.openParts == 0 && !d.isForNewerSettings(e) {
		d.completeDelivery(e)
	}
}

// isForNewerSettings reports whether an event is in the outbox because of settings that are
// newer than this node's. A leader with those settings will deliver it.
func (d *deliveryLoop) isForNewerSettings(e *delivery) bool {
	own := d.leader.Settings
	return !own.EventKinds.Has(e.Kind) && presencenode.Query(d.leader.Node, (*presence.Registry).Settings).Revision > own.Revision
}

// sendPartResult sends the result of a part to the goroutine of runDeliveries.
func (d *deliveryLoop) sendPartResult(ctx context.Context, r partResult) {
	select {
	case d.partResults <- r:
	case <-ctx.Done(): // the next leader delivers the event again
	}
}

// recordPartResult records the result of a part. The last part completes the delivery.
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

// completeDelivery closes a delivery and appends CompleteEvent.
func (d *deliveryLoop) completeDelivery(e *delivery) {
	delete(d.openDeliveries, e.ID)
	if e.failure != "" {
		d.leader.Log.Error().Str("event_id", e.ID.String()).Str("event", e.Kind.String()).Str("reason", e.failure).Msg("delivery given up")
	}
	d.leader.Node.Enqueue(&presence.CompleteEvent{ID: e.ID, Failure: e.failure})
}

// Limits of calls of the archive.
const (
	archiveBatch   = 200 // recordings
	archiveTimeout = 10 * time.Second
	archiveBackoff = time.Second // after a failure
)

// archiveRecordings stores the unarchived recordings in batches, until the archive fails.
func (d *deliveryLoop) archiveRecordings(ctx context.Context) {
	for len(d.unarchived) > 0 && time.Now().After(d.archiveNotBefore) {
		batch := d.unarchived[:min(len(d.unarchived), archiveBatch)]
		callCtx, cancel := context.WithTimeout(ctx, archiveTimeout)
		err := d.storeInArchive(callCtx, batch)
		cancel()
		if err != nil {
			if ctx.Err() == nil {
				d.leader.Log.Warn().Err(err).Int("recordings", len(d.unarchived)).Msg("archive write failed, retrying")
			}
			d.archiveNotBefore = time.Now().Add(archiveBackoff)
			return
		}
		d.unarchived = d.unarchived[len(batch):]
		for _, e := range batch {
			d.recordPartResult(partResult{eventID: e.ID})
		}
	}
}

// storeInArchive stores the recordings of a batch as the registry has them now, because an
// event may be older than the archive's version. The registry forgets recordings after a day;
// such a recording is stored from its event, unless the archive has it.
func (d *deliveryLoop) storeInArchive(ctx context.Context, batch []*delivery) error {
	var recordings []presence.Recording
	for _, e := range batch {
		rec, inRegistry := *e.Recording, false
		d.leader.Node.Read(func(r *presence.Registry) {
			if current, found := r.Recording(rec.ID); found {
				rec, inRegistry = current, true
			}
		})
		if !inRegistry {
			_, inArchive, err := d.leader.Archive.Recording(ctx, rec.ID)
			if err != nil {
				return err
			}
			if inArchive {
				continue
			}
		}
		recordings = append(recordings, rec)
	}
	if len(recordings) == 0 {
		return nil
	}
	return d.leader.Archive.Store(ctx, recordings)
}
