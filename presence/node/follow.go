package node

import (
	"context"
	"errors"
	"fmt"

	"onair/presence"
)

// runApplier is the goroutine that changes the registry.
func (n *Node) runApplier(ctx context.Context) error {
	for {
		err := n.applyLogEntries(ctx)
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

// errDiverged is returned when this node's registry differs from those of the
// other nodes.
var errDiverged = errors.New("node: registry differs from those of the other nodes")

// rebuildCause is the metric causeOrEmpty of an error after which the registry must be
// rebuilt, and empty for other errors.
func rebuildCause(err error) (causeOrEmpty string) {
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

// applyLogEntries applies the log's entries as they come.
func (n *Node) applyLogEntries(ctx context.Context) error {
	for e, err := range n.log.Tail(ctx, n.reg.LastEntry()) {
		if err != nil {
			return err
		}
		if rules := n.reg.Rules(); rules > n.cfg.maxRules {
			return fmt.Errorf("%w: rules %d, this build has %d", presence.ErrNewerVersion, rules, n.cfg.maxRules)
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

// handleApplied passes on what an entry did, and answers its commands.
func (n *Node) handleApplied(a *presence.Applied) error {
	n.metrics.countApplied(a)
	n.metrics.setGauges(n.reg)
	if a.Settings != nil {
		n.connection.isolationTimeout.Store(isolationTimeoutOf(*a.Settings))
	}
	n.advanceReconciliations()
	wasFrozen := n.frozen.Load()
	isFrozen := n.cfg.Shared && (len(n.applier.reconciliations) > 0 || n.reg.IsReconciling())
	if isFrozen && !wasFrozen {
		n.frozen.Store(true)
		n.cfg.OnFreeze()
	}
	isOwn := a.Node == n.cfg.Name && a.Process == n.process
	applied := Applied{Applied: *a, Frozen: wasFrozen || isFrozen}
	if isOwn && !a.Refused {
		applied.ReceivedAt = n.queue.firstReceivedAt(batchID{a.Incarnation, a.Seq})
	}
	n.cfg.OnApplied(applied)
	if !applied.Frozen { // an end may be undone; unfreeze drops the others
		n.queue.dropEndedCounts(a.Changes)
	}
	if wasFrozen && !isFrozen {
		n.unfreezeViews()
	}
	if isOwn {
		n.handleOwnBatch(a, applied.Frozen)
	} else if a.Node == n.cfg.Name && a.Incarnation > n.queue.currentIncarnation() {
		return ErrSuperseded
	}
	return n.checkDigestMajority(a.Comparison)
}

// handleOwnBatch handles an own batch that the log has returned.
func (n *Node) handleOwnBatch(a *presence.Applied, isFrozen bool) {
	b := batchID{a.Incarnation, a.Seq}
	switch {
	case !a.Refused:
		if last := n.applier.lastOwnBatch; b.incarnation == last.incarnation && b.seq != last.seq+1 || b.incarnation != last.incarnation && b.seq != 1 {
			n.requeueLostBefore(b)
		}
		n.applier.lastOwnBatch = b
		n.connection.lastOwnApplied.Store(n.uptime())
		n.queue.completeBatch(a, isFrozen)
		if n.queue.confirmIncarnationAndRequeue(b.incarnation) {
			n.wakeAppender()
		}
		select {
		case <-n.ready:
		default:
			if !n.frozen.Load() {
				close(n.ready)
			}
		}
	case b.incarnation > n.deadIncarnation.Load() && b.incarnation == n.queue.currentIncarnation() && b.compare(n.applier.lastOwnBatch) > 0: // not a repeated batch
		n.cfg.Logger.Warn().Msg("node was declared lost, rejoining")
		n.requestRejoin()
	}
}

// requeueLostBefore queues the commands of earlier own batches again, because the log
// accepted them and then lost them.
func (n *Node) requeueLostBefore(b batchID) {
	n.cfg.Logger.Warn().Uint64("incarnation", b.incarnation).Uint64("seq", b.seq).Msg("log lost batches of this node, requeueing")
	n.queue.requeueBefore(b)
	n.resendCounts()
	n.wakeAppender()
}

// resendCounts queues all viewer counts and likes again.
func (n *Node) resendCounts() {
	n.queue.likes.requeueAll(nil)
	n.Read(func(r *presence.Registry) { n.queue.viewers.requeueAll(r.ViewedSessions(n.cfg.Name, n.process)) })
}

// requestRejoin makes the appender rejoin under another incarnation.
func (n *Node) requestRejoin() {
	n.deadIncarnation.Store(n.queue.currentIncarnation())
	for _, h := range n.applier.reconciliations {
		h.ownQueued, h.allQueued, h.rulesQueued = false, false, false // commands in flight may be refused
	}
	n.wakeAppender()
}

// checkDigestMajority evaluates a peer's digest. Where registries differ the majority
// of nodes is right, and in a tie those that agree with the leader.
func (n *Node) checkDigestMajority(c *presence.DigestComparison) error {
	if c == nil || c.Node == n.cfg.Name {
		return nil
	}
	n.applier.digestMatches[c.Node] = c.PeerSum == c.OwnSum
	if c.PeerSum == c.OwnSum {
		return nil
	}
	n.metrics.mismatches.Inc()
	n.cfg.Logger.Error().Str("node", c.Node).Stringer("position", c.Position).
		Str("peer_digest", fmt.Sprintf("%016x", c.PeerSum)).Str("own_digest", fmt.Sprintf("%016x", c.OwnSum)).
		Msg("registry digests differ")
	agreeing, differing := 1, 0
	for node, isEqual := range n.applier.digestMatches {
		switch {
		case !n.reg.IsAlive(node):
			delete(n.applier.digestMatches, node)
		case isEqual:
			agreeing++
		default:
			differing++
		}
	}
	isEqual, isKnown := n.applier.digestMatches[n.reg.Leader()]
	if n.cfg.Shared && (differing > agreeing || differing == agreeing && isKnown && !isEqual) {
		return errDiverged
	}
	return nil
}
