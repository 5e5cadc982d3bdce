package leader

import (
	"onair/presence"
	"onair/server/poll"
)

// pollTargets returns the sessions that the poller queries.
func (l *Leader) pollTargets() (targets []poll.Target) {
	l.Node.Read(func(r *presence.Registry) {
		for _, target := range r.PollTargets() {
			targets = append(targets, poll.Target(target))
		}
	})
	return targets
}

// pollSignals are the signals of the poller's results.
var pollSignals = [...]presence.Signal{poll.Online: presence.PollOnline, poll.Offline: presence.PollOffline, poll.NoAnswer: presence.PollFailed}

// enqueuePollResult appends a result of the poller, if it changes the evidence.
func (l *Leader) enqueuePollResult(result poll.Result) {
	signal, isNew := pollSignals[result.Status], false
	l.Node.Read(func(r *presence.Registry) { isNew = r.NeedsPollSignal(result.Session, signal) })
	if isNew {
		l.Node.Enqueue(&presence.Observe{Session: result.Session, Source: presence.FromPoll, Signal: signal, Detail: l.Config.Poll.Provider})
	}
}
