package presence

import "testing"

// addRecordingOf adds a recording of ann's.
func addRecordingOf(name string, from, to int64) *AddRecording {
	return &AddRecording{Recording{
		ID: RecordingID("test", name), Provider: "test", Code: "8888_ann", StartedAt: from, EndedAt: to, Duration: to - from, Format: "flv",
	}}
}

func (x *testLog) findRecording(name string) Recording {
	rec, _ := x.reg.Recording(RecordingID("test", name))
	return rec
}

// TestRecordingBeforeSessionEnd: the end of the session completes its recording.
func TestRecordingBeforeSessionEnd(t *testing.T) {
	x := newTestLog(t)
	c := startOf(1, "ann")
	c.Title, c.Cover = "first", "https://x/1.jpg"
	l := x.applyCommand(c).Lease
	from := x.time
	x.advanceWithBeats(1, 60_000)
	x.applyCommand(addRecordingOf("a", from, x.time))
	got := x.findRecording("a")
	check(t, "its session", got.Session, sessionID(1))
	check(t, "its anchor", got.Anchor, "ann")
	check(t, "its title", got.Title, "first")
	x.applyCommand(&Update{Session: sessionID(1), Title: new("last")})
	x.applyBatch("b", Batch{Viewers: []Count{{l, 7}}, Likes: []Count{{l, 3}}})
	x.applyCommand(&Stop{Session: sessionID(1)})
	got = x.findRecording("a")
	check(t, "its title in the end", got.Title, "last")
	check(t, "its viewers", got.PeakViewers, 7)
	check(t, "its likes", got.Likes, 3)
	requireEvents(t, x.eventNames(), "recording "+got.ID, "amended "+got.ID)
}

// TestRecordingAfterSessionEnd: a recording belongs to the session that it
// overlaps most.
func TestRecordingAfterSessionEnd(t *testing.T) {
	x := newTestLog(t)
	var starts, ends []int64
	for n := 1; n <= 3; n++ {
		x.applyCommand(startOf(n, "ann"))
		starts = append(starts, x.time)
		x.advanceWithBeats(n, 60_000)
		x.applyCommand(&Stop{Session: sessionID(n)})
		ends = append(ends, x.time)
		x.advance(10_000)
	}
	x.applyCommand(startOf(4, "ann"))
	x.applyCommand(addRecordingOf("a", starts[1]+2_000, ends[1]+3_000))
	check(t, "the second", x.findRecording("a").Session, sessionID(2))
	x.applyCommand(addRecordingOf("b", starts[0]+50_000, ends[1]))
	check(t, "over two", x.findRecording("b").Session, sessionID(2))
	x.applyCommand(addRecordingOf("c", starts[0]-50_000, starts[0]-1))
	check(t, "before all", x.findRecording("c").Session, Session{})
	x.applyCommand(addRecordingOf("d", 0, x.time))
	check(t, "without times, of the live one", x.findRecording("d").Session, sessionID(4))
	check(t, "its start", x.findRecording("d").StartedAt, x.reg.StreamBySession(sessionID(4)).StartedAt)
	x.applyCommand(&Stop{Session: sessionID(4)})
	x.advance(1_000)
	x.applyCommand(addRecordingOf("e", 0, x.time))
	check(t, "without times, of the last one", x.findRecording("e").Session, sessionID(4))
}

func TestRepeatedRecordingChangesNothing(t *testing.T) {
	x := newTestLog(t)
	x.applyCommand(startOf(1, "ann"))
	check(t, "first", x.applyCommand(addRecordingOf("a", x.time, x.time+1)).Repeated, false)
	again := addRecordingOf("a", x.time, x.time+9)
	again.Recording.Size = 99
	check(t, "again", x.applyCommand(again).Repeated, true)
	check(t, "unchanged", x.findRecording("a").Size, 0)
	check(t, "one event", x.reg.OutboxSize(), 1)
}

func TestOldRecordingsAreDropped(t *testing.T) {
	x := newTestLog(t)
	x.reg.TrackChangedRecords()
	rows := map[[2]string]Record{}
	updateRows := func() {
		for _, rec := range x.reg.TakeChangedRecords() {
			k := [2]string{string(rec.Kind), rec.Key}
			if rows[k] = rec; rec.Value == nil {
				delete(rows, k)
			}
		}
	}
	x.applyCommand(startOf(1, "ann"))
	x.applyCommand(addRecordingOf("a", x.time, x.time+1))
	updateRows()
	check(t, "rows", len(rows) > 0, true)
	x.reg.recordings.list[0].learnedAt -= recordingRetention
	x.advance(1_000)
	check(t, "forgotten", x.findRecording("a").ID, "")
	check(t, "though not its event", x.reg.OutboxSize(), 1)
	updateRows()
	for k := range rows {
		check(t, "the row of it", k[0] == string(recordRecording), false)
	}
	requireEqual(t, "decoded", mustDecode(t, x.reg), x.reg)
}

// TestRecordingRestoredBeforeSession: a recording that is restored before its
// session is completed all the same, also on nodes that loaded meanwhile.
func TestRecordingRestoredBeforeSession(t *testing.T) {
	x := newTestLog(t)
	y := &testLog{t: t, reg: mustDecode(t, x.reg), num: x.num, time: x.time, epoch: "r2", lastBatches: map[string]*Batch{}}
	shared := x.num
	x.applyCommand(startOf(1, "ann"))
	x.advance(5_000)
	x.applyCommand(addRecordingOf("a", x.time-4_000, x.time))
	y.applyBatch("b", Batch{})
	y.applyBatch("b", Batch{Commands: RestoreCommands(x.reg, y.reg, shared, "b", OwnSessions)})
	y.applyBatch("a", Batch{Commands: RestoreCommands(x.reg, y.reg, shared, "a", AllSessions)})
	z := mustDecode(t, y.reg)
	e := y.sealEntry("c", Batch{Commands: []Command{&Stop{Session: sessionID(1)}}})
	y.applyEntry(e)
	if _, err := z.Apply(e); err != nil {
		t.Fatal(err)
	}
	requireEqual(t, "loaded", z, y.reg)
	requireEvents(t, y.eventNames(), "recording "+x.findRecording("a").ID, "amended "+x.findRecording("a").ID)
}

// TestRecordingLinksBesideRestoredEnd: an end that was restored late does not
// hide earlier ones.
func TestRecordingLinksBesideRestoredEnd(t *testing.T) {
	x := newTestLog(t)
	x.applyCommand(startOf(1, "ann"))
	x.advance(5_000)
	x.applyCommand(&Stop{Session: sessionID(1)})
	from := x.time - 3_000
	old := *x.reg.ended.list[0].Stream
	old.Session, old.Code = sessionID(9), "8888_bob"
	x.applyCommand(&RestoreEnd{FirstLost: 1, ended: &Ended{Stream: &old, Reason: Stopped, EndedAt: from - 1_000}})
	x.applyCommand(addRecordingOf("a", from, x.time))
	x.applyCommand(addRecordingOf("b", 1, 2))
	check(t, "linked", x.findRecording("a").Session, sessionID(1))
	check(t, "unlisted", x.findRecording("a").Unlisted, false)
	check(t, "of nobody", x.findRecording("b").Unlisted, true)
}
