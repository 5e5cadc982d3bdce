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

// otherEpochPosition is the nth position of another epoch.
func otherEpochPosition(n int) presence.Position { return positionWithHash(n, n+1000) }

// copyStreams returns deep copies, as another registry would have them.
func copyStreams(streams map[string]*presence.Stream) []*presence.Stream {
	var all []*presence.Stream
	for _, code := range sortedCodes(streams) {
		st := *streams[code]
		st.Tags, st.Extra = slices.Clone(st.Tags), slices.Clone(st.Extra)
		all = append(all, &st)
	}
	return all
}

// rebase rebases the hub to the log's list, at the nth position of another epoch.
func (f *fakeLog) rebase(n int) {
	f.hub.Rebase(slices.Values(copyStreams(f.streams)), otherEpochPosition(n), f.logTime)
}

// editUnapplied starts or changes one stream for the next rebase. A nil edit ends it.
func (f *fakeLog) editUnapplied(code string, edit func(*presence.Stream)) {
	if edit == nil {
		delete(f.streams, code)
		return
	}
	st := &presence.Stream{
		Session: presence.Session{byte(len(f.streams)), 2}, Code: code, Anchor: "user-" + code, List: "live",
		StartedAt: f.logTime, State: presence.Live, Listed: true, Shown: true,
	}
	if old := f.streams[code]; old != nil {
		*st = *old
	}
	edit(st)
	f.streams[code] = st
}

// startStreams starts n streams: a0, a1, …
func (f *fakeLog) startStreams(n int) {
	for i := range n { // several, so that a snapshot is longer than a diff
		f.startStream(fmt.Sprint("a", i))
	}
}

// TestFrozenListIsServed checks that a frozen list is served, and that resumes from
// unknown positions wait.
func TestFrozenListIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{})
		f.runHub(t)
		f.startStreams(5)
		time.Sleep(time.Second)
		s, c := f.connect(t)
		subscribe(t, f, s, &wire.Subscribe{ID: "1"})
		expectMessage[*wire.Snapshot](t, c, 0)
		f.hub.Freeze()
		f.hub.Freeze()
		ask := func(m *wire.Subscribe) *fakeConn {
			s, c := f.connect(t)
			subscribe(t, f, s, m)
			return c
		}
		if m := expectMessage[*wire.Snapshot](t, ask(&wire.Subscribe{ID: "2", Limit: 3}), 0); m.Pos != position(5).String() || m.Total != 5 {
			t.Errorf("a new view: %+v", m)
		}
		if m := expectMessage[*wire.Diff](t, ask(&wire.Subscribe{ID: "3", Pos: position(4).String()}), 0); len(m.Put) != 1 {
			t.Errorf("from a known position: %+v", m)
		}
		if m := expectMessage[*wire.Diff](t, ask(&wire.Subscribe{ID: "4", Pos: position(5).String()}), 0); len(m.Put) != 0 {
			t.Errorf("from the present position: %+v", m)
		}
		expectMessage[*wire.Snapshot](t, ask(&wire.Subscribe{ID: "5", Pos: "gibberish"}), 0)
		var unknown []*fakeConn
		for _, pos := range []presence.Position{otherEpochPosition(4), otherEpochPosition(5), position(9), {ID: presence.ID{MS: 1}}} {
			unknown = append(unknown, ask(&wire.Subscribe{ID: "6", Pos: pos.String()}))
		}
		time.Sleep(maxResumeWait - time.Millisecond)
		for _, c := range unknown {
			expectSilence(t, c, 0)
		}
		time.Sleep(time.Millisecond)
		for _, c := range unknown {
			if m := expectMessage[*wire.Snapshot](t, c, 0); m.Pos != position(5).String() {
				t.Errorf("after maxResumeWait: %+v", m)
			}
		}
		expectSilence(t, c, 14*time.Second)
		if m := expectMessage[*wire.Diff](t, c, time.Second); m.Prev != position(5).String() || m.Pos != m.Prev {
			t.Errorf("an idle diff: %+v", m)
		}
	})
}

// TestRebaseSendsOneDiff checks that every view sends one diff from its last frame,
// which may be empty, for lower and higher ids of the new epoch.
func TestRebaseSendsOneDiff(t *testing.T) {
	for _, n := range []int{2, 8, 50} {
		for _, held := range []bool{true, false} {
			t.Run(fmt.Sprint(n, held), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { checkRebaseSendsOneDiff(t, n, held) }) })
		}
	}
}

