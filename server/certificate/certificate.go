package certificate

import (
	"crypto/tls"
	"crypto/x509"
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

// New loads the configured certificate. It returns nil if none is configured, and an error that
// names the key if the files have no valid certificate.
func New(cfg *config.TLS, reg prometheus.Registerer, log zerolog.Logger) (*Watcher, error) {
	expiry := promauto.With(reg).NewGauge(prometheus.GaugeOpts{
		Name: "onair_tls_certificate_expiry_timestamp_seconds", Help: "When the served certificate expires; 0: TLS does not end in the process.",
	})
	if cfg.Cert == "" {
		return nil, nil
	}
	c := &Watcher{log: log, expiry: expiry, certPath: cfg.Cert, keyPath: cfg.Key}
	c.triedVersions = c.fileVersions()
	if err := c.loadFiles(); err != nil {
		return nil, err
	}
	c.checkedAt = time.Now()
	return c, nil
}

// TLSConfig returns the configuration of a TLS server: TLS 1.2 or newer, with the cipher suites
// that crypto/tls selects.
func (c *Watcher) TLSConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.currentCertificate(time.Now()), nil
		},
	}
}

// currentCertificate returns the certificate. It checks the files once per CheckInterval.
func (c *Watcher) currentCertificate(now time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.checkedAt) < CheckInterval {
		return c.certificate
	}
	c.checkedAt = now
	if v := c.fileVersions(); v != c.triedVersions {
		c.triedVersions = v
		if err := c.loadFiles(); err != nil {
			c.log.Error().Err(err).Msg("certificate reload failed")
		}
	}
	return c.certificate
}

// Replace loads the certificate from the given files. If that fails, it returns an error, and
// the certificate and the paths stay the same.
func (c *Watcher) Replace(cert, key string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	oldCertPath, oldKeyPath := c.certPath, c.keyPath
	c.certPath, c.keyPath = cert, key
	c.triedVersions = c.fileVersions()
	if err := c.loadFiles(); err != nil {
		c.certPath, c.keyPath = oldCertPath, oldKeyPath
		c.triedVersions = c.fileVersions()
		return err
	}
	return nil
}

// loadFiles loads the certificate from its files. The caller holds mu.
func (c *Watcher) loadFiles() error {
	pair, err := loadCertificate(c.certPath, c.keyPath)
	if err != nil {
		return err
	}
	c.certificate = pair
	c.expiry.Set(float64(pair.Leaf.NotAfter.Unix()))
	c.log.Info().Time("not_after", pair.Leaf.NotAfter).Strs("names", pair.Leaf.DNSNames).Msg("certificate loaded")
	return nil
}

// fileVersions returns the versions of the files on disk.
func (c *Watcher) fileVersions() (versions [2]fileVersion) {
	for i, path := range []string{c.certPath, c.keyPath} {
		if info, err := os.Stat(path); err == nil {
			versions[i] = fileVersion{info.ModTime(), info.Size()}
		}
	}
	return versions
}

// loadCertificate loads a certificate and its private key, and parses the leaf.
func loadCertificate(certPath, keyPath string) (*tls.Certificate, error) {
	certificate, err := tls.LoadX509KeyPair(certPath, keyPath)
	if err != nil {
		return nil, fmt.Errorf("tls.cert, tls.key: %w", err)
	}
	if certificate.Leaf, err = x509.ParseCertificate(certificate.Certificate[0]); err != nil {
		return nil, fmt.Errorf("tls.cert: %w", err)
	}
	return &certificate, nil
}
