package presence

import (
	"fmt"
	"slices"
	"testing"
)

// eventNames describes the events in the outbox, a name each.
func (x *testLog) eventNames() (all []string) {
	for _, e := range x.reg.OutboxEvents(0) {
		name := map[EventKind]string{
			StreamStarted: "started", StreamAway: "away", StreamResumed: "resumed", StreamEnded: "ended",
			BanSet: "ban", BanLifted: "unban", RecordingReady: "recording", RecordingAmended: "amended",
		}[e.Kind]
		switch {
		case e.Ended != nil:
			name += " " + e.Ended.Reason.String()
		case e.Ban != nil:
			name += " " + e.Ban.Anchor
		case e.Recording != nil:
			name += " " + e.Recording.ID
		}
		all = append(all, name)
	}
	return all
}

// newTestLogWithEvents is a test log whose settings enable all kinds of events.
func newTestLogWithEvents(t testing.TB) *testLog {
	x := newTestLog(t)
	s := x.reg.Settings()
	s.EventKinds = EventKindsOf(StreamStarted, StreamAway, StreamResumed, StreamEnded, BanSet, BanLifted)
	x.applySettings(s)
	return x
}

func requireEvents(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
}

func TestOutboxEvents(t *testing.T) {
	x := newTestLogWithEvents(t)
	x.applyCommand(startOf(1, "ann"))
	l, _ := x.reg.SessionResult(sessionID(1))
	x.applyBeats("a", l.Lease)
	x.advance(70_000)
	x.applyBeats("a", l.Lease)
	x.applyCommand(&Update{Session: sessionID(1), Title: new("new")})
	x.applyCommand(&Ban{Anchor: "ann", By: "op"})
	x.applyCommand(&Unban{Anchor: "ann"})
	x.applyCommand(&Unban{Anchor: "bob", FirstLost: 9}) // he is not banned
	x.applyCommand(&Ban{Anchor: "dan", Until: x.time + 30_000})
	x.applyCommand(&Ban{Anchor: "cat", Until: x.time + 30_000})
	x.advance(120_000)
	requireEvents(t, x.eventNames(), "started", "away", "resumed", "ban ann", "ended banned", "unban ann", "ban dan", "ban cat", "unban cat", "unban dan")
	seen := map[EventID]bool{}
	for _, e := range x.reg.OutboxEvents(0) {
		check(t, "an id that was there", seen[e.ID], false)
		seen[e.ID] = true
		if e.Stream != nil && e.Kind == StreamEnded {
			check(t, "its stream", e.Stream.Title, "new")
		}
	}
}

func TestDisabledKindsMakeNoEvents(t *testing.T) {
	x := newTestLog(t)
	x.applyCommand(startOf(1, "ann"))
	x.applyCommand(&Ban{Anchor: "ann"})
	requireEvents(t, x.eventNames())
}

func TestCompleteEvent(t *testing.T) {
	x := newTestLogWithEvents(t)
	x.applyCommand(startOf(1, "ann"))
	x.applyCommand(&Stop{Session: sessionID(1)})
	ids := []EventID{}
	for _, e := range x.reg.OutboxEvents(0) {
		ids = append(ids, e.ID)
	}
	x.applyCommand(&CompleteEvent{ID: ids[1], Failure: "410 Gone"})
	requireEvents(t, x.eventNames(), "started")
	x.applyCommand(&CompleteEvent{ID: ids[0]})
	x.applyCommand(&CompleteEvent{ID: ids[0], Failure: "late"})
	x.applyCommand(&CompleteEvent{ID: ids[1]})
	requireEvents(t, x.eventNames())
	dead := x.reg.DeadLetters()
	if len(dead) != 1 || dead[0].Reason != "410 Gone" || dead[0].Kind != StreamEnded || dead[0].Ended.Reason != Stopped {
		t.Errorf("dead letters: %+v", dead)
	}
	again, err := DecodeRegistry(x.reg.Encode())
	if err != nil {
		t.Fatal(err)
	}
	requireEqual(t, "decoded", again, x.reg)
	check(t, "dead letters", len(again.DeadLetters()), 1)
}

// TestFullOutbox: an outbox that nothing empties stays bounded, and dropped
// events become dead letters.
func TestFullOutbox(t *testing.T) {
	x := newTestLogWithEvents(t)
	for n := range maxOutboxEvents + maxDeadLetters + 2 {
		x.reg.last.Num++
		x.reg.addBanEvent(BanSet, &Ban{Anchor: fmt.Sprint(n)})
	}
	check(t, "they wait", x.reg.OutboxSize(), maxOutboxEvents)
	check(t, "they are dead", len(x.reg.DeadLetters()), maxDeadLetters)
	check(t, "given up", x.reg.TotalDeadLetters(), uint64(maxDeadLetters+2))
	check(t, "the last of them", x.reg.DeadLetters()[maxDeadLetters-1].Ban.Anchor, fmt.Sprint(maxOutboxEvents+maxDeadLetters+1))
	x.applyCommand(&AddRecording{Recording{ID: "r1", Code: "8888_ann", EndedAt: x.time}})
	check(t, "with a recording", x.reg.OutboxSize(), maxOutboxEvents+1)
}