func checkRebaseSendsOneDiff(t *testing.T, n int, held bool) {
	f := newFakeLog(t, Options{})
	f.runHub(t)
	f.startStreams(8)
	f.editStream("vip", func(st *presence.Stream) { st.List = "vip" })
	time.Sleep(time.Second)
	s, c := f.connect(t)
	subscribe(t, f, s, &wire.Subscribe{})
	expectMessage[*wire.Snapshot](t, c, 0)
	same, sameConn := f.connect(t)
	subscribe(t, f, same, &wire.Subscribe{Anchors: []string{"user-a3"}})
	expectMessage[*wire.Snapshot](t, sameConn, 0)
	if held {
		f.hub.Freeze()
	}
	old := maps.Clone(f.streams)
	f.editUnapplied("a0", nil)
	f.editUnapplied("a1", setTitle("new"))
	f.editUnapplied("a2", func(st *presence.Stream) { st.Session[5]++ })
	f.editUnapplied("b", setViewers(3))
	f.editUnapplied("a4", func(st *presence.Stream) { st.Index++ })
	f.rebase(n)
	m := expectMessage[*wire.Diff](t, c, 0)
	if m.Prev != position(9).String() || m.Pos != otherEpochPosition(n).String() || m.Total != 8 ||
		fmt.Sprint(m.Del) != "[a0]" || len(m.Set) != 1 || m.Set[0].Code != "a1" || len(m.Put) != 2 {
		t.Errorf("%+v", m)
	}
	idle := expectMessage[*wire.Diff](t, sameConn, 0)
	if idle.Prev != m.Prev || idle.Pos != m.Pos || len(idle.Put)+len(idle.Set)+len(idle.Del) > 0 {
		t.Errorf("%+v", idle)
	}
	if f.hub.StreamByCode("a3") != old["a3"] || f.hub.StreamByCode("vip") != old["vip"] {
		t.Error("what is the same was replaced")
	}
	if f.hub.StreamByCode("a4").Index != 1 {
		t.Error("what viewers do not see was not replaced")
	}
	// The log continues from there.
	next := *f.hub.StreamByCode("a3")
	next.Title = "next"
	f.hub.Apply(otherEpochPosition(n+1), f.logTime+1, []presence.Change{{Old: old["a3"], New: &next}}, time.Time{})
	if m := expectMessage[*wire.Diff](t, sameConn, 0); m.Prev != idle.Pos || len(m.Set) != 1 {
		t.Errorf("%+v", m)
	}
	s, late := f.connect(t)
	subscribe(t, f, s, &wire.Subscribe{ID: "1", Anchors: []string{"user-a3", "user-a4", "user-a5"}, Pos: otherEpochPosition(n).String()})
	if m := expectMessage[*wire.Diff](t, late, 0); len(m.Set) != 1 {
		t.Errorf("resumed in the new history: %+v", m)
	}
	if fault := f.hub.inconsistency(); fault != "" {
		t.Error(fault)
	}
}

// TestRebaseAnswersDeferredRequests checks requests from three positions: a known
// one gets a diff, an unknown one a snapshot, and one ahead continues to wait.
func TestRebaseAnswersDeferredRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{})
		f.runHub(t)
		f.startStreams(6)
		time.Sleep(time.Second)
		s, c := f.connect(t) // a cursor keeps the view in place for a tick
		subscribe(t, f, s, &wire.Subscribe{})
		expectMessage[*wire.Snapshot](t, c, 0)
		f.editStream("a0", setTitle("lost"))
		expectMessage[*wire.Diff](t, c, 0)
		f.hub.Freeze()
		conns := map[int]*fakeConn{}
		for n, pos := range map[int]presence.Position{3: otherEpochPosition(3), 5: otherEpochPosition(5), 6: otherEpochPosition(6)} {
			s, c := f.connect(t)
			conns[n] = c
			subscribe(t, f, s, &wire.Subscribe{ID: "1", Pos: pos.String()})
			expectSilence(t, c, 10*time.Millisecond)
		}
		f.editUnapplied("a0", setTitle("Title of a0"))
		f.editUnapplied("a5", nil)
		f.rebase(5)
		for _, c := range conns {
			expectSilence(t, c, 0)
		}
		expectMessage[*wire.Diff](t, c, 220*time.Millisecond)
		if m := expectMessage[*wire.Snapshot](t, conns[3], 0); m.Pos != otherEpochPosition(5).String() || m.Total != 5 {
			t.Errorf("from before: %+v", m)
		}
		if m := expectMessage[*wire.Diff](t, conns[5], 0); m.Pos != otherEpochPosition(5).String() || len(m.Put)+len(m.Set)+len(m.Del) > 0 {
			t.Errorf("from there: %+v", m)
		}
		expectSilence(t, conns[6], time.Second)
		f.hub.Apply(otherEpochPosition(6), f.logTime+1, nil, time.Time{})
		if m := expectMessage[*wire.Diff](t, conns[6], 0); m.Prev != otherEpochPosition(6).String() {
			t.Errorf("from ahead: %+v", m)
		}
		// The last position of the old epoch still gets a diff.
		s, c = f.connect(t)
		subscribe(t, f, s, &wire.Subscribe{ID: "1", Pos: position(7).String()})
		if m := expectMessage[*wire.Diff](t, c, 0); len(m.Del) != 1 || len(m.Set) != 1 {
			t.Errorf("from the last of before: %+v", m)
		}
		s, c = f.connect(t)
		subscribe(t, f, s, &wire.Subscribe{ID: "1", Pos: position(5).String()})
		expectMessage[*wire.Snapshot](t, c, 0)
	})
}

