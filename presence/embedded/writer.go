package embedded

import (
	"fmt"
	"maps"
	"time"

	"onair/presence"
)

// flushInterval is how long pending rows wait for a commit of entries before
// they are committed alone.
const flushInterval = time.Second

// maxAppendsPerCommit bounds how many append requests one transaction takes.
const maxAppendsPerCommit = 256

// runWriter handles all requests until Close. Only its goroutine orders entries
// and writes to the database.
func (l *Log) runWriter() {
	defer close(l.shutdown.writerDone)
	tick := time.NewTicker(flushInterval)
	defer tick.Stop()
	for {
		select {
		case first := <-l.requests.appends:
			l.commitAppends(l.collectAppends(first))
		case request := <-l.requests.transactions:
			request.result <- l.store.runTransaction(request.run)
		case <-tick.C:
			l.flushPendingRows()
		case <-l.shutdown.started:
			l.flushPendingRows()
			return
		}
	}
}

// collectAppends returns the first request and those that wait behind it.
func (l *Log) collectAppends(first *appendRequest) []*appendRequest {
	group := []*appendRequest{first}
	for len(group) < maxAppendsPerCommit {
		select {
		case next := <-l.requests.appends:
			group = append(group, next)
		default:
			return group
		}
	}
	return group
}

// commitAppends orders the batches of a group. Its durable entries are on disk
// before readers get any entry of the group.
func (l *Log) commitAppends(group []*appendRequest) {
	last := l.writer.lastEntry
	entries := make([]presence.Entry, 0, len(group))
	durable := false
	ordered := map[nodeIncarnation]uint64{}
	for _, a := range group {
		if l.isDuplicate(&a.SealedBatch) || a.Seq <= ordered[incarnationOf(&a.SealedBatch)] {
			continue
		}
		ordered[incarnationOf(&a.SealedBatch)] = a.Seq
		last = l.newEntry(last, a.Bytes)
		entries = append(entries, last)
		durable = durable || a.Durable
	}
	if err := l.saveOrDeferEntries(entries, durable); err != nil {
		l.refuseDurableCommitOthers(group, err)
		return
	}
	maps.Copy(l.writer.lastSeqs, ordered)
	if len(entries) > 0 {
		l.writer.lastEntry = last
		l.writer.lastEntry.Batch = nil
		l.buffer.addEntries(entries)
	}
	for _, a := range group {
		a.result <- nil
	}
}

// refuseDurableCommitOthers answers a group whose durable entries could not be saved: it
// refuses those, and commits the others, which need no disk.
func (l *Log) refuseDurableCommitOthers(group []*appendRequest, err error) {
	var rest []*appendRequest
	for _, a := range group {
		if a.Durable && !l.isDuplicate(&a.SealedBatch) {
			a.result <- fmt.Errorf("%w: %w", presence.ErrNotWritten, err)
		} else {
			rest = append(rest, a)
		}
	}
	if len(rest) > 0 {
		l.commitAppends(rest)
	}
}

// isDuplicate reports whether the log has this batch already.
func (l *Log) isDuplicate(b *presence.SealedBatch) bool {
	return b.Seq <= l.writer.lastSeqs[incarnationOf(b)]
}

// newEntry returns the entry after last. Its time may go back, when the wall
// clock did between two starts; its id does not.
func (l *Log) newEntry(last presence.Entry, batch []byte) presence.Entry {
	now := l.clock.now()
	id := presence.ID{MS: max(uint64(now), last.ID.MS)}
	if id.MS == last.ID.MS {
		id.Seq = last.ID.Seq + 1
	}
	return presence.Entry{ID: id, Num: last.Num + 1, Time: now, Epoch: l.epoch, Batch: batch}
}

// saveOrDeferEntries commits the entries of a group with a durable one, and the pending
// rows with them. It also commits earlier entries that are in no row yet: the
// result of a durable command may depend on them, and a replay must give the
// same result.
func (l *Log) saveOrDeferEntries(entries []presence.Entry, anyDurable bool) error {
	if l.store == nil {
		return nil
	}
	if !anyDurable {
		l.writer.unsaved = append(entriesAfter(l.writer.unsaved, l.pending.asOfEntry()), entries...)
		return nil
	}
	rows, asOf := l.pending.takeRows()
	all := append(entriesAfter(l.writer.unsaved, asOf), entries...)
	if err := l.store.commitEntriesAndRows(all, rows, asOf); err != nil {
		l.pending.returnRows(rows, asOf)
		l.writer.unsaved = all[:len(all)-len(entries)]
		return err
	}
	l.writer.unsaved = nil
	return nil
}

// entriesAfter returns the entries after the one with a number.
func entriesAfter(entries []presence.Entry, number uint64) []presence.Entry {
	n := 0
	for n < len(entries) && entries[n].Num <= number {
		n++
	}
	return entries[n:]
}

// flushPendingRows commits the pending rows alone.
func (l *Log) flushPendingRows() {
	rows, asOf := l.pending.takeRows()
	if len(rows) == 0 { // always in memory
		return
	}
	if err := l.store.commitEntriesAndRows(nil, rows, asOf); err != nil {
		l.pending.returnRows(rows, asOf)
		l.logger.Error().Err(err).Int("rows", len(rows)).Msg("store write failed, will retry")
	}
}
