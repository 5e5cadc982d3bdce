package presence

import (
	"cmp"
	"slices"
	"sync"
)

// outbox is what a node has to say and has not said yet, and the calls that
// wait for an answer.
type outbox struct {
	mu      sync.Mutex // guards all below but viewers and likes
	beats   []arrival
	spare   []arrival // the other half of a double buffer
	calls   []*call
	waiting map[uint64][]*call // by the number of the batch that carries them
	no      uint64             // of the last batch made

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
}

type answered struct {
	Result
	err error
}

func newOutbox() outbox {
	return outbox{
		waiting: map[uint64][]*call{},
		viewers: tally{counts: map[Lease]tallied{}},
		likes:   tally{counts: map[Lease]tallied{}},
	}
}

func (o *outbox) beat(l Lease, at int64) {
	o.mu.Lock()
	o.beats = append(o.beats, arrival{l, at})
	o.mu.Unlock()
}

func (o *outbox) ask(c Command) *call {
	call := &call{command: c, answer: make(chan answered, 1)}
	o.mu.Lock()
	o.calls = append(o.calls, call)
	o.mu.Unlock()
	return call
}

func (o *outbox) tell(c Command) {
	o.mu.Lock()
	o.calls = append(o.calls, &call{command: c})
	o.mu.Unlock()
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

// take makes a batch of all that waits.
func (o *outbox) take(now int64) *Batch {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.no++
	b := &Batch{No: o.no, Viewers: o.viewers.take(), Likes: o.likes.take()}
	b.Beats = make([]Beat, len(o.beats))
	for i, x := range o.beats {
		b.Beats[i] = Beat{x.Lease, uint32(max(0, now-x.at))}
	}
	o.beats, o.spare = o.spare[:0], o.beats
	if len(o.calls) > 0 {
		b.Commands = make([]Command, len(o.calls))
		for i, c := range o.calls {
			b.Commands[i] = c.command
		}
		o.waiting[o.no] = o.calls
		o.calls = nil
	}
	return b
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
		switch {
		case !c.command.durable():
			kept = append(kept, c)
		case c.answer != nil:
			c.answer <- answered{err: ErrUnavailable}
			refused = true
		}
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
		if c.answer != nil {
			c.answer <- answered{Result: a.Results[i]}
		}
	}
	for _, ch := range a.Changes {
		if ch.Ended != nil {
			o.viewers.forget(ch.Ended.Stream.Lease())
			o.likes.forget(ch.Ended.Stream.Lease())
		}
	}
}

// refuse answers all that still waits when the node stops: what was queued was
// not written, what was on its way is unknown.
func (o *outbox) refuse() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range o.calls {
		if c.answer != nil {
			c.answer <- answered{err: ErrUnavailable}
		}
	}
	o.calls = nil
	for _, calls := range o.waiting {
		for _, c := range calls {
			if c.answer != nil {
				c.answer <- answered{err: ErrUnknown}
			}
		}
	}
	clear(o.waiting)
}

// tally is a node's absolute numbers by stream, of which those that changed go
// out with each tick.
type tally struct {
	mu     sync.Mutex
	counts map[Lease]tallied
	queue  []Lease // those that changed since they were sent
}

type tallied struct {
	now, sent int64
	queued    bool
}

// maxTally is how many counts go out in one tick, the most changed first: about
// four kilobytes.
const maxTally = 512

func (t *tally) set(l Lease, n int64) { t.edit(l, func(int64) int64 { return n }) }
func (t *tally) add(l Lease, n int64) { t.edit(l, func(was int64) int64 { return was + n }) }

func (t *tally) edit(l Lease, f func(int64) int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.counts[l]
	x.now = f(x.now)
	if !x.queued && x.now != x.sent {
		x.queued = true
		t.queue = append(t.queue, l)
	}
	t.counts[l] = x
}

// take returns what is to be sent now.
func (t *tally) take() []Count {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 {
		return nil
	}
	if len(t.queue) > maxTally {
		slices.SortFunc(t.queue, func(a, b Lease) int {
			return cmp.Or(cmp.Compare(t.counts[b].delta(), t.counts[a].delta()), cmp.Compare(a.Index, b.Index))
		})
	}
	n := min(len(t.queue), maxTally)
	out := make([]Count, 0, n)
	for _, l := range t.queue[:n] {
		x := t.counts[l]
		x.queued = false
		if x.now != x.sent {
			out = append(out, Count{l, x.now})
			x.sent = x.now
		}
		if t.counts[l] = x; x.now == 0 {
			delete(t.counts, l)
		}
	}
	t.queue = slices.Delete(t.queue, 0, n)
	return out
}

// untake puts back what was not written.
func (t *tally) untake(counts []Count) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range counts {
		x, ok := t.counts[c.Lease]
		x.sent = -1
		if !ok {
			x.now = c.N
		}
		if !x.queued {
			x.queued = true
			t.queue = append(t.queue, c.Lease)
		}
		t.counts[c.Lease] = x
	}
}

func (t *tally) forget(l Lease) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x, ok := t.counts[l]; ok {
		delete(t.counts, l)
		if x.queued {
			t.queue = slices.DeleteFunc(t.queue, func(q Lease) bool { return q == l })
		}
	}
}

func (x tallied) delta() int64 { return max(x.now-x.sent, x.sent-x.now) }
