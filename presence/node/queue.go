package node

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"onair/presence"
)

// commandQueue is what a node has to append, and the commands whose results are
// awaited.
type commandQueue struct {
	mu            sync.Mutex // guards all below except viewers and likes
	beats         []waitingBeat
	spareBeats    []waitingBeat     // second half of a double buffer
	restores      []*waitingCommand // commands that restore what the log lost: they go first
	commands      []*waitingCommand
	closed        bool                          // the node has stopped
	isUnconfirmed bool                          // no batch of this incarnation was applied yet
	inFlight      map[batchID][]*waitingCommand // by batch
	lastBatch     batchID                       // last one made
	scratch       []byte

	viewers tally
	likes   tally
	// The sessions whose counts the last batch has. The appender owns them.
	sentViewers, sentLikes []presence.Session
}

// batchID names a batch of this node.
type batchID struct{ incarnation, seq uint64 }

func (b batchID) compare(c batchID) int {
	return cmp.Or(cmp.Compare(b.incarnation, c.incarnation), cmp.Compare(b.seq, c.seq))
}

// waitingBeat is a beat, and its arrival in milliseconds since the node's start.
type waitingBeat struct {
	presence.Lease
	receivedAt int64
}

// waitingCommand is a queued command; answer is nil when no caller waits.
type waitingCommand struct {
	command     presence.Command
	answer      chan outcome
	receivedAt  time.Time
	isAbandoned bool // its caller waits no more
	isRestore   bool // it restores what was lost; it may be applied twice, and no caller waits
}

// outcome is a command's result or error.
type outcome struct {
	presence.Result
	err error
}

func (c *waitingCommand) complete(result outcome) {
	if c.answer != nil {
		c.answer <- result
	}
}

func newCommandQueue() commandQueue {
	return commandQueue{
		inFlight: map[batchID][]*waitingCommand{},
		viewers:  tally{counts: map[presence.Session]sessionCount{}},
		likes:    tally{counts: map[presence.Session]sessionCount{}},
	}
}

// addBeat queues a beat. While the log is unreachable it keeps the last beat of
// each lease only, so that the queue stays bounded.
func (q *commandQueue) addBeat(l presence.Lease, uptimeMS int64) {
	q.mu.Lock()
	if n := len(q.beats); n == cap(q.beats) && n >= compactBeatsAt {
		q.beats = compactBeats(q.beats)
	}
	q.beats = append(q.beats, waitingBeat{l, uptimeMS})
	q.mu.Unlock()
}

// compactBeatsAt is how many beats wait before repeated ones are dropped.
const compactBeatsAt = 4096

// compactBeats sorts beats by lease, and keeps the last of each.
func compactBeats(beats []waitingBeat) (newest []waitingBeat) {
	slices.SortFunc(beats, func(a, b waitingBeat) int {
		return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.Tag, b.Tag), cmp.Compare(b.receivedAt, a.receivedAt))
	})
	return slices.CompactFunc(beats, func(a, b waitingBeat) bool { return a.Lease == b.Lease })
}

// addAwaited queues a command whose caller waits.
func (q *commandQueue) addAwaited(c presence.Command) *waitingCommand {
	waiting := &waitingCommand{command: c, answer: make(chan outcome, 1), receivedAt: time.Now()}
	q.addCommand(waiting)
	return waiting
}

// addUnawaited queues a command without a caller.
func (q *commandQueue) addUnawaited(c presence.Command) { q.addCommand(&waitingCommand{command: c}) }

func (q *commandQueue) addCommand(c *waitingCommand) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		c.complete(outcome{err: ErrUnavailable})
		return
	}
	q.commands = append(q.commands, c)
}

// addRestores queues commands that restore what the log lost.
func (q *commandQueue) addRestores(commands []presence.Command) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range commands {
		q.restores = append(q.restores, &waitingCommand{command: c, isRestore: true})
	}
}

// hasUnappliedRestores reports whether a restore command is not in the log yet.
func (q *commandQueue) hasUnappliedRestores() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, commands := range q.inFlight {
		if slices.ContainsFunc(commands, func(c *waitingCommand) bool { return c.isRestore }) {
			return true
		}
	}
	return len(q.restores) > 0
}

