package main

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	stdlog "log"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/rs/zerolog"

	"onair/hub"
	"onair/hub/socket"
	"onair/hub/wire"
	"onair/presence"
	"onair/presence/node"
	"onair/server/cloud"
	"onair/server/config"
	"onair/server/poll"
	"onair/server/webhooks"
)

// server is one node with all its parts. Build it with newServer, let it
// serve, and it is done when serve returns.
type server struct {
	// Static after newServer.
	cfg       *config.Config
	log       zerolog.Logger
	reg       *prometheus.Registry
	metrics   *metrics
	store     store
	shared    bool       // the log is one that may lose its tail
	node      *node.Node // since join
	hub       *hub.Hub
	holders   *holders
	gate      *gate
	webhooks  *webhooks.Sender // nil: the back end is not told
	moderator moderator        // nil: nobody is told of kicks and bans
	// moderating has what the moderator is told of one anchor told in turn.
	moderating turns
	polls      *poll.Poller // nil: nobody is asked what is pushed
	tapes      tapes        // nil: nobody is asked for recordings
	// confirm asks the cloud whether something is pushed under a live code, within
	// the rate of polls; nil: there is nobody to ask.
	confirm func(ctx context.Context, code string) (cloud.State, error)
	code    liveCode
	likers  *likers
	callers perUser // anchors who call over HTTP
	regrets regrets

	poller      *socket.Poller // nil: sockets are read by a goroutine each
	certificate *certificate   // nil: TLS does not end here
	flight      *flight        // nil: the flight recorder is off
	level       *logLevel

	given     *config.Config // as it was read last; owned by whoever reloads
	live      atomic.Pointer[live]
	rebuilds  atomic.Uint64 // of the list
	heldSince atomic.Int64  // Unix milliseconds since when this node is not heard, 0: it is
	opened    atomic.Bool   // sockets and calls are taken
	loaded    bool          // the hub has a list; owned by who applies
	settled   chan struct{} // closed once the log holds this node's settings, or newer ones
}

// newServer puts the parts together. It takes the log over, which serve joins,
// and closes when it returns. A shared log is one that may lose its tail.
func newServer(
	ctx context.Context, cfg *config.Config, store store, shared bool, reg *prometheus.Registry, log zerolog.Logger, level *logLevel,
) (*server, error) {
	s := &server{
		cfg: cfg, given: cfg, log: log, level: level, store: store, shared: shared, reg: reg, metrics: newMetrics(reg), holders: newHolders(), likers: newLikers(), callers: newPerUser(),
		regrets: regrets{seen: map[presence.Session]int64{}},
		settled: make(chan struct{}), moderating: turns{seed: maphash.MakeSeed()},
		code: liveCode{bizid: cfg.BizID, template: cfg.Code, hashKey: []byte(cfg.CodeKey.Reveal())},
	}
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s.gate = newGate(&cfg.Limits, s.metrics)
	s.measure(reg)
	l, err := newLive(ctx, s, cfg, nil)
	if err != nil {
		return nil, err
	}
	s.live.Store(l)
	if cfg.TLS.Cert != "" {
		if s.certificate, err = newCertificate(cfg.TLS.Cert, cfg.TLS.Key, s.metrics, log); err != nil {
			return nil, usageError{err}
		}
	}
	if cfg.Webhooks.URL != "" {
		s.webhooks = webhooks.NewSender(webhooks.Options{
			Target: func() *webhooks.Target { return s.now().target }, Retry: cfg.Webhooks.Retry, Logger: log, Metrics: reg,
		})
	}
	if err := s.engage(reg); err != nil {
		return nil, err
	}
	if s.flight, err = newFlight(&cfg.Flight, reg, log); err != nil {
		return nil, err
	}
	var late func(time.Duration)
	if s.flight != nil {
		late = s.flight.note
	}
	s.hub = hub.New(hub.Options{
		OnLateDiff: late, LateThreshold: cfg.Flight.Latency,
		Lists: cfg.Lists, Tick: cfg.Hub.Tick, CounterDelay: cfg.Hub.Counters, IdleInterval: cfg.Idle,
		Limits: hubLimits(cfg),
		Signer: hubSigner{s, s.metrics.signed.WithLabelValues(useView)}, Metrics: reg,
		OnViewersChange: func(st *presence.Stream, n int) { s.node.SetViewers(st.Session, n) },
	})
	if s.code.ambiguous() {
		log.Warn().Str("code", cfg.Code).Msg("live codes may end in a hexadecimal digit that an anchor chooses: " +
			"where anchors choose their own ids, end the template in another letter, as in {bizid}_{anchor}_x")
	}
	return s, nil
}

// join waits for the log, and takes the list from it.
func (s *server) join(ctx context.Context) (err error) {
	s.node, err = node.Join(ctx, s.store, node.Config{
		Name: s.cfg.Node, Settings: settingsOf(s.cfg), Logger: s.log, Metrics: s.reg, Lists: s.cfg.Lists, Shared: s.shared,
		OnRebuilt: s.rebuilt, OnFreeze: s.hub.Freeze, OnApplied: s.applied, BatchBytes: s.cfg.Limits.Batch,
	})
	if errors.Is(err, presence.ErrSettingsConflict) {
		return usageError{fmt.Errorf("settings.revision: %w; raise it", err)}
	}
	return err
}