// TestRebaseInvalidatesCatchUps checks that no catch-up of the old epoch is sent:
// it could lead back in time.
func TestRebaseInvalidatesCatchUps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{})
		f.startStreams(5)
		f.editStream("a0", setTitle("one"))
		s, c := f.connect(t)
		subscribe(t, f, s, &wire.Subscribe{})
		view := expectMessage[*wire.Snapshot](t, c, 0).View
		f.editStream("a0", setTitle("two"))
		f.editStream("a0", setTitle("one"))
		f.hub.mu.Lock()
		f.hub.publishChangesOrIdleDiff(f.hub.views[view], time.Now()) // finds no difference, and stays
		f.hub.mu.Unlock()
		s, c = f.connect(t)
		subscribe(t, f, s, &wire.Subscribe{ID: "1", Pos: position(7).String()})
		if m := expectMessage[*wire.Diff](t, c, 0); m.Pos != position(6).String() || len(m.Set) != 1 {
			t.Errorf("before: %+v", m)
		}
		f.editUnapplied("a0", setTitle("three"))
		f.hub.Rebase(slices.Values(copyStreams(f.streams)), position(9), f.logTime)
		s, c = f.connect(t)
		subscribe(t, f, s, &wire.Subscribe{ID: "2", Pos: position(7).String()})
		expectSilence(t, c, 0)
		f.runHub(t)
		if m := expectMessage[*wire.Snapshot](t, c, 0); m.Pos != position(9).String() {
			t.Errorf("after: %+v", m)
		}
	})
}

// TestRebaseWithSlowSockets checks that a cursor that was behind gets a snapshot,
// and a full one at the last frame gets the diff later.
func TestRebaseWithSlowSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{})
		f.runHub(t)
		f.startStreams(8)
		var conns [2]*fakeConn
		var sockets [2]*Socket
		for i := range conns {
			sockets[i], conns[i] = f.connect(t)
			subscribe(t, f, sockets[i], &wire.Subscribe{})
			expectMessage[*wire.Snapshot](t, conns[i], 0)
		}
		stick := func(i int) {
			conns[i].setStuck(true)
			sockets[i].Send(wire.Append(nil, &wire.Liked{}))
			synctest.Wait()
		}
		stick(0)
		f.editStream("a1", setTitle("lost"))
		expectMessage[*wire.Diff](t, conns[1], 0)
		stick(1)
		f.editUnapplied("a1", setTitle("kept"))
		f.rebase(3)
		time.Sleep(time.Second)
		for i, c := range conns {
			c.setStuck(false)
			synctest.Wait()
			all := c.takeMessages()
			if len(all) != 2 {
				t.Fatalf("%d messages, want 2", len(all))
			}
			switch m := all[1].(type) {
			case *wire.Snapshot:
				if i != 0 || m.Pos != otherEpochPosition(3).String() {
					t.Errorf("%d: %+v", i, m)
				}
			case *wire.Diff:
				if i != 1 || m.Pos != otherEpochPosition(3).String() || len(m.Set) != 1 {
					t.Errorf("%d: %+v", i, m)
				}
			}
		}
	})
}

