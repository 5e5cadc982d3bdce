package presence

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

func TestLeaseSize(t *testing.T) {
	if n := unsafe.Sizeof(lease{}); n > 16 {
		t.Errorf("a lease takes %d bytes, want at most 16", n)
	}
}

// A miss fires within one tick and a quarter of its deadline, never before.
func TestThreeMissedBeats(t *testing.T) {
	for _, s := range []Settings{
		{Interval: 1_000, Missed: 3, Grace: 100},
		{Interval: 60_000, Missed: 3, Grace: 5_000},
		{Interval: 100, Missed: 1, Grace: 0},
		{Interval: 2_000_000, Missed: 2, Grace: 0}, // beyond one turn of the wheel
	} {
		for _, phase := range []int64{0, 1, 7, 60, 249, 251} {
			t.Run(fmt.Sprint(s.Interval, "+", phase), func(t *testing.T) {
				x := newTape(t)
				x.set(s)
				x.pass(phase)
				x.do(started(1, "ann"))
				x.pass(s.Interval / 2)
				x.beat("a", x.r.Session(id(1)).Lease())
				check(t, "state", x.state(id(1)), "live")
				heard := x.r.Clock()
				late := s.Tick() + s.Tick()/4 + 1
				x.pass(s.Interval*s.Missed + s.Grace + 2*late)
				var away, ended int64
				y := newTape(t)
				for _, e := range x.entries {
					for _, c := range y.apply(e).Changes {
						if c.Cause == BySilence {
							away = y.r.Clock()
						} else if c.Ended != nil {
							ended = y.r.Clock()
						}
					}
				}
				if want := heard + s.Interval + s.Grace; s.Missed > 1 && (away <= want || away > want+late) {
					t.Errorf("away %d ms after the first miss, want within %d", away-want, late)
				}
				if want := heard + s.Missed*s.Interval + s.Grace; ended <= want || ended > want+late {
					t.Errorf("ended %d ms after the last miss, want within %d", ended-want, late)
				}
				check(t, "reason", x.state(id(1)), "missed_beats")
			})
		}
	}
}

func TestBeatsBringBack(t *testing.T) {
	x := newTape(t)
	r := x.do(started(1, "ann"))
	check(t, "at first", x.state(id(1)), "starting")
	check(t, "term", r.Term, 185_000)
	x.pass(66_500)
	check(t, "after a miss", x.state(id(1)), "away")
	check(t, "cause", x.r.Session(id(1)).Away, MissedBeat)
	a := x.beat("a", r.Lease)
	check(t, "after a beat", x.state(id(1)), "live")
	if len(a.Changes) != 1 || a.Changes[0].Cause != ByBeat || a.Changes[0].Holder != "conn1" {
		t.Errorf("changes %+v", a.Changes)
	}
	if a = x.beat("a", r.Lease); len(a.Changes) != 0 {
		t.Errorf("a second beat changes %+v", a.Changes)
	}
	a = x.beat("a", Lease{r.Lease.Index, r.Lease.Tag + 1}, Lease{999, 1})
	check(t, "strays", a.Strays, 2)
}

func TestShowPublished(t *testing.T) {
	x := newTape(t)
	x.set(Settings{Interval: 1_000, Missed: 3, ShowPublished: true})
	r := x.do(started(1, "ann"))
	check(t, "shown at start", r.Stream.Shown, false)
	x.pass(1_500)
	check(t, "shown when away", x.r.Session(id(1)).Shown, false)
	x.beat("a", r.Lease)
	check(t, "shown when heard", x.r.Session(id(1)).Shown, true)
	hidden := started(2, "bob")
	hidden.Listed = false
	r = x.do(hidden)
	x.beat("a", r.Lease)
	check(t, "unlisted", x.r.Session(id(2)).Shown, false)
}

