package node

import (
	"context"
	"errors"
	"time"

	"onair/presence"
)

// runAppender gathers and appends, one batch at a time: at each tick, and in between
// whatever somebody waits for. It returns an error when the node cannot join
// the log again.
func (n *Node) runAppender(ctx context.Context) error {
	tick := time.NewTimer(0)
	defer tick.Stop()
	var digested, asked, raised int64
	var counts bool // are due
	for {
		var ticked bool
		select {
		case <-ctx.Done():
			return nil
		case <-n.wake:
		case <-tick.C:
			ticked = true
		}
		if n.deadIncarnation.Load() >= n.incarnation {
			if err := n.rejoin(ctx); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return err
			}
		}
		counts = counts || ticked
		b := n.newBatch(counts)
		if ticked {
			now := n.now()
			digest, raise := now-digested >= digestInterval, raised == 0 || now-raised >= retryInterval
			if digest {
				digested = now
			}
			next, raises := n.addTickParts(b, digest, raise)
			if raises {
				raised = now
			}
			tick.Reset(next)
			if n.unwritableSince.Load() != 0 && now-asked >= retryInterval {
				asked = now
				n.queue.addUnawaited(&presence.SetSettings{Settings: n.cfg.Settings}) // durable, and changes nothing
			}
		}
		if !n.appendBatch(ctx, b) {
			continue
		}
		counts = false
		if n.queue.hasMore(n.cfg.BatchBytes) {
			n.wakeAppender() // more than one batch takes
		}
	}
}

// retryInterval is how often what the log did not take is tried again, in
// milliseconds.
const retryInterval = 5_000

// digestInterval is how often a node says its digest, in milliseconds.
const digestInterval = 60_000

// newBatch makes a batch of what waits.
func (n *Node) newBatch(counts bool) *presence.Batch {
	b := &presence.Batch{Node: n.cfg.Name, Process: n.process, MaxRules: n.cfg.maxRules}
	if counts {
		n.Read(func(r *presence.Registry) { n.queue.takeCounts(r, b) })
	}
	n.queue.fillBatch(b, n.now(), n.cfg.BatchBytes, n.canRestore)
	return b
}

// canRestore reports whether what a command would put back is missing still.
func (n *Node) canRestore(c presence.Command) (lacks bool) {
	n.Read(func(r *presence.Registry) { lacks = r.CanRestore(c) })
	return lacks
}

// rejoin begins another boot, under which all that this node has counted is
// said again.
func (n *Node) rejoin(ctx context.Context) error {
	var known uint64
	n.Read(func(r *presence.Registry) { known = r.Incarnation(n.cfg.Name) })
	if n.failingSince.CompareAndSwap(0, max(1, n.now())) { // the log may be away: who asks is not to wait for it
		defer n.failingSince.Store(0)
	}
	boot, err := n.log.Join(ctx, n.cfg.Name, max(n.incarnation, known))
	if err != nil {
		return err
	}
	n.incarnation, n.undecided = boot, nil
	n.queue.startIncarnation(boot)
	n.resendCounts()
	n.cfg.Logger.Info().Uint64("boot", boot).Msg("this node joins the log again")
	return nil
}

// addTickParts returns how long it is to the next one. Once in a while it adds to the
// batch what the nodes need to know of each other: a raise of the rules is
// durable, and a disk that takes nothing must not keep back every tick's beats.
func (n *Node) addTickParts(b *presence.Batch, digest, raise bool) (next time.Duration, raises bool) {
	n.Read(func(r *presence.Registry) {
		next = time.Duration(r.Settings().Tick()) * time.Millisecond
		if digest {
			b.Digest = &presence.Digest{Position: r.Position(), Sum: r.Digest()}
		}
		known := min(r.CommonRules(), n.cfg.maxRules)
		if raises = raise && known > r.Rules() && r.Leader() == n.cfg.Name; raises {
			b.Commands = append(b.Commands, &presence.RaiseRules{Rules: known})
		}
	})
	return next, raises
}

// appendBatch appends one batch until its fate is known; it reports whether the
// batch is in the log. It gives up when the node is to join again.
func (n *Node) appendBatch(ctx context.Context, b *presence.Batch) bool {
	sealed := b.Seal()
	doubt := false // an earlier try may have been ordered, and be lost since
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := n.log.Append(ctx, sealed)
		switch {
		case err == nil:
			if since := n.failingSince.Swap(0); since != 0 {
				n.cfg.Logger.Info().Int64("after_ms", n.now()-since).Msg("the log takes batches again")
			}
			if sealed.Durable {
				n.unwritableSince.Store(0)
			}
			return true
		case ctx.Err() != nil:
			n.undecided = &sealed
			return false
		}
		first := n.failingSince.CompareAndSwap(0, max(1, n.now()))
		if errors.Is(err, presence.ErrNotWritten) && !doubt {
			if sealed.Durable {
				n.unwritableSince.CompareAndSwap(0, time.Now().UnixMilli())
			}
			if first {
				n.cfg.Logger.Error().Err(err).Int("commands", len(b.Commands)).Msg("nothing was written to the log")
			}
			if n.queue.requeueUnwritten(b, n.now()) {
				n.wakeAppender() // the rest needs no disk
			}
			return false
		}
		doubt = true
		n.metrics.retries.Inc()
		if first {
			n.cfg.Logger.Warn().Err(err).Msg("append failed, trying again until it is known what became of it")
		}
		select {
		case <-ctx.Done():
			n.undecided = &sealed
			return false
		case <-time.After(wait):
		}
		if n.deadIncarnation.Load() >= n.incarnation {
			n.wakeAppender()
			return false
		}
	}
}

func (n *Node) wakeAppender() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}