// TestRebaseReportsViewers checks that viewers are reported for streams with another
// lease, and for no others.
func TestRebaseReportsViewers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reports []string
		f := newFakeLog(t, Options{OnViewersChange: func(st *presence.Stream, n int) {
			reports = append(reports, fmt.Sprint(st.Code, " ", st.Index, " ", n))
		}})
		f.runHub(t)
		f.startStreams(5)
		s, _ := f.connect(t)
		for i := range 4 {
			if e := f.hub.Watch(s, &wire.Watch{Code: fmt.Sprint("a", i)}); e != nil {
				t.Fatal(e)
			}
		}
		reports = nil
		f.editUnapplied("a0", func(st *presence.Stream) { st.Index = 7 })
		f.editUnapplied("a1", func(st *presence.Stream) { st.Session[0]++ })
		f.editUnapplied("a2", setTitle("new"))
		f.editUnapplied("a3", nil)
		f.editUnapplied("a4", func(st *presence.Stream) { st.Index = 8 })
		f.rebase(3)
		slices.Sort(reports)
		if fmt.Sprint(reports) != "[a0 7 1 a1 0 1]" {
			t.Errorf("reported %q", reports)
		}
		reports = nil
		f.editUnapplied("a3", func(st *presence.Stream) { st.Index = 9 })
		f.rebase(4)
		if fmt.Sprint(reports) != "[a3 9 1]" {
			t.Errorf("reported %q after its return", reports)
		}
	})
}

// TestRebaseToEarlierLogTime checks that play URLs follow log time backwards, and
// are renewed again later.
func TestRebaseToEarlierLogTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{Signer: fakeSigner{}})
		f.runHub(t)
		f.startStream("a")
		s, c := f.connect(t)
		subscribe(t, f, s, &wire.Subscribe{Play: []string{"flv"}})
		var list wire.ClientView
		list.Apply(expectMessage[*wire.Snapshot](t, c, 0))
		until := fakeSigner{}.NextRenewal("a", f.logTime)
		expectEntry := func(what string, at int64) {
			t.Helper()
			time.Sleep(time.Second)
			synctest.Wait()
			for _, m := range c.takeMessages() {
				if list.Apply(m) {
					t.Errorf("%s: cannot follow %+v", what, m)
				}
			}
			want := expectedEntry(f.streams["a"], []string{"flv"}, at)
			if got := list.Sorted("")[0]; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: has %v, want %v", what, got, want)
			}
		}
		f.logTime = until + 3*fakeHalfTTL
		f.applyEntry()
		expectEntry("on", f.logTime)
		f.logTime = until - 1
		f.rebase(1)
		expectEntry("back", until-1)
		f.hub.Apply(otherEpochPosition(2), until, nil, time.Time{})
		expectEntry("at the renewal", until)
		f.logTime = until + fakeHalfTTL
		f.rebase(9)
		expectEntry("forward", f.logTime)
	})
}

// TestLowerIDBeginsEpoch checks that Apply with an id that is not higher begins an
// epoch, and moves all views there.
func TestLowerIDBeginsEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{})
		f.runHub(t)
		f.startStreams(3)
		s, c := f.connect(t)
		subscribe(t, f, s, &wire.Subscribe{})
		expectMessage[*wire.Snapshot](t, c, 0)
		f.hub.Apply(otherEpochPosition(2), f.logTime, nil, time.Time{})
		if m := expectMessage[*wire.Diff](t, c, 0); m.Prev != position(3).String() || m.Pos != otherEpochPosition(2).String() {
			t.Errorf("%+v", m)
		}
	})
}

// TestResumeAfterLoad checks resumes on a node that was loaded from a snapshot and
// has applied later entries: from all positions since, also in a new view.
func TestResumeAfterLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{})
		f.startStreams(8)
		from, at, loaded := f.entries, f.logTime, copyStreams(f.streams)
		again := &fakeLog{hub: New(Options{}), entries: from, logTime: at, streams: f.streams}
		again.hub.Load(slices.Values(loaded), position(from), at)
		for i := range 60 { // a minute and a half
			again.logTime += 1400
			again.editStream(fmt.Sprint("a", i%3), setTitle(fmt.Sprint(i)))
		}
		again.runHub(t)
		for n, sets := range map[int]int{from: 3, from + 1: 3, from + 58: 2, from + 60: 0} {
			s, c := again.connect(t)
			subscribe(t, again, s, &wire.Subscribe{ID: "1", Pos: position(n).String()})
			if m := expectMessage[*wire.Diff](t, c, 0); len(m.Set) != sets || m.Pos != position(from+60).String() {
				t.Errorf("from %d: %+v", n-from, m)
			}
		}
		s, c := again.connect(t)
		subscribe(t, again, s, &wire.Subscribe{ID: "1", Pos: position(from - 1).String()})
		expectMessage[*wire.Snapshot](t, c, 0) // from before the load
	})
}

// TestEqualStreamsComparesAllFields changes one field at a time.
func TestEqualStreamsComparesAllFields(t *testing.T) {
	plain := func() *presence.Stream {
		return &presence.Stream{Details: presence.Details{Tags: []string{"a"}, Extra: []byte("{}")}}
	}
	if !haveSameFields(plain(), plain()) {
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
		if haveSameFields(plain(), st) {
			t.Errorf("%s makes no difference", field.Name)
		}
	}
}