// startUnconfirmedIncarnation starts another incarnation. Until the log returns a batch of
// it, batches have no awaited commands, because those of the last incarnation
// may still be applied.
func (q *commandQueue) startUnconfirmedIncarnation(incarnation uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.isUnconfirmed, q.lastBatch = true, batchID{incarnation: incarnation}
}

func (q *commandQueue) currentIncarnation() (incarnation uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lastBatch.incarnation
}

// confirmIncarnationAndRequeue queues unanswered commands of earlier incarnations again:
// since the log has returned a batch of this incarnation, it refuses theirs. It
// reports whether this was the first batch of the incarnation.
func (q *commandQueue) confirmIncarnationAndRequeue(incarnation uint64) (isFirstBatch bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.isUnconfirmed || incarnation != q.lastBatch.incarnation {
		return false
	}
	q.isUnconfirmed = false
	requeued, _ := q.takeInFlight(func(b batchID) bool { return b.incarnation != incarnation })
	q.commands = append(requeued, q.commands...)
	return true
}

// requeueBefore queues the commands of batches before b, in the same
// incarnation, again: since the log has returned b, it refuses them.
func (q *commandQueue) requeueBefore(b batchID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	commands, restores := q.takeInFlight(func(x batchID) bool { return x.incarnation == b.incarnation && x.seq < b.seq })
	q.commands, q.restores = append(commands, q.commands...), append(restores, q.restores...)
}

// takeInFlight removes the commands of matching batches from those in flight, in
// order, and drops abandoned ones. Restore commands are returned apart. The
// caller holds mu.
func (q *commandQueue) takeInFlight(matches func(batchID) bool) (commands, restores []*waitingCommand) {
	for _, b := range slices.SortedFunc(maps.Keys(q.inFlight), batchID.compare) {
		if !matches(b) {
			continue
		}
		for _, c := range q.inFlight[b] {
			switch {
			case c.isRestore:
				restores = append(restores, c)
			case !c.isAbandoned:
				commands = append(commands, c)
			}
		}
		delete(q.inFlight, b)
	}
	return commands, restores
}

// withdrawOrAbandon removes a command from the queue; it reports false when the command
// is in flight.
func (q *commandQueue) withdrawOrAbandon(c *waitingCommand) (isWithdrawn bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.commands, c)
	if i < 0 {
		c.isAbandoned = true
		return false
	}
	q.commands = slices.Delete(q.commands, i, i+1)
	return true
}

// firstReceivedAt is the time at which the first of a batch's awaited commands
// was received.
func (q *commandQueue) firstReceivedAt(b batchID) (receivedAt time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range q.inFlight[b] {
		if !c.receivedAt.IsZero() {
			return c.receivedAt
		}
	}
	return time.Time{}
}

// needsBatchNow reports whether more is queued than the last batch took, so that
// another one should follow at once.
func (q *commandQueue) needsBatchNow(batchBytes int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.restores) > 0 || q.isUnconfirmed {
		return len(q.restores) > 0
	}
	return len(q.commands) > 0 || len(q.beats)*maxBeatBytes > batchBytes
}

// hasBeatsOrRestores reports whether a beat or a restore command is queued.
func (q *commandQueue) hasBeatsOrRestores() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.beats) > 0 || len(q.restores) > 0
}

// maxBeatBytes is the largest encoding of a beat.
const maxBeatBytes = 12

// addChangedCounts adds changed counts of known sessions to a batch, up to the limit
// of a tick.
func (q *commandQueue) addChangedCounts(to *presence.Batch, known *presence.Registry, isFrozen bool) {
	to.Viewers, q.sentViewers = q.viewers.takeChangedCounts(known, isFrozen)
	to.Likes, q.sentLikes = q.likes.takeChangedCounts(known, isFrozen)
}

