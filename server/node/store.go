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

// Store is the log of the list with the archive of recordings.
type Store interface {
	presence.Log
	presence.Archive
}

// OpenStore opens the configured store. A shared store has other nodes, and may lose its last
// entries. A ConfigError is returned when redis.ca cannot be used.
func OpenStore(cfg *config.Config, reg prometheus.Registerer, log zerolog.Logger) (store Store, isShared bool, err error) {
	if len(cfg.Redis.Addrs) == 0 {
		store, err = embedded.Open(embedded.Options{Dir: cfg.Data, Logger: log, Metrics: reg})
		return store, false, err
	}
	store, err = OpenRedis(cfg, reg, log)
	return store, true, err
}

// OpenRedis opens the log and the archive on the configured Redis. A ConfigError is returned
// when redis.ca cannot be used.
func OpenRedis(cfg *config.Config, reg prometheus.Registerer, log zerolog.Logger) (l *redislog.Log, err error) {
	client := redislog.ClientOptions{
		Addrs: cfg.Redis.Addrs, MasterName: cfg.Redis.MasterName, DB: cfg.Redis.DB,
		Username: cfg.Redis.Username, Password: cfg.Redis.Password.Reveal(),
		SentinelUsername: cfg.Redis.SentinelUsername, SentinelPassword: cfg.Redis.SentinelPassword.Reveal(),
	}
	if client.TLS, err = redisTLSConfig(&cfg.Redis); err != nil {
		return nil, ConfigError{err}
	}
	logging.Disable() // the client logs to stderr, and redislog logs the same events
	return redislog.Open(redislog.Options{
		Client: redislog.NewClient(client), Prefix: cfg.Redis.Prefix, Logger: log, Metrics: reg,
	}), nil
}

// redisTLSConfig returns nil if redis.tls is off.
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
		return nil, fmt.Errorf("redis.ca: %s contains no certificate", cfg.CA)
	}
	return c, nil
}

// storeLocation returns the data directory, or "redis".
func storeLocation(cfg *config.Config) string {
	if len(cfg.Redis.Addrs) == 0 {
		return cfg.Data
	}
	return "redis"
}
