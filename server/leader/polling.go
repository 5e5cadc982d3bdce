package leader

import "onair/presence"

// pollTargets returns the sessions that the poller queries.
func (l *Leader) pollTargets() (targets []presence.PollTarget) {
	l.Node.Read(func(r *presence.Registry) { targets = r.PollTargets() })
	return targets
}

// enqueuePollSignal appends a result of the poller, if it changes the evidence.
func (l *Leader) enqueuePollSignal(target presence.PollTarget, signal presence.Signal) {
	isNew := false
	l.Node.Read(func(r *presence.Registry) { isNew = r.NeedsPollSignal(target.Session, signal) })
	if isNew {
		l.Node.Enqueue(&presence.Observe{Session: target.Session, Source: presence.FromPoll, Signal: signal, Detail: l.Config.Poll.Provider})
	}
}
