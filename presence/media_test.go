package presence

import (
	"slices"
	"testing"
)

// pushSignal is a media server's signal about a push of session n.
func pushSignal(n int, sign Signal, media string) *Observe {
	return &Observe{Session: sessionID(n), Source: FromCallback, Signal: sign, Push: media}
}

// advanceWithBeats advances time with a beat of session n at each tick.
func (x *testLog) advanceWithBeats(n int, ms int64) (changes []Change) {
	for end := x.time + ms; x.time < end; {
		x.time = min(x.time+x.reg.Settings().Tick(), end)
		var b Batch
		if a, live := x.reg.SessionResult(sessionID(n)); live {
			b.Beats = []Beat{{Lease: a.Lease}}
		}
		changes = append(changes, x.applyBatch("a", b).Changes...)
	}
	return changes
}

func awayCause(x *testLog, n int) string {
	if st := x.reg.StreamBySession(sessionID(n)); st != nil {
		return st.Away.String()
	}
	return ""
}

func TestPushStartsAndEnds(t *testing.T) {
	x := newTestLog(t)
	x.applyCommand(startOf(1, "ann"))
	check(t, "before", x.sessionState(sessionID(1)), "starting")
	x.applyCommand(pushSignal(1, PushStarted, "m1"))
	check(t, "pushing", x.sessionState(sessionID(1)), "live")
	x.applyCommand(pushSignal(1, PushEnded, "m1"))
	check(t, "ended", x.sessionState(sessionID(1))+" "+awayCause(x, 1), "away media")
	grace := x.reg.Settings().EndGrace
	x.advanceWithBeats(1, grace)
	check(t, "beats do not restore media", x.sessionState(sessionID(1))+" "+awayCause(x, 1), "away media")
	gone := x.advanceWithBeats(1, 2*x.reg.Settings().Tick())
	check(t, "after the grace", x.sessionState(sessionID(1)), "stream_lost")
	at := slices.IndexFunc(gone, func(c Change) bool { return c.Ended != nil })
	check(t, "its expiry lag", at >= 0 && gone[at].ExpiryLag > 0 && gone[at].ExpiryLag <= 2*x.reg.Settings().Tick(), true)
	check(t, "nothing is due any more", x.reg.mediaDeadlines.Len(), 0)
}

func TestNewPushWithinEndGrace(t *testing.T) {
	x := newTestLog(t)
	x.applyCommand(startOf(1, "ann"))
	x.applyCommand(pushSignal(1, PushStarted, "m1"))
	x.applyCommand(pushSignal(1, PushEnded, "m1"))
	x.advanceWithBeats(1, x.reg.Settings().EndGrace-1_000)
	x.applyCommand(pushSignal(1, PushStarted, "m2"))
	check(t, "pushed again", x.sessionState(sessionID(1)), "live")
	x.applyCommand(pushSignal(1, PushEnded, "m1"))
	check(t, "the old push ends once more", x.sessionState(sessionID(1)), "live")
	x.advanceWithBeats(1, 2*x.reg.Settings().EndGrace)
	check(t, "goes on", x.sessionState(sessionID(1)), "live")
}

// TestSecondPublisherIsIgnored: a media server asks whether a second publisher
// may push, and then refuses it. Neither call changes anything.
func TestSecondPublisherIsIgnored(t *testing.T) {
	x := newTestLog(t)
	x.applyCommand(startOf(1, "ann"))
	x.applyCommand(pushSignal(1, PushStarted, "m1"))
	before := x.reg.StreamBySession(sessionID(1))
	x.applyCommand(pushSignal(1, PushStarted, "m2"))
	x.applyCommand(pushSignal(1, PushEnded, "m2"))
	x.applyCommand(pushSignal(1, PushEnded, "m2"))
	check(t, "the stream", x.reg.StreamBySession(sessionID(1)), before)
	x.applyCommand(pushSignal(1, PushEnded, "m1"))
	check(t, "its own end", awayCause(x, 1), "media")
}

