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

// TestThreeMissedBeats: a miss applies within one tick and a quarter of its
// deadline, never before.
func TestThreeMissedBeats(t *testing.T) {
	for _, s := range []Settings{
		{Interval: 1_000, Missed: 3, Grace: 100},
		{Interval: 60_000, Missed: 3, Grace: 5_000},
		{Interval: 100, Missed: 1, Grace: 0},
		{Interval: 2_000_000, Missed: 2, Grace: 0}, // beyond one turn of the wheel
	} {
		for _, phase := range []int64{0, 1, 7, 60, 249, 251} {
			t.Run(fmt.Sprint(s.Interval, "+", phase), func(t *testing.T) {
				x := newTestLog(t)
				x.applySettings(s)
				x.advance(phase)
				x.applyCommand(startOf(1, "ann"))
				x.advance(s.Interval / 2)
				x.applyBeats("a", x.reg.StreamBySession(sessionID(1)).Lease())
				check(t, "state", x.sessionState(sessionID(1)), "live")
				renewedAt := x.reg.Clock()
				late := s.Tick() + s.Tick()/4 + 1
				x.advance(s.Interval*s.Missed + s.Grace + 2*late)
				var away, ended int64
				y := newTestLog(t)
				for _, e := range x.entries {
					for _, c := range y.applyEntry(e).Changes {
						if c.Cause == BySilence {
							away = y.reg.Clock()
						} else if c.Ended != nil {
							ended = y.reg.Clock()
						}
					}
				}
				if want := renewedAt + s.Interval + s.Grace; s.Missed > 1 && (away <= want || away > want+late) {
					t.Errorf("away %d ms after the first miss, want within %d", away-want, late)
				}
				if want := renewedAt + s.Missed*s.Interval + s.Grace; ended <= want || ended > want+late {
					t.Errorf("ended %d ms after the last miss, want within %d", ended-want, late)
				}
				check(t, "reason", x.sessionState(sessionID(1)), "missed_beats")
			})
		}
	}
}

func TestBeatsBringBack(t *testing.T) {
	x := newTestLog(t)
	r := x.applyCommand(startOf(1, "ann"))
	check(t, "at first", x.sessionState(sessionID(1)), "starting")
	check(t, "term", r.TTL, 185_000)
	x.advance(66_500)
	check(t, "after a miss", x.sessionState(sessionID(1)), "away")
	check(t, "cause", x.reg.StreamBySession(sessionID(1)).Away, MissedBeat)
	a := x.applyBeats("a", r.Lease)
	check(t, "after a beat", x.sessionState(sessionID(1)), "live")
	if len(a.Changes) != 1 || a.Changes[0].Cause != ByBeat || a.Changes[0].Socket != "conn1" {
		t.Errorf("changes %+v", a.Changes)
	}
	if a = x.applyBeats("a", r.Lease); len(a.Changes) != 0 {
		t.Errorf("a second beat changes %+v", a.Changes)
	}
	a = x.applyBeats("a", Lease{r.Lease.Index, r.Lease.Tag + 1}, Lease{999, 1})
	check(t, "strays", a.StrayBeats, 2)
}

func TestShowPublished(t *testing.T) {
	x := newTestLog(t)
	x.applySettings(Settings{Interval: 1_000, Missed: 3, ShowPublished: true})
	r := x.applyCommand(startOf(1, "ann"))
	check(t, "shown at start", r.Stream.Shown, false)
	x.advance(1_500)
	check(t, "shown when away", x.reg.StreamBySession(sessionID(1)).Shown, false)
	x.applyBeats("a", r.Lease)
	check(t, "shown after a beat", x.reg.StreamBySession(sessionID(1)).Shown, true)
	hidden := startOf(2, "bob")
	hidden.Listed = false
	r = x.applyCommand(hidden)
	x.applyBeats("a", r.Lease)
	check(t, "unlisted", x.reg.StreamBySession(sessionID(2)).Shown, false)
}

