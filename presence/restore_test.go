package presence

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// fork continues with another epoch after the last entry of a test log, which
// has lost what follows.
func (x *testLog) fork(rt *rapid.T, repl string) *testLog {
	r, err := DecodeRegistry(x.reg.Encode())
	if err != nil {
		rt.Fatal(err)
	}
	y := &testLog{t: rt, reg: r, num: x.num, time: x.time, epoch: repl, lastBatches: map[string]*Batch{}}
	for node, b := range x.lastBatches {
		y.lastBatches[node] = &Batch{Incarnation: b.Incarnation, Seq: b.Seq}
	}
	return y
}

// applyRandom applies a random command about few anchors. Sessions from base on
// are started.
func (x *testLog) applyRandom(rt *rapid.T, next *int) {
	node := rapid.SampledFrom(nodeNames).Draw(rt, "node")
	anchor := fmt.Sprint("anchor", rapid.IntRange(0, 4).Draw(rt, "anchor"))
	var c Command
	st := x.reg.StreamByAnchor(anchor)
	x.time += rapid.Int64Range(1, 900).Draw(rt, "step")
	if p, _ := x.reg.nodes.find(node); p != nil && p.lastEntryAt+lostAfterTicks*x.reg.settings.Tick() < x.reg.clock+900 {
		x.lastBatches[node] = &Batch{Incarnation: p.incarnation + 1} // it is lost, or about to be: it joins again
	}
	kind := rapid.IntRange(0, 10).Draw(rt, "kind")
	switch {
	case kind == 0:
		c = &Ban{Anchor: anchor, By: "op"}
	case kind == 1:
		c = &Unban{Anchor: anchor}
	case kind <= 4 || st == nil:
		*next++
		c = startOf(*next, anchor)
		if rapid.Bool().Draw(rt, "keyed") {
			c.(*Start).Key = fmt.Sprint("key", *next)
		}
	case kind == 5:
		c = &Stop{Session: st.Session, By: anchor}
	case kind == 6:
		c = &Update{Session: st.Session, Title: new(fmt.Sprint("title at ", x.num))}
	case kind == 7:
		c = &Resume{Session: st.Session, Anchor: anchor, Socket: fmt.Sprint("conn at ", x.num)}
	case kind == 8:
		c = &Observe{Session: st.Session, Source: FromCallback, Signal: PushStarted, Push: fmt.Sprint("push", x.num)}
	case kind == 9:
		c = &AddRecording{Recording{ID: fmt.Sprint("recording", x.epoch, x.num), Code: st.Code, StartedAt: x.time - 100, EndedAt: x.time}}
	default:
		x.applyBatch(node, Batch{Likes: []Count{{st.Lease(), int64(x.num)}}, Viewers: []Count{{st.Lease(), int64(x.num % 5)}}})
		return
	}
	x.applyCommandOn(node, c)
}

// TestLossesAreRestored: what a log has lost is restored in the next epoch,
// unless that has other changes since. Restoring it twice, or by two nodes,
// changes nothing more.
func TestLossesAreRestored(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		x := &testLog{t: rt, reg: NewRegistry(), time: dawn, epoch: "r1", lastBatches: map[string]*Batch{}}
		x.applySettings(fast)
		next := 0
		for range rapid.IntRange(0, 15).Draw(rt, "before") {
			x.applyRandom(rt, &next)
		}
		shared := x.num
		y := x.fork(rt, "r2")
		for range rapid.IntRange(1, 12).Draw(rt, "lost") {
			x.applyRandom(rt, &next)
		}
		since := next
		y.applyBatch("x", Batch{})
		for range rapid.IntRange(0, 6).Draw(rt, "since") {
			y.applyRandom(rt, &next)
		}
		check(t, "shared", LastSharedEntry(x.reg, y.reg), shared)
		before, err := DecodeRegistry(y.reg.Encode())
		if err != nil {
			rt.Fatal(err)
		}
		y.applyBatch("y", Batch{Commands: RestoreCommands(x.reg, y.reg, shared, "a", AllSessions)})
		requireRestored(rt, x.reg, before, y.reg, shared, since)
		num := y.num
		y.applyBatch("z", Batch{Commands: RestoreCommands(x.reg, before, shared, "a", AllSessions)})
		if again := RestoreCommands(x.reg, y.reg, shared, "a", AllSessions); len(again) > 0 {
			for _, c := range again {
				if refused := y.applyCommandOn("z", c).Refusal != Granted; !refused {
					rt.Fatalf("there is more to restore: %T %+v", c, c)
				}
			}
		}
		for i, s := range y.reg.sessions {
			if s != nil && max(s.detailsNum, s.socketNum, s.mediaNum) > num {
				rt.Fatalf("session %d was changed by a repetition", i)
			}
		}
	})
}

