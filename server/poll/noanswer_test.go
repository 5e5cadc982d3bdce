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

// TestNoAnswerBetweenAnswers: PollFailed needs two responses within two intervals, one before
// the query and one to a later query.
func TestNoAnswerBetweenAnswers(t *testing.T) {
	const s = time.Second
	type answer struct{ queriedAt, answeredAt time.Duration }
	type event struct {
		at time.Duration
		do func()
	}
	for name, c := range map[string]struct {
		answers            []answer // by answeredAt
		queriedAt, endedAt time.Duration
		isOnlineLater      bool // by an answer about the session at 50 s
		wantNoAnswer       bool
	}{
		"between two responses":          {answers: []answer{{0, 1 * s}, {20 * s, 21 * s}}, queriedAt: 5 * s, endedAt: 10 * s, wantNoAnswer: true},
		"two intervals apart":            {answers: []answer{{0, 1 * s}, {120 * s, 121 * s}}, queriedAt: 5 * s, endedAt: 10 * s, wantNoAnswer: true},
		"more than two intervals apart":  {answers: []answer{{0, 1 * s}, {121 * s, 122 * s}}, queriedAt: 5 * s, endedAt: 10 * s},
		"no response before":             {answers: []answer{{20 * s, 21 * s}, {30 * s, 31 * s}}, queriedAt: 5 * s, endedAt: 10 * s},
		"no response after":              {answers: []answer{{0, 1 * s}}, queriedAt: 5 * s, endedAt: 10 * s},
		"a response to an earlier query": {answers: []answer{{0, 1 * s}, {9 * s, 11 * s}}, queriedAt: 5 * s, endedAt: 10 * s},
		"then a long outage":             {answers: []answer{{0, 1 * s}, {9 * s, 11 * s}, {600 * s, 601 * s}, {602 * s, 603 * s}}, queriedAt: 5 * s, endedAt: 10 * s},
		"a query in a long outage":       {answers: []answer{{0, 1 * s}, {600 * s, 601 * s}, {606 * s, 607 * s}}, queriedAt: 600 * s, endedAt: 605 * s},
		"answered meanwhile":             {answers: []answer{{0, 1 * s}, {60 * s, 61 * s}}, queriedAt: 5 * s, endedAt: 10 * s, isOnlineLater: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			var recorded resultRecorder
			p := newPoller(Provider{}, 1, &recorded)
			p.lastPolls, p.unanswered = map[presence.Session]lastPoll{}, map[presence.Session]unansweredQuery{}
			began := time.Now()
			var before time.Time
			events := []event{
				{c.queriedAt, func() { before = p.lastAnswerTime() }},
				{c.endedAt, func() { p.recordUnansweredQuery(target(0), 1, before) }},
			}
			for _, a := range c.answers {
				events = append(events, event{a.answeredAt, func() { p.recordAnswerAndReportUnanswered(began.Add(a.queriedAt)) }})
			}
			if c.isOnlineLater {
				events = append(events, event{50 * s, func() { p.reportAnswer(target(0), 1, true) }})
			}
			slices.SortStableFunc(events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
			for _, e := range events {
				time.Sleep(e.at - time.Since(began))
				e.do()
			}
			if got := recorded.count(0, presence.PollFailed) > 0; got != c.wantNoAnswer || recorded.total(presence.PollFailed) > 1 {
				t.Errorf("%s: PollFailed %v", name, got)
			}
		})
	}
}

// TestRunAgain: the next Run reports nothing of the time before, nor of queries that the
// stop interrupted.
func TestRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeProvider{online: func(string) bool { return false }, stateErr: func(string) error { return errDown }}
		var recorded resultRecorder
		var log bytes.Buffer
		p := NewPoller(Options{
			Provider: Provider{ForEachOnline: f.forEachOnline(3), IsOnline: f.IsOnline, Budget: cloud.NewBudget(50)}, Interval: interval,
			Targets: func() []presence.PollTarget { return targets(3) }, OnResult: recorded.record, Logger: zerolog.New(&log),
		})
		runFor(t, p, 30*time.Second)
		if log.Len() > 0 {
			t.Errorf("log: %s", &log)
		}
		f.stateErr = nil
		runFor(t, p, 70*time.Second)
		if recorded.total(presence.PollFailed) != 0 || recorded.total(presence.PollOffline) == 0 || log.Len() > 0 {
			t.Errorf("%d without answer, %d offline, log: %s", recorded.total(presence.PollFailed), recorded.total(presence.PollOffline), &log)
		}
		f.stateErr = func(string) error { return errDown }
		runFor(t, p, 70*time.Second)
		if got := bytes.Count(log.Bytes(), []byte("\n")); got != 1 {
			t.Errorf("%d log lines in a round: %s", got, &log)
		}
	})
}
