package node

import (
	"context"
	"errors"
	"time"

	"onair/presence"
)

// append gathers and appends, one batch at a time: at each tick, and in between
// whatever somebody waits for. It returns an error when the node cannot join
// the log again.
func (n *Node) append(ctx context.Context) error {
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
		if n.over.Load() >= n.boot {
			if err := n.rejoin(ctx); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return err
			}
		}
		counts = counts || ticked
		b := n.batch(counts)
		if ticked {
			now := n.now()
			digest, raise := now-digested >= digestEvery, raised == 0 || now-raised >= askEvery
			if digest {
				digested = now
			}
			next, raises := n.tick(b, digest, raise)
			if raises {
				raised = now
			}
			tick.Reset(next)
			if n.unwritable.Load() != 0 && now-asked >= askEvery {
				asked = now
				n.out.tell(&presence.SetSettings{Settings: n.cfg.Settings}) // durable, and changes nothing
			}
		}
		if !n.commit(ctx, b) {
			continue
		}
		counts = false
		if n.out.waits(n.cfg.Batch) {
			n.poke() // more than one batch takes
		}
	}
}

// askEvery is how often what the log did not take is tried again, in
// milliseconds.
const askEvery = 5_000

// digestEvery is how often a node says its digest, in milliseconds.
const digestEvery = 60_000

// batch makes a batch of what waits.
func (n *Node) batch(counts bool) *presence.Batch {
	b := &presence.Batch{Node: n.cfg.Name, Origin: n.origin, Knows: n.cfg.knows}
	if counts {
		n.Read(func(r *presence.Registry) { n.out.count(r, b) })
	}
	n.out.take(b, n.now(), n.cfg.Batch, n.lacks)
	return b
}

// lacks reports whether what a command would put back is missing still.
func (n *Node) lacks(c presence.Command) (lacks bool) {
	n.Read(func(r *presence.Registry) { lacks = r.CanRestore(c) })
	return lacks
}

// rejoin begins another boot, under which all that this node has counted is
// said again.
func (n *Node) rejoin(ctx context.Context) error {
	var known uint64
	n.Read(func(r *presence.Registry) { known = r.Incarnation(n.cfg.Name) })
	if n.failing.CompareAndSwap(0, max(1, n.now())) { // the log may be away: who asks is not to wait for it
		defer n.failing.Store(0)
	}
	boot, err := n.log.Join(ctx, n.cfg.Name, max(n.boot, known))
	if err != nil {
		return err
	}
	n.boot, n.unsaid = boot, nil
	n.out.join(boot)
	n.recount()
	n.cfg.Logger.Info().Uint64("boot", boot).Msg("this node joins the log again")
	return nil
}

// tick returns how long it is to the next one. Once in a while it adds to the
// batch what the nodes need to know of each other: a raise of the rules is
// durable, and a disk that takes nothing must not keep back every tick's beats.
func (n *Node) tick(b *presence.Batch, digest, raise bool) (next time.Duration, raises bool) {
	n.Read(func(r *presence.Registry) {
		next = time.Duration(r.Settings().Tick()) * time.Millisecond
		if digest {
			b.Digest = &presence.Digest{At: r.Position(), Sum: r.Digest()}
		}
		known := min(r.KnownRules(), n.cfg.knows)
		if raises = raise && known > r.Rules() && r.Keeper() == n.cfg.Name; raises {
			b.Commands = append(b.Commands, &presence.RaiseRules{Rules: known})
		}
	})
	return next, raises
}

// commit appends one batch until its fate is known; it reports whether the
// batch is in the log. It gives up when the node is to join again.
func (n *Node) commit(ctx context.Context, b *presence.Batch) bool {
	sealed := b.Seal()
	doubt := false // an earlier try may have been ordered, and be lost since
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := n.log.Append(ctx, sealed)
		switch {
		case err == nil:
			if since := n.failing.Swap(0); since != 0 {
				n.cfg.Logger.Info().Int64("after_ms", n.now()-since).Msg("the log takes batches again")
			}
			if sealed.Durable {
				n.unwritable.Store(0)
			}
			return true
		case ctx.Err() != nil:
			n.unsaid = &sealed
			return false
		}
		first := n.failing.CompareAndSwap(0, max(1, n.now()))
		if errors.Is(err, presence.ErrNotWritten) && !doubt {
			if sealed.Durable {
				n.unwritable.CompareAndSwap(0, time.Now().UnixMilli())
			}
			if first {
				n.cfg.Logger.Error().Err(err).Int("commands", len(b.Commands)).Msg("nothing was written to the log")
			}
			if n.out.notWritten(b, n.now()) {
				n.poke() // the rest needs no disk
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
			n.unsaid = &sealed
			return false
		case <-time.After(wait):
		}
		if n.over.Load() >= n.boot {
			n.poke()
			return false
		}
	}
}

func (n *Node) poke() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}