func TestFencing(t *testing.T) {
	x := newTape(t)
	x.do(started(1, "ann"))
	x.do(started(2, "ann"))
	check(t, "the first", x.state(id(1)), "taken_over")
	x.do(&Resume{Session: id(2), Anchor: "ann", Holder: "conn9"})
	before := x.r.Session(id(2))
	for _, c := range []Command{
		&Stop{Session: id(1)}, &Update{Session: id(1), Title: new("x")}, &Observe{Session: id(1), Source: FromSocket, Sign: Detached},
		&Adopt{id(1)}, &Resume{Session: id(1), Anchor: "ann", Holder: "c"}, &Stop{Session: id(77)},
		&Stop{Session: id(2), Holder: "conn2"}, &Update{Session: id(2), Holder: "conn2", Title: new("x")},
		&Observe{Session: id(2), Source: FromSocket, Sign: Detached, Holder: "conn2"},
	} {
		a := x.say("a", Batch{Commands: []Command{c}})
		check(t, fmt.Sprintf("%T", c), a.Results[0].Refusal, SessionGone)
		if len(a.Changes) != 0 || x.r.Session(id(2)) != before {
			t.Errorf("%T changed something", c)
		}
	}
	check(t, "another anchor's", x.do(&Resume{Session: id(2), Anchor: "eve", Holder: "c"}).Refusal, NotYours)
	check(t, "another anchor's, ended", x.do(&Resume{Session: id(1), Anchor: "eve", Holder: "c"}).Refusal, NotYours)
	check(t, "no reason", x.do(&Stop{Session: id(2)}).Ended.Reason, Stopped)
}

// A resume, or a repeated start, that comes late does not take the session from a
// socket that its client has gone to since.
func TestOvertaken(t *testing.T) {
	x := newTape(t)
	first := started(1, "ann")
	first.Key = "k"
	x.do(first)
	seen := x.num
	x.doOn("b", &Resume{Session: id(1), Anchor: "ann", Holder: "newer", Seen: seen})
	again := *first
	again.Holder, again.Seen = "older", seen
	for _, late := range []Command{&Resume{Session: id(1), Anchor: "ann", Holder: "older", Seen: seen}, &again} {
		a := x.say("a", Batch{Commands: []Command{late}})
		check(t, fmt.Sprintf("a late %T", late), a.Results[0].Refusal, Overtaken)
		check(t, "changes", len(a.Changes), 0)
	}
	check(t, "holder", x.r.Holder(id(1)), "newer")
	check(t, "repeated by itself", x.doOn("b", &Resume{Session: id(1), Anchor: "ann", Holder: "newer", Seen: seen}).Refusal, Granted)
	check(t, "asked again", x.do(&Resume{Session: id(1), Anchor: "ann", Holder: "older", Seen: x.num}).Refusal, Granted)
	check(t, "holder", x.r.Holder(id(1)), "older")
	x.do(&Observe{Session: id(1), Source: FromSocket, Sign: Detached, Holder: "older"})
	check(t, "when nobody holds it", x.doOn("b", &Resume{Session: id(1), Anchor: "ann", Holder: "third", Seen: seen}).Refusal, Granted)
}

func TestTakeover(t *testing.T) {
	x := newTape(t)
	x.set(Settings{Interval: 1_000, Missed: 3, RefuseTakeover: true})
	x.do(started(1, "ann"))
	check(t, "attached", x.do(started(2, "ann")).Refusal, AlreadyLive)
	x.do(&Observe{Session: id(1), Source: FromSocket, Sign: Detached, Holder: "conn1"})
	check(t, "detached", x.do(started(3, "ann")).Refusal, Granted)
	check(t, "the old one", x.state(id(1)), "taken_over")
	x.doOn("b", &Resume{Session: id(3), Anchor: "ann", Holder: "conn7"})
	for range 4 { // b is silent, so its sockets are gone
		x.pass(250)
		x.beat("a", Lease{})
	}
	check(t, "on a lost node", x.do(started(4, "ann")).Refusal, Granted)
	check(t, "code", x.do(&Start{Session: id(5), Anchor: "bob", Code: "8888_ann"}).Refusal, CodeTaken)
}

func TestKeys(t *testing.T) {
	x := newTape(t)
	first, again, other := started(1, "ann"), started(2, "ann"), started(3, "bob")
	first.Key, again.Key, other.Key = "k", "k", "k"
	x.do(first)
	r := x.do(again)
	if !r.Again || r.Stream.Session != id(1) {
		t.Errorf("repeated: %+v", r)
	}
	check(t, "state", r.Stream.State, Starting)
	check(t, "another anchor's key", x.do(other).Stream.Session, id(3))
	x.pass(70_000)
	check(t, "away", x.state(id(1)), "away")
	x.do(again)
	check(t, "repeated when away", x.state(id(1)), "live")
	x.do(&Stop{Session: id(1), Reason: Stopped})
	r = x.do(again)
	check(t, "ended", r.Refusal, SessionGone)
	check(t, "why", r.Ended.Reason, Stopped)
	for x.r.clock <= keepKeys+1 { // a day passes
		x.time += 2_000
		x.say("a", Batch{})
	}
	check(t, "forgotten", x.do(again).Stream.Session, id(2))
	check(t, "kept endings", x.r.ended.bySession[id(1)] != nil, true)
	if keyName(startKey, "a", "bc") == keyName(startKey, "ab", "c") || keyName(startKey, "1", "1 x") == keyName(startKey, "11", " x") {
		t.Error("keys of two anchors meet")
	}
}

