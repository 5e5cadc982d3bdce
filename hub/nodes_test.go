package hub

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"pgregory.net/rapid"

	"onair/presence"
)

// node is a hub of a schedule, and where it stands in the log.
type node struct {
	hub       *Hub
	at        int // the state that it has read up to
	held      bool
	heldSince int             // the event
	stood     map[int]bool    // the states at which it was
	left      []end           // where it stood when it rebased
	told      map[string]told // counts of viewers, by code

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// end is a state that a node rebased from, and by which event.
type end struct{ state, event int }

// told is what a hub said last of the viewers of a stream.
type told struct {
	lease presence.Lease
	n     int
}

// join makes a node that starts from a snapshot of the list, and follows.
func (w *schedule) join(at int) *node {
	d := &node{at: at, stood: map[int]bool{at: true}, told: map[string]told{}}
	o := w.options
	o.Viewers = func(st *presence.Stream, n int) { d.told[st.Code] = told{st.Lease(), n} }
	d.hub = New(o)
	st := &w.oracle.states[at]
	d.hub.Load(slices.Values(anew(st.streams)), st.pos, st.time)
	w.follow(d, len(w.oracle.log))
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	d.done.Go(func() { d.hub.Run(ctx) })
	return d
}

func (d *node) leave() {
	d.cancel()
	d.done.Wait()
}

// ends are the states that the node had read up to at some time since an
// event, the last of each history.
func (d *node) ends(since int) (all []int) {
	for _, e := range d.left {
		if e.event > since {
			all = append(all, e.state)
		}
	}
	return append(all, d.at)
}

// follow has a node apply entries, if it holds to the log.
func (w *schedule) follow(d *node, n int) {
	for ; n > 0 && !d.held && w.oracle.logged(d.at); n-- {
		depth := w.oracle.states[d.at].depth + 1
		if depth == len(w.oracle.log) {
			return
		}
		d.at = w.oracle.log[depth]
		d.stood[d.at] = true
		st := &w.oracle.states[d.at]
		d.hub.Apply(st.pos, st.time, st.changes, time.Time{})
	}
}

// failOver loses the last entries of the log, maybe none, and has it go on with
// other ones, whose ids may be the same.
func (w *schedule) failOver() {
	n := rapid.IntRange(0, min(6, len(w.oracle.log)-1)).Draw(w.T, "lost")
	w.oracle.lose(n)
	end := w.oracle.last()
	for code, st := range w.streams {
		if now := end.streams[code]; now == nil || now.Session != st.Session {
			w.lost[code] = st
		}
	}
	w.streams = map[string]*presence.Stream{}
	maps.Copy(w.streams, end.streams)
	w.id = end.id + rapid.SampledFrom([]int{0, 0, 1, 3, 20}).Draw(w.T, "jump")
}

// hold has a node find out that it may have read what is lost.
func (w *schedule) hold(d *node) {
	if !d.held {
		d.held, d.heldSince = true, w.event()
	}
	d.hub.Hold()
}

// rebase has a node take over the list, from a registry that was loaded anew,
// at a state that is so many short of the log's end, but not before where it
// stood: a log that loses entries has gone on by the time that it is read.
func (w *schedule) rebase(d *node, short int) {
	fork := w.oracle.fork(d.at)
	first := w.oracle.states[fork].depth
	if fork != d.at {
		first++
	}
	if first >= len(w.oracle.log) {
		return
	}
	d.left = append(d.left, end{d.at, w.event()})
	d.at, d.held = w.oracle.log[max(first, len(w.oracle.log)-1-short)], false
	d.stood[d.at] = true
	st := &w.oracle.states[d.at]
	d.hub.Rebase(slices.Values(anew(st.streams)), st.pos, st.time)
}

// restart ends a node, which takes its viewers' sockets with it, and starts it
// from an older snapshot.
func (w *schedule) restart(i int) {
	d := w.nodes[i]
	for _, c := range slices.Clone(w.clients) {
		if c.node == d {
			w.close(c)
		}
	}
	d.leave()
	w.nodes[i] = w.join(w.oracle.log[max(0, len(w.oracle.log)-1-rapid.IntRange(0, 20).Draw(w.T, "behind"))])
}

// fault compares what a node's hub has with what there is, and with what it
// said.
func (d *node) fault(streams map[string]*presence.Stream) string {
	if fault := d.hub.fault(); fault != "" {
		return fault
	}
	d.hub.mu.Lock()
	defer d.hub.mu.Unlock()
	if len(d.hub.streams) != len(streams) || len(d.hub.byAnchor) != len(streams) {
		return fmt.Sprintf("%d streams of %d anchors, want %d", len(d.hub.streams), len(d.hub.byAnchor), len(streams))
	}
	for code, want := range streams {
		got := d.hub.streams[code]
		if got == nil || !same(got, want) || d.hub.byAnchor[want.Anchor] != got {
			return fmt.Sprintf("%s is %+v, want %+v", code, got, want)
		}
		if n := d.hub.watchers[code]; n > 0 && d.told[code] != (told{want.Lease(), n}) {
			return fmt.Sprintf("of the viewers of %s it said %+v, want %+v", code, d.told[code], told{want.Lease(), n})
		}
	}
	return ""
}