// requireRestored checks the state now, which was before, after restoring what
// old has. Sessions from a number on started in the new epoch.
func requireRestored(rt *rapid.T, old, before, now *Registry, shared uint64, since int) {
	if _, err := DecodeRegistry(now.Encode()); err != nil {
		rt.Fatalf("it cannot be read: %v", err)
	}
	for _, e := range old.ended.list {
		if now.StreamBySession(e.Stream.Session) != nil {
			rt.Fatalf("a session that had ended, %v, is live", e.Reason)
		}
		if now.EndedSession(e.Stream.Session) == nil {
			rt.Fatalf("the end of a session is not remembered")
		}
	}
	for _, was := range old.recordings.list {
		is, known := now.Recording(was.ID)
		if !known || is.Session != was.Session {
			rt.Fatalf("recording %+v is %+v", was.Recording, is)
		}
		if e := now.EndedSession(is.Session); e != nil && is.PeakViewers != e.Stream.PeakViewers {
			rt.Fatalf("recording %+v of %+v", is, e.Stream)
		}
	}
	for anchor, b := range old.bans {
		if b.num > shared && before.bans[anchor].num <= shared {
			if _, banned := now.ActiveBan(anchor); !banned && before.bans[anchor].num == now.bans[anchor].num && len(before.keys.list) == len(now.keys.list) {
				rt.Fatalf("%s is not banned", anchor)
			}
		}
	}
	for st := range old.Streams() {
		got := now.StreamBySession(st.Session)
		_, banned := now.ActiveBan(st.Anchor)
		live := now.StreamByAnchor(st.Anchor)
		switch {
		case got == nil && now.EndedSession(st.Session) == nil && !banned && (live == nil || before.StreamBySession(live.Session) == nil):
			rt.Fatalf("session of %s is lost: live is %+v", st.Anchor, live)
		case got == nil || before.StreamBySession(st.Session) != nil:
		case got.Title != st.Title || got.StartedAt != st.StartedAt || got.Likes < st.Likes || !slices.Equal(got.Tags, st.Tags):
			rt.Fatalf("session of %s is %+v, was %+v", st.Anchor, got, st)
		}
	}
	for st := range before.Streams() { // what began since stays
		if _, banned := now.ActiveBan(st.Anchor); now.StreamBySession(st.Session) == nil && !banned && int(st.Session[15])+int(st.Session[14])<<8 > since {
			rt.Fatalf("a session that began since is gone: %+v", now.EndedSession(st.Session))
		}
	}
}

// TestFirstStartCounts: a session whose start was repeated in the new epoch
// keeps the time of the first start.
func TestFirstStartCounts(t *testing.T) {
	x := newTestLog(t)
	x.applyCommand(&SetSettings{Settings{Revision: 1, Interval: 10_000, Missed: 3, Grace: 1_000}})
	tried, lost := startOf(1, "ann"), x.num+1
	y := newTestLog(t)
	for _, e := range x.entries {
		y.applyEntry(e)
	}
	y.num, y.time, y.epoch = x.num, x.time+700, "r2"
	y.lastBatches["a"] = &Batch{Incarnation: 1, Seq: x.lastBatches["a"].Seq}
	first := x.applyCommand(tried).Stream.StartedAt
	check(t, "again", y.applyCommand(tried).Stream.StartedAt, first+700)
	for _, c := range RestoreCommands(x.reg, y.reg, lost-1, "a", AllSessions) {
		y.applyCommandOn("b", c)
	}
	check(t, "restored", y.reg.StreamBySession(sessionID(1)).StartedAt, first)
	check(t, "and once", len(RestoreCommands(x.reg, y.reg, lost-1, "a", AllSessions)), 0)
}

