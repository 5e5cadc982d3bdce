package node

import (
	"slices"

	"onair/presence"
)

// reconciliation is the work of a node after the log lost entries that it had
// applied: it restores what it knows, while views are frozen.
type reconciliation struct {
	old         *presence.Registry // the registry before the loss
	lastShared  uint64             // number of the last entry that was not lost
	ownQueued   bool               // own sessions and all ends are queued
	allQueued   bool               // sessions that no node has restored are queued
	rulesQueued bool               // the raise of the rules is queued
}

// advanceReconciliations queues what is due to be restored, and drops the reconciliations
// that are done.
func (n *Node) advanceReconciliations() {
	n.applier.reconciliations = slices.DeleteFunc(n.applier.reconciliations, func(x *reconciliation) bool {
		n.queueDueRestores(x)
		isDone := x.ownQueued && x.allQueued && n.reg.TimeSinceLoss(x.lastShared) >= presence.ReconcileTicks*n.reg.Settings().Tick() && !n.queue.hasUnappliedRestores()
		if isDone {
			n.cfg.Logger.Info().Uint64("from", x.lastShared+1).Int("streams", n.reg.Len()).Msg("lost entries restored")
		}
		return isDone
	})
}

// queueDueRestores queues what this node must restore. It starts with its own
// sessions and all ends. After half of the time it adds what is still missing,
// because the nodes of those sessions may be gone. A node that was away for
// longer than maxLossAge leaves that to the others.
func (n *Node) queueDueRestores(x *reconciliation) {
	if n.reg.Rules() < 2 {
		n.queueRulesRestore(x)
		return
	}
	if !x.ownQueued {
		x.ownQueued = true
		n.enqueueRestores(presence.RestoreCommands(x.old, n.reg, x.lastShared, n.cfg.Name, presence.OwnSessions))
	}
	since := n.reg.TimeSinceLoss(x.lastShared)
	if !x.allQueued && 2*since >= presence.ReconcileTicks*n.reg.Settings().Tick() {
		x.allQueued = true
		if since < maxLossAge {
			n.enqueueRestores(presence.RestoreCommands(x.old, n.reg, x.lastShared, n.cfg.Name, presence.AllSessions))
		}
	}
}

// queueAllRestores queues all that is missing when the node leaves, because it
// may be the last one that knows it.
func (n *Node) queueAllRestores() {
	for _, x := range n.applier.reconciliations {
		if !x.allQueued && n.reg.Rules() >= 2 {
			n.enqueueRestores(presence.RestoreCommands(x.old, n.reg, x.lastShared, n.cfg.Name, presence.AllSessions))
		}
	}
}

// queueRulesRestore restores the version of the rules, which the other commands need.
// If the rules were never raised, nothing is restored.
func (n *Node) queueRulesRestore(x *reconciliation) {
	if x.old.Rules() < 2 {
		x.ownQueued, x.allQueued = true, true
	} else if !x.rulesQueued {
		x.rulesQueued = true
		n.enqueueRestores([]presence.Command{&presence.RaiseRules{Rules: x.old.Rules()}})
	}
}

// maxLossAge is the age of a loss, in milliseconds of presence time, up to which
// a node restores the sessions of other nodes.
const maxLossAge = 5 * 60 * 1000

func (n *Node) enqueueRestores(commands []presence.Command) {
	n.metrics.restores.Add(float64(len(commands)))
	n.queue.addRestores(commands)
	n.wakeAppender()
}

// unfreezeViews ends a freeze.
func (n *Node) unfreezeViews() {
	n.frozen.Store(false)
	n.queue.viewers.dropNotLive(n.reg)
	n.queue.likes.dropNotLive(n.reg)
	n.cfg.OnRebuilt(n.reg)
}
