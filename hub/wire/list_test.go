package wire_test

import (
	"encoding/json"
	"testing"

	"onair/hub/wire"
)

// codes are the codes of l in the order of sort.
func codes(l *wire.ClientView, sort string) (s string) {
	for _, e := range l.Sorted(sort) {
		s += e.Code
	}
	return s
}

func snapshot(pos string, codes ...string) *wire.Snapshot {
	m := &wire.Snapshot{View: "v", Pos: pos, Total: len(codes)}
	for _, code := range codes {
		m.Streams = append(m.Streams, wire.Entry{Code: code})
	}
	return m
}

func likes(code, value string) wire.Patch {
	return wire.Patch{Code: code, Members: map[string]json.RawMessage{"likes": json.RawMessage(value)}}
}

func TestListApplies(t *testing.T) {
	var l wire.ClientView
	step := func(m wire.Message, resync bool, pos, want string, total int) {
		t.Helper()
		if got := l.Apply(m); got != resync {
			t.Errorf("%+v: resync is %v, want %v", m, got, resync)
		}
		if got := codes(&l, ""); l.Pos() != pos || got != want || l.Total() != total || l.Len() != len(want) {
			t.Errorf("%+v: got %s %q total %d, want %s %q total %d", m, l.Pos(), got, l.Total(), pos, want, total)
		}
	}
	step(&wire.Ping{}, false, "", "", 0)
	step(&wire.Diff{View: "v"}, true, "", "", 0) // nothing to apply it to
	step(snapshot("1", "a", "b"), false, "1", "ab", 2)
	step(&wire.Diff{View: "w", Prev: "0", Pos: "9", Del: []string{"a"}}, false, "1", "ab", 2) // not ours
	step(&wire.Diff{View: "v", Prev: "0", Pos: "2", Del: []string{"a"}}, true, "1", "ab", 2)  // a loss
	step(&wire.Diff{View: "v", Prev: "1", Pos: "2"}, false, "2", "ab", 2)                     // idle
	step(&wire.Diff{
		View: "v", Prev: "2", Pos: "3", HasTotal: true, Total: 7,
		Put: []wire.Entry{{Code: "c"}, {Code: "a", Likes: 1}},
		Set: []wire.Patch{likes("a", "5"), likes("nobody", "5")}, Del: []string{"b", "nobody"},
	}, false, "3", "ac", 7)
	if e, ok := l.Entry("a"); !ok || e.Likes != 5 {
		t.Errorf("a is %+v, %v", e, ok)
	}
	step(&wire.Diff{View: "v", Prev: "3", Pos: "4", Set: []wire.Patch{likes("a", "{}")}}, true, "", "ac", 7)
	step(snapshot("5"), false, "5", "", 0)
	step(&wire.Watching{View: "code/z", Pos: "6", Entry: wire.Entry{Code: "z"}}, false, "6", "z", 1)
	if l.ID() != "code/z" {
		t.Errorf("the view is %q", l.ID())
	}
	step(&wire.Diff{View: "code/z", Prev: "6", Pos: "7", Del: []string{"z"}}, false, "7", "", 1)
}

func TestListSorts(t *testing.T) {
	var l wire.ClientView
	l.Apply(&wire.Snapshot{Pos: "1", Streams: []wire.Entry{
		{Code: "a", Viewers: 1, Likes: 9, StartedAt: 5},
		{Code: "b", Viewers: 2, Likes: 9, StartedAt: 6},
		{Code: "c", Viewers: 2, Likes: 3, StartedAt: 7},
		{Code: "B", Viewers: 2, Likes: 3, StartedAt: 7},
	}})
	for sort, want := range map[string]string{
		"": "Bcba", wire.SortViewers: "Bcba", wire.SortLikes: "baBc", wire.SortStarted: "Bcba",
	} {
		if got := codes(&l, sort); got != want {
			t.Errorf("%s: got %s, want %s", sort, got, want)
		}
	}
}
