package hub

import (
	"maps"
	"slices"
	"sort"

	"onair/hub/wire"
	"onair/presence"
)

// oracle knows the list as it was after every entry of the log, and what a
// query gave then: all streams filtered, sorted and cut, the plainest way.
type oracle struct {
	states []state
	at     map[string]int // by position
}

type state struct {
	pos     presence.Position
	time    int64
	streams map[string]*presence.Stream
}

func newOracle() *oracle {
	o := &oracle{at: map[string]int{}}
	o.add(position(0), epoch, nil)
	return o
}

func (o *oracle) add(pos presence.Position, time int64, streams map[string]*presence.Stream) {
	o.at[pos.String()] = len(o.states)
	o.states = append(o.states, state{pos, time, maps.Clone(streams)})
}

func (o *oracle) last() state { return o.states[len(o.states)-1] }

// answer is what a query, or the watching of a code, gives in the nth state.
func (o *oracle) answer(n int, q *wire.Subscribe, code string) (window []wire.Entry, total int) {
	st := o.states[n]
	for _, s := range st.streams {
		if code != "" && s.Code == code || code == "" && wanted(s, q) {
			window = append(window, plainEntry(s, q.Play, st.time))
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

func wanted(s *presence.Stream, q *wire.Subscribe) bool {
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

// plainEntry is a stream as a client decodes it.
func plainEntry(s *presence.Stream, play []string, time int64) wire.Entry {
	e := wire.Entry{
		Code: s.Code, Anchor: s.Anchor, Title: s.Title, State: s.State.String(), Away: s.Away.String(),
		StartedAt: s.StartedAt, Viewers: s.Viewers, Likes: s.Likes, Tags: s.Tags, Cover: s.Cover, Extra: s.Extra,
	}
	for _, p := range slices.Sorted(slices.Values(play)) {
		expires := fakeSigner{}.Expiry(s.Code, time)
		e.Play = append(e.Play, wire.URL{Protocol: p, URL: string(fakeSigner{}.AppendURL(nil, p, s.Code, expires))})
	}
	return e
}
