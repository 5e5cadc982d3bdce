package node

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"onair/presence"
)

// outbox is what a node has to say and has not said yet, and the calls that
// wait for an answer.
type outbox struct {
	mu      sync.Mutex // guards all below but viewers and likes
	beats   []arrival
	spare   []arrival // the other half of a double buffer
	mends   []*call   // that put back what the log has lost: they go first
	calls   []*call
	closed  bool // the node has stopped: nothing goes out any more
	joining bool // the log has not shown a batch of this boot yet
	waiting map[said][]*call
	last    said // the last batch made
	scratch []byte

	viewers tally
	likes   tally
	// Of which sessions the last batch has counts; owned by who takes batches.
	viewed, liked []presence.Session
}

// said names a batch of this node.
type said struct{ boot, no uint64 }

// arrival is a beat and when it came, in milliseconds since the node began.
type arrival struct {
	presence.Lease
	at int64
}

// call is a command on its way; answer is nil when nobody waits.
type call struct {
	command presence.Command
	answer  chan answered
	at      time.Time
	left    bool // nobody waits any more
	mends   bool // it puts back what was lost: it does nothing twice, and no client waits for it
}

type answered struct {
	presence.Result
	err error
}

func (c *call) done(a answered) {
	if c.answer != nil {
		c.answer <- a
	}
}

func newOutbox() outbox {
	return outbox{
		waiting: map[said][]*call{},
		viewers: tally{counts: map[presence.Session]tallied{}},
		likes:   tally{counts: map[presence.Session]tallied{}},
	}
}

// beat queues a beat. While the log is away it makes room by keeping the last
// beat of each lease, so that no outage is too long to remember.
func (o *outbox) beat(l presence.Lease, at int64) {
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
func (o *outbox) ask(c presence.Command) *call {
	call := &call{command: c, answer: make(chan answered, 1), at: time.Now()}
	o.queue(call)
	return call
}

// tell queues a command that nobody waits for.
func (o *outbox) tell(c presence.Command) { o.queue(&call{command: c}) }

func (o *outbox) queue(c *call) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		c.done(answered{err: ErrUnavailable})
		return
	}
	o.calls = append(o.calls, c)
}

// mend queues commands that put back what the log has lost.
func (o *outbox) mend(commands []presence.Command) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range commands {
		o.mends = append(o.mends, &call{command: c, mends: true})
	}
}

// mending reports whether something that was queued to mend the log is not in
// the log yet.
func (o *outbox) mending() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, calls := range o.waiting {
		if slices.ContainsFunc(calls, func(c *call) bool { return c.mends }) {
			return true
		}
	}
	return len(o.mends) > 0
}

// join begins another boot. Until the log has shown a batch of it, none may
// hold a command that somebody waits for: the last boot's may yet turn up.
func (o *outbox) join(boot uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.joining, o.last = true, said{boot: boot}
}

// boot is the present one.
func (o *outbox) boot() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last.boot
}

// joined has the calls of earlier boots go again, if they have not been
// answered: now that the log has shown a batch of this boot, none of theirs will
// be applied any more. It reports whether it is the first of the present boot.
func (o *outbox) joined(boot uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.joining || boot != o.last.boot {
		return false
	}
	o.joining = false
	again, _ := o.reclaim(func(b said) bool { return b.boot != boot })
	o.calls = append(again, o.calls...)
	return true
}

// resay has what went out before b, in the same boot, go again: now that the log
// has shown b, none of it will be applied any more.
func (o *outbox) resay(b said) {
	o.mu.Lock()
	defer o.mu.Unlock()
	calls, mended := o.reclaim(func(x said) bool { return x.boot == b.boot && x.no < b.no })
	o.calls, o.mends = append(calls, o.calls...), append(mended, o.mends...)
}

// reclaim takes back, in order, the calls of those batches on their way that
// pick names, but for those that nobody waits for any more; and apart from them
// what mends. The caller holds mu.
func (o *outbox) reclaim(pick func(said) bool) (calls, mended []*call) {
	for _, b := range slices.SortedFunc(maps.Keys(o.waiting), func(a, b said) int {
		return cmp.Or(cmp.Compare(a.boot, b.boot), cmp.Compare(a.no, b.no))
	}) {
		if !pick(b) {
			continue
		}
		for _, c := range o.waiting[b] {
			switch {
			case c.mends:
				mended = append(mended, c)
			case !c.left:
				calls = append(calls, c)
			}
		}
		delete(o.waiting, b)
	}
	return calls, mended
}

