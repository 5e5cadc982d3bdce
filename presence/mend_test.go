package presence

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// fork goes on with another history after the last entry of a tape, which has
// lost what comes after.
func (x *tape) fork(rt *rapid.T, repl string) *tape {
	r, err := DecodeRegistry(x.r.Encode())
	if err != nil {
		rt.Fatal(err)
	}
	y := &tape{t: rt, r: r, num: x.num, time: x.time, repl: repl, speaks: map[string]*Batch{}}
	for node, b := range x.speaks {
		y.speaks[node] = &Batch{Boot: b.Boot, No: b.No}
	}
	return y
}

// anything says something at random, about few anchors. Sessions from base on
// are begun.
func (x *tape) anything(rt *rapid.T, next *int) {
	node := rapid.SampledFrom(nodeNames).Draw(rt, "node")
	anchor := fmt.Sprint("anchor", rapid.IntRange(0, 4).Draw(rt, "anchor"))
	var c Command
	st := x.r.Live(anchor)
	x.time += rapid.Int64Range(1, 900).Draw(rt, "step")
	if p, _ := x.r.peers.find(node); p != nil && p.last+lostAfter*x.r.settings.Tick() < x.r.clock+900 {
		x.speaks[node] = &Batch{Boot: p.boot + 1} // it is lost, or about to be: it joins again
	}
	kind := rapid.IntRange(0, 10).Draw(rt, "kind")
	switch {
	case kind == 0:
		c = &Ban{Anchor: anchor, By: "op"}
	case kind == 1:
		c = &Unban{Anchor: anchor}
	case kind <= 4 || st == nil:
		*next++
		c = started(*next, anchor)
		if rapid.Bool().Draw(rt, "keyed") {
			c.(*Start).Key = fmt.Sprint("key", *next)
		}
	case kind == 5:
		c = &Stop{Session: st.Session, By: anchor}
	case kind == 6:
		c = &Update{Session: st.Session, Title: new(fmt.Sprint("title at ", x.num))}
	case kind == 7:
		c = &Resume{Session: st.Session, Anchor: anchor, Holder: fmt.Sprint("conn at ", x.num)}
	case kind == 8:
		c = &Observe{Session: st.Session, Source: FromCallback, Sign: Begun, Media: fmt.Sprint("push", x.num)}
	case kind == 9:
		c = &AddRecording{Recording{ID: fmt.Sprint("recording", x.repl, x.num), Code: st.Code, StartedAt: x.time - 100, EndedAt: x.time}}
	default:
		x.say(node, Batch{Likes: []Count{{st.Lease(), int64(x.num)}}, Viewers: []Count{{st.Lease(), int64(x.num % 5)}}})
		return
	}
	x.doOn(node, c)
}

// What a log has lost is put back into the history that goes on without it,
// unless that has come to something else since; and to say it twice, or by two
// nodes, changes nothing more.
func TestLossesAreMadeGood(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		x := &tape{t: rt, r: NewRegistry(), time: dawn, repl: "r1", speaks: map[string]*Batch{}}
		x.set(fast)
		next := 0
		for range rapid.IntRange(0, 15).Draw(rt, "before") {
			x.anything(rt, &next)
		}
		shared := x.num
		y := x.fork(rt, "r2")
		for range rapid.IntRange(1, 12).Draw(rt, "lost") {
			x.anything(rt, &next)
		}
		since := next
		y.say("x", Batch{})
		for range rapid.IntRange(0, 6).Draw(rt, "since") {
			y.anything(rt, &next)
		}
		check(t, "shared", LastSharedEntry(x.r, y.r), shared)
		before, err := DecodeRegistry(y.r.Encode())
		if err != nil {
			rt.Fatal(err)
		}
		y.say("y", Batch{Commands: RestoreCommands(x.r, y.r, shared, "a", AllSessions)})
		good(rt, x.r, before, y.r, shared, since)
		num := y.num
		y.say("z", Batch{Commands: RestoreCommands(x.r, before, shared, "a", AllSessions)})
		if again := RestoreCommands(x.r, y.r, shared, "a", AllSessions); len(again) > 0 {
			for _, c := range again {
				if refused := y.doOn("z", c).Refusal != Granted; !refused {
					rt.Fatalf("there is more to put back: %T %+v", c, c)
				}
			}
		}
		for i, s := range y.r.sessions {
			if s != nil && max(s.told, s.moved, s.filmed) > num {
				rt.Fatalf("session %d was changed by a repetition", i)
			}
		}
	})
}