func TestBans(t *testing.T) {
	x := newTape(t)
	x.do(started(1, "ann"))
	r := x.do(&Ban{Anchor: "ann", Until: x.time + 2_000, By: "op"})
	check(t, "ended", r.Ended.Reason, Banned)
	check(t, "by", r.Ended.By, "op")
	check(t, "start", x.do(started(2, "ann")).Refusal, AnchorBanned)
	x.pass(2_000)
	check(t, "over", x.do(started(3, "ann")).Refusal, Granted)
	x.do(&Ban{Anchor: "ann", Until: 0})
	check(t, "for ever", x.do(started(4, "ann")).Refusal, AnchorBanned)
	x.do(&Unban{Anchor: "ann"})
	check(t, "unbanned", x.do(started(5, "ann")).Refusal, Granted)
}

func TestUpdateAndResume(t *testing.T) {
	x := newTape(t)
	x.do(started(1, "ann"))
	old := x.r.Session(id(1))
	st := x.do(&Update{Session: id(1), Holder: "conn1", Tags: &[]string{"a"}, Extra: &[]byte{'{', '}'}}).Stream
	check(t, "title", st.Title, old.Title)
	check(t, "tags", fmt.Sprintf("%s %s", st.Tags, st.Extra), "[a] {}")
	check(t, "a beat as well", st.State, Live)
	check(t, "the old one", old.Tags == nil && old.State == Starting, true)
	st = x.do(&Update{Session: id(1), Title: new(""), Tags: new([]string(nil))}).Stream
	check(t, "removed", st.Title == "" && st.Tags == nil && string(st.Extra) == "{}", true)
	a := x.say("a", Batch{Commands: []Command{&Resume{Session: id(1), Anchor: "ann", Holder: "conn2"}}})
	if len(a.Changes) != 1 || a.Changes[0].Cause != ByResume || a.Changes[0].Holder != "conn2" || a.Changes[0].New != st {
		t.Errorf("resume: %+v", a.Changes)
	}
	x.do(&Observe{Session: id(1), Source: FromSocket, Sign: Detached, Holder: "conn2"})
	want := []Evidence{{FromBeats, Heard, x.time, ""}, {FromSocket, Detached, x.time, ""}}
	if got := x.r.Evidence(id(1)); !slices.Equal(got, want) {
		t.Errorf("evidence %v, want %v", got, want)
	}
}

func TestSettingsChange(t *testing.T) {
	x := newTape(t)
	x.set(Settings{Interval: 1_000, Missed: 3})
	x.do(started(1, "ann"))
	x.do(started(2, "bob"))
	x.set(Settings{Interval: 10_000, Missed: 2})
	check(t, "term of a session that has not heard", x.do(&Update{Session: id(1)}).Term, 3_000)
	check(t, "resumed", x.do(&Resume{Session: id(2), Anchor: "bob", Holder: "c"}).Term, 20_000)
	x.pass(5_000)
	check(t, "by the old terms", x.state(id(1)), "missed_beats")
	check(t, "by the new ones", x.state(id(2)), "live")
	x.set(Settings{Interval: 100, Missed: 2})
	x.pass(5_000)
	check(t, "still by its own", x.state(id(2)), "live")
	x.do(&Adopt{id(2)})
	x.pass(150)
	check(t, "adopted", x.state(id(2)), "away")
	x.pass(100)
	check(t, "adopted", x.state(id(2)), "missed_beats")
	have := x.r.Settings()
	for _, s := range []Settings{{Revision: have.Revision, Interval: 500, Missed: 3}, {Revision: have.Revision + 1, Interval: 1, Missed: 3}, {Revision: have.Revision + 1, Interval: 500, Missed: 251}} {
		x.do(&SetSettings{s})
		check(t, "settings", x.r.Settings(), have)
	}
}

