package node

import (
	"context"
	"slices"
	"time"

	"onair/presence"
)

// loadRegistry loads the present list for the first time.
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
			n.connection.isolationTimeout.Store(isolationTimeoutOf(r.Settings()))
			n.metrics.resetStreamGauge(r)
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

// replayTo applies the log's entries up to the number head. It returns the own
// batches among them.
func (n *Node) replayTo(ctx context.Context, r *presence.Registry, head uint64, onApplied func(*presence.Applied)) (own []presence.Applied, err error) {
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
		onApplied(&a)
		if r.LastNum() >= head {
			return own, nil
		}
	}
	return nil, ctx.Err()
}

// rebuildRegistry replaces the registry by one loaded from the log. The old one
// is served until then.
func (n *Node) rebuildRegistry(ctx context.Context, cause error) error {
	startedAt, old := time.Now(), n.reg
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
	lastShared := presence.LastSharedEntry(old, r)
	for _, h := range n.applier.reconciliations { // losses before this one
		h.lastShared = presence.LastSharedEntry(h.old, r)
	}
	if lastShared < old.LastNum() && rebuildCause(cause) != "diverged" {
		// The newest state is restored first, so that older ones do not undo it.
		n.applier.reconciliations = slices.Insert(n.applier.reconciliations, 0, &reconciliation{old: old, lastShared: lastShared})
	}
	n.metrics.rebuilds.WithLabelValues(rebuildCause(cause)).Inc()
	n.metrics.resetStreamGauge(r)
	clear(n.applier.digestMatches)
	n.cfg.Logger.Warn().Err(cause).Uint64("lost", old.LastNum()-lastShared).Uint64("from", lastShared+1).
		Int("streams", r.Len()).Int("streams_before", old.Len()).Dur("took_ms", time.Since(startedAt)).
		Msg("list rebuilt from log")
	for i := range own {
		n.queue.completeBatch(&own[i], true)
	}
	n.requestRejoin()
	n.advanceReconciliations()
	if isFrozen := len(n.applier.reconciliations) > 0 || r.IsReconciling(); !isFrozen {
		n.unfreezeViews()
	} else if !n.frozen.Load() {
		n.frozen.Store(true)
		n.cfg.OnFreeze()
	}
	return nil
}

// reloadRegistry loads and replays, and retries after another loss.
func (n *Node) reloadRegistry(ctx context.Context, old *presence.Registry) (r *presence.Registry, own []presence.Applied, err error) {
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
