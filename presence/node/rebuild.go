package node

import (
	"context"
	"slices"
	"time"

	"onair/presence"
)

// healing is what a node does after the log has lost entries that it had
// applied: it puts back what it knows, and its views stand still meanwhile.
type healing struct {
	old    *presence.Registry // as it was before
	shared uint64             // the last entry that both histories have
	own    bool               // what this node is to put back itself has been queued
	all    bool               // so has what nobody else did
	raised bool               // so have the rules by which others can read it
}

// load gives the node the list as it is in the log, for the first time.
func (n *Node) load(ctx context.Context) error {
	for {
		r, head, err := n.log.Load(ctx, nil)
		if err != nil {
			return err
		}
		n.reg = r
		n.cfg.OnRebuilt(r)
		_, err = n.replay(ctx, r, head, func(a *presence.Applied) { n.cfg.OnApplied(Applied{Applied: *a, Replayed: true}) })
		switch {
		case err == nil:
			n.patience.Store(patience(r.Settings()))
			n.metrics.recount(r)
			if n.cfg.Shared && r.Young() {
				n.holding.Store(true)
				n.cfg.OnFreeze()
			}
			return nil
		case rebuildCause(err) == "":
			return err
		}
	}
}

// replay brings a registry up to the entry of a number. It returns the own
// batches among what it applied.
func (n *Node) replay(ctx context.Context, r *presence.Registry, head uint64, each func(*presence.Applied)) (own []presence.Applied, err error) {
	if r.Num() >= head {
		return nil, nil
	}
	for e, err := range n.log.Tail(ctx, r.Last()) {
		if err != nil {
			return nil, err
		}
		a, err := r.Apply(e)
		if err != nil {
			return nil, err
		}
		n.log.Applied(r, e)
		if a.Node == n.cfg.Name && a.Origin == n.origin && !a.Refused {
			own = append(own, a)
		}
		each(&a)
		if r.Num() >= head {
			return own, nil
		}
	}
	return nil, ctx.Err()
}

// rebuild replaces the registry by one that is built from the log anew. Until
// that is done, the old one is served.
func (n *Node) rebuild(ctx context.Context, cause error) error {
	began, old := time.Now(), n.reg
	if rebuildCause(cause) == "forked" {
		n.holding.Store(true)
		n.cfg.OnFreeze()
	}
	r, own, err := n.reload(ctx, old)
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.reg = r
	n.mu.Unlock()
	shared := presence.LastSharedEntry(old, r)
	for _, h := range n.healing { // of losses that this one came upon
		h.shared = presence.LastSharedEntry(h.old, r)
	}
	if shared < old.Num() && rebuildCause(cause) != "diverged" {
		// What was known last goes first: what it names is not undone by older news.
		n.healing = slices.Insert(n.healing, 0, &healing{old: old, shared: shared})
	}
	n.metrics.rebuilt(rebuildCause(cause), r)
	clear(n.verdicts)
	n.cfg.Logger.Warn().Err(cause).Uint64("lost", old.Num()-shared).Uint64("from", shared+1).
		Int("streams", r.Len()).Int("streams_before", old.Len()).Dur("took_ms", time.Since(began)).
		Msg("the list was rebuilt from the log")
	for i := range own {
		n.out.answer(&own[i], true)
	}
	n.joinAgain()
	n.heal()
	if hold := len(n.healing) > 0 || r.Young(); !hold {
		n.release()
	} else if !n.holding.Load() {
		n.holding.Store(true)
		n.cfg.OnFreeze()
	}
	return nil
}

// reload loads and replays, as often as it takes.
func (n *Node) reload(ctx context.Context, old *presence.Registry) (*presence.Registry, []presence.Applied, error) {
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		r, head, err := n.log.Load(ctx, old)
		if err != nil {
			return nil, nil, err
		}
		own, err := n.replay(ctx, r, head, func(*presence.Applied) {})
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

// heal puts back what is to be put back by now, and forgets the losses that are
// made good.
func (n *Node) heal() {
	n.healing = slices.DeleteFunc(n.healing, func(h *healing) bool {
		n.putBack(h)
		healed := h.own && h.all && n.reg.TimeSinceLoss(h.shared) >= presence.ReconcileTicks*n.reg.Settings().Tick() && !n.out.mending()
		if healed {
			n.cfg.Logger.Info().Uint64("from", h.shared+1).Int("streams", n.reg.Len()).Msg("what the log had lost was put back")
		}
		return healed
	})
}

// putBack queues what this node has to put back: at once what it heard itself,
// and every end; after half of the time what is missing still, since the nodes
// that heard it may be gone as well. A node that was away for so long that the
// others have done so leaves that to them.
func (n *Node) putBack(h *healing) {
	if n.reg.Rules() < 2 {
		n.raiseAgain(h)
		return
	}
	if !h.own {
		h.own = true
		n.mend(presence.RestoreCommands(h.old, n.reg, h.shared, n.cfg.Name, presence.OwnSessions))
	}
	since := n.reg.TimeSinceLoss(h.shared)
	if !h.all && 2*since >= presence.ReconcileTicks*n.reg.Settings().Tick() {
		h.all = true
		if since < othersWithin {
			n.mend(presence.RestoreCommands(h.old, n.reg, h.shared, n.cfg.Name, presence.AllSessions))
		}
	}
}

// handOver puts back what the node still has to when it leaves, since it may be
// the last that knows.
func (n *Node) handOver() {
	for _, h := range n.healing {
		if !h.all && n.reg.Rules() >= 2 {
			n.mend(presence.RestoreCommands(h.old, n.reg, h.shared, n.cfg.Name, presence.AllSessions))
		}
	}
}

// raiseAgain puts back that the rules were raised: without it nobody could read
// the rest. Where they never were, nothing is put back.
func (n *Node) raiseAgain(h *healing) {
	if h.old.Rules() < 2 {
		h.own, h.all = true, true
	} else if !h.raised {
		h.raised = true
		n.mend([]presence.Command{&presence.RaiseRules{Rules: h.old.Rules()}})
	}
}

// othersWithin is how old a loss may be, in milliseconds of presence time, for
// a node to put back sessions that it did not hear itself.
const othersWithin = 5 * 60 * 1000

func (n *Node) mend(commands []presence.Command) {
	n.metrics.mended.Add(float64(len(commands)))
	n.out.mend(commands)
	n.poke()
}

// release ends a hold.
func (n *Node) release() {
	n.holding.Store(false)
	n.out.viewers.keep(n.reg)
	n.out.likes.keep(n.reg)
	n.cfg.OnRebuilt(n.reg)
}
