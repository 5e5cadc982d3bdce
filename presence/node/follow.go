package node

import (
	"context"
	"errors"
	"fmt"

	"onair/presence"
)

// runApplier is the one goroutine that changes the registry.
func (n *Node) runApplier(ctx context.Context) error {
	for {
		err := n.followLog(ctx)
		if ctx.Err() != nil || err == nil {
			return nil
		}
		if !n.cfg.Shared || rebuildCause(err) == "" {
			return err
		}
		if err = n.rebuildRegistry(ctx, err); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

// errDiverged is why a node rebuilds whose registry differs from the others'.
var errDiverged = errors.New("node: this registry differs from the other nodes'")

// rebuildCause gives one word for an error after which the registry is to be
// built anew, and none for others.
func rebuildCause(err error) string {
	switch {
	case errors.Is(err, presence.ErrForked):
		return "forked"
	case errors.Is(err, presence.ErrTrimmed):
		return "trimmed"
	case errors.Is(err, errDiverged):
		return "diverged"
	}
	return ""
}

// followLog applies the log's entries as they come.
func (n *Node) followLog(ctx context.Context) error {
	for e, err := range n.log.Tail(ctx, n.reg.LastEntry()) {
		if err != nil {
			return err
		}
		if rules := n.reg.Rules(); rules > n.cfg.maxRules {
			return fmt.Errorf("%w: rules %d, this build knows %d", presence.ErrNewerVersion, rules, n.cfg.maxRules)
		}
		n.mu.Lock()
		a, err := n.reg.Apply(e)
		if err == nil {
			n.log.ConfirmApplied(n.reg, e)
		}
		n.mu.Unlock()
		if err != nil {
			return err
		}
		if err = n.handleApplied(&a); err != nil {
			return err
		}
	}
	return nil
}

// handleApplied passes on what an entry did, and answers those who waited for it.
func (n *Node) handleApplied(a *presence.Applied) error {
	n.metrics.countApplied(a)
	n.metrics.setGauges(n.reg)
	if a.Settings != nil {
		n.isolationTimeout.Store(isolationTimeoutOf(*a.Settings))
	}
	n.reconcile()
	held := n.frozen.Load()
	hold := n.cfg.Shared && (len(n.reconciliations) > 0 || n.reg.IsReconciling())
	if hold && !held {
		n.frozen.Store(true)
		n.cfg.OnFreeze()
	}
	own := a.Node == n.cfg.Name && a.Process == n.process
	done := Applied{Applied: *a, Frozen: held || hold}
	if own && !a.Refused {
		done.ReceivedAt = n.queue.firstReceivedAt(batchID{a.Incarnation, a.Seq})
	}
	n.cfg.OnApplied(done)
	n.queue.dropEnded(a.Changes)
	if held && !hold {
		n.unfreeze()
	}
	if own {
		n.handleOwnBatch(a, done.Frozen)
	} else if a.Node == n.cfg.Name && a.Incarnation > n.queue.currentIncarnation() {
		return ErrSuperseded
	}
	return n.compareDigests(a.Comparison)
}

// handleOwnBatch takes an own batch that has come back.
func (n *Node) handleOwnBatch(a *presence.Applied, frozen bool) {
	b := batchID{a.Incarnation, a.Seq}
	switch {
	case !a.Refused:
		if b.incarnation == n.lastOwnBatch.incarnation && b.seq != n.lastOwnBatch.seq+1 || b.incarnation != n.lastOwnBatch.incarnation && b.seq != 1 {
			n.requeueLost(b)
		}
		n.lastOwnBatch = b
		n.lastOwnApplied.Store(n.now())
		n.queue.completeBatch(a, frozen)
		if n.queue.confirmIncarnation(b.incarnation) {
			n.wakeAppender()
		}
		select {
		case <-n.ready:
		default:
			if !n.frozen.Load() {
				close(n.ready)
			}
		}
	case b.incarnation > n.deadIncarnation.Load() && b.incarnation == n.queue.currentIncarnation() && (b.incarnation > n.lastOwnBatch.incarnation || b.seq > n.lastOwnBatch.seq): // not just a batch that came twice
		n.cfg.Logger.Warn().Msg("the other nodes have declared this one lost")
		n.requestRejoin()
	}
}

// requeueLost says again what was in the own batches before b that are not in the log,
// though it had taken them: it has lost them, before this node read them.
func (n *Node) requeueLost(b batchID) {
	n.cfg.Logger.Warn().Uint64("boot", b.incarnation).Uint64("batch", b.seq).Msg("the log has lost batches of this node, which says it all again")
	n.queue.requeueBefore(b)
	n.resendCounts()
	n.wakeAppender()
}

// resendCounts has all that this node counts go to the log again.
func (n *Node) resendCounts() {
	n.queue.likes.resendAll(nil)
	n.Read(func(r *presence.Registry) { n.queue.viewers.resendAll(r.ViewedSessions(n.cfg.Name, n.process)) })
}

// requestRejoin has the node join under another boot.
func (n *Node) requestRejoin() {
	n.deadIncarnation.Store(n.queue.currentIncarnation())
	for _, h := range n.reconciliations {
		h.ownQueued, h.allQueued, h.rulesQueued = false, false, false // what was on its way may be refused
	}
	n.wakeAppender()
}

// compareDigests compares a peer's digest with this registry's. Of nodes that differ the
// majority is right; of as many on either side, those with the keeper.
func (n *Node) compareDigests(c *presence.DigestComparison) error {
	if c == nil || c.Node == n.cfg.Name {
		return nil
	}
	n.digestMatches[c.Node] = c.PeerSum == c.OwnSum
	if c.PeerSum == c.OwnSum {
		return nil
	}
	n.metrics.mismatches.Inc()
	n.cfg.Logger.Error().Str("node", c.Node).Stringer("position", c.Position).
		Str("its_digest", fmt.Sprintf("%016x", c.PeerSum)).Str("own_digest", fmt.Sprintf("%016x", c.OwnSum)).
		Msg("the registries of two nodes differ")
	with, against := 1, 0
	for node, same := range n.digestMatches {
		switch {
		case !n.reg.IsAlive(node):
			delete(n.digestMatches, node)
		case same:
			with++
		default:
			against++
		}
	}
	same, said := n.digestMatches[n.reg.Leader()]
	if n.cfg.Shared && (against > with || against == with && said && !same) {
		return errDiverged
	}
	return nil
}
