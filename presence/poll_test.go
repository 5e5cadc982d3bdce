package presence

import "testing"

// polled is what the cloud says of session n.
func polled(n int, sign Sign) *Observe {
	return &Observe{Session: id(n), Source: FromPoll, Sign: sign}
}

// living starts a session of ann's that lives by some sources.
func (x *tape) living(n int, by ...Source) {
	c := started(n, "ann")
	c.Sources = SourcesOf(by...)
	x.do(c)
}

// pollsThrough lets a minute pass before each of so many polls.
func (x *tape) pollsThrough(n, polls int, sign Sign) {
	for range polls {
		x.pass(60_000)
		x.do(polled(n, sign))
	}
}

func TestThreeOfflinePolls(t *testing.T) {
	x := newTape(t)
	x.living(1, FromPoll)
	x.pollsThrough(1, 1, Online)
	check(t, "seen", x.state(id(1)), "live")
	x.pollsThrough(1, 2, Offline)
	check(t, "two", x.state(id(1)), "live")
	x.pollsThrough(1, 1, Online)
	x.pollsThrough(1, 2, Offline)
	check(t, "two more after one online", x.state(id(1)), "live")
	x.pollsThrough(1, 1, Offline)
	check(t, "three in a row", x.state(id(1)), "stream_lost")
}

// TestOfflineAndBeats: an anchor who beats is live, whatever the cloud says; one
// who has stopped beating is not waited for once the cloud agrees.
func TestOfflineAndBeats(t *testing.T) {
	x := newTape(t)
	x.living(1, FromBeats, FromPoll)
	for range 5 {
		x.whileBeating(1, 60_000)
		x.do(polled(1, Offline))
	}
	check(t, "never pushed", x.state(id(1)), "live")
	x.do(polled(1, Online))
	for range 5 {
		x.whileBeating(1, 60_000)
		x.do(polled(1, Offline))
	}
	check(t, "beats came since", x.state(id(1)), "live")
	x.do(polled(1, Online))
	for range 3 {
		x.pass(30_000)
		x.do(polled(1, Offline))
	}
	check(t, "no beat came since", x.state(id(1)), "stream_lost")
}

func TestMediaRequired(t *testing.T) {
	x := newTape(t)
	s := x.r.Settings()
	s.MediaRequired, s.OfflineAfter = true, 2
	x.set(s)
	x.living(1, FromBeats, FromPoll)
	x.whileBeating(1, 60_000)
	x.do(polled(1, Offline))
	check(t, "one", x.state(id(1)), "live")
	x.whileBeating(1, 60_000)
	x.do(polled(1, Offline))
	check(t, "two, with beats and without a push", x.state(id(1)), "stream_lost")
}

// TestNotPushedInTime: a session that lives by polls alone is ended by them when
// it was not pushed in time, and not by time alone: the cloud may be away.
func TestNotPushedInTime(t *testing.T) {
	x := newTape(t)
	x.living(1, FromPoll)
	x.pass(2 * x.r.Settings().StartWithin)
	check(t, "no word from the cloud", x.state(id(1)), "starting")
	x.pollsThrough(1, 3, Offline)
	check(t, "offline", x.state(id(1)), "stream_lost")
	x.living(2, FromPoll)
	x.pollsThrough(2, 5, Offline)
	check(t, "within its time", x.state(id(2)), "starting")
}

// TestBlindPolls: a session that lives by polls alone ends when they fail for
// long, one that others vouch for does not.
func TestBlindPolls(t *testing.T) {
	x := newTape(t)
	x.living(1, FromPoll)
	x.do(polled(1, Online))
	x.pollsThrough(1, 14, Unknown)
	x.do(polled(1, Online))
	x.pollsThrough(1, 14, Unknown)
	check(t, "an answer in between", x.state(id(1)), "live")
	x.pollsThrough(1, 1, Unknown)
	check(t, "fifteen in a row", x.state(id(1)), "stream_lost")
	x.living(2, FromPoll, FromCallback)
	x.do(pushed(2, Begun, "m"))
	x.pollsThrough(2, 30, Unknown)
	check(t, "with callbacks", x.state(id(2)), "live")
}

// TestOnlineBringsBack: the cloud's word brings the picture back, unless its
// answer may be older than the end.
func TestOnlineBringsBack(t *testing.T) {
	x := newTape(t)
	x.living(1, FromBeats, FromCallback, FromPoll)
	x.do(pushed(1, Begun, "m"))
	x.do(pushed(1, Finished, "m"))
	x.do(polled(1, Online))
	check(t, "at once", away(x, 1), "media")
	x.whileBeating(1, afterLoss)
	x.do(polled(1, Online))
	check(t, "later", x.state(id(1)), "live")
}

