package presence

import (
	"fmt"
	"slices"
	"testing"
)

// told is what waits in the outbox, a word each.
func (x *tape) told() (all []string) {
	for _, e := range x.r.Effects(0) {
		word := map[EffectKind]string{
			StreamStarted: "started", StreamAway: "away", StreamResumed: "resumed", StreamEnded: "ended",
			BanSet: "ban", BanLifted: "unban", RecordingReady: "recording", RecordingAmended: "amended",
		}[e.Kind]
		switch {
		case e.Ended != nil:
			word += " " + e.Ended.Reason.String()
		case e.Ban != nil:
			word += " " + e.Ban.Anchor
		case e.Recording != nil:
			word += " " + e.Recording.ID
		}
		all = append(all, word)
	}
	return all
}

// telling is a tape of which everything is told.
func telling(t testing.TB) *tape {
	x := newTape(t)
	s := x.r.Settings()
	s.Effects = EffectsOf(StreamStarted, StreamAway, StreamResumed, StreamEnded, BanSet, BanLifted)
	x.set(s)
	return x
}

func wants(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

func TestWhatIsTold(t *testing.T) {
	x := telling(t)
	x.do(started(1, "ann"))
	l, _ := x.r.Lease(id(1))
	x.beat("a", l.Lease)
	x.pass(70_000)
	x.beat("a", l.Lease)
	x.do(&Update{Session: id(1), Title: new("new")})
	x.do(&Ban{Anchor: "ann", By: "op"})
	x.do(&Unban{Anchor: "ann"})
	x.do(&Unban{Anchor: "bob", Lost: 9}) // he is not banned
	x.do(&Ban{Anchor: "dan", Until: x.time + 30_000})
	x.do(&Ban{Anchor: "cat", Until: x.time + 30_000})
	x.pass(120_000)
	wants(t, x.told(), "started", "away", "resumed", "ban ann", "ended banned", "unban ann", "ban dan", "ban cat", "unban cat", "unban dan")
	seen := map[EffectID]bool{}
	for _, e := range x.r.Effects(0) {
		check(t, "an id that was there", seen[e.ID], false)
		seen[e.ID] = true
		if e.Stream != nil && e.Kind == StreamEnded {
			check(t, "its stream", e.Stream.Title, "new")
		}
	}
}

func TestNothingIsToldToNobody(t *testing.T) {
	x := newTape(t)
	x.do(started(1, "ann"))
	x.do(&Ban{Anchor: "ann"})
	wants(t, x.told())
}

func TestConclude(t *testing.T) {
	x := telling(t)
	x.do(started(1, "ann"))
	x.do(&Stop{Session: id(1)})
	ids := []EffectID{}
	for _, e := range x.r.Effects(0) {
		ids = append(ids, e.ID)
	}
	x.do(&Conclude{ID: ids[1], Why: "410 Gone"})
	wants(t, x.told(), "started")
	x.do(&Conclude{ID: ids[0]})
	x.do(&Conclude{ID: ids[0], Why: "late"})
	x.do(&Conclude{ID: ids[1]})
	wants(t, x.told())
	dead := x.r.DeadLetters()
	if len(dead) != 1 || dead[0].Why != "410 Gone" || dead[0].Kind != StreamEnded || dead[0].Ended.Reason != Stopped {
		t.Errorf("dead letters: %+v", dead)
	}
	again, err := DecodeRegistry(x.r.Encode())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "decoded", again, x.r)
	check(t, "dead letters", len(again.DeadLetters()), 1)
}

// TestFullOutbox: what nobody takes does not grow for ever, and what had to give
// way is seen.
func TestFullOutbox(t *testing.T) {
	x := telling(t)
	for n := range maxEffects + maxDead + 2 {
		x.r.last.Num++
		x.r.tellBan(BanSet, &Ban{Anchor: fmt.Sprint(n)})
	}
	check(t, "they wait", x.r.Waiting(), maxEffects)
	check(t, "they are dead", len(x.r.DeadLetters()), maxDead)
	check(t, "given up", x.r.GivenUp(), uint64(maxDead+2))
	check(t, "the last of them", x.r.DeadLetters()[maxDead-1].Ban.Anchor, fmt.Sprint(maxEffects+maxDead+1))
	x.do(&AddRecording{Recording{ID: "r1", Code: "8888_ann", EndedAt: x.time}})
	check(t, "with a recording", x.r.Waiting(), maxEffects+1)
}