func TestFencing(t *testing.T) {
	x := newTestLog(t)
	x.applyCommand(startOf(1, "ann"))
	x.applyCommand(startOf(2, "ann"))
	check(t, "the first", x.sessionState(sessionID(1)), "taken_over")
	x.applyCommand(&Resume{Session: sessionID(2), Anchor: "ann", Socket: "conn9"})
	before := x.reg.StreamBySession(sessionID(2))
	for _, c := range []Command{
		&Stop{Session: sessionID(1)}, &Update{Session: sessionID(1), Title: new("x")}, &Observe{Session: sessionID(1), Source: FromSocket, Signal: Detached},
		&AdoptLeaseParams{sessionID(1)}, &Resume{Session: sessionID(1), Anchor: "ann", Socket: "c"}, &Stop{Session: sessionID(77)},
		&Stop{Session: sessionID(2), Socket: "conn2"}, &Update{Session: sessionID(2), Socket: "conn2", Title: new("x")},
		&Observe{Session: sessionID(2), Source: FromSocket, Signal: Detached, Socket: "conn2"},
	} {
		a := x.applyBatch("a", Batch{Commands: []Command{c}})
		check(t, fmt.Sprintf("%T", c), a.Results[0].Refusal, SessionGone)
		if len(a.Changes) != 0 || x.reg.StreamBySession(sessionID(2)) != before {
			t.Errorf("%T changed something", c)
		}
	}
	check(t, "another anchor's", x.applyCommand(&Resume{Session: sessionID(2), Anchor: "eve", Socket: "c"}).Refusal, NotOwner)
	check(t, "another anchor's, ended", x.applyCommand(&Resume{Session: sessionID(1), Anchor: "eve", Socket: "c"}).Refusal, NotOwner)
	check(t, "no reason", x.applyCommand(&Stop{Session: sessionID(2)}).Ended.Reason, Stopped)
}

// TestSupersededResume: a late resume, or a late repeated start, does not take
// the session from a socket that its client has attached since.
func TestSupersededResume(t *testing.T) {
	x := newTestLog(t)
	first := startOf(1, "ann")
	first.Key = "k"
	x.applyCommand(first)
	seen := EntryRef{x.epoch, x.num}
	x.applyCommandOn("b", &Resume{Session: sessionID(1), Anchor: "ann", Socket: "newer", AskedAfter: seen})
	again := *first
	again.Socket, again.AskedAfter = "older", seen
	for _, late := range []Command{&Resume{Session: sessionID(1), Anchor: "ann", Socket: "older", AskedAfter: seen}, &again} {
		a := x.applyBatch("a", Batch{Commands: []Command{late}})
		check(t, fmt.Sprintf("a late %T", late), a.Results[0].Refusal, Superseded)
		check(t, "changes", len(a.Changes), 0)
	}
	check(t, "holder", x.reg.LastAttachedSocket(sessionID(1)), "newer")
	check(t, "repeated by itself", x.applyCommandOn("b", &Resume{Session: sessionID(1), Anchor: "ann", Socket: "newer", AskedAfter: seen}).Refusal, Granted)
	check(t, "asked again", x.applyCommand(&Resume{Session: sessionID(1), Anchor: "ann", Socket: "older", AskedAfter: EntryRef{x.epoch, x.num}}).Refusal, Granted)
	check(t, "holder", x.reg.LastAttachedSocket(sessionID(1)), "older")
	x.applyCommand(&Observe{Session: sessionID(1), Source: FromSocket, Signal: Detached, Socket: "older"})
	check(t, "when no socket is attached", x.applyCommandOn("b", &Resume{Session: sessionID(1), Anchor: "ann", Socket: "third", AskedAfter: seen}).Refusal, Granted)
}

func TestTakeover(t *testing.T) {
	x := newTestLog(t)
	x.applySettings(Settings{Interval: 1_000, Missed: 3, RefuseTakeover: true})
	x.applyCommand(startOf(1, "ann"))
	check(t, "attached", x.applyCommand(startOf(2, "ann")).Refusal, AlreadyLive)
	x.applyCommand(&Observe{Session: sessionID(1), Source: FromSocket, Signal: Detached, Socket: "conn1"})
	check(t, "detached", x.applyCommand(startOf(3, "ann")).Refusal, Granted)
	check(t, "the old one", x.sessionState(sessionID(1)), "taken_over")
	x.applyCommandOn("b", &Resume{Session: sessionID(3), Anchor: "ann", Socket: "conn7"})
	for range 4 { // b is silent, so its sockets are gone
		x.advance(250)
		x.applyBeats("a", Lease{})
	}
	check(t, "on a lost node", x.applyCommand(startOf(4, "ann")).Refusal, Granted)
	check(t, "code", x.applyCommand(&Start{Session: sessionID(5), Anchor: "bob", Code: "8888_ann"}).Refusal, CodeTaken)
}