// settingsOf is the part of the configuration that all nodes share.
func settingsOf(cfg *config.Config) presence.Settings {
	return presence.Settings{
		Revision: cfg.Settings.Revision,
		Interval: cfg.Heartbeat.Interval.Milliseconds(), Missed: int64(cfg.Heartbeat.Missed),
		Grace:    cfg.Heartbeat.Grace.Milliseconds(),
		EndGrace: cfg.Liveness.EndGrace.Milliseconds(), StartWithin: cfg.Liveness.StartWithin.Milliseconds(),
		CallbackOnly:   cfg.Liveness.CallbackOnly.Milliseconds(),
		PollEvery:      cfg.Poll.Interval.Milliseconds(),
		OfflineAfter:   cfg.Poll.OfflineAfter,
		BlindAfter:     int64((cfg.Liveness.PollBlind + cfg.Poll.Interval - 1) / cfg.Poll.Interval),
		MediaRequired:  cfg.Liveness.Media == "required",
		EventKinds:     effectsOf(cfg),
		RefuseTakeover: cfg.Takeover == "refuse", ShowPublished: cfg.List.Show == "publish",
	}
}

// effectsOf are the kinds of what happens of which somebody outside is told.
func effectsOf(cfg *config.Config) (set presence.EventKinds) {
	if cfg.Webhooks.URL != "" {
		for kind, name := range effectNames {
			if slices.Contains(cfg.Webhooks.Events, name) {
				set |= presence.EventKindsOf(kind)
			}
		}
	}
	if cfg.Moderation.Provider != "" {
		set |= presence.EventKindsOf(presence.StreamEnded, presence.BanSet, presence.BanLifted)
	}
	return set
}

// hubLimits is what clients of views are held to.
func hubLimits(cfg *config.Config) hub.Limits {
	return hub.Limits{
		Window: cfg.Limits.Window, Views: cfg.Limits.Views, ViewsPerSocket: cfg.Limits.ViewsPerSocket,
		WatchesPerSocket: cfg.Limits.WatchesPerSocket, SnapshotsPerSecond: cfg.Limits.SnapshotsPerSocket,
	}
}

// settings are those that the log holds.
func (s *server) settings() (out presence.Settings) {
	s.node.Read(func(r *presence.Registry) { out = r.Settings() })
	return out
}

// applied passes on what one entry of the log did: to the views, to the
// sockets concerned, and to the log file. It is called by the goroutine that
// applies.
func (s *server) applied(a node.Applied) {
	if !a.Frozen {
		s.hub.Apply(a.Position, a.Time, a.Changes, a.ReceivedAt)
	}
	for i := range a.Changes {
		c := &a.Changes[i]
		s.holders.tell(c)
		if !a.Replayed {
			s.logChange(c)
		}
	}
	if a.Settings != nil {
		s.settle(a.Settings.Revision)
		s.holders.each(func(h *anchor) { h.retune(a.Settings.Interval) })
	}
}

// rebuilt takes over the whole list, when the log is read for the first time,
// and when it went on without entries that had been shown.
func (s *server) rebuilt(r *presence.Registry) {
	if s.loaded {
		s.hub.Rebase(r.Streams(), r.Position(), r.LogTime())
	} else {
		s.hub.Load(r.Streams(), r.Position(), r.LogTime())
		s.loaded = true
	}
	s.rebuilds.Add(1)
	s.holders.reconcile(r)
	s.settle(r.Settings().Revision)
}

// settle notes the revision of the settings in the log. It is called by the
// goroutine that applies, and before that starts.
func (s *server) settle(revision int64) {
	select {
	case <-s.settled:
	default:
		if revision >= s.cfg.Settings.Revision {
			close(s.settled)
		}
	}
}

// logChange writes the one line that each change of a stream's state gets.
func (s *server) logChange(c *presence.Change) {
	if c.Cause == presence.ByCounts || c.Cause == presence.ByUpdate {
		return
	}
	from, to, why := "none", "ended", c.Cause.String()
	st := c.New
	if c.Old != nil {
		from = c.Old.State.String()
	}
	if st != nil {
		to = st.State.String()
	} else {
		st, why = c.Old, c.Ended.Reason.String()
	}
	line := s.log.Info().Str("stream", st.Code).Str("anchor", st.Anchor).Str("from", from).Str("to", to).Str("why", why)
	if c.Ended != nil {
		line = line.Str("by", c.Ended.By).Int64("duration_ms", c.Ended.DurationMS()).
			Int64("peak_viewers", st.PeakViewers).Int64("likes", st.Likes)
	}
	line.Msg("stream")
}

// settleWithin is how long serve waits for the settings to be in the log.
const settleWithin = 5 * time.Second