// Which terms fit is the same for a registry that was there all the time and
// for one that started from a snapshot.
func TestManyTerms(t *testing.T) {
	x := newTape(t)
	var kept int
	for n := range 2 * maxTerms {
		s := Settings{Revision: int64(n) + 1, Interval: 100_000 + int64(n), Missed: 3}
		x.do(&SetSettings{s})
		if x.r.Settings() == s {
			kept++
		}
		x.do(started(n, fmt.Sprint("ann", n)))
		if n%16 == 0 || n > maxTerms-4 && n < maxTerms+4 {
			c, err := DecodeRegistry(x.r.Encode())
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "decoded", c, x.r)
			x.r = c
		}
	}
	check(t, "kept", kept, maxTerms)
}

func TestCounts(t *testing.T) {
	x := newTape(t)
	l := x.do(started(1, "ann")).Lease
	view := func(node string, n int64) { x.say(node, Batch{Viewers: []Count{{l, n}, {Lease{7, 7}, 9}}}) }
	view("a", 3)
	view("b", 4)
	view("a", 3)
	check(t, "viewers", x.r.Stream("8888_ann").Viewers, 7)
	view("a", 1)
	check(t, "fewer", x.r.Stream("8888_ann").Viewers, 5)
	check(t, "peak", x.r.Stream("8888_ann").Peak, 7)
	for _, n := range []int64{5, 5, 3, 8} {
		x.say("a", Batch{Likes: []Count{{l, n}}})
		x.say("b", Batch{Likes: []Count{{l, 1}}})
	}
	check(t, "likes", x.r.Stream("8888_ann").Likes, 9)
	x.pass(4_001) // b is lost
	check(t, "nodes", x.r.Peers(), 1)
	check(t, "departed stay", x.r.Stream("8888_ann").Viewers, 5)
	x.pass(15_000)
	check(t, "departed go", x.r.Stream("8888_ann").Viewers, 1)
	x.say("b", Batch{Boot: 2, Likes: []Count{{l, 1}}})
	check(t, "a new boot's likes", x.r.Stream("8888_ann").Likes, 10)
	view("b", 4)
	x.do(&Stop{Session: id(1)})
	m := x.do(started(2, "bob")) // takes the same index
	check(t, "index", m.Lease.Index, l.Index)
	view("b", 9)
	x.say("b", Batch{Likes: []Count{{l, 100}}})
	check(t, "another's counts", m.Stream.Viewers+x.r.Session(id(2)).Viewers+x.r.Session(id(2)).Likes, 0)
	x.say("b", Batch{Likes: []Count{{m.Lease, 2}}})
	check(t, "its own likes", x.r.Session(id(2)).Likes, 2)
}

func TestNodeLost(t *testing.T) {
	x := newTape(t)
	x.set(Settings{Interval: 10_000, Missed: 3, Grace: 1_000})
	x.doOn("b", started(1, "ann"))
	x.do(started(2, "bob"))
	x.pass(28_000, "a", "b")
	x.pass(4_000, "a")
	check(t, "keeper", x.r.Keeper(), "a")
	check(t, "peers", x.r.Peers(), 1)
	check(t, "heard by the living", x.state(id(2)), "missed_beats")
	check(t, "heard by the lost", x.state(id(1)), "away")
	check(t, "refused", x.say("b", Batch{}).Refused, true)
	x.pass(29_000)
	check(t, "re-armed", x.state(id(1)), "away")
	x.pass(4_000)
	check(t, "once", x.state(id(1)), "missed_beats")
}

// A node that is silent, but not lost, holds expiry back.
func TestHeardTime(t *testing.T) {
	x := newTape(t)
	x.doOn("b", started(1, "ann"))
	x.pass(183_000, "a", "b")
	x.pass(2_900, "a") // past the deadline, b has not spoken
	check(t, "judged", x.state(id(1)), "away")
	l := x.r.Session(id(1)).Lease()
	x.say("b", Batch{Beats: []Beat{{l, 2_500}}})
	check(t, "heard in time", x.state(id(1)), "live")
	le := x.r.leases.find(l)
	check(t, "age", x.r.clock-le.lastAt(x.r.clock), 2_500)
	x.pass(1_000)
	x.say("b", Batch{Beats: []Beat{{l, 100_000}}})
	check(t, "clamped", x.r.clock-le.lastAt(x.r.clock), 1_000)
}

func TestLeave(t *testing.T) {
	x := newTape(t)
	x.set(Settings{Interval: 10_000, Missed: 3})
	x.doOn("b", started(1, "ann"))
	x.pass(29_000, "a", "b")
	x.say("b", Batch{Commands: []Command{&Leave{}, &Leave{}, started(2, "bob")}})
	check(t, "peers", x.r.Peers(), 1)
	check(t, "its batches", x.say("b", Batch{}).Refused, true)
	x.pass(2_000)
	check(t, "not re-armed", x.state(id(1)), "missed_beats")
	x.say("c", Batch{})
	p, _ := x.r.peers.find("c")
	check(t, "number", p.via, 2)
	check(t, "comes back", x.say("b", Batch{Boot: 2}).Refused, false)
}

