package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/rs/zerolog"

	"onair/hub"
	"onair/presence"
	presencenode "onair/presence/node"
	"onair/server/admission"
	"onair/server/broadcast"
	"onair/server/callbacks"
	"onair/server/certificate"
	"onair/server/config"
	"onair/server/flight"
	"onair/server/leader"
	"onair/server/livecode"
	"onair/server/logging"
	"onair/server/recovery"
	"onair/server/rest"
	"onair/server/runtimeconfig"
	"onair/server/sockets"
	"onair/server/urls"
	"onair/server/webhooks"
)

// ConfigError is returned when a part cannot be made as configured.
type ConfigError struct{ error }

// Options are what a node is made of.
type Options struct {
	Config   *config.Config
	Store    Store // the node closes it
	IsShared bool  // other nodes use the log, and it may lose its last entries
	Metrics  *prometheus.Registry
	Log      zerolog.Logger
	Level    *logging.Level // of Log

	Hangups    <-chan os.Signal               // each signal reloads the configuration; nil: no reloads
	LoadConfig func() (*config.Config, error) // reads the configuration for a reload
	TuneGC     bool                           // set the growth of the heap by the node's work

	Providers        *leader.Providers // nil: the configured providers
	WebhookTransport http.RoundTripper // nil: the default one
}

// Parts are the parts of a node. The second group is nil until the node has joined the log.
type Parts struct {
	Runtime   *runtimeconfig.Store
	Admission *admission.Admission
	URLs      *urls.Signer
	Recovery  *recovery.Recovery
	Hub       *hub.Hub

	Presence   *presencenode.Node
	Broadcasts *broadcast.Service
	Leader     *leader.Leader
	Callbacks  *callbacks.Callbacks
	Sockets    *sockets.Server
	API        *rest.API
}

// Node is one node with all its parts. Make it with New, and call Serve once.
type Node struct {
	Options
	Parts

	// Static after New.
	reloads     *prometheus.CounterVec
	certificate *certificate.Watcher // nil: TLS does not end here
	flight      *flight.Recorder     // nil: the flight recorder is off
	follower    *logFollower
	webhooks    *webhooks.Sender // nil: there are no webhooks
	providers   leader.Providers

	publicRoutes http.Handler // set before status.isServing
	status       nodeStatus
}

// New makes a node with the parts that need no log. Unless it returns an error, the node owns
// the store, and Serve closes it. A ConfigError is returned when the configuration is wrong.
func New(ctx context.Context, o Options) (n *Node, err error) {
	cfg := o.Config
	n = &Node{Options: o, status: nodeStatus{loadedConfig: cfg}}
	o.Metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	n.registerMetrics()
	n.Admission = admission.New(&cfg.Limits, o.Metrics)
	n.Recovery = recovery.New(o.Metrics, o.Log)
	if n.Runtime, err = runtimeconfig.New(ctx, cfg, o.Metrics, o.Log); err != nil {
		return nil, ConfigError{err}
	}
	n.URLs = urls.New(n.Runtime, o.Metrics)
	if n.certificate, err = certificate.NewIfConfigured(&cfg.TLS, o.Metrics, o.Log); err != nil {
		return nil, ConfigError{err}
	}
	if cfg.Webhooks.URL != "" {
		n.webhooks = webhooks.NewSender(webhooks.Options{
			Endpoint:  func() *webhooks.Endpoint { return n.Runtime.Current().WebhookEndpoint },
			Transport: o.WebhookTransport, Retry: cfg.Webhooks.Retry, Logger: o.Log, Metrics: o.Metrics,
		})
	}
	if o.Providers != nil {
		n.providers = *o.Providers
	} else if n.providers, err = leader.NewProviders(cfg); err != nil {
		return nil, ConfigError{err}
	}
	if n.flight, err = flight.NewIfConfigured(&cfg.Flight, o.Metrics, o.Log); err != nil {
		return nil, ConfigError{err}
	}
	n.Hub = n.newHub()
	n.follower = newLogFollower(n.Hub, cfg.Settings.Revision, o.Log)
	return n, nil
}

func (n *Node) newHub() *hub.Hub {
	cfg := n.Config
	var onLate func(time.Duration)
	if n.flight != nil {
		onLate = n.flight.TriggerLateDiffTrace
	}
	return hub.New(hub.Options{
		OnLateDiff: onLate, LateThreshold: cfg.Flight.Latency,
		Lists: cfg.Lists, Tick: cfg.Hub.Tick, CounterDelay: cfg.Hub.Counters, IdleInterval: cfg.Idle,
		Limits: hubLimits(cfg), Signer: n.URLs, Metrics: n.Metrics,
		OnViewersChange: func(st *presence.Stream, count int) { n.Presence.SetViewers(st.Session, count) },
	})
}

// hubLimits are the limits of viewers.
func hubLimits(cfg *config.Config) hub.Limits {
	return hub.Limits{
		Window: cfg.Limits.Window, Views: cfg.Limits.Views, ViewsPerSocket: cfg.Limits.ViewsPerSocket,
		WatchesPerSocket: cfg.Limits.WatchesPerSocket, SnapshotsPerSecond: cfg.Limits.SnapshotsPerSocket,
	}
}

// joinLogAndBuildParts waits for the log, takes the list from it, and makes the other parts.
func (n *Node) joinLogAndBuildParts(ctx context.Context) error {
	cfg, settings := n.Config, sharedSettings(n.Config)
	node, err := presencenode.Join(ctx, n.Store, presencenode.Config{
		Name: cfg.Node, Settings: settings, Logger: n.Log, Metrics: n.Metrics, Lists: cfg.Lists, Shared: n.IsShared,
		OnRebuilt: n.follower.publishWholeList, OnFreeze: n.Hub.Freeze, OnApplied: n.follower.publishEntry, BatchBytes: cfg.Limits.Batch,
	})
	if errors.Is(err, presence.ErrSettingsConflict) {
		return ConfigError{fmt.Errorf("settings.revision: %w; raise it", err)}
	}
	if err != nil {
		return err
	}
	codes := livecode.NewTemplate(cfg)
	p := &n.Parts
	p.Presence = node
	p.Broadcasts = broadcast.New(n.Runtime, node, n.Store, codes, n.Metrics, n.Log)
	p.Leader = leader.New(leader.Options{
		Config: cfg, Settings: settings, Node: node, Hub: n.Hub, Archive: n.Store, Broadcasts: p.Broadcasts, Codes: codes,
		Providers: n.providers, Webhooks: n.webhooks, RebuildCount: n.follower.rebuildCount.Load, Log: n.Log,
	}, n.Metrics)
	p.Callbacks = callbacks.New(callbacks.Options{
		Node: node, Hub: n.Hub, Broadcasts: p.Broadcasts, Codes: codes,
		Runtime: n.Runtime, IsOnline: p.Leader.OnlineQuery(), Log: n.Log,
	}, n.Metrics)
	p.Sockets = &sockets.Server{
		Node: node, Hub: n.Hub, Attachments: n.follower.attachments, Broadcasts: p.Broadcasts,
		Runtime: n.Runtime, Admission: n.Admission, URLs: n.URLs, Recovery: n.Recovery, Log: n.Log,
	}
	p.API = rest.New(rest.Options{
		Node: node, Hub: n.Hub, Broadcasts: p.Broadcasts,
		Runtime: n.Runtime, Admission: n.Admission, URLs: n.URLs, Metrics: n.Metrics, Log: n.Log,
	})
	return nil
}
