package node

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"onair/presence"
)

// commandQueue is what a node has to say and has not said yet, and the calls that
// wait for an answer.
type commandQueue struct {
	mu            sync.Mutex // guards all below but viewers and likes
	beats         []waitingBeat
	spareBeats    []waitingBeat     // the other half of a double buffer
	restores      []*waitingCommand // that put back what the log has lost: they go first
	commands      []*waitingCommand
	closed        bool // the node has stopped: nothing goes out any more
	isUnconfirmed bool // the log has not shown a batch of this boot yet
	inFlight      map[batchID][]*waitingCommand
	lastBatch     batchID // the last batch made
	scratch       []byte

	viewers tally
	likes   tally
	// Of which sessions the last batch has counts; owned by who takes batches.
	sentViewers, sentLikes []presence.Session
}

// batchID names a batch of this node.
type batchID struct{ incarnation, seq uint64 }

// waitingBeat is a beat and when it came, in milliseconds since the node began.
type waitingBeat struct {
	presence.Lease
	receivedAt int64
}

// waitingCommand is a command on its way; answer is nil when nobody waits.
type waitingCommand struct {
	command     presence.Command
	answer      chan outcome
	receivedAt  time.Time
	isAbandoned bool // nobody waits any more
	isRestore   bool // it puts back what was lost: it does nothing twice, and no client waits for it
}

type outcome struct {
	presence.Result
	err error
}

func (c *waitingCommand) complete(a outcome) {
	if c.answer != nil {
		c.answer <- a
	}
}

func newCommandQueue() commandQueue {
	return commandQueue{
		inFlight: map[batchID][]*waitingCommand{},
		viewers:  tally{counts: map[presence.Session]sessionCount{}},
		likes:    tally{counts: map[presence.Session]sessionCount{}},
	}
}

// addBeat queues a beat. While the log is away it makes room by keeping the last
// beat of each lease, so that no outage is too long to remember.
func (o *commandQueue) addBeat(l presence.Lease, at int64) {
	o.mu.Lock()
	if n := len(o.beats); n == cap(o.beats) && n >= compactBeatsAt {
		o.beats = newestBeats(o.beats)
	}
	o.beats = append(o.beats, waitingBeat{l, at})
	o.mu.Unlock()
}

// compactBeatsAt is how many beats wait before it pays to look for repeated ones.
const compactBeatsAt = 4096

// newestBeats sorts beats by lease, and keeps the last of each.
func newestBeats(beats []waitingBeat) []waitingBeat {
	slices.SortFunc(beats, func(a, b waitingBeat) int {
		return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.Tag, b.Tag), cmp.Compare(b.receivedAt, a.receivedAt))
	})
	return slices.CompactFunc(beats, func(a, b waitingBeat) bool { return a.Lease == b.Lease })
}

// addAwaited queues a command that somebody waits for.
func (o *commandQueue) addAwaited(c presence.Command) *waitingCommand {
	call := &waitingCommand{command: c, answer: make(chan outcome, 1), receivedAt: time.Now()}
	o.add(call)
	return call
}

// addUnawaited queues a command that nobody waits for.
func (o *commandQueue) addUnawaited(c presence.Command) { o.add(&waitingCommand{command: c}) }

func (o *commandQueue) add(c *waitingCommand) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		c.complete(outcome{err: ErrUnavailable})
		return
	}
	o.commands = append(o.commands, c)
}

// addRestores queues commands that put back what the log has lost.
func (o *commandQueue) addRestores(commands []presence.Command) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range commands {
		o.restores = append(o.restores, &waitingCommand{command: c, isRestore: true})
	}
}

// hasRestores reports whether something that was queued to mend the log is not in
// the log yet.
func (o *commandQueue) hasRestores() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, calls := range o.inFlight {
		if slices.ContainsFunc(calls, func(c *waitingCommand) bool { return c.isRestore }) {
			return true
		}
	}
	return len(o.restores) > 0
}

