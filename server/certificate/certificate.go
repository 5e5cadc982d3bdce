package certificate

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/rs/zerolog"

	"onair/server/config"
)

// CheckInterval is how often the files are checked while clients connect.
const CheckInterval = 10 * time.Second

// Watcher provides the certificate of a TLS server and reloads it when its files change. If the
// new files cannot be read or do not match, it provides the last valid certificate. It may be
// used concurrently.
type Watcher struct {
	// Static after construction.
	log    zerolog.Logger
	expiry prometheus.Gauge

	mu            sync.Mutex // guards all below
	certPath      string
	keyPath       string
	certificate   *tls.Certificate
	triedVersions [2]fileVersion // of the files that were loaded last, or that failed to load
	checkedAt     time.Time
}

// fileVersion changes when a file is replaced.
type fileVersion struct {
	modifiedAt time.Time
	size       int64
}

// NewIfConfigured loads the configured certificate. It returns nil if none is configured, and an
// error that names the key if the files have no valid certificate.
func NewIfConfigured(cfg *config.TLS, reg prometheus.Registerer, log zerolog.Logger) (*Watcher, error) {
	expiry := promauto.With(reg).NewGauge(prometheus.GaugeOpts{
		Name: "onair_tls_certificate_expiry_timestamp_seconds", Help: "When the served certificate expires; 0: TLS does not end in the process.",
	})
	if cfg.Cert == "" {
		return nil, nil
	}
	c := &Watcher{log: log, expiry: expiry, checkedAt: time.Now()}
	return c, c.loadFilesLocked(cfg.Cert, cfg.Key)
}

// TLSConfig returns the configuration of a TLS server: TLS 1.2 or newer, with the cipher suites
// that crypto/tls selects.
func (c *Watcher) TLSConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.reloadIfDue(time.Now()), nil
		},
	}
}

// reloadIfDue returns the current certificate. Once per CheckInterval it checks the files
// before, and loads them if they have changed.
func (c *Watcher) reloadIfDue(now time.Time) (current *tls.Certificate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.checkedAt) < CheckInterval {
		return c.certificate
	}
	c.checkedAt = now
	if versions := fileVersions(c.certPath, c.keyPath); versions != c.triedVersions {
		c.triedVersions = versions
		if err := c.loadFilesLocked(c.certPath, c.keyPath); err != nil {
			c.log.Error().Err(err).Msg("certificate reload failed")
		}
	}
	return c.certificate
}

// Replace loads the certificate from the given files, which it checks from then on. If that
// fails, it returns an error, and the certificate and the paths stay the same.
func (c *Watcher) Replace(certPath, keyPath string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.loadFilesLocked(certPath, keyPath)
}

// loadFilesLocked makes the certificate in the given files the current one, and logs it. The caller
// holds mu.
func (c *Watcher) loadFilesLocked(certPath, keyPath string) error {
	versions := fileVersions(certPath, keyPath)
	pair, err := tls.LoadX509KeyPair(certPath, keyPath)
	if err != nil {
		return fmt.Errorf("tls.cert, tls.key: %w", err)
	}
	c.certPath, c.keyPath, c.triedVersions, c.certificate = certPath, keyPath, versions, &pair
	c.expiry.Set(float64(pair.Leaf.NotAfter.Unix()))
	c.log.Info().Time("not_after", pair.Leaf.NotAfter).Strs("names", pair.Leaf.DNSNames).Msg("certificate loaded")
	return nil
}

// fileVersions returns the versions of files on disk.
func fileVersions(certPath, keyPath string) (versions [2]fileVersion) {
	for i, path := range []string{certPath, keyPath} {
		if info, err := os.Stat(path); err == nil {
			versions[i] = fileVersion{info.ModTime(), info.Size()}
		}
	}
	return versions
}
