package node

import (
	"context"
	"slices"
	"time"

	"onair/presence"
)

// reconciliation is what a node does after the log has lost entries that it had
// applied: it puts back what it knows, and its views stand still meanwhile.
type reconciliation struct {
	old         *presence.Registry // as it was before
	lastShared  uint64             // the last entry that both histories have
	ownQueued   bool               // what this node is to put back itself has been queued
	allQueued   bool               // so has what nobody else did
	rulesQueued bool               // so have the rules by which others can read it
}

// loadRegistry gives the node the list as it is in the log, for the first time.
func (n *Node) loadRegistry(ctx context.Context) error {
	for {
		r, head, err := n.log.Load(ctx, nil)
		if err != nil {
			return err
		}
		n.reg = r
		n.cfg.OnRebuilt(r)
		_, err = n.replayTo(ctx, r, head, func(a *presence.Applied) { n.cfg.OnApplied(Applied{Applied: *a, Replayed: true}) })
		switch {
		case err == nil:
			n.isolationTimeout.Store(isolationTimeoutOf(r.Settings()))
			n.metrics.resetStreams(r)
			if n.cfg.Shared && r.IsReconciling() {
				n.frozen.Store(true)
				n.cfg.OnFreeze()
			}
			return nil
		case rebuildCause(err) == "":
			return err
		}
	}
}

// replayTo brings a registry up to the entry of a number. It returns the own
// batches among what it applied.
func (n *Node) replayTo(ctx context.Context, r *presence.Registry, head uint64, each func(*presence.Applied)) (own []presence.Applied, err error) {
	if r.LastNum() >= head {
		return nil, nil
	}
	for e, err := range n.log.Tail(ctx, r.LastEntry()) {
		if err != nil {
			return nil, err
		}
		a, err := r.Apply(e)
		if err != nil {
			return nil, err
		}
		n.log.ConfirmApplied(r, e)
		if a.Node == n.cfg.Name && a.Process == n.process && !a.Refused {
			own = append(own, a)
		}
		each(&a)
		if r.LastNum() >= head {
			return own, nil
		}
	}
	return nil, ctx.Err()
}

// rebuildRegistry replaces the registry by one that is built from the log anew. Until
// that is done, the old one is served.
func (n *Node) rebuildRegistry(ctx context.Context, cause error) error {
	began, old := time.Now(), n.reg
	if rebuildCause(cause) == "forked" {
		n.frozen.Store(true)
		n.cfg.OnFreeze()
	}
	r, own, err := n.reloadRegistry(ctx, old)
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.reg = r
	n.mu.Unlock()
	shared := presence.LastSharedEntry(old, r)
	for _, h := range n.reconciliations { // of losses that this one came upon
		h.lastShared = presence.LastSharedEntry(h.old, r)
	}
	if shared < old.LastNum() && rebuildCause(cause) != "diverged" {
		// What was known last goes first: what it names is not undone by older news.
		n.reconciliations = slices.Insert(n.reconciliations, 0, &reconciliation{old: old, lastShared: shared})
	}
	n.metrics.countRebuild(rebuildCause(cause), r)
	clear(n.digestMatches)
	n.cfg.Logger.Warn().Err(cause).Uint64("lost", old.LastNum()-shared).Uint64("from", shared+1).
		Int("streams", r.Len()).Int("streams_before", old.Len()).Dur("took_ms", time.Since(began)).
		Msg("the list was rebuilt from the log")
	for i := range own {
		n.queue.completeBatch(&own[i], true)
	}
	n.requestRejoin()
	n.reconcile()
	if hold := len(n.reconciliations) > 0 || r.IsReconciling(); !hold {
		n.unfreeze()
	} else if !n.frozen.Load() {
		n.frozen.Store(true)
		n.cfg.OnFreeze()
	}
	return nil
}

// reloadRegistry loads and replays, as often as it takes.
func (n *Node) reloadRegistry(ctx context.Context, old *presence.Registry) (*presence.Registry, []presence.Applied, error) {
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		r, head, err := n.log.Load(ctx, old)
		if err != nil {
			return nil, nil, err
		}
		own, err := n.replayTo(ctx, r, head, func(*presence.Applied) {})
		if err == nil || rebuildCause(err) == "" {
			return r, own, err
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// reconcile puts back what is to be put back by now, and forgets the losses that are
// made good.
func (n *Node) reconcile() {
	n.reconciliations = slices.DeleteFunc(n.reconciliations, func(h *reconciliation) bool {
		n.queueRestores(h)
		healed := h.ownQueued && h.allQueued && n.reg.TimeSinceLoss(h.lastShared) >= presence.ReconcileTicks*n.reg.Settings().Tick() && !n.queue.hasRestores()
		if healed {
			n.cfg.Logger.Info().Uint64("from", h.lastShared+1).Int("streams", n.reg.Len()).Msg("what the log had lost was put back")
		}
		return healed
	})
}

// queueRestores queues what this node has to put back: at once what it heard itself,
// and every end; after half of the time what is missing still, since the nodes
// that heard it may be gone as well. A node that was away for so long that the
// others have done so leaves that to them.
func (n *Node) queueRestores(h *reconciliation) {
	if n.reg.Rules() < 2 {
		n.restoreRules(h)
		return
	}
	if !h.ownQueued {
		h.ownQueued = true
		n.enqueueRestores(presence.RestoreCommands(h.old, n.reg, h.lastShared, n.cfg.Name, presence.OwnSessions))
	}
	since := n.reg.TimeSinceLoss(h.lastShared)
	if !h.allQueued && 2*since >= presence.ReconcileTicks*n.reg.Settings().Tick() {
		h.allQueued = true
		if since < maxLossAge {
			n.enqueueRestores(presence.RestoreCommands(h.old, n.reg, h.lastShared, n.cfg.Name, presence.AllSessions))
		}
	}
}

// queueAllRestores puts back what the node still has to when it leaves, since it may be
// the last that knows.
func (n *Node) queueAllRestores() {
	for _, h := range n.reconciliations {
		if !h.allQueued && n.reg.Rules() >= 2 {
			n.enqueueRestores(presence.RestoreCommands(h.old, n.reg, h.lastShared, n.cfg.Name, presence.AllSessions))
		}
	}
}

// restoreRules puts back that the rules were raised: without it nobody could read
// the rest. Where they never were, nothing is put back.
func (n *Node) restoreRules(h *reconciliation) {
	if h.old.Rules() < 2 {
		h.ownQueued, h.allQueued = true, true
	} else if !h.rulesQueued {
		h.rulesQueued = true
		n.enqueueRestores([]presence.Command{&presence.RaiseRules{Rules: h.old.Rules()}})
	}
}

// maxLossAge is how old a loss may be, in milliseconds of presence time, for
// a node to put back sessions that it did not hear itself.
const maxLossAge = 5 * 60 * 1000

func (n *Node) enqueueRestores(commands []presence.Command) {
	n.metrics.restores.Add(float64(len(commands)))
	n.queue.addRestores(commands)
	n.wakeAppender()
}

// unfreeze ends a hold.
func (n *Node) unfreeze() {
	n.frozen.Store(false)
	n.queue.viewers.dropNotLive(n.reg)
	n.queue.likes.dropNotLive(n.reg)
	n.cfg.OnRebuilt(n.reg)
}