func TestKeys(t *testing.T) {
	x := newTestLog(t)
	first, again, other := startOf(1, "ann"), startOf(2, "ann"), startOf(3, "bob")
	first.Key, again.Key, other.Key = "k", "k", "k"
	x.applyCommand(first)
	r := x.applyCommand(again)
	if !r.Repeated || r.Stream.Session != sessionID(1) {
		t.Errorf("repeated: %+v", r)
	}
	check(t, "state", r.Stream.State, Starting)
	check(t, "another anchor's key", x.applyCommand(other).Stream.Session, sessionID(3))
	x.advance(70_000)
	check(t, "away", x.sessionState(sessionID(1)), "away")
	x.applyCommand(again)
	check(t, "repeated when away", x.sessionState(sessionID(1)), "live")
	x.applyCommand(&Stop{Session: sessionID(1), Reason: Stopped})
	r = x.applyCommand(again)
	check(t, "ended", r.Refusal, SessionGone)
	check(t, "why", r.Ended.Reason, Stopped)
	for x.reg.clock <= keyRetention+1 { // a day passes
		x.time += 2_000
		x.applyBatch("a", Batch{})
	}
	check(t, "forgotten", x.applyCommand(again).Stream.Session, sessionID(2))
	check(t, "remembered end", x.reg.ended.bySession[sessionID(1)] != nil, true)
	if clientKeyName(startKey, "a", "bc") == clientKeyName(startKey, "ab", "c") || clientKeyName(startKey, "1", "1 x") == clientKeyName(startKey, "11", " x") {
		t.Error("keys of two anchors meet")
	}
}

func TestBans(t *testing.T) {
	x := newTestLog(t)
	x.applyCommand(startOf(1, "ann"))
	r := x.applyCommand(&Ban{Anchor: "ann", Until: x.time + 2_000, By: "op"})
	check(t, "ended", r.Ended.Reason, Banned)
	check(t, "by", r.Ended.By, "op")
	check(t, "start", x.applyCommand(startOf(2, "ann")).Refusal, AnchorBanned)
	x.advance(2_000)
	check(t, "over", x.applyCommand(startOf(3, "ann")).Refusal, Granted)
	x.applyCommand(&Ban{Anchor: "ann", Until: 0})
	check(t, "for ever", x.applyCommand(startOf(4, "ann")).Refusal, AnchorBanned)
	x.applyCommand(&Unban{Anchor: "ann"})
	check(t, "unbanned", x.applyCommand(startOf(5, "ann")).Refusal, Granted)
}

func TestUpdateAndResume(t *testing.T) {
	x := newTestLog(t)
	x.applyCommand(startOf(1, "ann"))
	old := x.reg.StreamBySession(sessionID(1))
	st := x.applyCommand(&Update{Session: sessionID(1), Socket: "conn1", Tags: &[]string{"a"}, Extra: &[]byte{'{', '}'}}).Stream
	check(t, "title", st.Title, old.Title)
	check(t, "tags", fmt.Sprintf("%s %s", st.Tags, st.Extra), "[a] {}")
	check(t, "a beat as well", st.State, Live)
	check(t, "the old one", old.Tags == nil && old.State == Starting, true)
	st = x.applyCommand(&Update{Session: sessionID(1), Title: new(""), Tags: new([]string(nil))}).Stream
	check(t, "removed", st.Title == "" && st.Tags == nil && string(st.Extra) == "{}", true)
	a := x.applyBatch("a", Batch{Commands: []Command{&Resume{Session: sessionID(1), Anchor: "ann", Socket: "conn2"}}})
	if len(a.Changes) != 1 || a.Changes[0].Cause != ByResume || a.Changes[0].Socket != "conn2" || a.Changes[0].New != st {
		t.Errorf("resume: %+v", a.Changes)
	}
	x.applyCommand(&Observe{Session: sessionID(1), Source: FromSocket, Signal: Detached, Socket: "conn2"})
	want := []Evidence{{FromBeats, BeatReceived, x.time, ""}, {FromSocket, Detached, x.time, ""}}
	if got := x.reg.Evidence(sessionID(1)); !slices.Equal(got, want) {
		t.Errorf("evidence %v, want %v", got, want)
	}
}

