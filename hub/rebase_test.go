package hub

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/presence"
)

// elsewhere is the nth position of another history.
func elsewhere(n int) presence.Position { return reissued(n, n+1000) }

// anew is a list as another registry has it: nothing of it is in the same place
// in memory.
func anew(streams map[string]*presence.Stream) []*presence.Stream {
	var all []*presence.Stream
	for _, code := range sortedCodes(streams) {
		st := *streams[code]
		st.Tags, st.Extra = slices.Clone(st.Tags), slices.Clone(st.Extra)
		all = append(all, &st)
	}
	return all
}

// rebase gives the hub the feed's list at the nth position of another history,
// which the feed goes on from, if at all, with its own.
func (f *feed) rebase(n int) {
	f.hub.Rebase(slices.Values(anew(f.streams)), elsewhere(n), f.time)
}

// alter changes one stream of the list that rebase will give; a nil edit ends it.
func (f *feed) alter(code string, edit func(*presence.Stream)) {
	if edit == nil {
		delete(f.streams, code)
		return
	}
	st := &presence.Stream{
		Session: presence.Session{byte(len(f.streams)), 2}, Code: code, Anchor: "user-" + code, List: "live",
		StartedAt: f.time, State: presence.Live, Listed: true, Shown: true,
	}
	if old := f.streams[code]; old != nil {
		*st = *old
	}
	edit(st)
	f.streams[code] = st
}

// starts makes so many streams live: a0, a1, …
func (f *feed) starts(n int) {
	for i := range n { // so that a snapshot is longer than a diff
		f.start(fmt.Sprint("a", i))
	}
}

// TestHold: the list stands still, and is served as ever; but a position that
// nobody knows waits.
func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(t, Options{})
		f.run(t)
		f.starts(5)
		time.Sleep(time.Second)
		s, c := f.dial(t)
		subscribe(t, f, s, &wire.Subscribe{ID: "1"})
		expect[*wire.Snapshot](t, c, 0)
		f.hub.Hold()
		f.hub.Hold()
		ask := func(m *wire.Subscribe) *fakeConn {
			s, c := f.dial(t)
			subscribe(t, f, s, m)
			return c
		}
		if m := expect[*wire.Snapshot](t, ask(&wire.Subscribe{ID: "2", Limit: 3}), 0); m.Pos != position(5).String() || m.Total != 5 {
			t.Errorf("a new view: %+v", m)
		}
		if m := expect[*wire.Diff](t, ask(&wire.Subscribe{ID: "3", Pos: position(4).String()}), 0); len(m.Put) != 1 {
			t.Errorf("from a known position: %+v", m)
		}
		if m := expect[*wire.Diff](t, ask(&wire.Subscribe{ID: "4", Pos: position(5).String()}), 0); len(m.Put) != 0 {
			t.Errorf("from the present position: %+v", m)
		}
		expect[*wire.Snapshot](t, ask(&wire.Subscribe{ID: "5", Pos: "gibberish"}), 0)
		var unknown []*fakeConn
		for _, pos := range []presence.Position{elsewhere(4), elsewhere(5), position(9), {ID: presence.ID{MS: 1}}} {
			unknown = append(unknown, ask(&wire.Subscribe{ID: "6", Pos: pos.String()}))
		}
		time.Sleep(patience - time.Millisecond)
		for _, c := range unknown {
			none(t, c, 0)
		}
		time.Sleep(time.Millisecond)
		for _, c := range unknown {
			if m := expect[*wire.Snapshot](t, c, 0); m.Pos != position(5).String() {
				t.Errorf("when patience ends: %+v", m)
			}
		}
		none(t, c, 14*time.Second)
		if m := expect[*wire.Diff](t, c, time.Second); m.Prev != position(5).String() || m.Pos != m.Prev {
			t.Errorf("an idle diff: %+v", m)
		}
	})
}

// TestRebase: whatever the new history's ids are, every view has one diff from
// its last frame, or an empty one, at once.
func TestRebase(t *testing.T) {
	for _, n := range []int{2, 8, 50} {
		for _, held := range []bool{true, false} {
			t.Run(fmt.Sprint(n, held), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { testRebase(t, n, held) }) })
		}
	}
}