// TestOngoingPushReplacesOthers: when the end of the first push was never
// reported, PushOngoing of the second closes it.
func TestOngoingPushReplacesOthers(t *testing.T) {
	x := newTestLog(t)
	x.applyCommand(startOf(1, "ann"))
	x.applyCommand(pushSignal(1, PushStarted, "m1"))
	x.applyCommand(pushSignal(1, PushStarted, "m2"))
	x.applyCommand(pushSignal(1, PushOngoing, "m2"))
	x.applyCommand(pushSignal(1, PushEnded, "m2"))
	check(t, "after the end", awayCause(x, 1), "media")
	x.applyCommand(pushSignal(1, PushOngoing, "m3"))
	check(t, "one that goes on", x.sessionState(sessionID(1)), "live")
}

func TestUnknownPushEndsChangeNothing(t *testing.T) {
	x := newTestLog(t)
	x.applyCommand(startOf(1, "ann"))
	x.applyCommand(pushSignal(1, PushEnded, "m1"))
	check(t, "never begun", x.sessionState(sessionID(1)), "starting")
	x.applyCommand(pushSignal(1, PushStarted, "m1"))
	x.applyCommand(startOf(2, "ann"))
	check(t, "of the session before", x.applyCommand(pushSignal(1, PushEnded, "m1")).Refusal, SessionGone)
	check(t, "the new session", x.sessionState(sessionID(2)), "starting")
}

// TestMissesWhileMediaIsLost: a missed beat still asks the anchor for a beat
// while its media is lost. The session ends by whichever deadline is first.
func TestMissesWhileMediaIsLost(t *testing.T) {
	x := newTestLog(t)
	s := Settings{Interval: 1_000, Missed: 3, Grace: 100, EndGrace: 60_000}
	x.applySettings(s)
	x.applyCommand(startOf(1, "ann"))
	x.applyCommand(pushSignal(1, PushStarted, "m1"))
	x.applyCommand(pushSignal(1, PushEnded, "m1"))
	changes := x.advance(2_000)
	probed := slices.ContainsFunc(changes, func(c Change) bool { return c.Cause == BySilence })
	check(t, "probed", probed, true)
	check(t, "still for lost media", awayCause(x, 1), "media")
	x.applyCommand(pushSignal(1, PushOngoing, "m2"))
	check(t, "media, and no beat", awayCause(x, 1), "missed_beat")
	x.advance(3_000)
	check(t, "three missed beats", x.sessionState(sessionID(1)), "missed_beats")
}

// startWithoutBeats is a start of a session that lives by callbacks alone.
func startWithoutBeats(n int, anchor string) *Start {
	c := startOf(n, anchor)
	c.Sources = SourcesOf(FromCallback)
	return c
}

func TestSessionsWithoutHeartbeats(t *testing.T) {
	x := newTestLog(t)
	x.applySettings(Settings{Interval: 1_000, Missed: 3, Grace: 100, EndGrace: 2_000, StartWithin: 5_000, CallbackOnly: 90_000})
	x.applyCommand(startWithoutBeats(1, "ann"))
	x.applyCommand(startWithoutBeats(2, "bob"))
	check(t, "no end by silence is promised", x.applyCommand(pushSignal(1, PushStarted, "m1")).TTL, 0)
	x.advance(4_900)
	check(t, "not pushed yet", x.sessionState(sessionID(2)), "starting")
	x.advance(600)
	check(t, "never pushed", x.sessionState(sessionID(2)), "stream_lost")
	x.advance(80_000)
	check(t, "no beats, but a push", x.sessionState(sessionID(1)), "live")
	x.applyCommand(pushSignal(1, PushOngoing, "m1"))
	x.advance(80_000)
	check(t, "its server has sent a callback since", x.sessionState(sessionID(1)), "live")
	x.advance(11_000)
	check(t, "silent for too long", x.sessionState(sessionID(1)), "stream_lost")
}