// TestLostEffects: what was to be done, and was lost with the log's tail, is to be
// done still, under its id; what was done before is not.
func TestLostEffects(t *testing.T) {
	x := telling(t)
	x.do(started(1, "ann"))
	y := &tape{t: t, r: mustDecode(t, x.r), num: x.num, time: x.time, repl: "r2", speaks: map[string]*Batch{"a": {Boot: 1, No: x.speaks["a"].No}}}
	shared := x.num
	x.do(&Stop{Session: id(1)})
	x.do(started(2, "ann"))
	x.do(&AddRecording{Recording{ID: "r1", Code: "8888_ann", EndedAt: x.time}})
	var ended, second EffectID
	for _, e := range x.r.Effects(0) {
		switch {
		case e.Kind == StreamEnded:
			ended = e.ID
		case e.Kind == StreamStarted:
			second = e.ID
		}
	}
	x.do(&Conclude{ID: ended})
	y.say("b", Batch{})
	for range 2 { // by two nodes
		y.say("b", Batch{Commands: RestoreCommands(x.r, y.r, shared, "a", AllSessions)})
	}
	wants(t, y.told(), "started", "recording r1", "started")
	last := EffectID{}
	for _, e := range y.r.Effects(0) {
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

// TestToldInOneEntry: all that happens in one entry is told, also what happens twice.
func TestToldInOneEntry(t *testing.T) {
	x := telling(t)
	x.say("a", Batch{Commands: []Command{&Ban{Anchor: "ann"}, &Unban{Anchor: "ann"}, &Ban{Anchor: "ann"}}})
	wants(t, x.told(), "ban ann", "unban ann", "ban ann")
	y := telling(t)
	y.do(started(1, "ann"))
	l, _ := y.r.Lease(id(1))
	y.beat("a", l.Lease)
	of := func(s Sign, m string) Command {
		return &Observe{Session: id(1), Source: FromCallback, Sign: s, Media: m, Unique: true}
	}
	y.do(of(Begun, "p1"))
	y.say("a", Batch{Commands: []Command{of(Finished, "p1"), of(Begun, "p2"), of(Finished, "p2")}})
	wants(t, y.told(), "started", "away", "resumed", "away")
}

// TestReopenedOnce: what was lost is to be done once, whoever says so and however
// often, and not at all if it is not so any more.
func TestReopenedOnce(t *testing.T) {
	x := telling(t)
	x.do(started(1, "ann"))
	l, _ := x.r.Lease(id(1))
	x.beat("a", l.Lease)
	x.do(&Ban{Anchor: "bob"})
	for _, e := range x.r.Effects(0) {
		x.do(&Conclude{ID: e.ID})
		x.r = mustDecode(t, x.r)
	}
	y := &tape{t: t, r: mustDecode(t, x.r), num: x.num, time: x.time, repl: "r2", speaks: map[string]*Batch{"a": {Boot: 1, No: x.speaks["a"].No}}}
	shared := x.num
	x.do(&Ban{Anchor: "cat"})
	x.do(&Ban{Anchor: "dan"})
	x.do(&Unban{Anchor: "bob"})
	x.pass(400_000) // ann is not heard of any more
	y.say("a", Batch{})
	y.do(&Unban{Anchor: "dan"})
	y.pass(1000)
	y.beat("a", l.Lease) // and is
	done := func() {
		for y.r.Waiting() > 0 {
			for _, e := range y.r.Effects(0) {
				y.do(&Conclude{ID: e.ID})
				break
			}
		}
	}
	done()
	said := RestoreCommands(x.r, y.r, shared, "a", AllSessions)
	y.say("a", Batch{Commands: said})
	check(t, "ann", y.state(id(1)), "live")
	for _, word := range y.told() {
		if word == "ended missed_beats" {
			t.Error("told of the end of a session that lives")
		}
	}
	done()
	for _, node := range []string{"b", "c"} {
		y.say(node, Batch{Commands: said})
	}
	y.say("a", Batch{Commands: RestoreCommands(x.r, y.r, shared, "a", AllSessions)})
	for _, word := range y.told() {
		if word != "ban cat" && word != "ban dan" { // these are said again by whoever has them
			t.Errorf("%s is to be done again", word)
		}
	}
}

// TestMassEnd: the ends of very many streams at once are all told.
func TestMassEnd(t *testing.T) {
	x := newTape(t)
	s := x.r.Settings()
	s.Effects = EffectsOf(StreamEnded)
	x.set(s)
	const n = 150_000
	for i := 0; i < n; i += 10_000 {
		var b Batch
		for j := range 10_000 {
			b.Commands = append(b.Commands, started(i+j+1, fmt.Sprint("a", i+j)))
		}
		x.say("a", b)
	}
	x.pass(200_000)
	check(t, "waiting", x.r.Waiting(), n)
	check(t, "given up", x.r.GivenUp(), uint64(0))
}
