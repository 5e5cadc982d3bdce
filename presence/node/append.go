package node

import (
	"context"
	"errors"
	"time"

	"onair/presence"
)

// runAppender appends one batch at a time: at each tick, and between ticks when
// a command waits. It returns an error when the node cannot rejoin the log.
func (n *Node) runAppender(ctx context.Context) error {
	tick := time.NewTimer(0)
	defer tick.Stop()
	var lastDigest, lastProbe, lastRaise int64
	var withCounts bool
	for {
		var ticked bool
		select {
		case <-ctx.Done():
			return nil
		case <-n.wake:
		case <-tick.C:
			ticked = true
		}
		if n.deadIncarnation.Load() >= n.appender.incarnation {
			if err := n.rejoinAndResendCounts(ctx); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return err
			}
		}
		withCounts = withCounts || ticked
		b := n.newBatch(withCounts)
		if ticked {
			now := n.uptime()
			if now-lastDigest >= digestInterval {
				lastDigest = now
				n.addDigest(b)
			}
			if (lastRaise == 0 || now-lastRaise >= retryInterval) && n.addRulesRaise(b) {
				lastRaise = now
			}
			tick.Reset(n.tickInterval())
			if n.connection.unwritableSince.Load() != 0 && now-lastProbe >= retryInterval {
				lastProbe = now
				n.queue.addUnawaited(&presence.SetSettings{Settings: n.cfg.Settings}) // durable, and without effect
			}
		}
		if !n.appendOrRequeueBatch(ctx, b) {
			continue
		}
		withCounts = false
		if n.queue.needsBatchNow(n.cfg.BatchBytes) {
			n.wakeAppender() // more than fits into one batch
		}
	}
}

// retryInterval is how often a refused durable append or raise of the rules is
// tried again, in milliseconds.
const retryInterval = 5_000

// digestInterval is how often a node appends its digest, in milliseconds.
const digestInterval = 60_000

// newBatch makes a batch of what is queued.
func (n *Node) newBatch(hasCounts bool) *presence.Batch {
	b := &presence.Batch{Node: n.cfg.Name, Process: n.process, MaxRules: n.cfg.maxRules}
	if hasCounts {
		n.Read(func(r *presence.Registry) { n.queue.addChangedCounts(b, r, n.frozen.Load()) })
	}
	n.queue.fillBatch(b, n.uptime(), n.cfg.BatchBytes, n.needsRestore)
	return b
}

// needsRestore reports whether a command would still restore something.
func (n *Node) needsRestore(c presence.Command) (isMissing bool) {
	n.Read(func(r *presence.Registry) { isMissing = r.NeedsRestore(c) })
	return isMissing
}

// rejoinAndResendCounts starts another incarnation, and queues all counts again.
func (n *Node) rejoinAndResendCounts(ctx context.Context) error {
	var known uint64
	n.Read(func(r *presence.Registry) { known = r.Incarnation(n.cfg.Name) })
	if n.connection.failingSince.CompareAndSwap(0, max(1, n.uptime())) { // the log may be unreachable: Do must not wait for it
		defer n.connection.failingSince.Store(0)
	}
	incarnation, err := n.log.Join(ctx, n.cfg.Name, max(n.appender.incarnation, known))
	if err != nil {
		return err
	}
	n.appender.incarnation, n.appender.undecided = incarnation, nil
	n.queue.startUnconfirmedIncarnation(incarnation)
	n.resendCounts()
	n.cfg.Logger.Info().Uint64("incarnation", incarnation).Msg("node rejoined log")
	return nil
}

// addDigest adds the registry's digest to a batch.
func (n *Node) addDigest(b *presence.Batch) {
	n.Read(func(r *presence.Registry) { b.Digest = &presence.Digest{Position: r.Position(), Sum: r.Digest()} })
}

// addRulesRaise adds a raise of the rules to a batch, if this node is the leader
// and all living nodes have a higher version. The raise is durable, so it is
// tried rarely: while the disk is full a durable batch would delay each tick's
// beats.
func (n *Node) addRulesRaise(b *presence.Batch) (isAdded bool) {
	n.Read(func(r *presence.Registry) {
		rules := min(r.CommonMaxRules(), n.cfg.maxRules)
		if isAdded = rules > r.Rules() && r.Leader() == n.cfg.Name; isAdded {
			b.Commands = append(b.Commands, &presence.RaiseRules{Rules: rules})
		}
	})
	return isAdded
}

// tickInterval is the time between two ticks.
func (n *Node) tickInterval() (interval time.Duration) {
	n.Read(func(r *presence.Registry) { interval = time.Duration(r.Settings().Tick()) * time.Millisecond })
	return interval
}

// appendOrRequeueBatch appends a batch and retries until its fate is known. It reports
// whether the batch is in the log. It stops when the node must rejoin.
func (n *Node) appendOrRequeueBatch(ctx context.Context, b *presence.Batch) (isAppended bool) {
	sealed := b.Seal()
	mayBeOrdered := false // by an earlier attempt; the log may have lost it since
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := n.log.Append(ctx, sealed)
		switch {
		case err == nil:
			if since := n.connection.failingSince.Swap(0); since != 0 {
				n.cfg.Logger.Info().Int64("after_ms", n.uptime()-since).Msg("log appends recovered")
			}
			if sealed.Durable {
				n.connection.unwritableSince.Store(0)
			}
			return true
		case ctx.Err() != nil:
			n.appender.undecided = &sealed
			return false
		}
		isFirst := n.connection.failingSince.CompareAndSwap(0, max(1, n.uptime()))
		if errors.Is(err, presence.ErrNotWritten) && !mayBeOrdered {
			if sealed.Durable {
				n.connection.unwritableSince.CompareAndSwap(0, time.Now().UnixMilli())
			}
			if isFirst {
				n.cfg.Logger.Error().Err(err).Int("commands", len(b.Commands)).Msg("batch not written to log")
			}
			if n.queue.refuseDurableRequeueOthers(b, n.uptime()) {
				n.wakeAppender() // the other commands need no disk
			}
			return false
		}
		mayBeOrdered = true
		n.metrics.retries.Inc()
		if isFirst {
			n.cfg.Logger.Warn().Err(err).Msg("append failed, retrying")
		}
		select {
		case <-ctx.Done():
			n.appender.undecided = &sealed
			return false
		case <-time.After(wait):
		}
		if n.deadIncarnation.Load() >= n.appender.incarnation {
			n.wakeAppender()
			return false
		}
	}
}

// wakeAppender makes runAppender append before the next tick.
func (n *Node) wakeAppender() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}