// startIncarnation begins another boot. Until the log has shown a batch of it, none may
// hold a command that somebody waits for: the last boot's may yet turn up.
func (o *commandQueue) startIncarnation(boot uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.isUnconfirmed, o.lastBatch = true, batchID{incarnation: boot}
}

// currentIncarnation is the present one.
func (o *commandQueue) currentIncarnation() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lastBatch.incarnation
}

// confirmIncarnation has the calls of earlier boots go again, if they have not been
// answered: now that the log has shown a batch of this boot, none of theirs will
// be applied any more. It reports whether it is the first of the present boot.
func (o *commandQueue) confirmIncarnation(boot uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.isUnconfirmed || boot != o.lastBatch.incarnation {
		return false
	}
	o.isUnconfirmed = false
	again, _ := o.takeInFlight(func(b batchID) bool { return b.incarnation != boot })
	o.commands = append(again, o.commands...)
	return true
}

// requeueBefore has what went out before b, in the same boot, go again: now that the log
// has shown b, none of it will be applied any more.
func (o *commandQueue) requeueBefore(b batchID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	calls, mended := o.takeInFlight(func(x batchID) bool { return x.incarnation == b.incarnation && x.seq < b.seq })
	o.commands, o.restores = append(calls, o.commands...), append(mended, o.restores...)
}

// takeInFlight takes back, in order, the calls of those batches on their way that
// pick names, but for those that nobody waits for any more; and apart from them
// what mends. The caller holds mu.
func (o *commandQueue) takeInFlight(pick func(batchID) bool) (calls, mended []*waitingCommand) {
	for _, b := range slices.SortedFunc(maps.Keys(o.inFlight), func(a, b batchID) int {
		return cmp.Or(cmp.Compare(a.incarnation, b.incarnation), cmp.Compare(a.seq, b.seq))
	}) {
		if !pick(b) {
			continue
		}
		for _, c := range o.inFlight[b] {
			switch {
			case c.isRestore:
				mended = append(mended, c)
			case !c.isAbandoned:
				calls = append(calls, c)
			}
		}
		delete(o.inFlight, b)
	}
	return calls, mended
}

// withdraw takes a call back; it reports false when it is on its way already.
func (o *commandQueue) withdraw(c *waitingCommand) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.Index(o.commands, c)
	if i < 0 {
		c.isAbandoned = true
		return false
	}
	o.commands = slices.Delete(o.commands, i, i+1)
	return true
}

// firstReceivedAt is when the first of a batch's commands came.
func (o *commandQueue) firstReceivedAt(b batchID) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range o.inFlight[b] {
		if !c.receivedAt.IsZero() {
			return c.receivedAt
		}
	}
	return time.Time{}
}

// hasMore reports whether there is more to say than what was just taken.
func (o *commandQueue) hasMore(size int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.restores) > 0 || o.isUnconfirmed {
		return len(o.restores) > 0
	}
	return len(o.commands) > 0 || len(o.beats)*maxBeatBytes > size
}

// isDrained reports whether all that was heard has been taken.
func (o *commandQueue) isDrained() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.beats) == 0 && len(o.restores) == 0
}

// maxBeatBytes is the most bytes that a beat takes in a batch.
const maxBeatBytes = 12

// takeCounts takes the counts of which the log is to hear, of sessions that the
// registry knows; a tick has a limit of them.
func (o *commandQueue) takeCounts(r *presence.Registry, b *presence.Batch) {
	b.Viewers, o.sentViewers = o.viewers.takeChanged(r)
	b.Likes, o.sentLikes = o.likes.takeChanged(r)
}

