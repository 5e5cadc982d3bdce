package leader

import (
	"onair/presence"
	"onair/server/poll"
)

// pollTargets are the sessions that the poller asks for.
func (l *Leader) pollTargets() (all []poll.Target) {
	l.Node.Read(func(r *presence.Registry) {
		for _, p := range r.PollTargets() {
			all = append(all, poll.Target(p))
		}
	})
	return all
}

// pollSignals are what the poller's answers mean as evidence.
var pollSignals = [...]presence.Signal{poll.Online: presence.PollOnline, poll.Offline: presence.PollOffline, poll.NoAnswer: presence.PollFailed}

// enqueuePollResult passes on an answer of the poller, if it is news.
func (l *Leader) enqueuePollResult(w poll.Result) {
	sign, news := pollSignals[w.Status], false
	l.Node.Read(func(r *presence.Registry) { news = r.IsNewSignal(w.Session, sign) })
	if news {
		l.Node.Enqueue(&presence.Observe{Session: w.Session, Source: presence.FromPoll, Signal: sign, Detail: l.Config.Poll.Provider})
	}
}