func TestReplicationID(t *testing.T) {
	x := newTape(t)
	x.do(started(1, "ann"))
	x.pass(184_000)
	x.repl = "r2"
	x.pass(184_000)
	check(t, "re-armed", x.state(id(1)), "away")
	x.pass(3_000)
	check(t, "once", x.state(id(1)), "missed_beats")
}

func TestClockSteps(t *testing.T) {
	x := newTape(t)
	x.do(started(1, "ann"))
	x.pass(10_000)
	for _, step := range []int64{2_001, -1, -86_400_000, 86_400_000, 3_600_000} {
		was := x.r.Clock()
		x.time += step
		a := x.say("a", Batch{})
		check(t, fmt.Sprint("stalled by ", step), a.Stalled, true)
		check(t, fmt.Sprint("clock after ", step), x.r.Clock(), was)
	}
	for range 1000 {
		x.time += 2_001
		x.say("a", Batch{})
	}
	check(t, "nobody ends", x.state(id(1)), "starting")
	was := x.r.Clock()
	x.time += 2_000
	check(t, "stalled", x.say("a", Batch{}).Stalled, false)
	check(t, "clock", x.r.Clock(), was+2_000)
	l := x.r.Session(id(1)).Lease()
	x.time += 500
	x.say("b", Batch{})
	x.time += 30_000
	x.say("a", Batch{Beats: []Beat{{l, 30_100}}})
	check(t, "a beat from before a gap", x.r.leases.find(l).lastAt(x.r.clock), x.r.clock)
}

func TestRefusedBatches(t *testing.T) {
	x := newTape(t)
	x.say("a", Batch{Boot: 3})
	for _, b := range []Batch{{Boot: 2}, {Boot: 3, No: 1}} {
		b.Commands = []Command{started(1, "ann")}
		clock := x.r.Clock()
		x.time += 100
		a := x.say("a", b)
		if !a.Refused || a.Results != nil || x.r.Len() != 0 || x.r.Clock() != clock+100 {
			t.Errorf("boot %d no %d: %+v", b.Boot, b.No, a)
		}
	}
	check(t, "gap in numbers", x.say("a", Batch{Boot: 3, No: 9}).Refused, false)
	check(t, "new boot", x.say("a", Batch{Boot: 4}).Refused, false)
}

func TestNewRules(t *testing.T) {
	x := newTape(t)
	x.do(started(1, "ann"))
	good := x.entry("a", Batch{Commands: []Command{&Stop{Session: id(1)}}})
	for what, c := range map[string]struct {
		bytes []byte
		want  error
	}{
		"version":   {append([]byte{9}, good.Batch[1:]...), ErrRules},
		"malformed": {good.Batch[:len(good.Batch)-1], ErrMalformed},
		"longer":    {append(slices.Clone(good.Batch), 0), ErrMalformed},
		"empty":     {nil, ErrMalformed},
		"command":   {append(slices.Clone((&Batch{Node: "a", Boot: 1, No: 99}).Seal().Bytes[:len((&Batch{Node: "a", Boot: 1, No: 99}).Seal().Bytes)-1]), 1, 200), ErrRules},
	} {
		before := x.r.Encode()
		e := good
		e.Batch = c.bytes
		if _, err := x.r.Apply(e); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", what, err, c.want)
		}
		if string(before) != string(x.r.Encode()) {
			t.Errorf("%s: something changed", what)
		}
	}
	x.do(&RaiseRules{Rules + 1})
	before := x.r.Encode()
	if _, err := x.r.Apply(x.entry("a", Batch{})); !errors.Is(err, ErrRules) || string(before) != string(x.r.Encode()) {
		t.Errorf("raised rules: %v", err)
	}
	if _, err := DecodeRegistry(before); !errors.Is(err, ErrRules) {
		t.Errorf("an image of newer rules: %v", err)
	}
}

