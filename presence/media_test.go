package presence

import (
	"slices"
	"testing"
)

// pushed is what a media server says of a push of session n.
func pushed(n int, sign Sign, media string) *Observe {
	return &Observe{Session: id(n), Source: FromCallback, Sign: sign, Media: media}
}

// whileBeating lets time pass with a beat of session n at each tick.
func (x *tape) whileBeating(n int, ms int64) (changes []Change) {
	for end := x.time + ms; x.time < end; {
		x.time = min(x.time+x.r.Settings().Tick(), end)
		var b Batch
		if a, live := x.r.Lease(id(n)); live {
			b.Beats = []Beat{{Lease: a.Lease}}
		}
		changes = append(changes, x.say("a", b).Changes...)
	}
	return changes
}

func away(x *tape, n int) string {
	if st := x.r.Session(id(n)); st != nil {
		return st.Away.String()
	}
	return ""
}

func TestPushBeginsAndEnds(t *testing.T) {
	x := newTape(t)
	x.do(started(1, "ann"))
	check(t, "before", x.state(id(1)), "starting")
	x.do(pushed(1, Begun, "m1"))
	check(t, "pushing", x.state(id(1)), "live")
	x.do(pushed(1, Finished, "m1"))
	check(t, "ended", x.state(id(1))+" "+away(x, 1), "away media")
	grace := x.r.Settings().EndGrace
	x.whileBeating(1, grace)
	check(t, "beats bring no picture", x.state(id(1))+" "+away(x, 1), "away media")
	gone := x.whileBeating(1, 2*x.r.Settings().Tick())
	check(t, "after the grace", x.state(id(1)), "stream_lost")
	at := slices.IndexFunc(gone, func(c Change) bool { return c.Ended != nil })
	check(t, "its lag is told", at >= 0 && gone[at].Lag > 0 && gone[at].Lag <= 2*x.r.Settings().Tick(), true)
	check(t, "nothing is due any more", x.r.dues.Len(), 0)
}

func TestPushAgainWithinGrace(t *testing.T) {
	x := newTape(t)
	x.do(started(1, "ann"))
	x.do(pushed(1, Begun, "m1"))
	x.do(pushed(1, Finished, "m1"))
	x.whileBeating(1, x.r.Settings().EndGrace-1_000)
	x.do(pushed(1, Begun, "m2"))
	check(t, "pushed again", x.state(id(1)), "live")
	x.do(pushed(1, Finished, "m1"))
	check(t, "the old push ends once more", x.state(id(1)), "live")
	x.whileBeating(1, 2*x.r.Settings().EndGrace)
	check(t, "goes on", x.state(id(1)), "live")
}

// TestSecondPublisher: a media server asks whether a second one may push, and
// then refuses it for its name; both calls change nothing.
func TestSecondPublisher(t *testing.T) {
	x := newTape(t)
	x.do(started(1, "ann"))
	x.do(pushed(1, Begun, "m1"))
	before := x.r.Session(id(1))
	x.do(pushed(1, Begun, "m2"))
	x.do(pushed(1, Finished, "m2"))
	x.do(pushed(1, Finished, "m2"))
	check(t, "the stream", x.r.Session(id(1)), before)
	x.do(pushed(1, Finished, "m1"))
	check(t, "its own end", away(x, 1), "media")
}

// TestLostEnd: the end of the first push never came. The word that the second
// goes on tells that the first does not.
func TestLostEnd(t *testing.T) {
	x := newTape(t)
	x.do(started(1, "ann"))
	x.do(pushed(1, Begun, "m1"))
	x.do(pushed(1, Begun, "m2"))
	x.do(pushed(1, Going, "m2"))
	x.do(pushed(1, Finished, "m2"))
	check(t, "after the end", away(x, 1), "media")
	x.do(pushed(1, Going, "m3"))
	check(t, "one that goes on", x.state(id(1)), "live")
}

func TestStrangeEndsChangeNothing(t *testing.T) {
	x := newTape(t)
	x.do(started(1, "ann"))
	x.do(pushed(1, Finished, "m1"))
	check(t, "never begun", x.state(id(1)), "starting")
	x.do(pushed(1, Begun, "m1"))
	x.do(started(2, "ann"))
	check(t, "of the session before", x.do(pushed(1, Finished, "m1")).Refusal, SessionGone)
	check(t, "the new session", x.state(id(2)), "starting")
}

// TestSilenceWithoutPicture: the anchor is probed for a missed beat even while
// its stream is away for want of a picture, and ends by what comes first.
func TestSilenceWithoutPicture(t *testing.T) {
	x := newTape(t)
	s := Settings{Interval: 1_000, Missed: 3, Grace: 100, EndGrace: 60_000}
	x.set(s)
	x.do(started(1, "ann"))
	x.do(pushed(1, Begun, "m1"))
	x.do(pushed(1, Finished, "m1"))
	changes := x.pass(2_000)
	probed := slices.ContainsFunc(changes, func(c Change) bool { return c.Cause == BySilence })
	check(t, "probed", probed, true)
	check(t, "still for the picture", away(x, 1), "media")
	x.do(pushed(1, Going, "m2"))
	check(t, "a picture, and no beat", away(x, 1), "missed_beat")
	x.pass(3_000)
	check(t, "three missed beats", x.state(id(1)), "missed_beats")
}