// TestLostEventsAreRestored: events that were open and lost with the log's tail
// are open again, under their ids. Completed ones are not.
func TestLostEventsAreRestored(t *testing.T) {
	x := newTestLogWithEvents(t)
	x.applyCommand(startOf(1, "ann"))
	y := &testLog{t: t, reg: mustDecode(t, x.reg), num: x.num, time: x.time, epoch: "r2", lastBatches: map[string]*Batch{"a": {Incarnation: 1, Seq: x.lastBatches["a"].Seq}}}
	shared := x.num
	x.applyCommand(&Stop{Session: sessionID(1)})
	x.applyCommand(startOf(2, "ann"))
	x.applyCommand(&AddRecording{Recording{ID: "r1", Code: "8888_ann", EndedAt: x.time}})
	var ended, second EventID
	for _, e := range x.reg.OutboxEvents(0) {
		switch {
		case e.Kind == StreamEnded:
			ended = e.ID
		case e.Kind == StreamStarted:
			second = e.ID
		}
	}
	x.applyCommand(&CompleteEvent{ID: ended})
	y.applyBatch("b", Batch{})
	for range 2 { // by two nodes
		y.applyBatch("b", Batch{Commands: RestoreCommands(x.reg, y.reg, shared, "a", AllSessions)})
	}
	requireEvents(t, y.eventNames(), "started", "recording r1", "started")
	last := EventID{}
	for _, e := range y.reg.OutboxEvents(0) {
		last = e.ID
	}
	check(t, "its id", last, second)
}

func mustDecode(t testing.TB, r *Registry) *Registry {
	t.Helper()
	c, err := DecodeRegistry(r.Encode())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestEventsOfOneEntryHaveTheirOwnIDs: each event of an entry is added, also two
// of one kind.
func TestEventsOfOneEntryHaveTheirOwnIDs(t *testing.T) {
	x := newTestLogWithEvents(t)
	x.applyBatch("a", Batch{Commands: []Command{&Ban{Anchor: "ann"}, &Unban{Anchor: "ann"}, &Ban{Anchor: "ann"}}})
	requireEvents(t, x.eventNames(), "ban ann", "unban ann", "ban ann")
	y := newTestLogWithEvents(t)
	y.applyCommand(startOf(1, "ann"))
	l, _ := y.reg.SessionResult(sessionID(1))
	y.applyBeats("a", l.Lease)
	of := func(s Signal, m string) Command {
		return &Observe{Session: sessionID(1), Source: FromCallback, Signal: s, Push: m, IsUnique: true}
	}
	y.applyCommand(of(PushStarted, "p1"))
	y.applyBatch("a", Batch{Commands: []Command{of(PushEnded, "p1"), of(PushStarted, "p2"), of(PushEnded, "p2")}})
	requireEvents(t, y.eventNames(), "started", "away", "resumed", "away")
}

// TestEventsAreRestoredOnce: a lost event is restored once, however many nodes
// do so, and not when it is outdated.
func TestEventsAreRestoredOnce(t *testing.T) {
	x := newTestLogWithEvents(t)
	x.applyCommand(startOf(1, "ann"))
	l, _ := x.reg.SessionResult(sessionID(1))
	x.applyBeats("a", l.Lease)
	x.applyCommand(&Ban{Anchor: "bob"})
	for _, e := range x.reg.OutboxEvents(0) {
		x.applyCommand(&CompleteEvent{ID: e.ID})
		x.reg = mustDecode(t, x.reg)
	}
	y := &testLog{t: t, reg: mustDecode(t, x.reg), num: x.num, time: x.time, epoch: "r2", lastBatches: map[string]*Batch{"a": {Incarnation: 1, Seq: x.lastBatches["a"].Seq}}}
	shared := x.num
	x.applyCommand(&Ban{Anchor: "cat"})
	x.applyCommand(&Ban{Anchor: "dan"})
	x.applyCommand(&Unban{Anchor: "bob"})
	x.advance(400_000) // ann sends no beats
	y.applyBatch("a", Batch{})
	y.applyCommand(&Unban{Anchor: "dan"})
	y.advance(1000)
	y.applyBeats("a", l.Lease) // and is
	done := func() {
		for y.reg.OutboxSize() > 0 {
			for _, e := range y.reg.OutboxEvents(0) {
				y.applyCommand(&CompleteEvent{ID: e.ID})
				break
			}
		}
	}
	done()
	restores := RestoreCommands(x.reg, y.reg, shared, "a", AllSessions)
	y.applyBatch("a", Batch{Commands: restores})
	check(t, "ann", y.sessionState(sessionID(1)), "live")
	for _, name := range y.eventNames() {
		if name == "ended missed_beats" {
			t.Error("event of the end of a live session")
		}
	}
	done()
	for _, node := range []string{"b", "c"} {
		y.applyBatch(node, Batch{Commands: restores})
	}
	y.applyBatch("a", Batch{Commands: RestoreCommands(x.reg, y.reg, shared, "a", AllSessions)})
	for _, name := range y.eventNames() {
		if name != "ban cat" && name != "ban dan" { // bans are restored with the bans
			t.Errorf("%s is delivered again", name)
		}
	}
}

// TestOutboxHoldsMassEnd: the outbox has room for the ends of very many streams
// at once.
func TestOutboxHoldsMassEnd(t *testing.T) {
	x := newTestLog(t)
	s := x.reg.Settings()
	s.EventKinds = EventKindsOf(StreamEnded)
	x.applySettings(s)
	const n = 150_000
	for i := 0; i < n; i += 10_000 {
		var b Batch
		for j := range 10_000 {
			b.Commands = append(b.Commands, startOf(i+j+1, fmt.Sprint("a", i+j)))
		}
		x.applyBatch("a", b)
	}
	x.advance(200_000)
	check(t, "waiting", x.reg.OutboxSize(), n)
	check(t, "given up", x.reg.TotalDeadLetters(), uint64(0))
}
