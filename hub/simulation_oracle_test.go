package hub

import (
	"maps"
	"slices"
	"sort"

	"onair/hub/wire"
	"onair/presence"
)

// oracle has the list after every entry of the log, lost ones included. It answers
// queries for each in the simplest way: filter, sort and cut all streams.
type oracle struct {
	states          []listState
	stateByPosition map[string]int
	logStates       []int // states of the current log
}

// listState is the list after an entry.
type listState struct {
	pos     presence.Position
	id      int // of pos
	logTime int64
	depth   int // number of entries before
	parent  int // state before the entry
	changes []presence.Change
	streams map[string]*presence.Stream
}

func newOracle() *oracle {
	o := &oracle{stateByPosition: map[string]int{}, logStates: []int{0}}
	o.stateByPosition[position(0).String()] = 0
	o.states = []listState{{pos: position(0), logTime: testStart, parent: -1}}
	return o
}

// appendEntry appends an entry to the log.
func (o *oracle) appendEntry(id int, time int64, changes []presence.Change, streams map[string]*presence.Stream) {
	n := len(o.states)
	pos := positionWithHash(id, n)
	o.stateByPosition[pos.String()] = n
	o.states = append(o.states, listState{pos, id, time, len(o.logStates), o.logStates[len(o.logStates)-1], changes, maps.Clone(streams)})
	o.logStates = append(o.logStates, n)
}

// lastState is the state at the log's end.
func (o *oracle) lastState() listState { return o.states[o.logStates[len(o.logStates)-1]] }

// loseEntries removes the last n entries of the log.
func (o *oracle) loseEntries(n int) { o.logStates = o.logStates[:len(o.logStates)-n] }

// isInLog reports whether the current log has the nth state.
func (o *oracle) isInLog(n int) bool {
	d := o.states[n].depth
	return d < len(o.logStates) && o.logStates[d] == n
}

// forkState is the last state up to the nth that the current log has.
func (o *oracle) forkState(n int) int {
	for !o.isInLog(n) {
		n = o.states[n].parent
	}
	return n
}

// isAncestor reports whether state b was made from state a by one or more entries.
func (o *oracle) isAncestor(a, b int) bool { return a != b && o.isAncestorOrSame(a, b) }

// isAncestorOrSame reports whether state a is b, or an ancestor of it.
func (o *oracle) isAncestorOrSame(a, b int) bool {
	for o.states[b].depth > o.states[a].depth {
		b = o.states[b].parent
	}
	return a == b
}

// expectedAnswer is the answer to a query, or to a watch of a code, in the nth state.
func (o *oracle) expectedAnswer(n int, q *wire.Subscribe, code string) (window []wire.Entry, total int) {
	st := o.states[n]
	for _, s := range st.streams {
		if code != "" && s.Code == code || code == "" && queryMatches(s, q) {
			window = append(window, expectedEntry(s, q.Play, st.logTime))
		}
	}
	total = len(window)
	sort.Slice(window, func(i, j int) bool {
		a, b := window[i], window[j]
		switch {
		case (q.Sort == "viewers" || q.Sort == "") && a.Viewers != b.Viewers:
			return a.Viewers > b.Viewers
		case q.Sort == "likes" && a.Likes != b.Likes:
			return a.Likes > b.Likes
		case a.StartedAt != b.StartedAt:
			return a.StartedAt > b.StartedAt
		}
		return a.Code < b.Code
	})
	if q.Limit > 0 && total > q.Limit {
		window = window[:q.Limit]
	}
	return window, total
}

func queryMatches(s *presence.Stream, q *wire.Subscribe) bool {
	if !s.Shown || q.List == "" && s.List != "live" || q.List != "" && s.List != q.List {
		return false
	}
	for _, tag := range q.Tags {
		if !slices.Contains(s.Tags, tag) {
			return false
		}
	}
	return q.Anchors == nil || slices.Contains(q.Anchors, s.Anchor)
}

// expectedEntry is the entry that a client decodes for a stream.
func expectedEntry(s *presence.Stream, play []string, time int64) wire.Entry {
	e := wire.Entry{
		Code: s.Code, Anchor: s.Anchor, Title: s.Title, State: s.State.String(), Away: s.Away.String(),
		StartedAt: s.StartedAt, Viewers: s.Viewers, Likes: s.Likes, Tags: s.Tags, Cover: s.Cover, Extra: s.Extra,
	}
	for _, p := range slices.Sorted(slices.Values(play)) {
		expires := fakeSigner{}.Expiry(s.Code, time)
		e.Play = append(e.Play, wire.PlayURL{Protocol: p, URL: string(fakeSigner{}.AppendURL(nil, p, s.Code, expires))})
	}
	return e
}