func TestSettingsChange(t *testing.T) {
	x := newTestLog(t)
	x.applySettings(Settings{Interval: 1_000, Missed: 3})
	x.applyCommand(startOf(1, "ann"))
	x.applyCommand(startOf(2, "bob"))
	x.applySettings(Settings{Interval: 10_000, Missed: 2})
	check(t, "TTL of a session without the new settings", x.applyCommand(&Update{Session: sessionID(1)}).TTL, 3_000)
	check(t, "resumed", x.applyCommand(&Resume{Session: sessionID(2), Anchor: "bob", Socket: "c"}).TTL, 20_000)
	x.advance(5_000)
	check(t, "by the old params", x.sessionState(sessionID(1)), "missed_beats")
	check(t, "by the new ones", x.sessionState(sessionID(2)), "live")
	x.applySettings(Settings{Interval: 100, Missed: 2})
	x.advance(5_000)
	check(t, "still by its own", x.sessionState(sessionID(2)), "live")
	x.applyCommand(&AdoptLeaseParams{sessionID(2)})
	x.advance(150)
	check(t, "adopted", x.sessionState(sessionID(2)), "away")
	x.advance(100)
	check(t, "adopted", x.sessionState(sessionID(2)), "missed_beats")
	have := x.reg.Settings()
	for _, s := range []Settings{{Revision: have.Revision, Interval: 500, Missed: 3}, {Revision: have.Revision + 1, Interval: 1, Missed: 3}, {Revision: have.Revision + 1, Interval: 500, Missed: 251}} {
		x.applyCommand(&SetSettings{s})
		check(t, "settings", x.reg.Settings(), have)
	}
}

// TestManyLeaseParams: whether params fit is the same for a registry that ran
// all the time and for one that loaded a snapshot.
func TestManyLeaseParams(t *testing.T) {
	x := newTestLog(t)
	var accepted int
	for n := range 2 * maxLeaseParams {
		s := Settings{Revision: int64(n) + 1, Interval: 100_000 + int64(n), Missed: 3}
		x.applyCommand(&SetSettings{s})
		if x.reg.Settings() == s {
			accepted++
		}
		x.applyCommand(startOf(n, fmt.Sprint("ann", n)))
		if n%16 == 0 || n > maxLeaseParams-4 && n < maxLeaseParams+4 {
			c, err := DecodeRegistry(x.reg.Encode())
			if err != nil {
				t.Fatal(err)
			}
			requireEqual(t, "decoded", c, x.reg)
			x.reg = c
		}
	}
	check(t, "accepted", accepted, maxLeaseParams)
}

func TestCounts(t *testing.T) {
	x := newTestLog(t)
	l := x.applyCommand(startOf(1, "ann")).Lease
	view := func(node string, n int64) { x.applyBatch(node, Batch{Viewers: []Count{{l, n}, {Lease{7, 7}, 9}}}) }
	view("a", 3)
	view("b", 4)
	view("a", 3)
	check(t, "viewers", x.reg.StreamByCode("8888_ann").Viewers, 7)
	view("a", 1)
	check(t, "fewer", x.reg.StreamByCode("8888_ann").Viewers, 5)
	check(t, "peak", x.reg.StreamByCode("8888_ann").PeakViewers, 7)
	for _, n := range []int64{5, 5, 3, 8} {
		x.applyBatch("a", Batch{Likes: []Count{{l, n}}})
		x.applyBatch("b", Batch{Likes: []Count{{l, 1}}})
	}
	check(t, "likes", x.reg.StreamByCode("8888_ann").Likes, 9)
	x.advance(4_001) // b is lost
	check(t, "nodes", x.reg.LivingNodeCount(), 1)
	check(t, "departed stay", x.reg.StreamByCode("8888_ann").Viewers, 5)
	x.advance(15_000)
	check(t, "departed go", x.reg.StreamByCode("8888_ann").Viewers, 1)
	x.applyBatch("b", Batch{Incarnation: 2, Likes: []Count{{l, 1}}})
	check(t, "likes of a new incarnation", x.reg.StreamByCode("8888_ann").Likes, 10)
	view("b", 4)
	x.applyCommand(&Stop{Session: sessionID(1)})
	m := x.applyCommand(startOf(2, "bob")) // takes the same index
	check(t, "index", m.Lease.Index, l.Index)
	view("b", 9)
	x.applyBatch("b", Batch{Likes: []Count{{l, 100}}})
	check(t, "another's counts", m.Stream.Viewers+x.reg.StreamBySession(sessionID(2)).Viewers+x.reg.StreamBySession(sessionID(2)).Likes, 0)
	x.applyBatch("b", Batch{Likes: []Count{{m.Lease, 2}}})
	check(t, "its own likes", x.reg.StreamBySession(sessionID(2)).Likes, 2)
}

