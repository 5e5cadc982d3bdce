package runtimeconfig

import (
	"context"
	"fmt"
	"reflect"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/rs/zerolog"

	"onair/server/auth"
	"onair/server/config"
	"onair/server/webhooks"
)

// Config is a configuration with the parts that are made from it. It is immutable.
type Config struct {
	*config.Config
	Signers

	Tokens          *auth.Verifier
	WebhookEndpoint *webhooks.Endpoint // nil: there are no webhooks

	stopKeyRefresh context.CancelFunc
}

// Store holds the current configuration. It may be used concurrently.
type Store struct {
	current atomic.Pointer[Config]
	log     zerolog.Logger
	metrics *metrics
}

// New makes a store with a first configuration. An error is returned when a part cannot be made
// as configured; it names the key. Token keys are refreshed until ctx ends.
func New(ctx context.Context, cfg *config.Config, reg prometheus.Registerer, log zerolog.Logger) (*Store, error) {
	s := &Store{log: log, metrics: newMetrics(reg)}
	first, err := s.Build(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s.current.Store(first)
	return s, nil
}

// Current returns the current configuration.
func (s *Store) Current() *Config { return s.current.Load() }

// Build makes the parts of a configuration; it does not become current. If the configuration of
// tokens has not changed, it shares the token keys of the current one, so that fetched keys stay
// valid while they cannot be fetched. The caller must pass the result to Replace or Discard.
func (s *Store) Build(ctx context.Context, cfg *config.Config) (next *Config, err error) {
	next = &Config{Config: cfg}
	if err := cfg.CheckGeneratedSecrets(); err != nil {
		return nil, err
	}
	if next.Signers, err = NewSigners(cfg); err != nil {
		return nil, err
	}
	if cfg.Webhooks.URL != "" {
		c := webhooks.EndpointConfig{URL: cfg.Webhooks.URL.Reveal()}
		for _, secret := range cfg.Webhooks.Secrets {
			c.Secrets = append(c.Secrets, secret.Reveal())
		}
		if next.WebhookEndpoint, err = webhooks.NewEndpoint(c); err != nil {
			return nil, fmt.Errorf("webhooks.secret: %w", err)
		}
	}
	previous := s.Current()
	if previous != nil && reflect.DeepEqual(previous.Auth, cfg.Auth) {
		next.Tokens, next.stopKeyRefresh = previous.Tokens, previous.stopKeyRefresh
		return next, nil
	}
	if previous != nil {
		s.metrics.keysReadAt.Set(0) // the keys of these settings were not read yet
		s.metrics.unusableKeys.Set(0)
	}
	ctx, next.stopKeyRefresh = context.WithCancel(ctx)
	if next.Tokens, err = auth.NewVerifier(ctx, &cfg.Auth, s.metrics.recordKeyFetch, s.log); err != nil {
		next.stopKeyRefresh()
		return nil, err
	}
	return next, nil
}

// Replace makes a configuration of Build the current one.
func (s *Store) Replace(next *Config) {
	if previous := s.current.Swap(next); previous.Tokens != next.Tokens {
		previous.stopKeyRefresh()
	}
}

// DiscardConfig stops the parts of a configuration of Build that will not become current.
func (s *Store) DiscardConfig(next *Config) {
	if s.Current().Tokens != next.Tokens {
		next.stopKeyRefresh()
	}
}

// TryBuildOffline makes the parts of a configuration and discards them. It does not fetch token keys,
// so that it does not depend on the network.
func TryBuildOffline(ctx context.Context, cfg *config.Config) error {
	offline := *cfg
	offline.Auth.JWKSURL = ""
	s := &Store{log: zerolog.Nop(), metrics: newMetrics(nil)}
	built, err := s.Build(ctx, &offline)
	if err != nil {
		return err
	}
	built.stopKeyRefresh()
	return nil
}

type metrics struct {
	keyFetches   *prometheus.CounterVec
	keysReadAt   prometheus.Gauge
	unusableKeys prometheus.Gauge
	tokens       *prometheus.CounterVec // by result
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	m := &metrics{
		keyFetches: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onair_jwks_fetches_total", Help: "Reads of the token keys at auth.jwks_url, by result.",
		}, []string{"result"}),
		keysReadAt: f.NewGauge(prometheus.GaugeOpts{
			Name: "onair_jwks_last_fetch_timestamp_seconds",
			Help: "When the token keys at auth.jwks_url were last read; 0: never, or the URL is not set.",
		}),
		unusableKeys: f.NewGauge(prometheus.GaugeOpts{
			Name: "onair_jwks_unusable_keys",
			Help: "Keys of the set last read at auth.jwks_url that cannot verify tokens; the log names them.",
		}),
		tokens: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onair_tokens_total", Help: "Tokens that were verified, by result: accepted, or why they were refused.",
		}, []string{"result"}),
	}
	for _, result := range []string{"ok", "failed"} {
		m.keyFetches.WithLabelValues(result)
	}
	m.tokens.WithLabelValues("accepted")
	for _, r := range refusals {
		m.tokens.WithLabelValues(r.result)
	}
	return m
}

// recordKeyFetch counts a read of the token keys, which may have failed.
func (m *metrics) recordKeyFetch(unusableKeys int, err error) {
	if err != nil {
		m.keyFetches.WithLabelValues("failed").Inc()
		return
	}
	m.keyFetches.WithLabelValues("ok").Inc()
	m.keysReadAt.SetToCurrentTime()
	m.unusableKeys.Set(float64(unusableKeys))
}