// good checks what a history has become, now, that was before, by mending what
// old knew; sessions after that of a number began in it.
func good(rt *rapid.T, old, before, now *Registry, shared uint64, since int) {
	if _, err := DecodeRegistry(now.Encode()); err != nil {
		rt.Fatalf("it cannot be read: %v", err)
	}
	for _, e := range old.ended.list {
		if now.Session(e.Stream.Session) != nil {
			rt.Fatalf("a session that had ended, %v, is live", e.Reason)
		}
		if now.Ended(e.Stream.Session) == nil {
			rt.Fatalf("the end of a session is not remembered")
		}
	}
	for _, was := range old.recordings.list {
		is, known := now.Recording(was.ID)
		if !known || is.Session != was.Session {
			rt.Fatalf("recording %+v is %+v", was.Recording, is)
		}
		if e := now.Ended(is.Session); e != nil && is.PeakViewers != e.Stream.Peak {
			rt.Fatalf("recording %+v of %+v", is, e.Stream)
		}
	}
	for anchor, b := range old.bans {
		if b.num > shared && before.bans[anchor].num <= shared {
			if _, banned := now.Banned(anchor); !banned && before.bans[anchor].num == now.bans[anchor].num && before.keys.len() == now.keys.len() {
				rt.Fatalf("%s is not banned", anchor)
			}
		}
	}
	for st := range old.Streams() {
		got := now.Session(st.Session)
		_, banned := now.Banned(st.Anchor)
		live := now.Live(st.Anchor)
		switch {
		case got == nil && now.Ended(st.Session) == nil && !banned && (live == nil || before.Session(live.Session) == nil):
			rt.Fatalf("session of %s is lost: live is %+v", st.Anchor, live)
		case got == nil || before.Session(st.Session) != nil:
		case got.Title != st.Title || got.StartedAt != st.StartedAt || got.Likes < st.Likes || !slices.Equal(got.Tags, st.Tags):
			rt.Fatalf("session of %s is %+v, was %+v", st.Anchor, got, st)
		}
	}
	for st := range before.Streams() { // what began since stays
		if _, banned := now.Banned(st.Anchor); now.Session(st.Session) == nil && !banned && int(st.Session[15])+int(st.Session[14])<<8 > since {
			rt.Fatalf("a session that began since is gone: %+v", now.Ended(st.Session))
		}
	}
}

// A session whose start came again in the new history, since the batch was tried
// again, has begun when its client was told.
func TestFirstStartCounts(t *testing.T) {
	x := newTape(t)
	x.do(&SetSettings{Settings{Revision: 1, Interval: 10_000, Missed: 3, Grace: 1_000}})
	tried, lost := started(1, "ann"), x.num+1
	y := newTape(t)
	for _, e := range x.entries {
		y.apply(e)
	}
	y.num, y.time, y.repl = x.num, x.time+700, "r2"
	y.speaks["a"] = &Batch{Boot: 1, No: x.speaks["a"].No}
	first := x.do(tried).Stream.StartedAt
	check(t, "again", y.do(tried).Stream.StartedAt, first+700)
	for _, c := range RestoreCommands(x.r, y.r, lost-1, "a", AllSessions) {
		y.doOn("b", c)
	}
	check(t, "put back", y.r.Session(id(1)).StartedAt, first)
	check(t, "and once", len(RestoreCommands(x.r, y.r, lost-1, "a", AllSessions)), 0)
}

// A start whose answer did not come was tried through another node, and then the
// log lost which of the two sessions came first: that counts of which there is a
// sign that its client was told, else the one that is there.
func TestStartUnderTwoSessions(t *testing.T) {
	for _, test := range []struct{ lost, now string }{{"beaten", ""}, {"asked for", ""}, {"", ""}, {"beaten", "beaten"}, {"beaten", "asked for"}} {
		told, late := started(1, "ann"), started(2, "ann")
		told.Key, late.Key = "k", "k"
		x, y := newTape(t), newTape(t)
		y.repl = "r2"
		then := func(on *tape, node string, c *Start, what string) {
			l := on.doOn(node, c).Lease
			switch what {
			case "beaten":
				on.say(node, Batch{Beats: []Beat{{Lease: l}}})
			case "asked for":
				on.doOn(node, c)
			}
		}
		then(x, "a", told, test.lost)
		then(y, "b", late, test.now)
		for _, c := range RestoreCommands(x.r, y.r, 0, "a", AllSessions) {
			y.do(c)
		}
		want := id(1)
		if test.now != "" || test.lost == "" {
			want = id(2)
		}
		check(t, "live", y.r.Live("ann").Session, want)
		again := y.doOn("b", &Start{Session: id(3), Anchor: "ann", Code: "8888_ann", Key: "k"})
		check(t, "under its key", again.Stream.Session, want)
	}
}