func TestNodeLost(t *testing.T) {
	x := newTestLog(t)
	x.applySettings(Settings{Interval: 10_000, Missed: 3, Grace: 1_000})
	x.applyCommandOn("b", startOf(1, "ann"))
	x.applyCommand(startOf(2, "bob"))
	x.advance(28_000, "a", "b")
	x.advance(4_000, "a")
	check(t, "leader", x.reg.Leader(), "a")
	check(t, "peers", x.reg.LivingNodeCount(), 1)
	check(t, "renewed through the living node", x.sessionState(sessionID(2)), "missed_beats")
	check(t, "renewed through the lost node", x.sessionState(sessionID(1)), "away")
	check(t, "refused", x.applyBatch("b", Batch{}).Refused, true)
	x.advance(29_000)
	check(t, "re-armed", x.sessionState(sessionID(1)), "away")
	x.advance(4_000)
	check(t, "once", x.sessionState(sessionID(1)), "missed_beats")
}

// TestWatermark: a node that is silent but not lost delays expiry.
func TestWatermark(t *testing.T) {
	x := newTestLog(t)
	x.applyCommandOn("b", startOf(1, "ann"))
	x.advance(183_000, "a", "b")
	x.advance(2_900, "a") // past the deadline, without an entry of b
	check(t, "judged", x.sessionState(sessionID(1)), "away")
	l := x.reg.StreamBySession(sessionID(1)).Lease()
	x.applyBatch("b", Batch{Beats: []Beat{{l, 2_500}}})
	check(t, "renewed in time", x.sessionState(sessionID(1)), "live")
	le := x.reg.leases.find(l)
	check(t, "age", x.reg.clock-le.lastRenewal(x.reg.clock), 2_500)
	x.advance(1_000)
	x.applyBatch("b", Batch{Beats: []Beat{{l, 100_000}}})
	check(t, "clamped", x.reg.clock-le.lastRenewal(x.reg.clock), 1_000)
}

func TestLeave(t *testing.T) {
	x := newTestLog(t)
	x.applySettings(Settings{Interval: 10_000, Missed: 3})
	x.applyCommandOn("b", startOf(1, "ann"))
	x.advance(29_000, "a", "b")
	x.applyBatch("b", Batch{Commands: []Command{&Leave{}, &Leave{}, startOf(2, "bob")}})
	check(t, "peers", x.reg.LivingNodeCount(), 1)
	check(t, "its batches", x.applyBatch("b", Batch{}).Refused, true)
	x.advance(2_000)
	check(t, "not re-armed", x.sessionState(sessionID(1)), "missed_beats")
	x.applyBatch("c", Batch{})
	p, _ := x.reg.nodes.find("c")
	check(t, "number", p.renewer, 2)
	check(t, "comes back", x.applyBatch("b", Batch{Incarnation: 2}).Refused, false)
}

func TestNewEpochRestartsLeases(t *testing.T) {
	x := newTestLog(t)
	x.applyCommand(startOf(1, "ann"))
	x.advance(184_000)
	x.epoch = "r2"
	x.advance(184_000)
	check(t, "re-armed", x.sessionState(sessionID(1)), "away")
	x.advance(3_000)
	check(t, "once", x.sessionState(sessionID(1)), "missed_beats")
}

