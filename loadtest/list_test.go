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

func newEntry(code string, startedAt int64) wire.Entry {
	return wire.Entry{Code: code, Anchor: "u" + code, Title: "t", State: wire.StateLive, StartedAt: startedAt}
}

func newSnapshot(pos string, list ...wire.Entry) *wire.Snapshot {
	return &wire.Snapshot{ID: subscribeID, View: "v", Pos: pos, Total: len(list), Streams: list}
}

// newPatch sets one member.
func newPatch(code, name, value string) wire.Patch {
	return wire.Patch{Code: code, Members: map[string]json.RawMessage{name: json.RawMessage(value)}}
}

// mustApply applies a message, which must fit.
func mustApply(t *testing.T, from *list, m wire.Message) *list {
	t.Helper()
	to, err := from.applyMessage(m)
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// TestListEqualsClientView: after any diffs a list equals a wire.ClientView, and the
// lists before it do not change.
func TestListEqualsClientView(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var model wire.ClientView
		model.Apply(newSnapshot("0", newEntry("a", 1)))
		now, err := newView(4).emptyList.applyMessage(newSnapshot("0", newEntry("a", 1)))
		if err != nil {
			t.Fatal(err)
		}
		for i := range rapid.IntRange(1, 20).Draw(t, "diffs") {
			d := &wire.Diff{View: "v", Prev: fmt.Sprint(i), Pos: fmt.Sprint(i + 1), HasTotal: true}
			code := rapid.SampledFrom([]string{"a", "b", "c", "d"})
			for range rapid.IntRange(0, 2).Draw(t, "puts") {
				d.Put = append(d.Put, newEntry(code.Draw(t, "put"), int64(i)))
			}
			for range rapid.IntRange(0, 2).Draw(t, "sets") {
				d.Set = append(d.Set, newPatch(code.Draw(t, "set"), "likes", fmt.Sprint(i)))
			}
			for range rapid.IntRange(0, 2).Draw(t, "dels") {
				d.Del = append(d.Del, code.Draw(t, "del"))
			}
			next := wire.ClientView{}
			next.Apply(&wire.Snapshot{View: "v", Pos: fmt.Sprint(i), Streams: model.Sorted("")})
			next.Apply(d)
			d.Total = next.Len()
			model.Apply(d)
			before := now.sortedEntries()
			previous := now
			if now, err = now.applyMessage(d); err != nil {
				t.Fatal(err)
			}
			if got, want := now.sortedEntries(), fmt.Sprint(model.Sorted("")); got != want || now.pos != model.Pos() || now.total != model.Total() {
				t.Fatalf("%+v leads to\n%s, want\n%s", d, got, want)
			}
			if previous.sortedEntries() != before {
				t.Fatalf("%+v changed the list before it", d)
			}
		}
	})
}

func (l *list) sortedEntries() string {
	var out []wire.Entry
	for _, e := range l.entries {
		out = append(out, *e)
	}
	slices.SortFunc(out, func(a, b wire.Entry) int { return wire.CompareEntries("", &a, &b) })
	return fmt.Sprint(out)
}

// TestDiffMustContinueAtPosition: a diff from another position is a chainError.
func TestDiffMustContinueAtPosition(t *testing.T) {
	v := newView(4)
	at := mustApply(t, v.emptyList, newSnapshot("1", newEntry("a", 1)))
	for name, from := range map[string]*list{"start": v.emptyList, "another position": at} {
		_, err := from.applyMessage(&wire.Diff{View: "v", Prev: "0", Pos: "2"})
		if _, ok := errors.AsType[*chainError](err); !ok {
			t.Errorf("a diff at %s gives %v", name, err)
		}
	}
}

// TestListMustHaveTotalEntries: a list has as many entries as match, or its limit.
func TestListMustHaveTotalEntries(t *testing.T) {
	v := newView(4)
	v.limit = 2
	at := mustApply(t, v.emptyList, &wire.Snapshot{View: "v", Pos: "1", Total: 3, Streams: []wire.Entry{newEntry("a", 1), newEntry("b", 1)}})
	if !at.isTruncated() {
		t.Error("two of three entries are not truncated")
	}
	for name, d := range map[string]*wire.Diff{
		"one too few":         {Prev: "1", Pos: "2", Del: []string{"a"}},
		"one too many":        {Prev: "1", Pos: "2", Put: []wire.Entry{newEntry("c", 1)}},
		"fewer than it shows": {Prev: "1", Pos: "2", HasTotal: true, Total: 1},
	} {
		if _, err := at.applyMessage(d); err == nil {
			t.Errorf("%s is no error", name)
		}
	}
	mustApply(t, at, &wire.Diff{Prev: "1", Pos: "2", HasTotal: true, Total: 1, Del: []string{"a"}})
}