// What is put back under terms that are shorter than the present ones is ended at
// the same time by a node that has read it from a snapshot since.
func TestPutBackUnderOlderTerms(t *testing.T) {
	x := newTape(t)
	x.set(Settings{Interval: 2_000, Missed: 3})
	x.do(started(1, "ann"))
	old, err := DecodeRegistry(x.r.Encode())
	if err != nil {
		t.Fatal(err)
	}
	y := newTape(t)
	y.set(Settings{Interval: 60_000, Missed: 3})
	for _, c := range RestoreCommands(old, y.r, 0, "a", AllSessions) {
		y.do(c)
	}
	check(t, "streams", y.r.Len(), 1)
	z := newTape(t)
	if z.r, err = DecodeRegistry(y.r.Encode()); err != nil {
		t.Fatal(err)
	}
	z.num, z.time, z.speaks["a"] = y.num, y.time, &Batch{Boot: 1, No: y.num}
	for range 100 {
		y.pass(2_000)
		z.pass(2_000)
		equal(t, "read from a snapshot", z.r, y.r)
	}
}

// Of what was lost the newest counts, whichever node puts it back first: one that
// had read less of it, or one that had read all. What was changed since stays.
func TestWhoHadReadLess(t *testing.T) {
	for _, lostStart := range []bool{true, false} {
		for _, lessFirst := range []bool{true, false} {
			x := newTape(t)
			x.set(fast)
			begin := func(x *tape) {
				x.do(started(1, "ann"))
				x.do(started(2, "bob"))
			}
			if !lostStart {
				begin(x)
			}
			shared := x.num
			y := newTape(t)
			y.r, _ = DecodeRegistry(x.r.Encode())
			y.num, y.time, y.repl = x.num, x.time, "r2"
			if lostStart {
				begin(x)
			}
			x.do(&Update{Session: id(1), Title: new("first")})
			x.do(&Resume{Session: id(1), Anchor: "ann", Holder: "first"})
			less, _ := DecodeRegistry(x.r.Encode())
			x.do(&Update{Session: id(1), Title: new("second")})
			x.do(&Resume{Session: id(1), Anchor: "ann", Holder: "second"})
			x.do(&Update{Session: id(2), Title: new("lost")})
			y.say("x", Batch{})
			knew := []*Registry{less, x.r}
			if !lessFirst {
				knew = []*Registry{x.r, less}
			}
			for i, r := range knew {
				y.say("x", Batch{Commands: RestoreCommands(r, y.r, shared, "x", AllSessions)})
				if i == 0 {
					y.doOn("x", &Update{Session: id(2), Title: new("since")})
				}
			}
			st := y.r.Session(id(1))
			check(t, "title", st.Title, "second")
			check(t, "holder", y.r.Holder(id(1)), "second")
			check(t, "changed since", y.r.Session(id(2)).Title, "since")
			check(t, "all is said", len(RestoreCommands(x.r, y.r, shared, "x", AllSessions))+len(RestoreCommands(less, y.r, shared, "x", AllSessions)), 0)
			again, err := DecodeRegistry(y.r.Encode())
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "encoded", again, y.r)
		}
	}
}

// A session that was put back, and whose anchor beats again, does not give way to
// another one of the same anchor which a node puts back that was away.
func TestPutBackAndHeard(t *testing.T) {
	for _, heard := range []bool{true, false} {
		x := newTape(t)
		x.set(fast)
		other := newTape(t) // lost a session of the same anchor that began later
		other.r, _ = DecodeRegistry(x.r.Encode())
		other.num, other.time = x.num, x.time+500
		x.do(started(1, "ann"))
		other.doOn("b", started(2, "ann"))
		y := newTape(t)
		y.repl = "r2"
		y.say("y", Batch{})
		y.say("y", Batch{Commands: RestoreCommands(x.r, y.r, 0, "y", AllSessions)})
		if heard {
			y.beat("y", y.r.Session(id(1)).Lease())
		}
		y.say("y", Batch{Commands: RestoreCommands(other.r, y.r, 0, "y", AllSessions)})
		check(t, "the first stays", y.r.Session(id(1)) != nil, heard)
		check(t, "the second comes back", y.r.Session(id(2)) != nil, !heard)
	}
}

// An empty history knows the default settings alone: sessions that are put back
// into it run by their own all the same.
func TestPutBackIntoAnEmptyHistory(t *testing.T) {
	x := newTape(t)
	x.set(fast)
	x.do(started(1, "ann"))
	y := newTape(t)
	y.repl = "r2"
	y.say("a", Batch{})
	y.say("a", Batch{Commands: RestoreCommands(x.r, y.r, 0, "a", AllSessions)})
	check(t, "put back", y.state(id(1)), "starting")
	y.pass(fast.Missed*fast.Interval + fast.Grace + 2*fast.Tick())
	check(t, "silent", y.state(id(1)), "missed_beats")
}