func TestClockSteps(t *testing.T) {
	x := newTestLog(t)
	x.applyCommand(startOf(1, "ann"))
	x.advance(10_000)
	for _, step := range []int64{2_001, -1, -86_400_000, 86_400_000, 3_600_000} {
		was := x.reg.Clock()
		x.time += step
		a := x.applyBatch("a", Batch{})
		check(t, fmt.Sprint("stalled by ", step), a.Stalled, true)
		check(t, fmt.Sprint("clock after ", step), x.reg.Clock(), was)
	}
	for range 1000 {
		x.time += 2_001
		x.applyBatch("a", Batch{})
	}
	check(t, "nobody ends", x.sessionState(sessionID(1)), "starting")
	was := x.reg.Clock()
	x.time += 2_000
	check(t, "stalled", x.applyBatch("a", Batch{}).Stalled, false)
	check(t, "clock", x.reg.Clock(), was+2_000)
	l := x.reg.StreamBySession(sessionID(1)).Lease()
	x.time += 500
	x.applyBatch("b", Batch{})
	x.time += 30_000
	x.applyBatch("a", Batch{Beats: []Beat{{l, 30_100}}})
	check(t, "a beat from before a gap", x.reg.leases.find(l).lastRenewal(x.reg.clock), x.reg.clock)
}

func TestRefusedBatches(t *testing.T) {
	x := newTestLog(t)
	x.applyBatch("a", Batch{Incarnation: 3})
	for _, b := range []Batch{{Incarnation: 2}, {Incarnation: 3, Seq: 1}} {
		b.Commands = []Command{startOf(1, "ann")}
		clock := x.reg.Clock()
		x.time += 100
		a := x.applyBatch("a", b)
		if !a.Refused || a.Results != nil || x.reg.Len() != 0 || x.reg.Clock() != clock+100 {
			t.Errorf("incarnation %d seq %d: %+v", b.Incarnation, b.Seq, a)
		}
	}
	check(t, "gap in numbers", x.applyBatch("a", Batch{Incarnation: 3, Seq: 9}).Refused, false)
	check(t, "new incarnation", x.applyBatch("a", Batch{Incarnation: 4}).Refused, false)
}

func TestNewRules(t *testing.T) {
	x := newTestLog(t)
	x.applyCommand(startOf(1, "ann"))
	good := x.sealEntry("a", Batch{Commands: []Command{&Stop{Session: sessionID(1)}}})
	for what, c := range map[string]struct {
		bytes []byte
		want  error
	}{
		"version":   {append([]byte{9}, good.Batch[1:]...), ErrNewerVersion},
		"malformed": {good.Batch[:len(good.Batch)-1], ErrMalformed},
		"longer":    {append(slices.Clone(good.Batch), 0), ErrMalformed},
		"empty":     {nil, ErrMalformed},
		"command":   {append(slices.Clone((&Batch{Node: "a", Incarnation: 1, Seq: 99}).Seal().Bytes[:len((&Batch{Node: "a", Incarnation: 1, Seq: 99}).Seal().Bytes)-1]), 1, 200), ErrNewerVersion},
	} {
		before := x.reg.Encode()
		e := good
		e.Batch = c.bytes
		if _, err := x.reg.Apply(e); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", what, err, c.want)
		}
		if string(before) != string(x.reg.Encode()) {
			t.Errorf("%s: something changed", what)
		}
	}
	x.applyCommand(&RaiseRules{LatestRules + 1})
	before := x.reg.Encode()
	if _, err := x.reg.Apply(x.sealEntry("a", Batch{})); !errors.Is(err, ErrNewerVersion) || string(before) != string(x.reg.Encode()) {
		t.Errorf("raised rules: %v", err)
	}
	if _, err := DecodeRegistry(before); !errors.Is(err, ErrNewerVersion) {
		t.Errorf("an image of newer rules: %v", err)
	}
}

