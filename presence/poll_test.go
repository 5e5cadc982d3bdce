package presence

import "testing"

// pollSignal is a poll's signal about session n.
func pollSignal(n int, sign Signal) *Observe {
	return &Observe{Session: sessionID(n), Source: FromPoll, Signal: sign}
}

// startWithSources starts a session of ann's with some sources.
func (x *testLog) startWithSources(n int, by ...Source) {
	c := startOf(n, "ann")
	c.Sources = SourcesOf(by...)
	x.applyCommand(c)
}

// applyPolls applies some polls, with a minute before each.
func (x *testLog) applyPolls(n, polls int, sign Signal) {
	for range polls {
		x.advance(60_000)
		x.applyCommand(pollSignal(n, sign))
	}
}

func TestThreeOfflinePolls(t *testing.T) {
	x := newTestLog(t)
	x.startWithSources(1, FromPoll)
	x.applyPolls(1, 1, PollOnline)
	check(t, "seen", x.sessionState(sessionID(1)), "live")
	x.applyPolls(1, 2, PollOffline)
	check(t, "two", x.sessionState(sessionID(1)), "live")
	x.applyPolls(1, 1, PollOnline)
	x.applyPolls(1, 2, PollOffline)
	check(t, "two more after one online", x.sessionState(sessionID(1)), "live")
	x.applyPolls(1, 1, PollOffline)
	check(t, "three in a row", x.sessionState(sessionID(1)), "stream_lost")
}

// TestOfflineAndBeats: a session whose anchor sends beats is live, whatever
// polls find. When beats stop and polls agree it ends at once.
func TestOfflineAndBeats(t *testing.T) {
	x := newTestLog(t)
	x.startWithSources(1, FromBeats, FromPoll)
	for range 5 {
		x.advanceWithBeats(1, 60_000)
		x.applyCommand(pollSignal(1, PollOffline))
	}
	check(t, "never pushed", x.sessionState(sessionID(1)), "live")
	x.applyCommand(pollSignal(1, PollOnline))
	for range 5 {
		x.advanceWithBeats(1, 60_000)
		x.applyCommand(pollSignal(1, PollOffline))
	}
	check(t, "beats came since", x.sessionState(sessionID(1)), "live")
	x.applyCommand(pollSignal(1, PollOnline))
	for range 3 {
		x.advance(30_000)
		x.applyCommand(pollSignal(1, PollOffline))
	}
	check(t, "no beat came since", x.sessionState(sessionID(1)), "stream_lost")
}

func TestMediaRequired(t *testing.T) {
	x := newTestLog(t)
	s := x.reg.Settings()
	s.MediaRequired, s.OfflineAfter = true, 2
	x.applySettings(s)
	x.startWithSources(1, FromBeats, FromPoll)
	x.advanceWithBeats(1, 60_000)
	x.applyCommand(pollSignal(1, PollOffline))
	check(t, "one", x.sessionState(sessionID(1)), "live")
	x.advanceWithBeats(1, 60_000)
	x.applyCommand(pollSignal(1, PollOffline))
	check(t, "two, with beats and without a push", x.sessionState(sessionID(1)), "stream_lost")
}

// TestNotPushedInTime: a session that lives by polls alone and is not pushed in
// time is ended by a poll, not by time, because the cloud may be unreachable.
func TestNotPushedInTime(t *testing.T) {
	x := newTestLog(t)
	x.startWithSources(1, FromPoll)
	x.advance(2 * x.reg.Settings().StartWithin)
	check(t, "no signal from the cloud", x.sessionState(sessionID(1)), "starting")
	x.applyPolls(1, 3, PollOffline)
	check(t, "offline", x.sessionState(sessionID(1)), "stream_lost")
	x.startWithSources(2, FromPoll)
	x.applyPolls(2, 5, PollOffline)
	check(t, "within its time", x.sessionState(sessionID(2)), "starting")
}

// TestFailedPolls: a session that lives by polls alone ends when they fail for
// long; one with another source does not.
func TestFailedPolls(t *testing.T) {
	x := newTestLog(t)
	x.startWithSources(1, FromPoll)
	x.applyCommand(pollSignal(1, PollOnline))
	x.applyPolls(1, 14, PollFailed)
	x.applyCommand(pollSignal(1, PollOnline))
	x.applyPolls(1, 14, PollFailed)
	check(t, "an answer in between", x.sessionState(sessionID(1)), "live")
	x.applyPolls(1, 1, PollFailed)
	check(t, "fifteen in a row", x.sessionState(sessionID(1)), "stream_lost")
	x.startWithSources(2, FromPoll, FromCallback)
	x.applyCommand(pushSignal(2, PushStarted, "m"))
	x.applyPolls(2, 30, PollFailed)
	check(t, "with callbacks", x.sessionState(sessionID(2)), "live")
}

// TestPollOnlineBringsBack: PollOnline makes a stream live again, unless the
// answer may be older than the end of its push.
func TestPollOnlineBringsBack(t *testing.T) {
	x := newTestLog(t)
	x.startWithSources(1, FromBeats, FromCallback, FromPoll)
	x.applyCommand(pushSignal(1, PushStarted, "m"))
	x.applyCommand(pushSignal(1, PushEnded, "m"))
	x.applyCommand(pollSignal(1, PollOnline))
	check(t, "at once", awayCause(x, 1), "media")
	x.advanceWithBeats(1, onlineIgnoredAfterLoss)
	x.applyCommand(pollSignal(1, PollOnline))
	check(t, "later", x.sessionState(sessionID(1)), "live")
}