func TestNewsOfPolls(t *testing.T) {
	x := newTape(t)
	news := func(sign Sign) bool { return x.r.IsNews(id(1), sign) }
	check(t, "of nobody", news(Online), false)
	x.living(1, FromBeats, FromPoll)
	check(t, "the first", news(Online), true)
	x.do(polled(1, Online))
	check(t, "the same again", news(Online), false)
	check(t, "the contrary", news(Offline), true)
	x.do(polled(1, Offline))
	check(t, "after it", news(Online), true)
	x.do(polled(1, Online))
	x.whileBeating(1, pollEvery+1_000)
	check(t, "old", news(Online), true)
	x.living(2, FromPoll)
	x.do(polled(2, Online))
	check(t, "of one that lives by it", x.r.IsNews(id(2), Online), true)
	if got := x.r.ToPoll(); len(got) != 1 || got[0] != (Polled{id(2), "8888_ann", true}) {
		t.Errorf("to poll: %+v", got)
	}
	x.living(3, FromBeats, FromPoll)
	x.whileBeating(3, 60_000)
	if got := x.r.ToPoll(); len(got) != 1 || got[0] != (Polled{id(3), "8888_ann", false}) {
		t.Errorf("to poll of one who beats: %+v", got)
	}
}

func TestPictured(t *testing.T) {
	x := newTape(t)
	x.living(1, FromBeats)
	x.do(&Observe{Session: id(1), Source: FromCallback, Sign: Pictured, Detail: "https://x/1.jpg"})
	check(t, "it had none", x.r.Session(id(1)).Cover, "https://x/1.jpg")
	check(t, "it is no beat", x.state(id(1)), "starting")
	x.do(&Observe{Session: id(1), Source: FromCallback, Sign: Pictured, Detail: "https://x/2.jpg"})
	check(t, "it has one", x.r.Session(id(1)).Cover, "https://x/1.jpg")
}

// TestRoundsOfPolls: what two pollers say at one time, or one that begins anew, is
// one word.
func TestRoundsOfPolls(t *testing.T) {
	for _, sign := range []Sign{Offline, Unknown} {
		x := newTape(t)
		s := x.r.Settings()
		s.PollEvery, s.BlindAfter = 60_000, 3
		x.set(s)
		x.living(1, FromPoll)
		x.do(polled(1, Online))
		x.pass(60_000)
		for range 5 {
			x.do(polled(1, sign))
			x.pass(2_000)
		}
		check(t, "five at once", x.state(id(1)), "live")
		x.pass(50_000)
		x.do(polled(1, sign))
		x.pass(25_000)
		x.do(polled(1, sign))
		check(t, "a second round, and what is too soon for a third", x.state(id(1)), "live")
		x.pass(35_000)
		x.do(polled(1, sign))
		check(t, "a third round", x.state(id(1)), "stream_lost")
	}
}

// TestConflicts: sources that contradict each other are counted, each time once;
// those that agree are not.
func TestConflicts(t *testing.T) {
	x := newTape(t)
	x.living(1, FromBeats, FromCallback, FromPoll)
	clash := func(what string, silence, end, poll int) {
		t.Helper()
		check(t, what, x.clashes, [conflicts]int{SilenceAgainstMedia: silence, MediaEndAgainstBeats: end, PollAgainstCallback: poll})
	}
	x.do(pushed(1, Begun, "m1"))
	x.whileBeating(1, 60_000)
	x.do(polled(1, Online))
	clash("all agree", 0, 0, 0)
	x.do(polled(1, Offline))
	x.whileBeating(1, 60_000)
	x.do(polled(1, Offline))
	clash("two polls that find no push, of one that is under way", 0, 0, 1)
	x.do(polled(1, Online))
	x.do(pushed(1, Finished, "m1"))
	clash("its end, while its anchor beats", 0, 1, 1)
	x.whileBeating(1, 15_000)
	x.do(polled(1, Online))
	clash("a poll that still finds it", 0, 1, 2)
	x.do(pushed(1, Begun, "m2"))
	x.pass(70_000)
	clash("silence, while it is pushed", 1, 1, 2)
	x.do(pushed(1, Finished, "m2"))
	clash("its end, which agrees with the silence", 1, 1, 2)
}