// fillBatch adds to a batch what waits, of about size bytes at the most, but for what
// was to mend the log and is needed no more.
func (o *commandQueue) fillBatch(b *presence.Batch, now int64, size int, needed func(presence.Command) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lastBatch.seq++
	b.Incarnation, b.Seq = o.lastBatch.incarnation, o.lastBatch.seq
	o.beats = newestBeats(o.beats)
	fits := min(len(o.beats), max(1, size/maxBeatBytes))
	b.Beats = make([]presence.Beat, fits)
	for i, x := range o.beats[:fits] {
		b.Beats[i] = presence.Beat{Lease: x.Lease, Age: uint32(max(0, now-x.receivedAt))}
	}
	o.beats, o.spareBeats = append(o.spareBeats[:0], o.beats[fits:]...), o.beats
	size -= maxBeatBytes * fits
	var taken []*waitingCommand
	taken, o.restores = o.takeFitting(taken, o.restores, &size, needed)
	if !o.isUnconfirmed {
		taken, o.commands = o.takeFitting(taken, o.commands, &size, nil)
	}
	if len(taken) > 0 {
		b.Commands = make([]presence.Command, len(taken))
		for i, c := range taken {
			b.Commands[i] = c.command
		}
		o.inFlight[o.lastBatch] = taken
	}
}

// takeFitting moves calls of so many bytes from a queue to those that are taken: at
// least one, or nothing would ever move. Those that are not needed are let go of.
func (o *commandQueue) takeFitting(taken, queue []*waitingCommand, size *int, needed func(presence.Command) bool) (all, rest []*waitingCommand) {
	for i, c := range queue {
		if needed == nil || needed(c.command) {
			o.scratch = presence.AppendCommand(o.scratch[:0], c.command)
			if *size -= len(o.scratch); *size < 0 && len(taken) > 0 {
				return taken, queue[i:]
			}
			taken = append(taken, c)
		}
		queue[i] = nil
	}
	return taken, nil
}

// requeueUnwritten takes back a batch of which nothing was ordered: its durable
// commands are refused, the rest waits for the next batch, under the same
// number. It reports whether any was refused, so that the rest may go at once.
func (o *commandQueue) requeueUnwritten(b *presence.Batch, now int64) (refused bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lastBatch.seq = b.Seq - 1
	for _, x := range b.Beats {
		o.beats = append(o.beats, waitingBeat{x.Lease, now - int64(x.Age)})
	}
	if len(b.Viewers) > 0 {
		o.viewers.requeue(o.sentViewers)
	}
	if len(b.Likes) > 0 {
		o.likes.requeue(o.sentLikes)
	}
	var again, kept []*waitingCommand
	for _, c := range o.inFlight[batchID{b.Incarnation, b.Seq}] {
		switch {
		case c.isRestore:
			again = append(again, c)
			continue
		case !presence.IsDurable(c.command):
			kept = append(kept, c)
			continue
		}
		c.complete(outcome{err: ErrUnavailable})
		refused = true
	}
	delete(o.inFlight, batchID{b.Incarnation, b.Seq})
	o.restores, o.commands = append(again, o.restores...), append(kept, o.commands...)
	return refused
}

// completeBatch hands out the results of an own batch. While what the log has lost may
// yet be put back, a session that it does not have need not be gone: then the
// command was refused, and is to be tried again.
func (o *commandQueue) completeBatch(a *presence.Applied, healing bool) {
	o.mu.Lock()
	b := batchID{a.Incarnation, a.Seq}
	calls := o.inFlight[b]
	delete(o.inFlight, b)
	o.mu.Unlock()
	for i, c := range calls {
		r := a.Results[i]
		if healing && r.Refusal == presence.SessionGone && r.Ended == nil {
			c.complete(outcome{err: ErrUnavailable})
			continue
		}
		c.complete(outcome{Result: r})
	}
}

// dropEnded lets go of the counts of sessions that have ended.
func (o *commandQueue) dropEnded(changes []presence.Change) {
	for _, ch := range changes {
		if ch.Ended != nil {
			o.viewers.dropSession(ch.Ended.Stream.Session)
			o.likes.dropSession(ch.Ended.Stream.Session)
		}
	}
}

// close answers all that still waits when the node stops, and whoever comes
// later: what was queued was not written, what was on its way is unknown.
func (o *commandQueue) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	for _, c := range o.commands {
		c.complete(outcome{err: ErrUnavailable})
	}
	o.commands = nil
	for _, calls := range o.inFlight {
		for _, c := range calls {
			c.complete(outcome{err: ErrUnknown})
		}
	}
	clear(o.inFlight)
}
