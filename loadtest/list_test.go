package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"onair/hub/wire"
)

func entry(code string, startedAt int64) wire.Entry {
	return wire.Entry{Code: code, Anchor: "u" + code, Title: "t", State: wire.StateLive, StartedAt: startedAt}
}

func snapshot(pos string, list ...wire.Entry) *wire.Snapshot {
	return &wire.Snapshot{ID: subscribeID, View: "v", Pos: pos, Total: len(list), Streams: list}
}

// patch is a set of one member.
func patch(code, name, value string) wire.Patch {
	return wire.Patch{Code: code, Members: map[string]json.RawMessage{name: json.RawMessage(value)}}
}

// must applies what must fit.
func must(t *testing.T, from *list, m wire.Message) *list {
	t.Helper()
	to, err := from.apply(m)
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// TestListIsTheProtocols: whatever diffs come, a list is what wire.ClientView makes
// of them, and the lists before it stay as they were.
func TestListIsTheProtocols(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var model wire.ClientView
		model.Apply(snapshot("0", entry("a", 1)))
		now, err := newView(4).emptyList.apply(snapshot("0", entry("a", 1)))
		if err != nil {
			t.Fatal(err)
		}
		for i := range rapid.IntRange(1, 20).Draw(t, "diffs") {
			d := &wire.Diff{View: "v", Prev: fmt.Sprint(i), Pos: fmt.Sprint(i + 1), HasTotal: true}
			code := rapid.SampledFrom([]string{"a", "b", "c", "d"})
			for range rapid.IntRange(0, 2).Draw(t, "puts") {
				d.Put = append(d.Put, entry(code.Draw(t, "put"), int64(i)))
			}
			for range rapid.IntRange(0, 2).Draw(t, "sets") {
				d.Set = append(d.Set, patch(code.Draw(t, "set"), "likes", fmt.Sprint(i)))
			}
			for range rapid.IntRange(0, 2).Draw(t, "dels") {
				d.Del = append(d.Del, code.Draw(t, "del"))
			}
			next := wire.ClientView{}
			next.Apply(&wire.Snapshot{View: "v", Pos: fmt.Sprint(i), Streams: model.Sorted("")})
			next.Apply(d)
			d.Total = next.Len()
			model.Apply(d)
			before := now.sorted()
			was := now
			if now, err = now.apply(d); err != nil {
				t.Fatal(err)
			}
			if got, want := now.sorted(), fmt.Sprint(model.Sorted("")); got != want || now.pos != model.Pos() || now.total != model.Total() {
				t.Fatalf("%+v leads to\n%s, want\n%s", d, got, want)
			}
			if was.sorted() != before {
				t.Fatalf("%+v changed the list before it", d)
			}
		}
	})
}

func (l *list) sorted() string {
	var out []wire.Entry
	for _, e := range l.entries {
		out = append(out, *e)
	}
	slices.SortFunc(out, func(a, b wire.Entry) int { return wire.CompareEntries("", &a, &b) })
	return fmt.Sprint(out)
}

func TestChain(t *testing.T) {
	v := newView(4)
	at := must(t, v.emptyList, snapshot("1", entry("a", 1)))
	for name, from := range map[string]*list{"start": v.emptyList, "another position": at} {
		_, err := from.apply(&wire.Diff{View: "v", Prev: "0", Pos: "2"})
		if _, ok := errors.AsType[*chainError](err); !ok {
			t.Errorf("a diff at %s gives %v", name, err)
		}
	}
}