func TestNeedsPollSignal(t *testing.T) {
	x := newTestLog(t)
	news := func(sign Signal) bool { return x.reg.NeedsPollSignal(sessionID(1), sign) }
	check(t, "of nobody", news(PollOnline), false)
	x.startWithSources(1, FromBeats, FromPoll)
	check(t, "the first", news(PollOnline), true)
	x.applyCommand(pollSignal(1, PollOnline))
	check(t, "the same again", news(PollOnline), false)
	check(t, "the contrary", news(PollOffline), true)
	x.applyCommand(pollSignal(1, PollOffline))
	check(t, "after it", news(PollOnline), true)
	x.applyCommand(pollSignal(1, PollOnline))
	x.advanceWithBeats(1, pollEvidenceInterval+1_000)
	check(t, "old", news(PollOnline), true)
	x.applyCommand(pollSignal(1, PollOffline))
	x.applyCommand(pushSignal(1, PushStarted, "m1"))
	check(t, "after an offline poll and the push", news(PollOnline), true)
	x.startWithSources(2, FromPoll)
	x.applyCommand(pollSignal(2, PollOnline))
	check(t, "of one that lives by it", x.reg.NeedsPollSignal(sessionID(2), PollOnline), true)
	if got := x.reg.PollTargets(); len(got) != 1 || got[0] != (PollTarget{sessionID(2), "8888_ann", true}) {
		t.Errorf("to poll: %+v", got)
	}
	x.startWithSources(3, FromBeats, FromPoll)
	x.advanceWithBeats(3, 60_000)
	if got := x.reg.PollTargets(); len(got) != 1 || got[0] != (PollTarget{sessionID(3), "8888_ann", false}) {
		t.Errorf("to poll of one who beats: %+v", got)
	}
}

func TestScreenshotBecomesCover(t *testing.T) {
	x := newTestLog(t)
	x.startWithSources(1, FromBeats)
	x.applyCommand(&Observe{Session: sessionID(1), Source: FromCallback, Signal: ScreenshotTaken, Detail: "https://x/1.jpg"})
	check(t, "it had none", x.reg.StreamBySession(sessionID(1)).Cover, "https://x/1.jpg")
	check(t, "it is no beat", x.sessionState(sessionID(1)), "starting")
	x.applyCommand(&Observe{Session: sessionID(1), Source: FromCallback, Signal: ScreenshotTaken, Detail: "https://x/2.jpg"})
	check(t, "it has one", x.reg.StreamBySession(sessionID(1)).Cover, "https://x/1.jpg")
}

// TestPollRounds: results of two pollers at one time, or of a poller that starts
// anew, count as one.
func TestPollRounds(t *testing.T) {
	for _, sign := range []Signal{PollOffline, PollFailed} {
		x := newTestLog(t)
		s := x.reg.Settings()
		s.PollEvery, s.BlindAfter = 60_000, 3
		x.applySettings(s)
		x.startWithSources(1, FromPoll)
		x.applyCommand(pollSignal(1, PollOnline))
		x.advance(60_000)
		for range 5 {
			x.applyCommand(pollSignal(1, sign))
			x.advance(2_000)
		}
		check(t, "five at once", x.sessionState(sessionID(1)), "live")
		x.advance(50_000)
		x.applyCommand(pollSignal(1, sign))
		x.advance(25_000)
		x.applyCommand(pollSignal(1, sign))
		check(t, "a second round, and what is too soon for a third", x.sessionState(sessionID(1)), "live")
		x.advance(35_000)
		x.applyCommand(pollSignal(1, sign))
		check(t, "a third round", x.sessionState(sessionID(1)), "stream_lost")
	}
}

// TestConflicts: contradictions between sources are counted, each once;
// agreement is not.
func TestConflicts(t *testing.T) {
	x := newTestLog(t)
	x.startWithSources(1, FromBeats, FromCallback, FromPoll)
	clash := func(what string, silence, end, poll int) {
		t.Helper()
		check(t, what, x.conflicts, [numConflicts]int{SilenceAgainstMedia: silence, MediaEndAgainstBeats: end, PollAgainstCallback: poll})
	}
	x.applyCommand(pushSignal(1, PushStarted, "m1"))
	x.advanceWithBeats(1, 60_000)
	x.applyCommand(pollSignal(1, PollOnline))
	clash("all agree", 0, 0, 0)
	x.applyCommand(pollSignal(1, PollOffline))
	x.advanceWithBeats(1, 60_000)
	x.applyCommand(pollSignal(1, PollOffline))
	clash("two polls that find no push, of one that is under way", 0, 0, 1)
	x.applyCommand(pollSignal(1, PollOnline))
	x.applyCommand(pushSignal(1, PushEnded, "m1"))
	clash("its end, while its anchor beats", 0, 1, 1)
	x.advanceWithBeats(1, 15_000)
	x.applyCommand(pollSignal(1, PollOnline))
	clash("a poll that still finds it", 0, 1, 2)
	x.applyCommand(pushSignal(1, PushStarted, "m2"))
	x.advance(70_000)
	clash("silence, while it is pushed", 1, 1, 2)
	x.applyCommand(pushSignal(1, PushEnded, "m2"))
	clash("its end, which agrees with the silence", 1, 1, 2)
}