func testRebase(t *testing.T, n int, held bool) {
	f := newFeed(t, Options{})
	f.run(t)
	f.starts(8)
	f.edit("vip", func(st *presence.Stream) { st.List = "vip" })
	time.Sleep(time.Second)
	s, c := f.dial(t)
	subscribe(t, f, s, &wire.Subscribe{})
	expect[*wire.Snapshot](t, c, 0)
	same, sameConn := f.dial(t)
	subscribe(t, f, same, &wire.Subscribe{Anchors: []string{"user-a3"}})
	expect[*wire.Snapshot](t, sameConn, 0)
	if held {
		f.hub.Hold()
	}
	old := maps.Clone(f.streams)
	f.alter("a0", nil)
	f.alter("a1", title("new"))
	f.alter("a2", func(st *presence.Stream) { st.Session[5]++ })
	f.alter("b", viewers(3))
	f.alter("a4", func(st *presence.Stream) { st.Index++ })
	f.rebase(n)
	m := expect[*wire.Diff](t, c, 0)
	if m.Prev != position(9).String() || m.Pos != elsewhere(n).String() || m.Total != 8 ||
		fmt.Sprint(m.Del) != "[a0]" || len(m.Set) != 1 || m.Set[0].Code != "a1" || len(m.Put) != 2 {
		t.Errorf("%+v", m)
	}
	idle := expect[*wire.Diff](t, sameConn, 0)
	if idle.Prev != m.Prev || idle.Pos != m.Pos || len(idle.Put)+len(idle.Set)+len(idle.Del) > 0 {
		t.Errorf("%+v", idle)
	}
	if f.hub.Lookup("a3") != old["a3"] || f.hub.Lookup("vip") != old["vip"] {
		t.Error("what is the same was replaced")
	}
	if f.hub.Lookup("a4").Index != 1 {
		t.Error("what viewers do not see was not replaced")
	}
	// The log goes on from there.
	next := *f.hub.Lookup("a3")
	next.Title = "next"
	f.hub.Apply(elsewhere(n+1), f.time+1, []presence.Change{{Old: old["a3"], New: &next}}, time.Time{})
	if m := expect[*wire.Diff](t, sameConn, 0); m.Prev != idle.Pos || len(m.Set) != 1 {
		t.Errorf("%+v", m)
	}
	s, late := f.dial(t)
	subscribe(t, f, s, &wire.Subscribe{ID: "1", Anchors: []string{"user-a3", "user-a4", "user-a5"}, Pos: elsewhere(n).String()})
	if m := expect[*wire.Diff](t, late, 0); len(m.Set) != 1 {
		t.Errorf("resumed in the new history: %+v", m)
	}
	if fault := f.hub.fault(); fault != "" {
		t.Error(fault)
	}
}

// TestRebaseAnswersThoseWhoWait: by a diff where the position is known by then,
// by a snapshot of the new list where it is not; and who is ahead even of that
// goes on waiting.
func TestRebaseAnswersThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(t, Options{})
		f.run(t)
		f.starts(6)
		time.Sleep(time.Second)
		s, c := f.dial(t) // keeps the view where it is for a tick
		subscribe(t, f, s, &wire.Subscribe{})
		expect[*wire.Snapshot](t, c, 0)
		f.edit("a0", title("lost"))
		expect[*wire.Diff](t, c, 0)
		f.hub.Hold()
		conns := map[int]*fakeConn{}
		for n, pos := range map[int]presence.Position{3: elsewhere(3), 5: elsewhere(5), 6: elsewhere(6)} {
			s, c := f.dial(t)
			conns[n] = c
			subscribe(t, f, s, &wire.Subscribe{ID: "1", Pos: pos.String()})
			none(t, c, 10*time.Millisecond)
		}
		f.alter("a0", title("Title of a0"))
		f.alter("a5", nil)
		f.rebase(5)
		for _, c := range conns {
			none(t, c, 0)
		}
		expect[*wire.Diff](t, c, 220*time.Millisecond)
		if m := expect[*wire.Snapshot](t, conns[3], 0); m.Pos != elsewhere(5).String() || m.Total != 5 {
			t.Errorf("from before: %+v", m)
		}
		if m := expect[*wire.Diff](t, conns[5], 0); m.Pos != elsewhere(5).String() || len(m.Put)+len(m.Set)+len(m.Del) > 0 {
			t.Errorf("from there: %+v", m)
		}
		none(t, conns[6], time.Second)
		f.hub.Apply(elsewhere(6), f.time+1, nil, time.Time{})
		if m := expect[*wire.Diff](t, conns[6], 0); m.Prev != elsewhere(6).String() {
			t.Errorf("from ahead: %+v", m)
		}
		// Who had gone with the last of the old positions is still brought on.
		s, c = f.dial(t)
		subscribe(t, f, s, &wire.Subscribe{ID: "1", Pos: position(7).String()})
		if m := expect[*wire.Diff](t, c, 0); len(m.Del) != 1 || len(m.Set) != 1 {
			t.Errorf("from the last of before: %+v", m)
		}
		s, c = f.dial(t)
		subscribe(t, f, s, &wire.Subscribe{ID: "1", Pos: position(5).String()})
		expect[*wire.Snapshot](t, c, 0)
	})
}