// fillBatch adds queued beats and commands to a batch, up to about maxBytes.
// It drops restore commands that needsRestore no longer accepts.
func (q *commandQueue) fillBatch(b *presence.Batch, uptimeMS int64, maxBytes int, needsRestore func(presence.Command) bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lastBatch.seq++
	b.Incarnation, b.Seq = q.lastBatch.incarnation, q.lastBatch.seq
	q.beats = compactBeats(q.beats)
	fits := min(len(q.beats), max(1, maxBytes/maxBeatBytes))
	b.Beats = make([]presence.Beat, fits)
	for i, x := range q.beats[:fits] {
		b.Beats[i] = presence.Beat{Lease: x.Lease, Age: uint32(max(0, uptimeMS-x.receivedAt))}
	}
	q.beats, q.spareBeats = append(q.spareBeats[:0], q.beats[fits:]...), q.beats
	bytesLeft := maxBytes - maxBeatBytes*fits
	var taken []*waitingCommand
	taken, q.restores = q.takeFitting(taken, q.restores, &bytesLeft, needsRestore)
	if !q.isUnconfirmed {
		taken, q.commands = q.takeFitting(taken, q.commands, &bytesLeft, nil)
	}
	if len(taken) > 0 {
		b.Commands = make([]presence.Command, len(taken))
		for i, c := range taken {
			b.Commands[i] = c.command
		}
		q.inFlight[q.lastBatch] = taken
	}
}

// takeFitting moves commands of up to *bytesLeft bytes, but at least one, from a
// queue to those taken, and drops those that needsRestore does not accept.
func (q *commandQueue) takeFitting(taken, queue []*waitingCommand, bytesLeft *int, needsRestore func(presence.Command) bool) (all, rest []*waitingCommand) {
	for i, c := range queue {
		if needsRestore == nil || needsRestore(c.command) {
			q.scratch = presence.AppendCommand(q.scratch[:0], c.command)
			if *bytesLeft -= len(q.scratch); *bytesLeft < 0 && len(taken) > 0 {
				return taken, queue[i:]
			}
			taken = append(taken, c)
		}
		queue[i] = nil
	}
	return taken, nil
}

// refuseDurableRequeueOthers takes back a batch that was certainly not ordered. It refuses
// the durable commands and queues the rest for the next batch, which gets the
// same seq. It reports whether any was refused, so that the rest can be appended
// at once.
func (q *commandQueue) refuseDurableRequeueOthers(b *presence.Batch, uptimeMS int64) (anyRefused bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lastBatch.seq = b.Seq - 1
	for _, x := range b.Beats {
		q.beats = append(q.beats, waitingBeat{x.Lease, uptimeMS - int64(x.Age)})
	}
	if len(b.Viewers) > 0 {
		q.viewers.requeueCounts(q.sentViewers)
	}
	if len(b.Likes) > 0 {
		q.likes.requeueCounts(q.sentLikes)
	}
	var restores, kept []*waitingCommand
	for _, c := range q.inFlight[batchID{b.Incarnation, b.Seq}] {
		switch {
		case c.isRestore:
			restores = append(restores, c)
		case !presence.IsDurable(c.command):
			kept = append(kept, c)
		default:
			c.complete(outcome{err: ErrUnavailable})
			anyRefused = true
		}
	}
	delete(q.inFlight, batchID{b.Incarnation, b.Seq})
	q.restores, q.commands = append(restores, q.restores...), append(kept, q.commands...)
	return anyRefused
}

// completeBatch answers the commands of an own batch. While nodes reconcile, a
// session that is missing or has missed beats may be restored: a command about it is
// answered with ErrUnavailable.
func (q *commandQueue) completeBatch(a *presence.Applied, isReconciling bool) {
	q.mu.Lock()
	b := batchID{a.Incarnation, a.Seq}
	commands := q.inFlight[b]
	delete(q.inFlight, b)
	q.mu.Unlock()
	for i, c := range commands {
		result := outcome{Result: a.Results[i]}
		if isReconciling && result.Refusal == presence.SessionGone && (result.Ended == nil || result.Ended.Reason == presence.MissedBeats) {
			result = outcome{err: ErrUnavailable}
		}
		c.complete(result)
	}
}

// dropEndedCounts drops the counts of sessions that have ended.
func (q *commandQueue) dropEndedCounts(changes []presence.Change) {
	for _, ch := range changes {
		if ch.Ended != nil {
			q.viewers.dropSession(ch.Ended.Stream.Session)
			q.likes.dropSession(ch.Ended.Stream.Session)
		}
	}
}

// close answers all waiting commands when the node stops: queued ones were not
// written, those in flight are unknown. Later commands are refused.
func (q *commandQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, c := range q.commands {
		c.complete(outcome{err: ErrUnavailable})
	}
	q.commands = nil
	for _, commands := range q.inFlight {
		for _, c := range commands {
			c.complete(outcome{err: ErrUnknown})
		}
	}
	clear(q.inFlight)
}
