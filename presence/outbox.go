package presence

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// outbox is what a node has to say and has not said yet, and the calls that
// wait for an answer.
type outbox struct {
	mu      sync.Mutex // guards all below but viewers and likes
	beats   []arrival
	spare   []arrival // the other half of a double buffer
	calls   []*call
	closed  bool               // the node has stopped: nothing goes out any more
	waiting map[uint64][]*call // by the number of the batch that carries them
	no      uint64             // of the last batch made
	scratch []byte

	viewers tally
	likes   tally
}

// arrival is a beat and when it came, in milliseconds since the node began.
type arrival struct {
	Lease
	at int64
}

// call is a command on its way; answer is nil when nobody waits.
type call struct {
	command Command
	answer  chan answered
	at      time.Time
}

type answered struct {
	Result
	err error
}

func (c *call) done(a answered) {
	if c.answer != nil {
		c.answer <- a
	}
}

func newOutbox() outbox {
	return outbox{
		waiting: map[uint64][]*call{},
		viewers: tally{counts: map[Lease]tallied{}},
		likes:   tally{counts: map[Lease]tallied{}},
	}
}

// beat queues a beat. While the log is away it makes room by keeping the last
// beat of each lease, so that no outage is too long to remember.
func (o *outbox) beat(l Lease, at int64) {
	o.mu.Lock()
	if n := len(o.beats); n == cap(o.beats) && n >= manyBeats {
		o.beats = newest(o.beats)
	}
	o.beats = append(o.beats, arrival{l, at})
	o.mu.Unlock()
}

// manyBeats is how many beats wait before it pays to look for repeated ones.
const manyBeats = 4096

// newest sorts beats by lease, and keeps the last of each.
func newest(beats []arrival) []arrival {
	slices.SortFunc(beats, func(a, b arrival) int {
		return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.Tag, b.Tag), cmp.Compare(b.at, a.at))
	})
	return slices.CompactFunc(beats, func(a, b arrival) bool { return a.Lease == b.Lease })
}

// ask queues a command that somebody waits for.
func (o *outbox) ask(c Command) *call {
	call := &call{command: c, answer: make(chan answered, 1), at: time.Now()}
	o.queue(call)
	return call
}

// tell queues a command that nobody waits for.
func (o *outbox) tell(c Command) { o.queue(&call{command: c}) }

func (o *outbox) queue(c *call) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		c.done(answered{err: ErrUnavailable})
		return
	}
	o.calls = append(o.calls, c)
}

// withdraw takes a call back; it reports false when it is on its way already.
func (o *outbox) withdraw(c *call) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.Index(o.calls, c)
	if i < 0 {
		return false
	}
	o.calls = slices.Delete(o.calls, i, i+1)
	return true
}

// taken is when the first of a batch's commands came.
func (o *outbox) taken(no uint64) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range o.waiting[no] {
		if !c.at.IsZero() {
			return c.at
		}
	}
	return time.Time{}
}

// waits reports whether there is more to say than what was just taken.
func (o *outbox) waits(size int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.calls) > 0 || len(o.beats)*longBeat > size
}

// longBeat is the most bytes that a beat takes in a batch.
const longBeat = 12

// take makes a batch of what waits, of about size bytes at the most; of counts
// only when asked, since they have a limit for each tick.
func (o *outbox) take(now int64, size int, counts bool) *Batch {
	b := &Batch{}
	if counts {
		b.Viewers, b.Likes = o.viewers.take(), o.likes.take()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.no++
	b.No = o.no
	o.beats = newest(o.beats)
	fits := min(len(o.beats), max(1, size/longBeat))
	b.Beats = make([]Beat, fits)
	for i, x := range o.beats[:fits] {
		b.Beats[i] = Beat{x.Lease, uint32(max(0, now-x.at))}
	}
	o.beats, o.spare = append(o.spare[:0], o.beats[fits:]...), o.beats
	if n := o.fit(size - longBeat*fits); n > 0 {
		b.Commands = make([]Command, n)
		for i, c := range o.calls[:n] {
			b.Commands[i] = c.command
		}
		o.waiting[o.no] = o.calls[:n:n]
		o.calls = slices.Clone(o.calls[n:])
	}
	return b
}

// fit is how many of the calls that wait go into so many bytes: at least one,
// or nothing would ever move.
func (o *outbox) fit(size int) (n int) {
	for _, c := range o.calls {
		o.scratch = c.command.encode(o.scratch[:0])
		if size -= 1 + len(o.scratch); size < 0 && n > 0 {
			break
		}
		n++
	}
	return n
}

// notWritten takes back a batch of which nothing was ordered: its durable
// commands are refused, the rest waits for the next batch, under the same
// number. It reports whether any was refused, so that the rest may go at once.
func (o *outbox) notWritten(b *Batch, now int64) (refused bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.no = b.No - 1
	for _, x := range b.Beats {
		o.beats = append(o.beats, arrival{x.Lease, now - int64(x.Age)})
	}
	o.viewers.untake(b.Viewers)
	o.likes.untake(b.Likes)
	var kept []*call
	for _, c := range o.waiting[b.No] {
		if !c.command.durable() {
			kept = append(kept, c)
			continue
		}
		c.done(answered{err: ErrUnavailable})
		refused = true
	}
	delete(o.waiting, b.No)
	o.calls = append(kept, o.calls...)
	return refused
}

// answer hands out the results of an own batch.
func (o *outbox) answer(a *Applied) {
	o.mu.Lock()
	calls := o.waiting[a.No]
	delete(o.waiting, a.No)
	o.mu.Unlock()
	for i, c := range calls {
		c.done(answered{Result: a.Results[i]})
	}
}

// forget lets go of the counts of sessions that have ended.
func (o *outbox) forget(changes []Change) {
	for _, ch := range changes {
		if ch.Ended != nil {
			o.viewers.forget(ch.Ended.Stream.Lease())
			o.likes.forget(ch.Ended.Stream.Lease())
		}
	}
}

// close answers all that still waits when the node stops, and whoever comes
// later: what was queued was not written, what was on its way is unknown.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	for _, c := range o.calls {
		c.done(answered{err: ErrUnavailable})
	}
	o.calls = nil
	for _, calls := range o.waiting {
		for _, c := range calls {
			c.done(answered{err: ErrUnknown})
		}
	}
	clear(o.waiting)
}
