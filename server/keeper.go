package main

import (
	"context"
	"sync"
	"time"

	"onair/presence"
)

// keepEvery is how often a node looks whether it is the keeper.
const keepEvery = 500 * time.Millisecond

// keep does what one node is to do for all, whenever this node is the one, until
// ctx ends. Two may take themselves for the keeper for a moment, when one of them
// has not heard yet that it was lost: what they do bears to be done twice.
func (s *server) keep(ctx context.Context) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	stop := func() {}
	defer func() { stop() }()
	for keeping := false; ; {
		if is := s.isKeeper(); is != keeping {
			keeping = is
			if stop(); is {
				stop = s.takeOffice(ctx)
			} else {
				stop = func() {}
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// isKeeper reports whether this node is the keeper as far as it knows, which it
// does not while it is cut off, or while the log's losses are made good.
func (s *server) isKeeper() (is bool) {
	if s.node.IsIsolated() || s.node.IsFrozen() {
		return false
	}
	s.node.Read(func(r *presence.Registry) { is = r.Leader() == s.cfg.Node })
	return is
}

// takeOffice begins the keeper's tasks. What it returns ends them, and waits
// until they have ended.
func (s *server) takeOffice(ctx context.Context) (leave func()) {
	ctx, cancel := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	tasks.Go(func() { s.runErrands(ctx) })
	tasks.Go(func() { s.discardOld(ctx) })
	if s.polls != nil {
		tasks.Go(func() { s.polls.Run(ctx) })
	}
	if s.tapes != nil {
		tasks.Go(func() { s.compareRecordings(ctx) })
	}
	s.log.Info().Msg("this node is the keeper")
	return func() {
		cancel()
		tasks.Wait()
		s.log.Info().Msg("this node is no longer the keeper")
	}
}