// TestCount: a list has as many entries as match, or as its limit.
func TestCount(t *testing.T) {
	v := newView(4)
	v.limit = 2
	at := must(t, v.emptyList, &wire.Snapshot{View: "v", Pos: "1", Total: 3, Streams: []wire.Entry{entry("a", 1), entry("b", 1)}})
	if !at.isTruncated() {
		t.Error("two of three are not said to be cut")
	}
	for name, d := range map[string]*wire.Diff{
		"one too few":         {Prev: "1", Pos: "2", Del: []string{"a"}},
		"one too many":        {Prev: "1", Pos: "2", Put: []wire.Entry{entry("c", 1)}},
		"fewer than it shows": {Prev: "1", Pos: "2", HasTotal: true, Total: 1},
	} {
		if _, err := at.apply(d); err == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
	must(t, at, &wire.Diff{Prev: "1", Pos: "2", HasTotal: true, Total: 1, Del: []string{"a"}})
}

// TestOnePosition: equal lists at a position are one, others are told.
func TestOnePosition(t *testing.T) {
	v := newView(4)
	first, err := v.canonicalList(must(t, v.emptyList, snapshot("1", entry("a", 1), entry("b", 1))))
	if err != nil {
		t.Fatal(err)
	}
	same, err := v.canonicalList(must(t, v.emptyList, snapshot("1", entry("b", 1), entry("a", 1))))
	if err != nil || same != first {
		t.Errorf("an equal list is another: %v", err)
	}
	other := entry("b", 1)
	other.Title = "altered"
	for name, s := range map[string]*wire.Snapshot{
		"altered": snapshot("1", entry("a", 1), other),
		"fewer":   snapshot("1", entry("a", 1)),
		"another": snapshot("1", entry("a", 1), entry("c", 1)),
	} {
		l, err := v.canonicalList(must(t, v.emptyList, s))
		if _, ok := errors.AsType[*divergenceError](err); !ok || l == first {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSteps: a frame is known at the list that it led on from, and nowhere else.
func TestSteps(t *testing.T) {
	v := newView(4)
	a := must(t, v.emptyList, snapshot("1", entry("a", 1)))
	b := must(t, a, &wire.Diff{Prev: "1", Pos: "2"})
	a.addStep(step{frame: []byte("frame"), to: b})
	if s := a.findStep([]byte("frame"), false); s == nil || s.to != b {
		t.Error("a known frame is not found")
	}
	if a.findStep([]byte("frame"), true) != nil || a.findStep([]byte("Frame"), false) != nil || b.findStep([]byte("frame"), false) != nil {
		t.Error("an unknown frame is found")
	}
	for i := range maxSteps {
		a.addStep(step{frame: []byte{byte(i)}})
	}
	if a.findStep([]byte("frame"), false) != nil || len(a.steps) != maxSteps {
		t.Errorf("%d steps are remembered", len(a.steps))
	}
}

// TestListsAreForgotten: an old list lets go of what followed it.
func TestListsAreForgotten(t *testing.T) {
	v := newView(2)
	first, _ := v.canonicalList(must(t, v.emptyList, snapshot("0")))
	first.addStep(step{frame: []byte("frame")})
	for i := range 5 {
		v.canonicalList(must(t, v.emptyList, snapshot(fmt.Sprint(i+1))))
	}
	if got := slices.Sorted(maps.Keys(v.listsByPosition)); !slices.Equal(got, []string{"4", "5"}) {
		t.Errorf("remembers %v", got)
	}
	if first.steps != nil {
		t.Error("a list that is forgotten holds the next")
	}
}

// TestMarks: an update counts once, when it came, and not with an entry that
// may be old.
func TestMarks(t *testing.T) {
	at := func(ms int64) json.RawMessage {
		return commandStamp{RunID: "run", SentAt: ms * 1000, Node: 2}.asExtra()
	}
	stamped := func(code string, ms int64) wire.Entry {
		e := entry(code, 1)
		e.Extra = at(ms)
		return e
	}
	v := newView(4)
	from := must(t, v.emptyList, snapshot("1", stamped("a", 10), stamped("b", 10), entry("c", 1)))
	foreign := entry("e", 1)
	foreign.Extra = commandStamp{RunID: "another", SentAt: 1}.asExtra()
	d := &wire.Diff{
		Prev: "1", Pos: "2", HasTotal: true, Total: 5,
		Set: []wire.Patch{patch("a", "extra", string(at(30))), patch("b", "likes", "1"), patch("c", "extra", `{"x":1}`)},
		Put: []wire.Entry{stamped("d", 20), foreign},
	}
	to := must(t, from, d)
	want := []command{{30 * time.Millisecond, 2, false}, {20 * time.Millisecond, 2, false}}
	if got := from.commandsIn(to, d, "run"); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	to.total = 9
	if got := from.commandsIn(to, d, "run"); !slices.Equal(got, want[:1]) {
		t.Errorf("of a list that is cut: got %v, want %v", got, want[:1])
	}
}

func TestDeparted(t *testing.T) {
	v := newView(4)
	from := must(t, v.emptyList, snapshot("1", entry("a", 1), entry("b", 1), entry("c", 1)))
	to := must(t, from, &wire.Diff{
		Prev: "1", Pos: "2", HasTotal: true, Total: 2, Put: []wire.Entry{entry("b", 2)}, Del: []string{"a"},
		Set: []wire.Patch{patch("c", "likes", "1")},
	})
	got := map[string]int64{}
	note := func(code string, startedAt int64) { got[code] = startedAt }
	from.eachDeparture(to, note)
	if want := map[string]int64{"a": 1, "b": 1}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v: one left, one started anew", got, want)
	}
	clear(got)
	to.total = 9
	if from.eachDeparture(to, note); len(got) != 0 {
		t.Errorf("%v are judged though the list is cut", got)
	}
}