// TestStartUnderTwoSessions: a start without an answer was tried on another
// node, and the log lost which session came first. The one that its client
// acknowledged counts, else the live one.
func TestStartUnderTwoSessions(t *testing.T) {
	for _, test := range []struct{ lost, now string }{{"beaten", ""}, {"asked for", ""}, {"", ""}, {"beaten", "beaten"}, {"beaten", "asked for"}} {
		first, late := startOf(1, "ann"), startOf(2, "ann")
		first.Key, late.Key = "k", "k"
		x, y := newTestLog(t), newTestLog(t)
		y.epoch = "r2"
		then := func(on *testLog, node string, c *Start, what string) {
			l := on.applyCommandOn(node, c).Lease
			switch what {
			case "beaten":
				on.applyBatch(node, Batch{Beats: []Beat{{Lease: l}}})
			case "asked for":
				on.applyCommandOn(node, c)
			}
		}
		then(x, "a", first, test.lost)
		then(y, "b", late, test.now)
		for _, c := range RestoreCommands(x.reg, y.reg, 0, "a", AllSessions) {
			y.applyCommand(c)
		}
		want := sessionID(1)
		if test.now != "" || test.lost == "" {
			want = sessionID(2)
		}
		check(t, "live", y.reg.StreamByAnchor("ann").Session, want)
		again := y.applyCommandOn("b", &Start{Session: sessionID(3), Anchor: "ann", Code: "8888_ann", Key: "k"})
		check(t, "under its key", again.Stream.Session, want)
	}
}

// TestRestoreUnderOlderParams: a session restored with shorter lease params ends
// at the same time on a node that loaded it from a snapshot.
func TestRestoreUnderOlderParams(t *testing.T) {
	x := newTestLog(t)
	x.applySettings(Settings{Interval: 2_000, Missed: 3})
	x.applyCommand(startOf(1, "ann"))
	old, err := DecodeRegistry(x.reg.Encode())
	if err != nil {
		t.Fatal(err)
	}
	y := newTestLog(t)
	y.applySettings(Settings{Interval: 60_000, Missed: 3})
	for _, c := range RestoreCommands(old, y.reg, 0, "a", AllSessions) {
		y.applyCommand(c)
	}
	check(t, "streams", y.reg.Len(), 1)
	z := newTestLog(t)
	if z.reg, err = DecodeRegistry(y.reg.Encode()); err != nil {
		t.Fatal(err)
	}
	z.num, z.time, z.lastBatches["a"] = y.num, y.time, &Batch{Incarnation: 1, Seq: y.num}
	for range 100 {
		y.advance(2_000)
		z.advance(2_000)
		requireEqual(t, "read from a snapshot", z.reg, y.reg)
	}
}

// TestRestoreByNodeThatReadLess: the newest lost state is restored, whether a
// node that read all of it or one that read less is first. Later changes stay.
func TestRestoreByNodeThatReadLess(t *testing.T) {
	for _, lostStart := range []bool{true, false} {
		for _, lessFirst := range []bool{true, false} {
			x := newTestLog(t)
			x.applySettings(fast)
			begin := func(x *testLog) {
				x.applyCommand(startOf(1, "ann"))
				x.applyCommand(startOf(2, "bob"))
			}
			if !lostStart {
				begin(x)
			}
			shared := x.num
			y := newTestLog(t)
			y.reg, _ = DecodeRegistry(x.reg.Encode())
			y.num, y.time, y.epoch = x.num, x.time, "r2"
			if lostStart {
				begin(x)
			}
			x.applyCommand(&Update{Session: sessionID(1), Title: new("first")})
			x.applyCommand(&Resume{Session: sessionID(1), Anchor: "ann", Socket: "first"})
			less, _ := DecodeRegistry(x.reg.Encode())
			x.applyCommand(&Update{Session: sessionID(1), Title: new("second")})
			x.applyCommand(&Resume{Session: sessionID(1), Anchor: "ann", Socket: "second"})
			x.applyCommand(&Update{Session: sessionID(2), Title: new("lost")})
			y.applyBatch("x", Batch{})
			knew := []*Registry{less, x.reg}
			if !lessFirst {
				knew = []*Registry{x.reg, less}
			}
			for i, r := range knew {
				y.applyBatch("x", Batch{Commands: RestoreCommands(r, y.reg, shared, "x", AllSessions)})
				if i == 0 {
					y.applyCommandOn("x", &Update{Session: sessionID(2), Title: new("since")})
				}
			}
			st := y.reg.StreamBySession(sessionID(1))
			check(t, "title", st.Title, "second")
			check(t, "holder", y.reg.LastAttachedSocket(sessionID(1)), "second")
			check(t, "changed since", y.reg.StreamBySession(sessionID(2)).Title, "since")
			check(t, "nothing is missing", len(RestoreCommands(x.reg, y.reg, shared, "x", AllSessions))+len(RestoreCommands(less, y.reg, shared, "x", AllSessions)), 0)
			again, err := DecodeRegistry(y.reg.Encode())
			if err != nil {
				t.Fatal(err)
			}
			requireEqual(t, "encoded", again, y.reg)
		}
	}
}

