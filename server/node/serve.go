package node

import (
	"context"
	"errors"
	stdlog "log"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"onair/hub/socket"
	"onair/presence"
	"onair/server/admission"
	"onair/server/config"
	"onair/server/rest"
)

// nodeStatus is what changes while a node runs.
type nodeStatus struct {
	isServing     atomic.Bool    // sockets and calls are admitted
	isolatedSince atomic.Int64   // Unix milliseconds, 0: the node is not isolated
	loadedConfig  *config.Config // as it was read last; owned by Reload
}

// settingsTimeout is how long Serve waits for the settings to be in the log.
const settingsTimeout = 5 * time.Second

// Serve joins the log and answers on both listeners until ctx ends, then drains.
// It returns an error when the node cannot go on. The ops listener answers from the
// start: the log may be away.
func (n *Node) Serve(ctx context.Context, public, ops net.Listener) error {
	tasks := newTaskGroup()
	opsServer := n.newHTTPServer(n.opsHandler())
	tasks.startTask(func() error { return opsServer.Serve(ops) }, func() { shutDownServer(opsServer) })
	tasks.runUntilCanceled(n.reloadOnHangups)
	if n.TuneGC {
		tasks.runUntilCanceled(n.tuneGarbageCollector)
	}
	if err := n.joinLog(ctx); err != nil {
		public.Close()
		tasks.stopAll()
		if ctx.Err() != nil {
			err = nil // stopped before there was a list
		}
		return errors.Join(err, n.Store.Close())
	}
	tasks.runUntilCanceled(n.Presence.Run)
	tasks.runUntilCanceled(func(ctx context.Context) error { n.Hub.Run(ctx); return nil })
	n.awaitListReady(ctx, tasks.failed)
	tasks.runUntilCanceled(func(ctx context.Context) error { n.flight.Run(ctx); return nil })
	tasks.runUntilCanceled(n.watchIsolation)
	tasks.runUntilCanceled(func(ctx context.Context) error { n.Leader.Run(ctx); return nil })
	n.startPublicServer(tasks, public)
	n.Log.Info().Str("address", public.Addr().String()).Str("ops", ops.Addr().String()).Str("node", n.Config.Node).
		Str("data", storeName(n.Config)).Strs("development_secrets", n.Config.GeneratedSecrets).Int("streams", n.liveStreamCount()).Msg("serving")

	var err error
	select {
	case <-ctx.Done():
		n.Log.Info().Str("cause", context.Cause(ctx).Error()).Msg("stopping")
	case <-tasks.failed:
		err = tasks.failure
		n.Log.Error().Err(err).Msg("cannot go on")
	}
	tasks.stopAll()
	return errors.Join(err, n.Store.Close())
}

// IsServing reports whether sockets and calls are admitted.
func (n *Node) IsServing() bool { return n.status.isServing.Load() }

// awaitListReady waits until the list may be shown, the node stops, or a task has failed.
func (n *Node) awaitListReady(ctx context.Context, failed <-chan struct{}) {
	// No client is to see a list that is not yet what the log has, or what it has
	// lost.
	select {
	case <-n.Presence.Ready():
	case <-ctx.Done():
	case <-failed:
	}
	// No session is to start by settings that are about to be replaced. A store that
	// cannot be written to must not keep the list from being served.
	select {
	case <-n.follower.settingsInLog:
	case <-time.After(settingsTimeout):
		n.Log.Error().Msg("this node's settings are not in the log yet: it serves by those that are")
	case <-ctx.Done():
	case <-failed:
	}
}

// startPublicServer starts to serve clients. When the task is stopped, it drains first.
func (n *Node) startPublicServer(tasks *taskGroup, public net.Listener) {
	n.status.isServing.Store(true)
	var err error
	if n.Sockets.Poller, err = n.newSocketPoller(public); err != nil {
		n.Log.Error().Err(err).Msg("cannot read by readiness")
	}
	web := n.newHTTPServer(n.Handler())
	web.ConnState = admission.NewConnectionLimit(n.Admission).TrackState
	serve := func() error { return web.Serve(public) }
	if n.certificate != nil {
		web.TLSConfig = n.certificate.TLSConfig()
		serve = func() error { return web.ServeTLS(public, "", "") }
	}
	tasks.startTask(serve, func() {
		n.Admission.Drain(n.Config.Drain)
		shutDownServer(web)
	})
}

// newSocketPoller makes what reads sockets when they are readable, where TLS does not end
// here, and logs how sockets are read.
func (n *Node) newSocketPoller(public net.Listener) (poller *socket.Poller, err error) {
	if _, isTCP := public.(*net.TCPListener); isTCP && n.certificate == nil {
		poller, err = socket.NewPoller()
	}
	path := "blocking"
	if poller != nil {
		path = poller.String()
	}
	n.Log.Info().Str("path", path).Msg("sockets")
	return poller, err
}

// newHTTPServer bounds what a slow or hostile peer can occupy: a header within five
// seconds, a request within ten; sockets are not bound by these once upgraded.
func (n *Node) newHTTPServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: 60 * time.Second,
		MaxHeaderBytes: 16 << 10, ErrorLog: stdlog.New(n.Log, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			socket.EnableKeepAlive(c)
			return context.WithValue(ctx, rest.ConnContextKey{}, c)
		},
	}
}

// shutDownServer ends an HTTP server, and waits up to two seconds for the calls under way.
func shutDownServer(s *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	s.Shutdown(ctx)
}

// watchIsolation notices when this node is isolated, and sends that to the anchors.
func (n *Node) watchIsolation(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	isIsolated := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if n.Presence.IsIsolated() == isIsolated {
			continue
		}
		isIsolated = !isIsolated
		n.status.isolatedSince.Store(0)
		if isIsolated {
			n.status.isolatedSince.Store(time.Now().UnixMilli())
		}
		n.Log.Warn().Bool("held", isIsolated).Msg("whether this node is heard by the others")
		if isIsolated {
			n.follower.attachments.SendDegradedNotice()
		}
	}
}

// liveStreamCount is how many sessions are live.
func (n *Node) liveStreamCount() (count int) {
	n.Presence.Read(func(r *presence.Registry) { count = r.Len() })
	return count
}
