package node

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9/logging"
	"github.com/rs/zerolog"

	"onair/presence"
	"onair/presence/embedded"
	"onair/presence/redislog"
	"onair/server/config"
)

// Store is where the list and the recordings are stored.
type Store interface {
	presence.Log
	presence.Archive
}

// OpenStore opens the log that is configured. A shared one has other nodes, and may
// lose its tail.
func OpenStore(cfg *config.Config, reg prometheus.Registerer, log zerolog.Logger) (at Store, isShared bool, err error) {
	if len(cfg.Redis.Addrs) == 0 {
		at, err = embedded.Open(embedded.Options{Dir: cfg.Data, Logger: log, Metrics: reg})
		return at, false, err
	}
	home := redislog.ClientOptions{
		Addrs: cfg.Redis.Addrs, MasterName: cfg.Redis.MasterName, DB: cfg.Redis.DB,
		Username: cfg.Redis.Username, Password: cfg.Redis.Password.Reveal(),
		SentinelUsername: cfg.Redis.SentinelUsername, SentinelPassword: cfg.Redis.SentinelPassword.Reveal(),
	}
	if home.TLS, err = redisTLSConfig(&cfg.Redis); err != nil {
		return nil, true, ConfigError{err}
	}
	logging.Disable() // what it would say to stderr, the log says itself
	return redislog.Open(redislog.Options{
		Client: redislog.NewClient(home), Prefix: cfg.Redis.Prefix, Logger: log, Metrics: reg,
	}), true, nil
}

// redisTLSConfig is nil where TLS is not spoken.
func redisTLSConfig(cfg *config.Redis) (*tls.Config, error) {
	if !cfg.TLS {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CA == "" {
		return c, nil
	}
	pem, err := os.ReadFile(cfg.CA)
	if err != nil {
		return nil, fmt.Errorf("redis.ca: %w", err)
	}
	if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("redis.ca: %s holds no certificate", cfg.CA)
	}
	return c, nil
}

// storeName is where the list is stored, for the log.
func storeName(cfg *config.Config) string {
	if len(cfg.Redis.Addrs) == 0 {
		return cfg.Data
	}
	return "redis"
}
