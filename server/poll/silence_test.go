package poll

import (
	"bytes"
	"cmp"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"onair/presence"
	"onair/server/cloud"
)

// TestSilence: a silence counts between two answers, one before its query and one to a
// query after it, that are within two intervals.
func TestSilence(t *testing.T) {
	const s = time.Second
	type answer struct{ asked, at time.Duration }
	type event struct {
		at time.Duration
		do func()
	}
	for name, x := range map[string]struct {
		answers            []answer // in order of at
		asked, silentUntil time.Duration
		says               Status // of the session itself, at 50 s; 0: nothing
		failed             bool
	}{
		"between two answers":                    {answers: []answer{{0, 1 * s}, {20 * s, 21 * s}}, asked: 5 * s, silentUntil: 10 * s, failed: true},
		"two intervals apart":                    {answers: []answer{{0, 1 * s}, {120 * s, 121 * s}}, asked: 5 * s, silentUntil: 10 * s, failed: true},
		"more than that":                         {answers: []answer{{0, 1 * s}, {121 * s, 122 * s}}, asked: 5 * s, silentUntil: 10 * s},
		"no answer before":                       {answers: []answer{{20 * s, 21 * s}, {30 * s, 31 * s}}, asked: 5 * s, silentUntil: 10 * s},
		"no answer after":                        {answers: []answer{{0, 1 * s}}, asked: 5 * s, silentUntil: 10 * s},
		"an answer to what was asked before":     {answers: []answer{{0, 1 * s}, {9 * s, 11 * s}}, asked: 5 * s, silentUntil: 10 * s},
		"then none for long":                     {answers: []answer{{0, 1 * s}, {9 * s, 11 * s}, {600 * s, 601 * s}, {602 * s, 603 * s}}, asked: 5 * s, silentUntil: 10 * s},
		"asked before the first answer for long": {answers: []answer{{0, 1 * s}, {600 * s, 601 * s}, {606 * s, 607 * s}}, asked: 600 * s, silentUntil: 605 * s},
		"answered meanwhile":                     {answers: []answer{{0, 1 * s}, {60 * s, 61 * s}}, asked: 5 * s, silentUntil: 10 * s, says: Online},
	} {
		synctest.Test(t, func(t *testing.T) {
			var h heard
			p := newPoller(Provider{}, 1, &h)
			p.lastPolls, p.unanswered = map[presence.Session]lastPoll{}, map[presence.Session]unansweredQuery{}
			began := time.Now()
			var before time.Time
			events := []event{
				{x.asked, func() { before = p.lastAnswerTime() }},
				{x.silentUntil, func() { p.recordNoAnswer(target(0), 1, before) }},
			}
			for _, a := range x.answers {
				events = append(events, event{a.at, func() { p.recordAnswer(began.Add(a.asked)) }})
			}
			if x.says != 0 {
				events = append(events, event{50 * s, func() { p.reportStatus(target(0), 1, x.says) }})
			}
			slices.SortStableFunc(events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
			for _, e := range events {
				time.Sleep(e.at - time.Since(began))
				e.do()
			}
			if got := h.count(0, NoAnswer) > 0; got != x.failed || h.all(NoAnswer) > 1 {
				t.Errorf("%s: it has failed: %v", name, got)
			}
		})
	}
}

// TestBackAgain: of the time before it was keeper again, a poller tells nothing; and
// what it left unfinished as it ended is nobody's fault.
func TestBackAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{online: func(string) bool { return false }, state: func(string) error { return errDown }}
		var h heard
		var log bytes.Buffer
		p := New(Options{
			Provider: Provider{ForEachOnline: f.Online(3), PushState: f.State, Budget: cloud.NewBudget(50)}, Interval: interval,
			Targets: func() []Target { return targets(3) }, OnResult: h.tell, Logger: zerolog.New(&log),
		})
		run(t, p, 30*time.Second)
		if log.Len() > 0 {
			t.Errorf("it logs %s", &log)
		}
		f.state = nil
		run(t, p, 70*time.Second)
		if h.all(NoAnswer) != 0 || h.all(Offline) == 0 || log.Len() > 0 {
			t.Errorf("%d have failed, %d are offline, it logs %s", h.all(NoAnswer), h.all(Offline), &log)
		}
		f.state = func(string) error { return errDown }
		run(t, p, 70*time.Second)
		if got := bytes.Count(log.Bytes(), []byte("\n")); got != 1 {
			t.Errorf("it logs %d lines for a round: %s", got, &log)
		}
	})
}
