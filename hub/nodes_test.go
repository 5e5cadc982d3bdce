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
	hub         *Hub
	state       int // the state that it has read up to
	frozen      bool
	frozenSince int                      // the event
	visited     map[int]bool             // the states at which it was
	rebases     []rebaseEvent            // where it stood when it rebased
	reported    map[string]reportedCount // counts of viewers, by code

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// rebaseEvent is a state that a node rebased from, and by which event.
type rebaseEvent struct{ state, event int }

// reportedCount is what a hub said last of the viewers of a stream.
type reportedCount struct {
	lease presence.Lease
	n     int
}

// startNode makes a node that starts from a snapshot of the list, and follows.
func (w *simulation) startNode(at int) *node {
	d := &node{state: at, visited: map[int]bool{at: true}, reported: map[string]reportedCount{}}
	o := w.options
	o.OnViewersChange = func(st *presence.Stream, n int) { d.reported[st.Code] = reportedCount{st.Lease(), n} }
	d.hub = New(o)
	st := &w.oracle.states[at]
	d.hub.Load(slices.Values(copyStreams(st.streams)), st.pos, st.time)
	w.applyEntries(d, len(w.oracle.log))
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	d.done.Go(func() { d.hub.Run(ctx) })
	return d
}

func (d *node) stop() {
	d.cancel()
	d.done.Wait()
}

// statesSince are the states that the node had read up to at some time since an
// event, the last of each history.
func (d *node) statesSince(since int) (all []int) {
	for _, e := range d.rebases {
		if e.event > since {
			all = append(all, e.state)
		}
	}
	return append(all, d.state)
}

// applyEntries has a node apply entries, if it holds to the log.
func (w *simulation) applyEntries(d *node, n int) {
	for ; n > 0 && !d.frozen && w.oracle.isInLog(d.state); n-- {
		depth := w.oracle.states[d.state].depth + 1
		if depth == len(w.oracle.log) {
			return
		}
		d.state = w.oracle.log[depth]
		d.visited[d.state] = true
		st := &w.oracle.states[d.state]
		d.hub.Apply(st.pos, st.time, st.changes, time.Time{})
	}
}

// loseTail loses the last entries of the log, maybe none, and has it go on with
// other ones, whose ids may be the same.
func (w *simulation) loseTail() {
	n := rapid.IntRange(0, min(6, len(w.oracle.log)-1)).Draw(w.T, "lost")
	w.oracle.loseEntries(n)
	end := w.oracle.lastState()
	for code, st := range w.streams {
		if now := end.streams[code]; now == nil || now.Session != st.Session {
			w.lost[code] = st
		}
	}
	w.streams = map[string]*presence.Stream{}
	maps.Copy(w.streams, end.streams)
	w.lastID = end.id + rapid.SampledFrom([]int{0, 0, 1, 3, 20}).Draw(w.T, "jump")
}

// freezeNode has a node find out that it may have read what is lost.
func (w *simulation) freezeNode(d *node) {
	if !d.frozen {
		d.frozen, d.frozenSince = true, w.nextEvent()
	}
	d.hub.Freeze()
}

// rebaseNode has a node take over the list, from a registry that was loaded anew,
// at a state that is so many short of the log's end, but not before where it
// stood: a log that loses entries has gone on by the time that it is read.
func (w *simulation) rebaseNode(d *node, short int) {
	fork := w.oracle.forkState(d.state)
	first := w.oracle.states[fork].depth
	if fork != d.state {
		first++
	}
	if first >= len(w.oracle.log) {
		return
	}
	d.rebases = append(d.rebases, rebaseEvent{d.state, w.nextEvent()})
	d.state, d.frozen = w.oracle.log[max(first, len(w.oracle.log)-1-short)], false
	d.visited[d.state] = true
	st := &w.oracle.states[d.state]
	d.hub.Rebase(slices.Values(copyStreams(st.streams)), st.pos, st.time)
}

// restartNode ends a node, which takes its viewers' sockets with it, and starts it
// from an older snapshot.
func (w *simulation) restartNode(i int) {
	d := w.nodes[i]
	for _, c := range slices.Clone(w.clients) {
		if c.node == d {
			w.disconnectClient(c)
		}
	}
	d.stop()
	w.nodes[i] = w.startNode(w.oracle.log[max(0, len(w.oracle.log)-1-rapid.IntRange(0, 20).Draw(w.T, "behind"))])
}

// inconsistency compares what a node's hub has with what there is, and with what it
// said.
func (d *node) inconsistency(streams map[string]*presence.Stream) string {
	if fault := d.hub.inconsistency(); fault != "" {
		return fault
	}
	d.hub.mu.Lock()
	defer d.hub.mu.Unlock()
	if len(d.hub.list.streams) != len(streams) || len(d.hub.list.byAnchor) != len(streams) {
		return fmt.Sprintf("%d streams of %d anchors, want %d", len(d.hub.list.streams), len(d.hub.list.byAnchor), len(streams))
	}
	for code, want := range streams {
		got := d.hub.list.streams[code]
		if got == nil || !equalStreams(got, want) || d.hub.list.byAnchor[want.Anchor] != got {
			return fmt.Sprintf("%s is %+v, want %+v", code, got, want)
		}
		if n := d.hub.watchers[code]; n > 0 && d.reported[code] != (reportedCount{want.Lease(), n}) {
			return fmt.Sprintf("of the viewers of %s it said %+v, want %+v", code, d.reported[code], reportedCount{want.Lease(), n})
		}
	}
	return ""
}
