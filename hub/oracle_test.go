package hub

import (
	"maps"
	"slices"
	"sort"

	"onair/hub/wire"
	"onair/presence"
)

// oracle knows the list as it was after every entry that the log ever had, and
// what a query gave then: all streams filtered, sorted and cut, the plainest way.
type oracle struct {
	states          []state
	stateByPosition map[string]int // by position
	log             []int          // the states of the log as it is
}

// state is the list after an entry.
type state struct {
	pos     presence.Position
	id      int // of pos
	time    int64
	depth   int // entries before
	parent  int // the state before
	changes []presence.Change
	streams map[string]*presence.Stream
}

func newOracle() *oracle {
	o := &oracle{stateByPosition: map[string]int{}, log: []int{0}}
	o.stateByPosition[position(0).String()] = 0
	o.states = []state{{pos: position(0), time: testStart, parent: -1}}
	return o
}

// appendEntry writes an entry to the log.
func (o *oracle) appendEntry(id int, time int64, changes []presence.Change, streams map[string]*presence.Stream) {
	n := len(o.states)
	pos := positionWithHash(id, n)
	o.stateByPosition[pos.String()] = n
	o.states = append(o.states, state{pos, id, time, len(o.log), o.log[len(o.log)-1], changes, maps.Clone(streams)})
	o.log = append(o.log, n)
}

// lastState is the state at the log's end.
func (o *oracle) lastState() state { return o.states[o.log[len(o.log)-1]] }

// loseEntries takes the last n entries off the log.
func (o *oracle) loseEntries(n int) { o.log = o.log[:len(o.log)-n] }

// isInLog tells whether the log still has the nth state.
func (o *oracle) isInLog(n int) bool {
	d := o.states[n].depth
	return d < len(o.log) && o.log[d] == n
}

// forkState is the last state before or at the nth that the log still has.
func (o *oracle) forkState(n int) int {
	for !o.isInLog(n) {
		n = o.states[n].parent
	}
	return n
}

// isAncestor tells whether state a is one that led to another, b.
func (o *oracle) isAncestor(a, b int) bool { return a != b && o.isAncestorOrSame(a, b) }

// isAncestorOrSame tells whether state a is b, or one that led to it.
func (o *oracle) isAncestorOrSame(a, b int) bool {
	for o.states[b].depth > o.states[a].depth {
		b = o.states[b].parent
	}
	return a == b
}

// expectedAnswer is what a query, or the watching of a code, gives in the nth state.
func (o *oracle) expectedAnswer(n int, q *wire.Subscribe, code string) (window []wire.Entry, total int) {
	st := o.states[n]
	for _, s := range st.streams {
		if code != "" && s.Code == code || code == "" && queryMatches(s, q) {
			window = append(window, expectedEntry(s, q.Play, st.time))
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

// expectedEntry is a stream as a client decodes it.
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