// withoutBeats is a start of a session that lives by callbacks alone.
func withoutBeats(n int, anchor string) *Start {
	c := started(n, anchor)
	c.Sources = SourcesOf(FromCallback)
	return c
}

func TestWithoutHeartbeats(t *testing.T) {
	x := newTape(t)
	x.set(Settings{Interval: 1_000, Missed: 3, Grace: 100, EndGrace: 2_000, StartWithin: 5_000, CallbackOnly: 90_000})
	x.do(withoutBeats(1, "ann"))
	x.do(withoutBeats(2, "bob"))
	check(t, "no end by silence is promised", x.do(pushed(1, Begun, "m1")).Term, 0)
	x.pass(4_900)
	check(t, "not pushed yet", x.state(id(2)), "starting")
	x.pass(600)
	check(t, "never pushed", x.state(id(2)), "stream_lost")
	x.pass(80_000)
	check(t, "no beats, but a push", x.state(id(1)), "live")
	x.do(pushed(1, Going, "m1"))
	x.pass(80_000)
	check(t, "its server spoke since", x.state(id(1)), "live")
	x.pass(11_000)
	check(t, "silent for too long", x.state(id(1)), "stream_lost")
}

// TestDowntimeIsForgiven: time in which nobody could hear the media server
// counts against nobody, and after a restart it counts anew.
func TestDowntimeIsForgiven(t *testing.T) {
	x := newTape(t)
	x.set(Settings{Interval: 1_000, Missed: 3, Grace: 100, EndGrace: 2_000, StartWithin: 5_000, CallbackOnly: 90_000})
	x.do(withoutBeats(1, "ann"))
	x.do(pushed(1, Begun, "m1"))
	x.do(pushed(1, Finished, "m1"))
	x.pass(1_500)
	x.time += 3_600_000
	x.repl = "r2"
	x.pass(1_900)
	check(t, "in its second grace", away(x, 1), "media")
	x.pass(600)
	check(t, "after it", x.state(id(1)), "stream_lost")
}

func TestWhy(t *testing.T) {
	x := newTape(t)
	x.do(started(1, "ann"))
	rule := func() Rule {
		a, ok := x.r.Why(id(1))
		if !ok {
			t.Fatal("nothing is known")
		}
		return a.Rule
	}
	check(t, "at first", rule(), RuleNothingHeard)
	x.do(pushed(1, Begun, "m1"))
	check(t, "pushed", rule(), RuleHeard)
	x.pass(70_000)
	check(t, "silent", rule(), RuleMissedBeat)
	x.do(pushed(1, Finished, "m1"))
	check(t, "without a picture", rule(), RuleMediaEnded)
	a, _ := x.r.Why(id(1))
	check(t, "ends with the grace", a.EndsIn, x.r.Settings().EndGrace)
	check(t, "pieces of evidence", len(a.Evidence), 3)
	x.do(&Stop{Session: id(1), By: "ann"})
	check(t, "stopped", rule(), "stopped")
	if _, ok := x.r.Why(id(9)); ok {
		t.Error("a session that never was has a story")
	}
}

// TestRepeatedUnderKeys: what is repeated under its key is answered again and not done again.
func TestRepeatedUnderKeys(t *testing.T) {
	x := newTape(t)
	x.do(started(1, "ann"))
	first, second := "first", "second"
	x.do(&Update{Session: id(1), Key: "u1", Title: &first})
	x.do(&Update{Session: id(1), Title: &second})
	check(t, "a repeated update", x.do(&Update{Session: id(1), Key: "u1", Title: &first}).Stream.Title, second)
	kick := &Stop{Session: id(1), Reason: Kicked, By: "op", Key: "k1"}
	x.do(kick)
	x.do(started(2, "ann"))
	again := *kick
	again.Session = id(2)
	check(t, "a repeated kick", x.do(&again).Ended.Stream.Session, id(1))
	check(t, "the next session", x.r.Session(id(2)) != nil, true)
	x.do(&Ban{Anchor: "bob", By: "op", Key: "b1"})
	x.do(&Unban{Anchor: "bob", By: "op", Key: "b1"})
	_, banned := x.r.Banned("bob")
	check(t, "keys of other kinds are other keys", banned, false)
	x.do(&Ban{Anchor: "bob", By: "op", Key: "b1"})
	_, banned = x.r.Banned("bob")
	check(t, "a repeated ban", banned, false)
}

func TestBansAreForgotten(t *testing.T) {
	x := newTape(t)
	x.do(started(1, "ann"))
	x.do(&Ban{Anchor: "bob", Until: x.time + 1_000})
	x.do(&Ban{Anchor: "cid"})
	x.pass(2 * sweepEvery)
	check(t, "bans left", len(x.r.bans), 1)
}