// withdraw takes a call back; it reports false when it is on its way already.
func (o *outbox) withdraw(c *call) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.Index(o.calls, c)
	if i < 0 {
		c.left = true
		return false
	}
	o.calls = slices.Delete(o.calls, i, i+1)
	return true
}

// taken is when the first of a batch's commands came.
func (o *outbox) taken(b said) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range o.waiting[b] {
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
	if len(o.mends) > 0 || o.joining {
		return len(o.mends) > 0
	}
	return len(o.calls) > 0 || len(o.beats)*longBeat > size
}

// spent reports whether all that was heard has been taken.
func (o *outbox) spent() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.beats) == 0 && len(o.mends) == 0
}

// longBeat is the most bytes that a beat takes in a batch.
const longBeat = 12

// count takes the counts of which the log is to hear, of sessions that the
// registry knows; a tick has a limit of them.
func (o *outbox) count(r *presence.Registry, b *presence.Batch) {
	b.Viewers, o.viewed = o.viewers.take(r)
	b.Likes, o.liked = o.likes.take(r)
}

// take adds to a batch what waits, of about size bytes at the most, but for what
// was to mend the log and is needed no more.
func (o *outbox) take(b *presence.Batch, now int64, size int, needed func(presence.Command) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last.no++
	b.Boot, b.No = o.last.boot, o.last.no
	o.beats = newest(o.beats)
	fits := min(len(o.beats), max(1, size/longBeat))
	b.Beats = make([]presence.Beat, fits)
	for i, x := range o.beats[:fits] {
		b.Beats[i] = presence.Beat{Lease: x.Lease, Age: uint32(max(0, now-x.at))}
	}
	o.beats, o.spare = append(o.spare[:0], o.beats[fits:]...), o.beats
	size -= longBeat * fits
	var taken []*call
	taken, o.mends = o.fit(taken, o.mends, &size, needed)
	if !o.joining {
		taken, o.calls = o.fit(taken, o.calls, &size, nil)
	}
	if len(taken) > 0 {
		b.Commands = make([]presence.Command, len(taken))
		for i, c := range taken {
			b.Commands[i] = c.command
		}
		o.waiting[o.last] = taken
	}
}

// fit moves calls of so many bytes from a queue to those that are taken: at
// least one, or nothing would ever move. Those that are not needed are let go of.
func (o *outbox) fit(taken, queue []*call, size *int, needed func(presence.Command) bool) (all, rest []*call) {
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

// notWritten takes back a batch of which nothing was ordered: its durable
// commands are refused, the rest waits for the next batch, under the same
// number. It reports whether any was refused, so that the rest may go at once.
func (o *outbox) notWritten(b *presence.Batch, now int64) (refused bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last.no = b.No - 1
	for _, x := range b.Beats {
		o.beats = append(o.beats, arrival{x.Lease, now - int64(x.Age)})
	}
	if len(b.Viewers) > 0 {
		o.viewers.untake(o.viewed)
	}
	if len(b.Likes) > 0 {
		o.likes.untake(o.liked)
	}
	var again, kept []*call
	for _, c := range o.waiting[said{b.Boot, b.No}] {
		switch {
		case c.mends:
			again = append(again, c)
			continue
		case !presence.IsDurable(c.command):
			kept = append(kept, c)
			continue
		}
		c.done(answered{err: ErrUnavailable})
		refused = true
	}
	delete(o.waiting, said{b.Boot, b.No})
	o.mends, o.calls = append(again, o.mends...), append(kept, o.calls...)
	return refused
}

// answer hands out the results of an own batch. While what the log has lost may
// yet be put back, a session that it does not have need not be gone: then the
// command was refused, and is to be tried again.
func (o *outbox) answer(a *presence.Applied, healing bool) {
	o.mu.Lock()
	b := said{a.Boot, a.No}
	calls := o.waiting[b]
	delete(o.waiting, b)
	o.mu.Unlock()
	for i, c := range calls {
		r := a.Results[i]
		if healing && r.Refusal == presence.SessionGone && r.Ended == nil {
			c.done(answered{err: ErrUnavailable})
			continue
		}
		c.done(answered{Result: r})
	}
}

// forget lets go of the counts of sessions that have ended.
func (o *outbox) forget(changes []presence.Change) {
	for _, ch := range changes {
		if ch.Ended != nil {
			o.viewers.forget(ch.Ended.Stream.Session)
			o.likes.forget(ch.Ended.Stream.Session)
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