// TestRestoredAndRenewedSessionStays: a restored session whose anchor sends
// beats again does not give way to another one of the anchor, which a node
// restores later.
func TestRestoredAndRenewedSessionStays(t *testing.T) {
	for _, renewed := range []bool{true, false} {
		x := newTestLog(t)
		x.applySettings(fast)
		other := newTestLog(t) // lost a session of the same anchor that began later
		other.reg, _ = DecodeRegistry(x.reg.Encode())
		other.num, other.time = x.num, x.time+500
		x.applyCommand(startOf(1, "ann"))
		other.applyCommandOn("b", startOf(2, "ann"))
		y := newTestLog(t)
		y.epoch = "r2"
		y.applyBatch("y", Batch{})
		y.applyBatch("y", Batch{Commands: RestoreCommands(x.reg, y.reg, 0, "y", AllSessions)})
		if renewed {
			y.applyBeats("y", y.reg.StreamBySession(sessionID(1)).Lease())
		}
		y.applyBatch("y", Batch{Commands: RestoreCommands(other.reg, y.reg, 0, "y", AllSessions)})
		check(t, "the first stays", y.reg.StreamBySession(sessionID(1)) != nil, renewed)
		check(t, "the second comes back", y.reg.StreamBySession(sessionID(2)) != nil, !renewed)
	}
}

// TestRestoreIntoEmptyEpoch: an empty epoch has the default settings, but
// restored sessions run by their own lease params.
func TestRestoreIntoEmptyEpoch(t *testing.T) {
	x := newTestLog(t)
	x.applySettings(fast)
	x.applyCommand(startOf(1, "ann"))
	y := newTestLog(t)
	y.epoch = "r2"
	y.applyBatch("a", Batch{})
	y.applyBatch("a", Batch{Commands: RestoreCommands(x.reg, y.reg, 0, "a", AllSessions)})
	check(t, "restored", y.sessionState(sessionID(1)), "starting")
	y.advance(fast.Missed*fast.Interval + fast.Grace + 2*fast.Tick())
	check(t, "silent", y.sessionState(sessionID(1)), "missed_beats")
}

// TestLateRequestAmongLostOnes: a request that was asked for before a loss, and comes
// after it, has its place among the lost ones: newer ones are restored over it, older
// ones are not.
func TestLateRequestAmongLostOnes(t *testing.T) {
	for _, hasNewer := range []bool{true, false} {
		x := newTestLog(t)
		x.applySettings(fast)
		x.applyCommand(startOf(1, "ann"))
		y := newTestLog(t)
		y.reg, _ = DecodeRegistry(x.reg.Encode())
		y.num, y.time, y.epoch = x.num, x.time, "r2"
		shared := x.num
		x.applyCommand(&Resume{Session: sessionID(1), Anchor: "ann", Socket: "older"})
		x.applyCommand(&Update{Session: sessionID(1), Title: new("older")})
		asked := EntryRef{x.epoch, x.num}
		want, refusal := "late", Granted
		if hasNewer {
			want, refusal = "newer", Superseded
			x.applyCommand(&Resume{Session: sessionID(1), Anchor: "ann", Socket: want})
			x.applyCommand(&Update{Session: sessionID(1), Title: new(want)})
		}
		late := Batch{Commands: []Command{
			&Resume{Session: sessionID(1), Anchor: "ann", Socket: "late", AskedAfter: asked},
			&Update{Session: sessionID(1), Title: new("late"), AskedAfter: asked},
		}}
		y.applyBatch("x", late)
		y.applyBatch("x", Batch{Commands: RestoreCommands(x.reg, y.reg, shared, "x", AllSessions)})
		check(t, "nothing is missing", len(RestoreCommands(x.reg, y.reg, shared, "x", AllSessions)), 0)
		check(t, "attached", y.reg.LastAttachedSocket(sessionID(1)), want)
		check(t, "title", y.reg.StreamBySession(sessionID(1)).Title, want)
		check(t, "late after the restore", y.applyCommandOn("x", &Resume{Session: sessionID(1), Anchor: "ann", Socket: "later", AskedAfter: asked}).Refusal, refusal)
	}
}

// TestRequestOfLostEpoch: a request that was asked for in an epoch of which nothing is
// left does not take the session from a socket that is attached.
func TestRequestOfLostEpoch(t *testing.T) {
	x := newTestLog(t)
	x.applyCommand(startOf(1, "ann"))
	check(t, "resume", x.applyCommand(&Resume{Session: sessionID(1), Anchor: "ann", Socket: "late", AskedAfter: EntryRef{"lost", 99}}).Refusal, Superseded)
	check(t, "its own socket", x.applyCommand(&Resume{Session: sessionID(1), Anchor: "ann", Socket: "conn1", AskedAfter: EntryRef{"lost", 99}}).Refusal, Granted)
}