func TestDivergence(t *testing.T) {
	x, y := newTape(t), newTape(t)
	for i, c := range []Command{started(1, "ann"), started(2, "bob"), &Update{Session: id(1), Title: new("x")}} {
		x.do(c)
		y.do(c)
		check(t, fmt.Sprint("digest ", i), y.r.Digest(), x.r.Digest())
	}
	d := &Digest{x.r.Position(), x.r.Digest()}
	x.pass(5_000)
	check(t, "equal", *x.say("b", Batch{Digest: d}).Compared, Compared{"b", d.At, d.Sum, d.Sum})
	y.r.sessions[0].stream.Title = "y"
	y.r.touch(0)
	y.r.settle()
	check(t, "differing", *x.say("b", Batch{Digest: &Digest{d.At, y.r.Digest()}}).Compared, Compared{"b", d.At, y.r.Digest(), d.Sum})
	check(t, "of another history", x.say("b", Batch{Digest: &Digest{Position{d.At.ID, 1}, y.r.Digest()}}).Compared == nil, true)
}

func TestEndedMemory(t *testing.T) {
	x := newTape(t)
	for n := 0; n < maxEnded+10; n += 1000 {
		var b Batch
		for i := range 1000 {
			b.Commands = append(b.Commands, started(n+i, "ann"))
		}
		x.say("a", b)
	}
	check(t, "number", x.r.ended.len(), maxEnded)
	check(t, "index", len(x.r.ended.bySession), maxEnded)
	if x.r.Ended(id(0)) != nil {
		t.Error("the oldest is still there")
	}
}

// Rows are what an embedded log keeps: after a crash every lease is full, though
// no beat was ever written, and likes are not counted twice.
func TestRows(t *testing.T) {
	x := newTape(t)
	x.r.TrackDirty()
	rows := map[string]Record{}
	take := func() {
		for _, rec := range x.r.TakeDirty() {
			rows[string(rec.Kind)+rec.Key] = rec
		}
	}
	l := x.do(started(1, "ann")).Lease
	take()
	for range 100 {
		x.pass(30_000)
		x.say("a", Batch{Beats: []Beat{{Lease: l}}, Viewers: []Count{{l, 5}}})
	}
	x.say("a", Batch{Likes: []Count{{l, 100}}})
	x.do(&Update{Session: id(1), Title: new("later")})
	take()
	x.time += 900
	durable := x.entry("a", Batch{Likes: []Count{{l, 105}}, Commands: []Command{started(2, "bob")}})
	r, err := LoadRegistry(func(yield func(Record, error) bool) {
		for _, rec := range rows {
			if !yield(rec, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Reseed(99)
	a, err := r.Apply(durable)
	if err != nil || a.Refused || len(a.Changes) != 2 {
		t.Fatalf("%v %+v", err, a)
	}
	x.r = r
	check(t, "state", x.state(id(1)), "live")
	check(t, "likes", r.Session(id(1)).Likes, 105)
	check(t, "viewers", r.Session(id(1)).Viewers, 0)
	x.repl = "r2"
	x.say("a", Batch{Boot: 2})
	x.pass(184_000)
	check(t, "a full lease", x.state(id(1)), "away")
}

func TestKeeperAndRules(t *testing.T) {
	x := newTape(t)
	check(t, "nobody", x.r.Keeper(), "")
	x.say("z", Batch{})
	x.say("a", Batch{})
	check(t, "keeper", x.r.Keeper(), "z")
	x.say("z", Batch{Boot: 2})
	check(t, "keeper", x.r.Keeper(), "a")
	check(t, "rules", x.r.KnownRules(), Rules)
	x.pass(3_001, "a")
	x.pass(1, "a")
	check(t, "alive", x.r.Peers(), 1)
	for x.r.clock < keepPeers+10_000 {
		x.time += 2_000
		x.say("a", Batch{})
	}
	check(t, "forgotten", len(x.r.peers.list), 1)
}

func TestWords(t *testing.T) {
	var all []string
	for s := Starting; s <= Away; s++ {
		all = append(all, s.String())
	}
	for c := ByStart; c <= ByEvidence; c++ {
		all = append(all, c.String())
	}
	for f := Granted; f <= NotYours; f++ {
		all = append(all, f.String())
	}
	for r := NotEnded; r <= StreamLost; r++ {
		all = append(all, r.String())
	}
	for a := NotAway; a <= MediaEnded; a++ {
		all = append(all, a.String())
	}
	const want = "starting live away start resume beat silence update end counts evidence  already_live code_taken session_gone banned forbidden  stopped missed_beats taken_over kicked banned stream_lost  missed_beat media"
	check(t, "words", strings.Join(all, " "), want)
	check(t, "unknown", Source(99).String()+Sign(99).String(), "")
}
