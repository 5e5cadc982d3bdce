package leader

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/rs/zerolog"

	"onair/hub"
	"onair/presence"
	presencenode "onair/presence/node"
	"onair/server/cloud"
	"onair/server/config"
	"onair/server/livecode"
	"onair/server/poll"
	"onair/server/recordings"
	"onair/server/webhooks"
)

// electionInterval is how often a node looks whether it is the leader.
const electionInterval = 500 * time.Millisecond

// Options are what a leader works with.
type Options struct {
	Config       *config.Config
	Settings     presence.Settings // those of this node, which the log may have newer ones of
	Node         *presencenode.Node
	Hub          *hub.Hub
	Archive      presence.Archive
	Recordings   *recordings.Service
	Codes        livecode.Template
	Providers    Providers
	Webhooks     *webhooks.Sender // nil: there are no webhooks
	RebuildCount func() uint64    // how often the list was rebuilt
	Log          zerolog.Logger
}

// Leader does what one node does for all, while this node is the leader.
type Leader struct {
	Options

	poller      *poll.Poller // nil: there are no status polls
	moderations *prometheus.CounterVec
	banLocks    anchorLocks
}

// New makes a leader of a node that has joined the log.
func New(o Options, reg prometheus.Registerer) *Leader {
	l := &Leader{Options: o, banLocks: anchorLocks{seed: maphash.MakeSeed()}}
	l.moderations = promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "onair_moderations_total", Help: "What the provider was told to do for kicks and bans, by event and by whether it did.",
	}, []string{"event", "result"})
	if l.Providers.Moderator != nil {
		// The first of its kind is a rise only if there was a zero before it.
		for _, kind := range []presence.EventKind{presence.StreamEnded, presence.BanSet, presence.BanLifted} {
			l.moderations.WithLabelValues(kind.String(), "done")
			l.moderations.WithLabelValues(kind.String(), "failed")
		}
	}
	if l.Providers.Poll != nil {
		l.poller = poll.NewPoller(poll.Options{
			Provider: *l.Providers.Poll, Interval: l.Config.Poll.Interval, Targets: l.pollTargets, OnResult: l.enqueuePollResult, Logger: l.Log, Metrics: reg,
		})
	}
	return l
}

// PushStateQuery returns what asks the provider whether something is pushed under a live
// code, within the rate of polls. It is nil where there is no provider to ask.
func (l *Leader) PushStateQuery() (ask func(ctx context.Context, code string) (cloud.State, error)) {
	if l.poller == nil {
		return nil
	}
	return l.poller.QueryNow
}

// Run does the tasks whenever this node is the leader, until ctx ends. Two nodes may
// take themselves for the leader for a moment, when one of them does not know yet
// that it was lost: each task may be done twice.
func (l *Leader) Run(ctx context.Context) {
	tick := time.NewTicker(electionInterval)
	defer tick.Stop()
	stop := func() {}
	defer func() { stop() }()
	for leading := false; ; {
		if isLeader := l.IsLeader(); isLeader != leading {
			leading = isLeader
			if stop(); isLeader {
				stop = l.startTasks(ctx)
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

// IsLeader reports whether this node is the leader as far as it knows. It does not
// know while it is isolated, or while losses of the log are reconciled.
func (l *Leader) IsLeader() (isLeader bool) {
	if l.Node.IsIsolated() || l.Node.IsFrozen() {
		return false
	}
	l.Node.Read(func(r *presence.Registry) { isLeader = r.Leader() == l.Config.Node })
	return isLeader
}

// startTasks starts the leader's tasks. What it returns ends them, and waits until
// they have ended.
func (l *Leader) startTasks(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	tasks.Go(func() { l.runDeliveries(ctx) })
	tasks.Go(func() { l.deleteOldRecordings(ctx) })
	if l.poller != nil {
		tasks.Go(func() { l.poller.Run(ctx) })
	}
	if l.Providers.Recordings != nil {
		tasks.Go(func() { l.importRecordings(ctx) })
	}
	l.Log.Info().Msg("became leader")
	return func() {
		cancel()
		tasks.Wait()
		l.Log.Info().Msg("stepped down as leader")
	}
}
