package wire_test

import (
	"encoding/json"
	"testing"

	"onair/hub/wire"
)

// joinedCodes returns the codes of v in the order of sort.
func joinedCodes(v *wire.ClientView, sort string) (codes string) {
	for _, e := range v.Sorted(sort) {
		codes += e.Code
	}
	return codes
}

func newSnapshot(pos string, codes ...string) *wire.Snapshot {
	m := &wire.Snapshot{View: "v", Pos: pos, Total: len(codes)}
	for _, code := range codes {
		m.Streams = append(m.Streams, wire.Entry{Code: code})
	}
	return m
}

func likesPatch(code, value string) wire.Patch {
	return wire.Patch{Code: code, Members: map[string]json.RawMessage{"likes": json.RawMessage(value)}}
}

func TestClientViewAppliesMessages(t *testing.T) {
	var v wire.ClientView
	apply := func(m wire.Message, wantResync bool, wantPos, wantCodes string, wantTotal int) {
		t.Helper()
		if got := v.Apply(m); got != wantResync {
			t.Errorf("%+v: needsResync is %v, want %v", m, got, wantResync)
		}
		if got := joinedCodes(&v, ""); v.Pos() != wantPos || got != wantCodes || v.Total() != wantTotal || v.Len() != len(wantCodes) {
			t.Errorf("%+v: got %s %q total %d, want %s %q total %d", m, v.Pos(), got, v.Total(), wantPos, wantCodes, wantTotal)
		}
	}
	apply(&wire.Ping{}, false, "", "", 0)
	apply(&wire.Diff{View: "v"}, true, "", "", 0) // nothing to apply it to
	apply(newSnapshot("1", "a", "b"), false, "1", "ab", 2)
	apply(&wire.Diff{View: "w", Prev: "0", Pos: "9", Del: []string{"a"}}, false, "1", "ab", 2) // another view
	apply(&wire.Diff{View: "v", Prev: "0", Pos: "2", Del: []string{"a"}}, true, "1", "ab", 2)  // a diff was lost
	apply(&wire.Diff{View: "v", Prev: "1", Pos: "2"}, false, "2", "ab", 2)                     // idle
	apply(&wire.Diff{
		View: "v", Prev: "2", Pos: "3", HasTotal: true, Total: 7,
		Put: []wire.Entry{{Code: "c"}, {Code: "a", Likes: 1}},
		Set: []wire.Patch{likesPatch("a", "5"), likesPatch("absent", "5")}, Del: []string{"b", "absent"},
	}, false, "3", "ac", 7)
	if e, ok := v.Entry("a"); !ok || e.Likes != 5 {
		t.Errorf("a is %+v, %v", e, ok)
	}
	apply(&wire.Diff{View: "v", Prev: "3", Pos: "4", Set: []wire.Patch{likesPatch("a", "{}")}}, true, "", "ac", 7)
	apply(newSnapshot("5"), false, "5", "", 0)
	apply(&wire.Watching{View: "code/z", Pos: "6", Entry: wire.Entry{Code: "z"}}, false, "6", "z", 1)
	if v.ID() != "code/z" {
		t.Errorf("the view is %q", v.ID())
	}
	apply(&wire.Diff{View: "code/z", Prev: "6", Pos: "7", Del: []string{"z"}}, false, "7", "", 1)
}

func TestClientViewSortsEntries(t *testing.T) {
	var v wire.ClientView
	v.Apply(&wire.Snapshot{Pos: "1", Streams: []wire.Entry{
		{Code: "a", Viewers: 1, Likes: 9, StartedAt: 5},
		{Code: "b", Viewers: 2, Likes: 9, StartedAt: 6},
		{Code: "c", Viewers: 2, Likes: 3, StartedAt: 7},
		{Code: "B", Viewers: 2, Likes: 3, StartedAt: 7},
	}})
	for sort, want := range map[string]string{
		"": "Bcba", wire.SortViewers: "Bcba", wire.SortLikes: "baBc", wire.SortStarted: "Bcba",
	} {
		if got := joinedCodes(&v, sort); got != want {
			t.Errorf("%s: got %s, want %s", sort, got, want)
		}
	}
}