func TestDivergence(t *testing.T) {
	x, y := newTestLog(t), newTestLog(t)
	for i, c := range []Command{startOf(1, "ann"), startOf(2, "bob"), &Update{Session: sessionID(1), Title: new("x")}} {
		x.applyCommand(c)
		y.applyCommand(c)
		check(t, fmt.Sprint("digest ", i), y.reg.Digest(), x.reg.Digest())
	}
	d := &Digest{x.reg.Position(), x.reg.Digest()}
	x.advance(5_000)
	check(t, "equal", *x.applyBatch("b", Batch{Digest: d}).Comparison, DigestComparison{"b", d.Position, d.Sum, d.Sum})
	y.reg.sessions[0].stream.Title = "y"
	y.reg.markSessionChanged(0)
	y.reg.updateDigests()
	check(t, "differing", *x.applyBatch("b", Batch{Digest: &Digest{d.Position, y.reg.Digest()}}).Comparison, DigestComparison{"b", d.Position, y.reg.Digest(), d.Sum})
	check(t, "of another epoch", x.applyBatch("b", Batch{Digest: &Digest{Position{d.Position.ID, 1}, y.reg.Digest()}}).Comparison == nil, true)
}

func TestEndedSessionsAreBounded(t *testing.T) {
	x := newTestLog(t)
	for n := 0; n < maxEnded+10; n += 1000 {
		var b Batch
		for i := range 1000 {
			b.Commands = append(b.Commands, startOf(n+i, "ann"))
		}
		x.applyBatch("a", b)
	}
	check(t, "number", len(x.reg.ended.list), maxEnded)
	check(t, "index", len(x.reg.ended.bySession), maxEnded)
	if x.reg.EndedSession(sessionID(0)) != nil {
		t.Error("the oldest is still there")
	}
}

// TestLoadFromRows: after a crash of an embedded log every lease is full,
// although no beat was written, and likes are not counted twice.
func TestLoadFromRows(t *testing.T) {
	x := newTestLog(t)
	x.reg.TrackChangedRecords()
	rows := map[string]Record{}
	take := func() {
		for _, rec := range x.reg.TakeChangedRecords() {
			rows[string(rec.Kind)+rec.Key] = rec
		}
	}
	l := x.applyCommand(startOf(1, "ann")).Lease
	take()
	for range 100 {
		x.advance(30_000)
		x.applyBatch("a", Batch{Beats: []Beat{{Lease: l}}, Viewers: []Count{{l, 5}}})
	}
	x.applyBatch("a", Batch{Likes: []Count{{l, 100}}})
	x.applyCommand(&Update{Session: sessionID(1), Title: new("later")})
	take()
	x.time += 900
	durable := x.sealEntry("a", Batch{Likes: []Count{{l, 105}}, Commands: []Command{startOf(2, "bob")}})
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
	r.ReseedPositions(99)
	a, err := r.Apply(durable)
	if err != nil || a.Refused || len(a.Changes) != 2 {
		t.Fatalf("%v %+v", err, a)
	}
	x.reg = r
	check(t, "state", x.sessionState(sessionID(1)), "live")
	check(t, "likes", r.StreamBySession(sessionID(1)).Likes, 105)
	check(t, "viewers", r.StreamBySession(sessionID(1)).Viewers, 0)
	x.epoch = "r2"
	x.applyBatch("a", Batch{Incarnation: 2})
	x.advance(184_000)
	check(t, "a full lease", x.sessionState(sessionID(1)), "away")
}

func TestLeaderAndRules(t *testing.T) {
	x := newTestLog(t)
	check(t, "nobody", x.reg.Leader(), "")
	x.applyBatch("z", Batch{})
	x.applyBatch("a", Batch{})
	check(t, "leader", x.reg.Leader(), "z")
	x.applyBatch("z", Batch{Incarnation: 2})
	check(t, "leader", x.reg.Leader(), "a")
	check(t, "rules", x.reg.CommonMaxRules(), LatestRules)
	x.advance(3_001, "a")
	x.advance(1, "a")
	check(t, "alive", x.reg.LivingNodeCount(), 1)
	for x.reg.clock < nodeRetention+10_000 {
		x.time += 2_000
		x.applyBatch("a", Batch{})
	}
	check(t, "forgotten", len(x.reg.nodes.list), 1)
}

func TestNames(t *testing.T) {
	var all []string
	for s := Starting; s <= Away; s++ {
		all = append(all, s.String())
	}
	for c := ByStart; c <= ByEvidence; c++ {
		all = append(all, c.String())
	}
	for f := Granted; f <= NotOwner; f++ {
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
	check(t, "unknown", Source(99).String()+Signal(99).String(), "")
}