// serve joins the log and answers on both listeners until ctx ends, then
// drains. It returns an error when the node cannot go on. The people on call are
// answered from the start: the log may be away.
func (s *server) serve(ctx context.Context, public, ops net.Listener) error {
	failed := make(chan error, 4)
	opsServer := s.httpServer(s.opsRoutes())
	go func() { failed <- opsServer.Serve(ops) }()
	if err := s.join(ctx); err != nil {
		public.Close()
		opsServer.Close()
		if ctx.Err() != nil {
			err = nil // stopped before there was a list
		}
		return errors.Join(err, s.store.Close())
	}
	run, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.node.Run(run); err != nil {
			failed <- err
		}
	}()
	hubDone := make(chan struct{})
	go func() { defer close(hubDone); s.hub.Run(run) }()

	s.await(ctx, done)
	web := s.open(public, failed)
	s.log.Info().Str("address", public.Addr().String()).Str("ops", ops.Addr().String()).Str("node", s.cfg.Node).
		Str("data", whereStored(s.cfg)).Strs("development_secrets", s.cfg.GeneratedSecrets).Int("streams", s.streams()).Msg("serving")
	recorded := make(chan struct{})
	go func() { defer close(recorded); s.flight.run(run) }()
	watched := make(chan struct{})
	go func() { defer close(watched); s.watchHeld(run) }()
	kept := make(chan struct{})
	office, resign := context.WithCancel(run)
	defer resign()
	go func() { defer close(kept); s.keep(office) }()

	var err error
	select {
	case <-ctx.Done():
		s.log.Info().Str("cause", context.Cause(ctx).Error()).Msg("stopping")
	case err = <-failed:
		s.log.Error().Err(err).Msg("cannot go on")
	}
	s.gate.drain(s.cfg.Drain)
	resign()
	<-kept
	quick, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	web.Shutdown(quick)
	stop()
	<-done
	<-hubDone
	<-watched
	<-recorded
	opsServer.Shutdown(quick)
	return errors.Join(err, s.store.Close())
}

// await waits until the list may be shown, or the node is done.
func (s *server) await(ctx context.Context, done <-chan struct{}) {
	// Nobody is to see a list that is not yet what the log has, or what it has
	// lost.
	select {
	case <-s.node.Ready():
	case <-ctx.Done():
	case <-done:
	}
	// Nobody is to start by settings that are about to be replaced. A store that
	// cannot be written to must not keep the list from being served.
	select {
	case <-s.settled:
	case <-time.After(settleWithin):
		s.log.Error().Msg("this node's settings are not in the log yet: it serves by those that are")
	case <-ctx.Done():
	case <-done:
	}
}

// open lets the public in.
func (s *server) open(public net.Listener, failed chan<- error) *http.Server {
	s.opened.Store(true)
	if err := s.poll(public); err != nil {
		s.log.Error().Err(err).Msg("cannot read by readiness")
	}
	web := s.httpServer(s.routes())
	web.ConnState = newLobby(openFiles(), s.gate, s.metrics).follow
	if s.certificate != nil {
		web.TLSConfig = s.certificate.config()
		go func() { failed <- web.ServeTLS(public, "", "") }()
	} else {
		go func() { failed <- web.Serve(public) }()
	}
	return web
}

// poll has sockets read when there is something to read, where TLS does not end
// here, and says which way it is.
func (s *server) poll(public net.Listener) (err error) {
	if _, plain := public.(*net.TCPListener); plain && s.certificate == nil {
		s.poller, err = socket.NewPoller()
	}
	reading := "blocking"
	if s.poller != nil {
		reading = s.poller.String()
	}
	s.log.Info().Str("path", reading).Msg("sockets")
	return err
}

// httpServer bounds what a slow or hostile peer can hold: a header within five
// seconds, a request within ten; sockets are not bound by these once upgraded.
func (s *server) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: 60 * time.Second,
		MaxHeaderBytes: 16 << 10, ErrorLog: stdlog.New(s.log, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			socket.EnableKeepAlive(c)
			return context.WithValue(ctx, connKey{}, c)
		},
	}
}

// watchHeld tells the anchors when this node cannot know whether it is heard.
func (s *server) watchHeld(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	held := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if was := held; s.node.IsIsolated() != was {
			held = !was
			if s.heldSince.Store(0); held {
				s.heldSince.Store(time.Now().UnixMilli())
			}
			s.log.Warn().Bool("held", held).Msg("whether this node is heard by the others")
			if held {
				s.holders.each(func(a *anchor) {
					a.send(&wire.Notice{
						Code:    wire.NoticeDegraded,
						Message: "this node does not hear the others: try a second socket, resume there if it is welcomed, else stay",
					})
				})
			}
		}
	}
}

// version is the build's version, for people: that of the module, or the
// revision that it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(devel)"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	revision, changed := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "+changed"
		}
	}
	if revision == "" {
		return "(devel)"
	}
	return revision + changed
}
