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
	x.do(&Unban{Anchor: "bob", Lost: 9})
	x.do(&Ban{Anchor: "dan", Until: x.time + 30_000})
	x.do(&Ban{Anchor: "cat", Until: x.time + 30_000})
	x.pass(120_000)
	wants(t, x.told(), "started", "away", "resumed", "ban ann", "ended banned", "unban ann", "unban bob", "ban dan", "ban cat", "unban cat", "unban dan")
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
	check(t, "the last of them", x.r.DeadLetters()[maxDead-1].Ban.Anchor, fmt.Sprint(maxDead+1))
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
		y.say("b", Batch{Commands: losses(x.r, y.r, shared, "a", everyone)})
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