// TestListsAtOnePositionAreShared: equal lists at a position become one, others are reported.
func TestListsAtOnePositionAreShared(t *testing.T) {
	v := newView(4)
	first, _ := v.findOrAddList(mustApply(t, v.emptyList, newSnapshot("1", newEntry("a", 1), newEntry("b", 1))))
	same, difference := v.findOrAddList(mustApply(t, v.emptyList, newSnapshot("1", newEntry("b", 1), newEntry("a", 1))))
	if difference != "" || same != first {
		t.Errorf("equal lists are not shared: %s", difference)
	}
	other := newEntry("b", 1)
	other.Title = "altered"
	for name, s := range map[string]*wire.Snapshot{
		"altered": newSnapshot("1", newEntry("a", 1), other),
		"fewer":   newSnapshot("1", newEntry("a", 1)),
		"another": newSnapshot("1", newEntry("a", 1), newEntry("c", 1)),
	} {
		if l, difference := v.findOrAddList(mustApply(t, v.emptyList, s)); difference == "" || l == first {
			t.Errorf("%s: no difference", name)
		}
	}
}

// TestStepsAreCachedByList: a frame is known at the list that it led from, and nowhere
// else.
func TestStepsAreCachedByList(t *testing.T) {
	v := newView(4)
	a := mustApply(t, v.emptyList, newSnapshot("1", newEntry("a", 1)))
	b := mustApply(t, a, &wire.Diff{Prev: "1", Pos: "2"})
	a.cacheStep(step{frame: []byte("frame"), to: b})
	if s := a.findStep([]byte("frame"), false); s == nil || s.to != b {
		t.Error("a known frame is not found")
	}
	if a.findStep([]byte("frame"), true) != nil || a.findStep([]byte("Frame"), false) != nil || b.findStep([]byte("frame"), false) != nil {
		t.Error("an unknown frame is found")
	}
	for i := range maxSteps {
		a.cacheStep(step{frame: []byte{byte(i)}})
	}
	if a.findStep([]byte("frame"), false) != nil || len(a.steps) != maxSteps {
		t.Errorf("%d steps are cached", len(a.steps))
	}
}

// TestOldListsAreDropped: an old list does not hold the lists that followed it.
func TestOldListsAreDropped(t *testing.T) {
	v := newView(2)
	first, _ := v.findOrAddList(mustApply(t, v.emptyList, newSnapshot("0")))
	first.cacheStep(step{frame: []byte("frame")})
	for i := range 5 {
		v.findOrAddList(mustApply(t, v.emptyList, newSnapshot(fmt.Sprint(i+1))))
	}
	if got := slices.Sorted(maps.Keys(v.listsByPosition)); !slices.Equal(got, []string{"4", "5"}) {
		t.Errorf("keeps %v", got)
	}
	if first.steps != nil {
		t.Error("a dropped list holds the next one")
	}
}

// TestCommandsInDiff: an update counts once, when it arrives, and not with an entry
// that may be old.
func TestCommandsInDiff(t *testing.T) {
	at := func(ms int64) json.RawMessage {
		return commandStamp{RunID: "run", SentAt: ms * 1000, Node: 2}.asExtra()
	}
	stamped := func(code string, ms int64) wire.Entry {
		e := newEntry(code, 1)
		e.Extra = at(ms)
		return e
	}
	v := newView(4)
	from := mustApply(t, v.emptyList, newSnapshot("1", stamped("a", 10), stamped("b", 10), newEntry("c", 1)))
	foreign := newEntry("e", 1)
	foreign.Extra = commandStamp{RunID: "another", SentAt: 1}.asExtra()
	d := &wire.Diff{
		Prev: "1", Pos: "2", HasTotal: true, Total: 5,
		Set: []wire.Patch{newPatch("a", "extra", string(at(30))), newPatch("b", "likes", "1"), newPatch("c", "extra", `{"x":1}`)},
		Put: []wire.Entry{stamped("d", 20), foreign},
	}
	to := mustApply(t, from, d)
	want := []command{{30 * time.Millisecond, 2, false}, {20 * time.Millisecond, 2, false}}
	if got := from.newCommands(to, d, "run"); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	to.total = 9
	if got := from.newCommands(to, d, "run"); !slices.Equal(got, want[:1]) {
		t.Errorf("of a truncated list: got %v, want %v", got, want[:1])
	}
}

func TestEachDeparture(t *testing.T) {
	v := newView(4)
	from := mustApply(t, v.emptyList, newSnapshot("1", newEntry("a", 1), newEntry("b", 1), newEntry("c", 1)))
	to := mustApply(t, from, &wire.Diff{
		Prev: "1", Pos: "2", HasTotal: true, Total: 2, Put: []wire.Entry{newEntry("b", 2)}, Del: []string{"a"},
		Set: []wire.Patch{newPatch("c", "likes", "1")},
	})
	got := map[string]int64{}
	add := func(code string, startedAt int64) { got[code] = startedAt }
	from.forEachDeparture(to, add)
	if want := map[string]int64{"a": 1, "b": 1}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v: one left, one started again", got, want)
	}
	clear(got)
	to.total = 9
	if from.forEachDeparture(to, add); len(got) != 0 {
		t.Errorf("%v are departures of a truncated list", got)
	}
}