// TestDowntimeEndsNoSession: time in which no node could receive callbacks does
// not count, and media deadlines start anew after a restart.
func TestDowntimeEndsNoSession(t *testing.T) {
	x := newTestLog(t)
	x.applySettings(Settings{Interval: 1_000, Missed: 3, Grace: 100, EndGrace: 2_000, StartWithin: 5_000, CallbackOnly: 90_000})
	x.applyCommand(startWithoutBeats(1, "ann"))
	x.applyCommand(pushSignal(1, PushStarted, "m1"))
	x.applyCommand(pushSignal(1, PushEnded, "m1"))
	x.advance(1_500)
	x.time += 3_600_000
	x.epoch = "r2"
	x.advance(1_900)
	check(t, "in its second grace", awayCause(x, 1), "media")
	x.advance(600)
	check(t, "after it", x.sessionState(sessionID(1)), "stream_lost")
}

func TestExplain(t *testing.T) {
	x := newTestLog(t)
	x.applyCommand(startOf(1, "ann"))
	rule := func() Rule {
		a, ok := x.reg.Explain(sessionID(1))
		if !ok {
			t.Fatal("nothing is known")
		}
		return a.Rule
	}
	check(t, "at first", rule(), RuleNoSignal)
	x.applyCommand(pushSignal(1, PushStarted, "m1"))
	check(t, "pushed", rule(), RuleSignal)
	x.advance(70_000)
	check(t, "silent", rule(), RuleMissedBeat)
	x.applyCommand(pushSignal(1, PushEnded, "m1"))
	check(t, "media is lost", rule(), RuleMediaEnded)
	a, _ := x.reg.Explain(sessionID(1))
	check(t, "ends with the grace", a.EndsIn, x.reg.Settings().EndGrace)
	check(t, "pieces of evidence", len(a.Evidence), 3)
	x.applyCommand(&Stop{Session: sessionID(1), By: "ann"})
	check(t, "stopped", rule(), "stopped")
	if _, ok := x.reg.Explain(sessionID(9)); ok {
		t.Error("a session that never was has a story")
	}
}

// TestRepeatedCommandsHaveNoEffect: a command repeated with its key gets the
// same result and has no further effect.
func TestRepeatedCommandsHaveNoEffect(t *testing.T) {
	x := newTestLog(t)
	x.applyCommand(startOf(1, "ann"))
	first, second := "first", "second"
	x.applyCommand(&Update{Session: sessionID(1), Key: "u1", Title: &first})
	x.applyCommand(&Update{Session: sessionID(1), Title: &second})
	check(t, "a repeated update", x.applyCommand(&Update{Session: sessionID(1), Key: "u1", Title: &first}).Stream.Title, second)
	kick := &Stop{Session: sessionID(1), Reason: Kicked, By: "op", Key: "k1"}
	x.applyCommand(kick)
	x.applyCommand(startOf(2, "ann"))
	again := *kick
	again.Session = sessionID(2)
	check(t, "a repeated kick", x.applyCommand(&again).Ended.Stream.Session, sessionID(1))
	check(t, "the next session", x.reg.StreamBySession(sessionID(2)) != nil, true)
	x.applyCommand(&Ban{Anchor: "bob", By: "op", Key: "b1"})
	x.applyCommand(&Unban{Anchor: "bob", By: "op", Key: "b1"})
	_, banned := x.reg.ActiveBan("bob")
	check(t, "keys of other kinds are other keys", banned, false)
	x.applyCommand(&Ban{Anchor: "bob", By: "op", Key: "b1"})
	_, banned = x.reg.ActiveBan("bob")
	check(t, "a repeated ban", banned, false)
}

func TestExpiredBansAreLifted(t *testing.T) {
	x := newTestLog(t)
	x.applyCommand(startOf(1, "ann"))
	x.applyCommand(&Ban{Anchor: "bob", Until: x.time + 1_000})
	x.applyCommand(&Ban{Anchor: "cid"})
	x.advance(2 * banSweepInterval)
	check(t, "bans left", len(x.reg.bans), 1)
}
