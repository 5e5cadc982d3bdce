package node

import (
	"context"
	"errors"
	"fmt"

	"onair/presence"
)

// apply is the one goroutine that changes the registry.
func (n *Node) apply(ctx context.Context) error {
	for {
		err := n.follow(ctx)
		if ctx.Err() != nil || err == nil {
			return nil
		}
		if !n.cfg.Shared || rebuildCause(err) == "" {
			return err
		}
		if err = n.rebuild(ctx, err); err != nil {
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

// follow applies the log's entries as they come.
func (n *Node) follow(ctx context.Context) error {
	for e, err := range n.log.Tail(ctx, n.reg.Last()) {
		if err != nil {
			return err
		}
		if rules := n.reg.Rules(); rules > n.cfg.knows {
			return fmt.Errorf("%w: rules %d, this build knows %d", presence.ErrRules, rules, n.cfg.knows)
		}
		n.mu.Lock()
		a, err := n.reg.Apply(e)
		if err == nil {
			n.log.Applied(n.reg, e)
		}
		n.mu.Unlock()
		if err != nil {
			return err
		}
		if err = n.applied(&a); err != nil {
			return err
		}
	}
	return nil
}

// applied passes on what an entry did, and answers those who waited for it.
func (n *Node) applied(a *presence.Applied) error {
	n.metrics.applied(a)
	n.metrics.standing(n.reg)
	if a.Settings != nil {
		n.patience.Store(patience(*a.Settings))
	}
	n.heal()
	held := n.holding.Load()
	hold := n.cfg.Shared && (len(n.healing) > 0 || n.reg.Young())
	if hold && !held {
		n.holding.Store(true)
		n.cfg.OnFreeze()
	}
	own := a.Node == n.cfg.Name && a.Origin == n.origin
	done := Applied{Applied: *a, Frozen: held || hold}
	if own && !a.Refused {
		done.ReceivedAt = n.out.taken(said{a.Boot, a.No})
	}
	n.cfg.OnApplied(done)
	n.out.forget(a.Changes)
	if held && !hold {
		n.release()
	}
	if own {
		n.heard(a, done.Frozen)
	} else if a.Node == n.cfg.Name && a.Boot > n.out.boot() {
		return ErrSupplanted
	}
	return n.judge(a.Compared)
}

// heard takes an own batch that has come back.
func (n *Node) heard(a *presence.Applied, frozen bool) {
	b := said{a.Boot, a.No}
	switch {
	case !a.Refused:
		if b.boot == n.seen.boot && b.no != n.seen.no+1 || b.boot != n.seen.boot && b.no != 1 {
			n.resay(b)
		}
		n.seen = b
		n.lastOwn.Store(n.now())
		n.out.answer(a, frozen)
		if n.out.joined(b.boot) {
			n.poke()
		}
		select {
		case <-n.ready:
		default:
			if !n.holding.Load() {
				close(n.ready)
			}
		}
	case b.boot > n.over.Load() && b.boot == n.out.boot() && (b.boot > n.seen.boot || b.no > n.seen.no): // not just a batch that came twice
		n.cfg.Logger.Warn().Msg("the other nodes have declared this one lost")
		n.joinAgain()
	}
}

// resay says again what was in the own batches before b that are not in the log,
// though it had taken them: it has lost them, before this node read them.
func (n *Node) resay(b said) {
	n.cfg.Logger.Warn().Uint64("boot", b.boot).Uint64("batch", b.no).Msg("the log has lost batches of this node, which says it all again")
	n.out.resay(b)
	n.recount()
	n.poke()
}

// recount has all that this node counts go to the log again.
func (n *Node) recount() {
	n.out.likes.resend(nil)
	n.Read(func(r *presence.Registry) { n.out.viewers.resend(r.ViewedSessions(n.cfg.Name, n.origin)) })
}

// joinAgain has the node join under another boot.
func (n *Node) joinAgain() {
	n.over.Store(n.out.boot())
	for _, h := range n.healing {
		h.own, h.all, h.raised = false, false, false // what was on its way may be refused
	}
	n.poke()
}

// judge compares a peer's digest with this registry's. Of nodes that differ the
// majority is right; of as many on either side, those with the keeper.
func (n *Node) judge(c *presence.Compared) error {
	if c == nil || c.Node == n.cfg.Name {
		return nil
	}
	n.verdicts[c.Node] = c.Its == c.Own
	if c.Its == c.Own {
		return nil
	}
	n.metrics.mismatches.Inc()
	n.cfg.Logger.Error().Str("node", c.Node).Stringer("position", c.At).
		Str("its_digest", fmt.Sprintf("%016x", c.Its)).Str("own_digest", fmt.Sprintf("%016x", c.Own)).
		Msg("the registries of two nodes differ")
	with, against := 1, 0
	for node, same := range n.verdicts {
		switch {
		case !n.reg.IsAlive(node):
			delete(n.verdicts, node)
		case same:
			with++
		default:
			against++
		}
	}
	same, said := n.verdicts[n.reg.Keeper()]
	if n.cfg.Shared && (against > with || against == with && said && !same) {
		return errDiverged
	}
	return nil
}
