package presence

import "testing"

// recorded is a recording of ann's.
func recorded(name string, from, to int64) *AddRecording {
	return &AddRecording{Recording{
		ID: RecordingID("test", name), Provider: "test", Code: "8888_ann", StartedAt: from, EndedAt: to, Duration: to - from, Format: "flv",
	}}
}

func (x *tape) recording(name string) Recording {
	rec, _ := x.r.Recording(RecordingID("test", name))
	return rec
}

// TestRecordingBeforeTheEnd: it learns of its session's end when that comes.
func TestRecordingBeforeTheEnd(t *testing.T) {
	x := newTape(t)
	c := started(1, "ann")
	c.Title, c.Cover = "first", "https://x/1.jpg"
	l := x.do(c).Lease
	from := x.time
	x.whileBeating(1, 60_000)
	x.do(recorded("a", from, x.time))
	got := x.recording("a")
	check(t, "its session", got.Session, id(1))
	check(t, "its anchor", got.Anchor, "ann")
	check(t, "its title", got.Title, "first")
	x.do(&Update{Session: id(1), Title: new("last")})
	x.say("b", Batch{Viewers: []Count{{l, 7}}, Likes: []Count{{l, 3}}})
	x.do(&Stop{Session: id(1)})
	got = x.recording("a")
	check(t, "its title in the end", got.Title, "last")
	check(t, "its viewers", got.PeakViewers, 7)
	check(t, "its likes", got.Likes, 3)
	wants(t, x.told(), "recording "+got.ID, "amended "+got.ID)
}

// TestRecordingAfterTheEnd: of several sessions it is of the one with which it
// shares most time.
func TestRecordingAfterTheEnd(t *testing.T) {
	x := newTape(t)
	var starts, ends []int64
	for n := 1; n <= 3; n++ {
		x.do(started(n, "ann"))
		starts = append(starts, x.time)
		x.whileBeating(n, 60_000)
		x.do(&Stop{Session: id(n)})
		ends = append(ends, x.time)
		x.pass(10_000)
	}
	x.do(started(4, "ann"))
	x.do(recorded("a", starts[1]+2_000, ends[1]+3_000))
	check(t, "the second", x.recording("a").Session, id(2))
	x.do(recorded("b", starts[0]+50_000, ends[1]))
	check(t, "over two", x.recording("b").Session, id(2))
	x.do(recorded("c", starts[0]-50_000, starts[0]-1))
	check(t, "before all", x.recording("c").Session, Session{})
	x.do(recorded("d", 0, x.time))
	check(t, "without times, of the live one", x.recording("d").Session, id(4))
	check(t, "its start", x.recording("d").StartedAt, x.r.Session(id(4)).StartedAt)
	x.do(&Stop{Session: id(4)})
	x.pass(1_000)
	x.do(recorded("e", 0, x.time))
	check(t, "without times, of the last one", x.recording("e").Session, id(4))
}

func TestRecordingTwice(t *testing.T) {
	x := newTape(t)
	x.do(started(1, "ann"))
	check(t, "first", x.do(recorded("a", x.time, x.time+1)).Again, false)
	again := recorded("a", x.time, x.time+9)
	again.Recording.Size = 99
	check(t, "again", x.do(again).Again, true)
	check(t, "unchanged", x.recording("a").Size, 0)
	check(t, "told once", x.r.Waiting(), 1)
}

func TestRecordingsAreForgotten(t *testing.T) {
	x := newTape(t)
	x.r.TrackDirty()
	rows := map[[2]string]Record{}
	keep := func() {
		for _, rec := range x.r.TakeDirty() {
			k := [2]string{string(rec.Kind), rec.Key}
			if rows[k] = rec; rec.Value == nil {
				delete(rows, k)
			}
		}
	}
	x.do(started(1, "ann"))
	x.do(recorded("a", x.time, x.time+1))
	keep()
	check(t, "rows", len(rows) > 0, true)
	x.r.recordings.list[0].clock -= keepTaken
	x.pass(1_000)
	check(t, "forgotten", x.recording("a").ID, "")
	check(t, "though not its effect", x.r.Waiting(), 1)
	keep()
	for k := range rows {
		check(t, "the row of it", k[0] == string(recordTaken), false)
	}
	equal(t, "decoded", mustDecode(t, x.r), x.r)
}

// TestRecordingPutBackFirst: a recording that is put back before its session is
// amended all the same, and by nodes that were loaded meanwhile alike.
func TestRecordingPutBackFirst(t *testing.T) {
	x := newTape(t)
	y := &tape{t: t, r: mustDecode(t, x.r), num: x.num, time: x.time, repl: "r2", speaks: map[string]*Batch{}}
	shared := x.num
	x.do(started(1, "ann"))
	x.pass(5_000)
	x.do(recorded("a", x.time-4_000, x.time))
	y.say("b", Batch{})
	y.say("b", Batch{Commands: RestoreCommands(x.r, y.r, shared, "b", OwnSessions)})
	y.say("a", Batch{Commands: RestoreCommands(x.r, y.r, shared, "a", AllSessions)})
	z := mustDecode(t, y.r)
	e := y.entry("c", Batch{Commands: []Command{&Stop{Session: id(1)}}})
	y.apply(e)
	if _, err := z.Apply(e); err != nil {
		t.Fatal(err)
	}
	equal(t, "loaded", z, y.r)
	wants(t, y.told(), "recording "+x.recording("a").ID, "amended "+x.recording("a").ID)
}

// TestLinkedBesideBuried: an end that was put back late hides none before it.
func TestLinkedBesideBuried(t *testing.T) {
	x := newTape(t)
	x.do(started(1, "ann"))
	x.pass(5_000)
	x.do(&Stop{Session: id(1)})
	from := x.time - 3_000
	old := *x.r.ended.list[0].Stream
	old.Session, old.Code = id(9), "8888_bob"
	x.do(&Bury{Lost: 1, ended: &Ended{Stream: &old, Reason: Stopped, EndedAt: from - 1_000}})
	x.do(recorded("a", from, x.time))
	x.do(recorded("b", 1, 2))
	check(t, "linked", x.recording("a").Session, id(1))
	check(t, "unlisted", x.recording("a").Unlisted, false)
	check(t, "of nobody", x.recording("b").Unlisted, true)
}