// TestRebaseOutdatesCatchUps: what led from a position to the view's last frame
// when the list looked as it did then, leads back in time once it does not.
func TestRebaseOutdatesCatchUps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(t, Options{})
		f.starts(5)
		f.edit("a0", title("one"))
		s, c := f.dial(t)
		subscribe(t, f, s, &wire.Subscribe{})
		view := expect[*wire.Snapshot](t, c, 0).View
		f.edit("a0", title("two"))
		f.edit("a0", title("one"))
		f.hub.mu.Lock()
		f.hub.advance(f.hub.views[view], time.Now()) // finds nothing to say, and stays
		f.hub.mu.Unlock()
		s, c = f.dial(t)
		subscribe(t, f, s, &wire.Subscribe{ID: "1", Pos: position(7).String()})
		if m := expect[*wire.Diff](t, c, 0); m.Pos != position(6).String() || len(m.Set) != 1 {
			t.Errorf("before: %+v", m)
		}
		f.alter("a0", title("three"))
		f.hub.Rebase(slices.Values(anew(f.streams)), position(9), f.time)
		s, c = f.dial(t)
		subscribe(t, f, s, &wire.Subscribe{ID: "2", Pos: position(7).String()})
		none(t, c, 0)
		f.run(t)
		if m := expect[*wire.Snapshot](t, c, 0); m.Pos != position(9).String() {
			t.Errorf("after: %+v", m)
		}
	})
}

// TestRebaseAndTheSlow: who was left behind has a snapshot, but who stood at the
// last frame has the diff from there, however late.
func TestRebaseAndTheSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(t, Options{})
		f.run(t)
		f.starts(8)
		var conns [2]*fakeConn
		var sockets [2]*Socket
		for i := range conns {
			sockets[i], conns[i] = f.dial(t)
			subscribe(t, f, sockets[i], &wire.Subscribe{})
			expect[*wire.Snapshot](t, conns[i], 0)
		}
		stick := func(i int) {
			conns[i].stick(true)
			sockets[i].Send(wire.Append(nil, &wire.Liked{}))
			synctest.Wait()
		}
		stick(0)
		f.edit("a1", title("lost"))
		expect[*wire.Diff](t, conns[1], 0)
		stick(1)
		f.alter("a1", title("kept"))
		f.rebase(3)
		time.Sleep(time.Second)
		for i, c := range conns {
			c.stick(false)
			synctest.Wait()
			all := c.take()
			if len(all) != 2 {
				t.Fatalf("%d messages, want 2", len(all))
			}
			switch m := all[1].(type) {
			case *wire.Snapshot:
				if i != 0 || m.Pos != elsewhere(3).String() {
					t.Errorf("%d: %+v", i, m)
				}
			case *wire.Diff:
				if i != 1 || m.Pos != elsewhere(3).String() || len(m.Set) != 1 {
					t.Errorf("%d: %+v", i, m)
				}
			}
		}
	})
}

// TestRebaseTellsCounts: of those streams whose lease is another one, and of no
// others.
func TestRebaseTellsCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		f := newFeed(t, Options{Viewers: func(st *presence.Stream, n int) {
			told = append(told, fmt.Sprint(st.Code, " ", st.Index, " ", n))
		}})
		f.run(t)
		f.starts(5)
		s, _ := f.dial(t)
		for i := range 4 {
			if e := f.hub.Watch(s, &wire.Watch{Code: fmt.Sprint("a", i)}); e != nil {
				t.Fatal(e)
			}
		}
		told = nil
		f.alter("a0", func(st *presence.Stream) { st.Index = 7 })
		f.alter("a1", func(st *presence.Stream) { st.Session[0]++ })
		f.alter("a2", title("new"))
		f.alter("a3", nil)
		f.alter("a4", func(st *presence.Stream) { st.Index = 8 })
		f.rebase(3)
		slices.Sort(told)
		if fmt.Sprint(told) != "[a0 7 1 a1 0 1]" {
			t.Errorf("told %q", told)
		}
		told = nil
		f.alter("a3", func(st *presence.Stream) { st.Index = 9 })
		f.rebase(4)
		if fmt.Sprint(told) != "[a3 9 1]" {
			t.Errorf("told %q when it is back", told)
		}
	})
}

