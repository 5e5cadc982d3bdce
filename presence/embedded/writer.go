package embedded

import (
	"fmt"
	"maps"
	"time"

	"onair/presence"
)

// imageEvery is how long changed records may wait for a commit to ride with.
const imageEvery = time.Second

// maxGroup bounds how many appends one transaction takes in.
const maxGroup = 256

// write is the one goroutine that orders entries and uses the database.
func (l *Log) write() {
	defer close(l.done)
	tick := time.NewTicker(imageEvery)
	defer tick.Stop()
	for {
		select {
		case a := <-l.appends:
			l.commit(l.gather(a))
		case c := <-l.changes:
			l.transact(c)
		case <-tick.C:
			l.flush()
		case <-l.closing:
			l.flush()
			return
		}
	}
}

// gather takes along whatever else waits, to commit it as one.
func (l *Log) gather(first *appending) []*appending {
	group := []*appending{first}
	for len(group) < maxGroup {
		select {
		case a := <-l.appends:
			group = append(group, a)
		default:
			return group
		}
	}
	return group
}

// commit orders a group: its durable entries are on disk before any entry of
// the group is seen.
func (l *Log) commit(group []*appending) {
	last := l.last
	entries := make([]presence.Entry, 0, len(group))
	durable := false
	taken := map[speaker]uint64{}
	for _, a := range group {
		who := speaker{a.Node, a.Boot}
		if l.stale(&a.Sealed) || a.No <= taken[who] {
			continue
		}
		taken[who] = a.No
		last = l.next(last, a.Bytes)
		entries = append(entries, last)
		durable = durable || a.Durable
	}
	if err := l.save(entries, durable); err != nil {
		l.split(group, err)
		return
	}
	maps.Copy(l.seen, taken)
	if len(entries) > 0 {
		l.last = last
		l.last.Batch = nil
		l.tail.add(entries)
	}
	for _, a := range group {
		a.result <- nil
	}
}

// split answers a group whose durable part was not written: that part is
// refused, the rest needs no disk.
func (l *Log) split(group []*appending, err error) {
	var rest []*appending
	for _, a := range group {
		if a.Durable && !l.stale(&a.Sealed) {
			a.result <- fmt.Errorf("%w: %w", presence.ErrNotWritten, err)
		} else {
			rest = append(rest, a)
		}
	}
	if len(rest) > 0 {
		l.commit(rest)
	}
}

// next makes the entry after last. Its time may go back, when the wall clock
// did between two starts; its id does not.
func (l *Log) next(last presence.Entry, batch []byte) presence.Entry {
	now := l.now()
	id := presence.ID{MS: max(uint64(now), last.ID.MS)}
	if id.MS == last.ID.MS {
		id.Seq = last.ID.Seq + 1
	}
	return presence.Entry{ID: id, Num: last.Num + 1, Time: now, Repl: l.repl, Batch: batch}
}

// save commits the entries of a group that holds a durable one, and the image
// with them. What was ordered before, and is not in the image, goes along:
// what a durable command comes to may depend on it, and a replay must come to
// the same.
func (l *Log) save(entries []presence.Entry, durable bool) error {
	if l.store == nil {
		return nil
	}
	if !durable {
		l.unsaved = append(after(l.unsaved, l.image.at()), entries...)
		return nil
	}
	rows, num := l.image.take()
	all := append(after(l.unsaved, num), entries...)
	err := l.store.save(all, rows, num)
	l.metrics.committed(l.store.took, err)
	if err != nil {
		l.image.untake(rows, num)
		l.unsaved = all[:len(all)-len(entries)]
		return err
	}
	l.unsaved = nil
	return nil
}

// after drops the entries up to a number.
func after(entries []presence.Entry, num uint64) []presence.Entry {
	n := 0
	for n < len(entries) && entries[n].Num <= num {
		n++
	}
	return entries[n:]
}

// flush commits the image alone, when it has waited long enough.
func (l *Log) flush() {
	if l.store == nil {
		return
	}
	rows, num := l.image.take()
	if len(rows) == 0 {
		return
	}
	err := l.store.save(nil, rows, num)
	l.metrics.committed(l.store.took, err)
	if err != nil {
		l.image.untake(rows, num)
		l.logger.Error().Err(err).Int("rows", len(rows)).Msg("the image of the list could not be written, trying again")
	}
}

// start lets the log go on after what was loaded. It runs in the writer's
// stead, before anything is appended.
func (l *Log) start(at presence.Entry) { l.last = at; l.tail.start(at.ID) }

func (l *Log) lastNum() uint64 { return l.last.Num }
