package leader

import (
	"onair/presence"
	presencenode "onair/presence/node"
)

// pollTargets returns the sessions that the poller queries.
func (l *Leader) pollTargets() []presence.PollTarget {
	return presencenode.Query(l.Node, (*presence.Registry).PollTargets)
}

// enqueuePollSignal appends a result of the poller, if it changes the evidence.
func (l *Leader) enqueuePollSignal(target presence.PollTarget, signal presence.Signal) {
	isNew := func(r *presence.Registry) bool { return r.NeedsPollSignal(target.Session, signal) }
	if presencenode.Query(l.Node, isNew) {
		l.Node.Enqueue(&presence.Observe{Session: target.Session, Source: presence.FromPoll, Signal: signal, Detail: l.Config.Poll.Provider})
	}
}
