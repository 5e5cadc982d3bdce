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
	presencenode "onair/presence/node"
	"onair/server/admission"
	"onair/server/config"
	"onair/server/rest"
)

// nodeStatus is the mutable state of a node.
type nodeStatus struct {
	isServing     atomic.Bool    // sockets and calls are admitted
	isolatedSince atomic.Int64   // Unix milliseconds; 0: the node is not isolated
	loadedConfig  *config.Config // the last one that was read; owned by Reload
}

// settingsTimeout bounds how long Serve waits until the log has this node's settings.
const settingsTimeout = 5 * time.Second

// Serve joins the log, serves both listeners until ctx ends, and then drains. An error is
// returned when a task of the node fails. Both listeners are served from the start, because
// the log may be unavailable: the public one answers 503 until the list can be served.
func (n *Node) Serve(ctx context.Context, public, ops net.Listener) error {
	tasks := newTaskGroup()
	opsServer := n.newHTTPServer(n.opsHandler())
	tasks.startTask(func() error { return opsServer.Serve(ops) }, func() { shutDownServer(opsServer) })
	tasks.runUntilCanceled(n.reloadOnHangups)
	if n.TuneGC {
		tasks.runUntilCanceled(n.tuneGarbageCollector)
	}
	web := n.startPublicServer(tasks, public)
	if err := n.joinLogAndBuildParts(ctx); err != nil {
		tasks.stopAll()
		if ctx.Err() != nil {
			err = nil // the node was stopped before it had a list
		}
		return errors.Join(err, n.Store.Close())
	}
	tasks.runUntilCanceled(n.Presence.Run)
	tasks.runUntilCanceled(func(ctx context.Context) error { n.Hub.Run(ctx); return nil })
	n.awaitListReady(ctx, tasks.failed)
	tasks.runUntilCanceled(func(ctx context.Context) error { n.flight.Run(ctx); return nil })
	tasks.runUntilCanceled(n.watchIsolation)
	tasks.runUntilCanceled(func(ctx context.Context) error { n.Leader.Run(ctx); return nil })
	n.openPublicRoutes(tasks, web, public)
	n.Log.Info().Str("address", public.Addr().String()).Str("ops", ops.Addr().String()).Str("node", n.Config.Node).
		Str("data", storeLocation(n.Config)).Strs("development_secrets", n.Config.GeneratedSecrets).Int("streams", presencenode.Query(n.Presence, (*presence.Registry).Len)).Msg("serving")

	var err error
	select {
	case <-ctx.Done():
		n.Log.Info().Str("cause", context.Cause(ctx).Error()).Msg("stopping")
		n.leaveLoadBalancers(tasks.failed)
	case <-tasks.failed:
		err = tasks.failure
		n.Log.Error().Err(err).Msg("node failed")
	}
	tasks.stopAll()
	return errors.Join(err, n.Store.Close())
}

// leaveLoadBalancers makes the node unready, and waits until load balancers send no new
// clients, or a task has failed. The node serves as before meanwhile: a balancer prefers a node
// that has few sockets, and one that drains would refuse what it is sent.
func (n *Node) leaveLoadBalancers(failed <-chan struct{}) {
	n.Admission.MarkUnready()
	timer := time.NewTimer(n.Config.Leave)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-failed:
	}
}

// HasStartedServing reports whether sockets and calls are admitted.
func (n *Node) HasStartedServing() bool { return n.status.isServing.Load() }

// awaitListReady waits until the list can be served, the node stops, or a task has failed.
func (n *Node) awaitListReady(ctx context.Context, failed <-chan struct{}) {
	// Clients must not see a list that lacks entries of the log, or entries that the log has lost.
	select {
	case <-n.Presence.Ready():
	case <-ctx.Done():
	case <-failed:
	}
	// Sessions should start with this node's settings. The wait has a timeout, so that a store
	// that fails to write does not prevent serving the list.
	select {
	case <-n.follower.settingsInLog:
	case <-time.After(settingsTimeout):
		n.Log.Error().Msg("own settings not in log yet, serving with those of the log")
	case <-ctx.Done():
	case <-failed:
	}
}

// startPublicServer starts the public HTTP server, which answers 503 until openPublicRoutes.
func (n *Node) startPublicServer(tasks *taskGroup, public net.Listener) *http.Server {
	starting := n.unavailableHandler()
	web := n.newHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !n.HasStartedServing() {
			starting.ServeHTTP(w, r)
			return
		}
		n.publicRoutes.ServeHTTP(w, r)
	}))
	web.ConnState = admission.NewConnectionLimit(n.Admission).TrackState
	serve := func() error { return web.Serve(public) }
	if n.certificate != nil {
		web.TLSConfig = n.certificate.TLSConfig()
		serve = func() error { return web.ServeTLS(public, "", "") }
	}
	tasks.startTask(serve, func() { shutDownServer(web) })
	return web
}

// openPublicRoutes makes the public HTTP server serve the list. Before the tasks that were
// started until now stop, the node drains.
func (n *Node) openPublicRoutes(tasks *taskGroup, web *http.Server, public net.Listener) {
	var err error
	if n.Sockets.Poller, err = n.newSocketPoller(public); err != nil {
		n.Log.Error().Err(err).Msg("socket poller unavailable")
	}
	n.publicRoutes = n.PublicHandler()
	n.status.isServing.Store(true)
	tasks.stopFirst(func() {
		n.Admission.Drain(n.Config.Drain)
		shutDownServer(web)
	})
}

// newSocketPoller returns a poller that reports readable sockets, or nil if TLS ends in the
// process. It logs how sockets are read.
func (n *Node) newSocketPoller(public net.Listener) (poller *socket.Poller, err error) {
	if _, isTCP := public.(*net.TCPListener); isTCP && n.certificate == nil {
		poller, err = socket.NewPoller()
	}
	mode := "blocking"
	if poller != nil {
		mode = poller.String()
	}
	n.Log.Info().Str("mode", mode).Msg("socket reading mode")
	return poller, err
}

// newHTTPServer returns a server with limits for slow or hostile peers: five seconds for a
// header, ten for a request. The limits do not apply to upgraded sockets.
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

// shutDownServer stops an HTTP server and waits up to two seconds for open requests.
func shutDownServer(s *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	s.Shutdown(ctx)
}

// watchIsolation checks every second whether this node is isolated, and notifies the anchors.
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
		n.Log.Warn().Bool("isolated", isIsolated).Msg("node isolation changed")
		if isIsolated {
			n.follower.attachments.SendDegradedNotice()
		}
	}
}
