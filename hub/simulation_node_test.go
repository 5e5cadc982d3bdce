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

// node is one hub of a simulation, with its progress in the log.
type node struct {
	hub           *Hub
	stateIndex    int // oracle state that it has applied
	frozen        bool
	frozenSince   int                      // event number
	visitedStates map[int]bool             // all states that it has had
	leftStates    []leftState              // states that it has left by a rebase
	reported      map[string]reportedCount // by live code

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// leftState is the state before a rebase, and the event number of the rebase.
type leftState struct{ stateIndex, event int }

// reportedCount is the hub's last report of a stream's viewers.
type reportedCount struct {
	lease   presence.Lease
	viewers int
}

// startNode starts a node from a snapshot of a state, and applies later entries.
func (sim *simulation) startNode(at int) *node {
	d := &node{stateIndex: at, visitedStates: map[int]bool{at: true}, reported: map[string]reportedCount{}}
	o := sim.options
	o.OnViewersChange = func(st *presence.Stream, n int) { d.reported[st.Code] = reportedCount{st.Lease(), n} }
	d.hub = New(o)
	st := &sim.oracle.states[at]
	d.hub.Load(slices.Values(copyStreams(st.streams)), st.pos, st.logTime)
	sim.applyEntries(d, len(sim.oracle.logStates))
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	d.done.Go(func() { d.hub.Run(ctx) })
	return d
}

func (d *node) stop() {
	d.cancel()
	d.done.Wait()
}

// statesSince returns the node's last state in each epoch since an event.
func (d *node) statesSince(since int) (all []int) {
	for _, e := range d.leftStates {
		if e.event > since {
			all = append(all, e.stateIndex)
		}
	}
	return append(all, d.stateIndex)
}

// applyEntries has a node apply at most n entries, unless it is frozen or has lost
// entries.
func (sim *simulation) applyEntries(d *node, n int) {
	for ; n > 0 && !d.frozen && sim.oracle.isInLog(d.stateIndex); n-- {
		depth := sim.oracle.states[d.stateIndex].depth + 1
		if depth == len(sim.oracle.logStates) {
			return
		}
		d.stateIndex = sim.oracle.logStates[depth]
		d.visitedStates[d.stateIndex] = true
		st := &sim.oracle.states[d.stateIndex]
		d.hub.Apply(st.pos, st.logTime, st.changes, time.Time{})
	}
}

// loseTail removes up to six of the log's last entries. Later entries may have the
// same ids.
func (sim *simulation) loseTail() {
	n := rapid.IntRange(0, min(6, len(sim.oracle.logStates)-1)).Draw(sim.T, "lost")
	sim.oracle.loseEntries(n)
	end := sim.oracle.lastState()
	for code, st := range sim.streams {
		if now := end.streams[code]; now == nil || now.Session != st.Session {
			sim.lost[code] = st
		}
	}
	sim.streams = map[string]*presence.Stream{}
	maps.Copy(sim.streams, end.streams)
	sim.lastID = end.id + rapid.SampledFrom([]int{0, 0, 1, 3, 20}).Draw(sim.T, "jump")
}

// freezeNode freezes a node, which may have applied lost entries.
func (sim *simulation) freezeNode(d *node) {
	if !d.frozen {
		d.frozen, d.frozenSince = true, sim.nextEvent()
	}
	d.hub.Freeze()
}

// rebaseNode rebases a node to the state that is entriesBack before the log's end,
// but not to one before the node's own: a node rebases when the log continues.
func (sim *simulation) rebaseNode(d *node, entriesBack int) {
	fork := sim.oracle.forkState(d.stateIndex)
	first := sim.oracle.states[fork].depth
	if fork != d.stateIndex {
		first++
	}
	if first >= len(sim.oracle.logStates) {
		return
	}
	d.leftStates = append(d.leftStates, leftState{d.stateIndex, sim.nextEvent()})
	d.stateIndex, d.frozen = sim.oracle.logStates[max(first, len(sim.oracle.logStates)-1-entriesBack)], false
	d.visitedStates[d.stateIndex] = true
	st := &sim.oracle.states[d.stateIndex]
	d.hub.Rebase(slices.Values(copyStreams(st.streams)), st.pos, st.logTime)
}

// restartNode closes a node and its sockets, and starts it from an older snapshot.
func (sim *simulation) restartNode(i int) {
	d := sim.nodes[i]
	for _, c := range slices.Clone(sim.clients) {
		if c.node == d {
			sim.disconnectClient(c)
		}
	}
	d.stop()
	sim.nodes[i] = sim.startNode(sim.oracle.logStates[max(0, len(sim.oracle.logStates)-1-rapid.IntRange(0, 20).Draw(sim.T, "behind"))])
}

// inconsistency compares a node's hub with the expected streams and with its reports
// of viewers.
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
		if got == nil || !haveSameFields(got, want) || d.hub.list.byAnchor[want.Anchor] != got {
			return fmt.Sprintf("%s is %+v, want %+v", code, got, want)
		}
		if n := d.hub.watchers[code]; n > 0 && d.reported[code] != (reportedCount{want.Lease(), n}) {
			return fmt.Sprintf("reported viewers of %s: %+v, want %+v", code, d.reported[code], reportedCount{want.Lease(), n})
		}
	}
	return ""
}
