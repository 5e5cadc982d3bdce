package leader

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"onair/hub"
	"onair/presence"
	presencenode "onair/presence/node"
	"onair/server/broadcast"
	"onair/server/config"
	"onair/server/livecode"
	"onair/server/metric"
	"onair/server/poll"
	"onair/server/webhooks"
)

// electionInterval is how often a node checks whether it is the leader.
const electionInterval = 500 * time.Millisecond

// Options are the configuration and the parts that a leader uses.
type Options struct {
	Config       *config.Config
	Settings     presence.Settings // of this node; the log may have newer ones
	Node         *presencenode.Node
	Hub          *hub.Hub
	Archive      presence.Archive
	Broadcasts   *broadcast.Service
	Codes        livecode.Template
	Providers    Providers
	Webhooks     *webhooks.Sender // nil: there are no webhooks
	RebuildCount func() uint64    // returns how often the list was rebuilt
	Log          zerolog.Logger
}

// Leader runs the leader's tasks while this node is the leader.
type Leader struct {
	Options

	poller      *poll.Poller // nil: there are no status polls
	moderations *prometheus.CounterVec
	banLocks    anchorLocks
}

// New makes a leader of a node that has joined the log.
func New(o Options, reg prometheus.Registerer) *Leader {
	l := &Leader{Options: o, banLocks: anchorLocks{seed: maphash.MakeSeed()}}
	l.moderations = metric.With(reg).CounterVec("onair_moderations_total", "Calls of the provider for kicks and bans, by event and result.", "event", "result")
	if l.Providers.Moderator != nil {
		// rate() and increase() need a first sample of 0.
		for _, kind := range []presence.EventKind{presence.StreamEnded, presence.BanSet, presence.BanLifted} {
			l.moderations.WithLabelValues(kind.String(), "done")
			l.moderations.WithLabelValues(kind.String(), "failed")
		}
	}
	if l.Providers.Poll != nil {
		l.poller = poll.NewPoller(poll.Options{
			Provider: *l.Providers.Poll, Interval: l.Config.Poll.Interval, Targets: l.pollTargets, OnResult: l.enqueueChangedPollSignal, Logger: l.Log, Metrics: reg,
		})
	}
	return l
}

// OnlineQuery returns the function that queries the provider whether there is a push to a
// live code, within the rate of polls. It is nil if no provider is polled.
func (l *Leader) OnlineQuery() (query func(ctx context.Context, code string) (isOnline bool, err error)) {
	if l.poller == nil {
		return nil
	}
	return l.poller.QueryIsOnline
}

// Run runs the tasks while this node is the leader, until ctx ends. A node that was declared
// lost may run them until it learns that, so two nodes may do the same work.
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

// IsLeader reports whether this node is the leader. It reports false while the node is isolated
// or its views are frozen.
func (l *Leader) IsLeader() bool {
	return !l.Node.IsIsolated() && !l.Node.HasFrozenViews() && presencenode.Query(l.Node, (*presence.Registry).Leader) == l.Config.Node
}

// pollTargets returns the sessions that the poller queries.
func (l *Leader) pollTargets() []presence.PollTarget {
	return presencenode.Query(l.Node, (*presence.Registry).PollTargets)
}

// enqueueChangedPollSignal appends a result of the poller, if it changes the evidence.
func (l *Leader) enqueueChangedPollSignal(target presence.PollTarget, signal presence.Signal) {
	isNew := func(r *presence.Registry) bool { return r.NeedsPollSignal(target.Session, signal) }
	if presencenode.Query(l.Node, isNew) {
		l.Node.Enqueue(&presence.Observe{Session: target.Session, Source: presence.FromPoll, Signal: signal, Detail: l.Config.Poll.Provider})
	}
}

// startTasks starts the leader's tasks. The returned function ends them and waits for them.
func (l *Leader) startTasks(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	tasks.Go(func() { l.runDeliveries(ctx) })
	if l.Config.Recordings.Keep != 0 {
		tasks.Go(func() { l.deleteOldRecordings(ctx) })
	}
	if l.poller != nil {
		tasks.Go(func() { l.poller.Run(ctx) })
	}
	if l.Providers.Recordings != nil {
		tasks.Go(func() { l.importProviderRecordings(ctx) })
	}
	l.Log.Info().Msg("became leader")
	return func() {
		cancel()
		tasks.Wait()
		l.Log.Info().Msg("stepped down as leader")
	}
}