// TestRebaseGoesBackInTime: the log time of the new history is earlier, so that
// play URLs are those of before, and change again when it passes their switch.
func TestRebaseGoesBackInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(t, Options{Signer: fakeSigner{}})
		f.run(t)
		f.start("a")
		s, c := f.dial(t)
		subscribe(t, f, s, &wire.Subscribe{Play: []string{"flv"}})
		var list wire.ClientView
		list.Apply(expect[*wire.Snapshot](t, c, 0))
		until := fakeSigner{}.NextRenewal("a", f.time)
		shows := func(what string, at int64) {
			t.Helper()
			time.Sleep(time.Second)
			synctest.Wait()
			for _, m := range c.take() {
				if list.Apply(m) {
					t.Errorf("%s: cannot follow %+v", what, m)
				}
			}
			want := plainEntry(f.streams["a"], []string{"flv"}, at)
			if got := list.Sorted("")[0]; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: has %v, want %v", what, got, want)
			}
		}
		f.time = until + 3*fakeHalf
		f.apply()
		shows("on", f.time)
		f.time = until - 1
		f.rebase(1)
		shows("back", until-1)
		f.hub.Apply(elsewhere(2), until, nil, time.Time{})
		shows("at the switch", until)
		f.time = until + fakeHalf
		f.rebase(9)
		shows("forward", f.time)
	})
}

// TestAnotherHistoryUnsaid: an entry whose id is not higher begins another
// history, too, which all views move to.
func TestAnotherHistoryUnsaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(t, Options{})
		f.run(t)
		f.starts(3)
		s, c := f.dial(t)
		subscribe(t, f, s, &wire.Subscribe{})
		expect[*wire.Snapshot](t, c, 0)
		f.hub.Apply(elsewhere(2), f.time, nil, time.Time{})
		if m := expect[*wire.Diff](t, c, 0); m.Prev != position(3).String() || m.Pos != elsewhere(2).String() {
			t.Errorf("%+v", m)
		}
	})
}

// TestResumeAfterLoad: a node that starts from a snapshot, and applies what came
// since, knows all positions since; before anybody has asked for the view, too.
func TestResumeAfterLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(t, Options{})
		f.starts(8)
		from, at, loaded := f.n, f.time, anew(f.streams)
		again := &feed{hub: New(Options{}), n: from, time: at, streams: f.streams}
		again.hub.Load(slices.Values(loaded), position(from), at)
		for i := range 60 { // a minute and a half
			again.time += 1400
			again.edit(fmt.Sprint("a", i%3), title(fmt.Sprint(i)))
		}
		again.run(t)
		for n, sets := range map[int]int{from: 3, from + 1: 3, from + 58: 2, from + 60: 0} {
			s, c := again.dial(t)
			subscribe(t, again, s, &wire.Subscribe{ID: "1", Pos: position(n).String()})
			if m := expect[*wire.Diff](t, c, 0); len(m.Set) != sets || m.Pos != position(from+60).String() {
				t.Errorf("from %d: %+v", n-from, m)
			}
		}
		s, c := again.dial(t)
		subscribe(t, again, s, &wire.Subscribe{ID: "1", Pos: position(from - 1).String()})
		expect[*wire.Snapshot](t, c, 0) // from before the snapshot
	})
}

// TestSame: no member of a stream is forgotten.
func TestSame(t *testing.T) {
	plain := func() *presence.Stream {
		return &presence.Stream{Details: presence.Details{Tags: []string{"a"}, Extra: []byte("{}")}}
	}
	if !same(plain(), plain()) {
		t.Error("equal streams differ")
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[presence.Stream]()) {
		if field.Anonymous {
			continue
		}
		st := plain()
		switch v := reflect.ValueOf(st).Elem().FieldByIndex(field.Index); v.Kind() {
		case reflect.String:
			v.SetString("x")
		case reflect.Int64:
			v.SetInt(1)
		case reflect.Uint8, reflect.Uint32:
			v.SetUint(1)
		case reflect.Bool:
			v.SetBool(true)
		case reflect.Array:
			v.Index(3).SetUint(1)
		case reflect.Slice:
			v.SetZero()
		default:
			t.Fatalf("%s is a %v", field.Name, v.Kind())
		}
		if same(plain(), st) {
			t.Errorf("%s makes no difference", field.Name)
		}
	}
}
