package hub

import (
	"container/heap"
	"context"
	"slices"
	"sync"
	"time"
)

// agenda has every view, the one that is due first on top. It implements
// heap.Interface; add, move and remove are for use.
type agenda []*view

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].due.Before(a[j].due) }

func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].slot, a[j].slot = i, j
}

// Push implements heap.Interface.
func (a *agenda) Push(v any) {
	v.(*view).slot = len(*a)
	*a = append(*a, v.(*view))
}

// Pop implements heap.Interface.
func (a *agenda) Pop() any {
	last := len(*a) - 1
	v := (*a)[last]
	(*a)[last] = nil
	*a = (*a)[:last]
	return v
}

func (a *agenda) add(v *view, due time.Time) {
	v.due = due
	heap.Push(a, v)
}

func (a *agenda) move(v *view, due time.Time) {
	v.due = due
	heap.Fix(a, v.slot)
}

func (a *agenda) remove(v *view) { heap.Remove(a, v.slot) }

// reschedule finds out anew when a view is due.
func (h *Hub) reschedule(v *view) {
	if due := h.due(v); !due.Equal(v.due) {
		h.agenda.move(v, due)
	}
}

// next is when Run has something to do.
func (h *Hub) next() (at time.Time, ok bool) {
	if len(h.agenda) > 0 {
		at, ok = h.agenda[0].due, true
	}
	if len(h.waiting) > 0 && (!ok || h.heard || h.waiting[0].deadline.Before(at)) {
		if at, ok = h.waiting[0].deadline, true; h.heard {
			at = time.Time{}
		}
	}
	return at, ok
}

// poke wakes Run if something is due before it wakes by itself.
func (h *Hub) poke() {
	at, ok := h.next()
	if !ok || !h.armed.IsZero() && !at.Before(h.armed) {
		return
	}
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Run flushes views when they are due, and hands out what that gives, until ctx
// ends.
func (h *Hub) Run(ctx context.Context) {
	var fans sync.WaitGroup
	defer fans.Wait()
	for _, sh := range h.shards {
		fans.Go(func() { h.fan(ctx, sh) })
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
		case <-timer.C:
		}
		timer.Reset(h.flushDue())
	}
}

// flushDue flushes what is due and returns how long nothing will be. It lets
// go of the lock after each view.
func (h *Hub) flushDue() time.Duration {
	for {
		pump, idle := h.flushNext(time.Now())
		for _, s := range pump {
			s.pump()
		}
		if idle > 0 {
			return idle
		}
	}
}

// flushNext does one thing that is due, and returns the sockets that are to be
// pumped; when nothing is due, how long that lasts.
func (h *Hub) flushNext(now time.Time) (pump []*Socket, idle time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at, ok := h.next()
	if !ok {
		at = now.Add(time.Hour)
	}
	if at.After(now) {
		h.armed = at
		return nil, at.Sub(now)
	}
	h.pace.look(now, len(h.shards), h.options.Tick)
	h.metrics.tick.Set(h.pace.tick.Seconds())
	if len(h.agenda) > 0 && !h.agenda[0].due.After(now) {
		h.flush(h.agenda[0], now)
	}
	return h.retry(now), 0
}

// flush does for a view what is due.
func (h *Hub) flush(v *view, now time.Time) {
	if v.count == 0 {
		h.drop(v)
		return
	}
	h.advance(v, now)
	h.reschedule(v)
}

// advance takes a view to the hub's position and sends the difference to all
// who stand at its last frame. If there is none, nothing is sent and the view
// stays, so that they go on standing there; but after Idle of silence that is
// sent too, and keeps lines alive and positions moving. And a view does not
// stay in a history that is over: no other node knows positions of it.
func (h *Hub) advance(v *view, now time.Time) {
	m := h.now(v)
	next := h.compare(v, &m)
	since, k := v.textSince, diffMessage
	if h.delta.empty() {
		if k = idleMessage; m.history == v.last.history && now.Before(v.spoke.Add(h.options.Idle)) {
			v.spare = m.window
			v.textSince, v.countersSince = time.Time{}, time.Time{}
			h.watchSwitch(v, next)
			return
		}
	} else {
		v.diffed = now
	}
	h.encoder.player = v.player
	f := h.encoder.diff(v.query.id, k, &v.last, &m, &h.delta)
	h.encoded++
	v.spoke = now
	v.become(m)
	h.watchSwitch(v, next)
	v.keep(f.prev, f)
	h.flushes++
	h.send(&flight{
		view: v, outgoing: outgoing{f.message(""), what{f.kind, since}},
		prev: f.prev, next: m.pos, number: h.flushes,
	})
	h.metrics.flushed(f)
}

// compare makes h.delta lead from the view's last frame to m, and returns when
// the next play URL changes. As long as none has, only the streams that come
// in are asked for theirs.
func (h *Hub) compare(v *view, m *moment) (nextSwitch int64) {
	if v.switched(m.time) {
		h.delta.compare(v.order, &v.last, m, v.player)
		return v.player.nextSwitch(m.window, m.time)
	}
	h.delta.compare(v.order, &v.last, m, player{})
	return min(v.nextSwitch, v.player.nextSwitch(h.delta.put, m.time))
}

// drop forgets a view, and its order with the last view of it.
func (h *Hub) drop(v *view) {
	h.agenda.remove(v)
	h.switches.Delete(v)
	delete(h.views, v.query.id)
	o := v.order
	o.views = slices.DeleteFunc(o.views, func(other *view) bool { return other == v })
	if len(o.views) == 0 {
		h.orders.remove(o)
	}
	h.metrics.views.Set(float64(len(h.views)))
}

// dropUnused makes room for other views.
func (h *Hub) dropUnused() {
	for _, v := range h.views {
		if v.count == 0 {
			h.drop(v)
		}
	}
}
