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

// CheckInterval is how often the files of the certificate are looked at, while
// clients come.
const CheckInterval = 10 * time.Second

// Watcher has the certificate that TLS in the process is served with. It follows
// its files; while they cannot be read, or do not fit together, the last good one
// stays. It may be used concurrently.
type Watcher struct {
	// Static after construction.
	log    zerolog.Logger
	expiry prometheus.Gauge

	mu            sync.Mutex // guards all below
	certPath      string     // paths
	keyPath       string
	certificate   *tls.Certificate
	triedVersions [2]fileVersion // of the files that were tried last
	checkedAt     time.Time
}

// fileVersion tells whether a file is another than it was.
type fileVersion struct {
	modifiedAt time.Time
	size       int64
}

// New reads a certificate, and returns nil when the configuration
// has none. The error names the key when there is no certificate in the files.
func New(cfg *config.TLS, reg prometheus.Registerer, log zerolog.Logger) (*Watcher, error) {
	expiry := promauto.With(reg).NewGauge(prometheus.GaugeOpts{
		Name: "onair_tls_certificate_expiry_timestamp_seconds", Help: "When the certificate that is served ends; 0: TLS does not end here.",
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

// TLSConfig is how TLS is spoken. Everything from TLS 1.2 on, by what Go has for
// safe.
func (c *Watcher) TLSConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.currentCertificate(time.Now()), nil
		},
	}
}

// currentCertificate gives the certificate, and looks at its files once in a while.
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
			c.log.Error().Err(err).Msg("the certificate stays as it was")
		}
	}
	return c.certificate
}

// Replace reads the certificate anew, maybe from other files. It returns an error
// and keeps the one that it has when there is none in them.
func (c *Watcher) Replace(cert, key string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := [2]string{c.certPath, c.keyPath}
	c.certPath, c.keyPath = cert, key
	c.triedVersions = c.fileVersions()
	if err := c.loadFiles(); err != nil {
		c.certPath, c.keyPath = was[0], was[1]
		c.triedVersions = c.fileVersions()
		return err
	}
	return nil
}

// loadFiles reads the files. The caller holds mu, or nobody else has c.
func (c *Watcher) loadFiles() error {
	pair, err := loadCertificate(c.certPath, c.keyPath)
	if err != nil {
		return err
	}
	c.certificate = pair
	c.expiry.Set(float64(pair.Leaf.NotAfter.Unix()))
	c.log.Info().Time("not_after", pair.Leaf.NotAfter).Strs("names", pair.Leaf.DNSNames).Msg("certificate")
	return nil
}

func (c *Watcher) fileVersions() (v [2]fileVersion) {
	for i, path := range []string{c.certPath, c.keyPath} {
		if info, err := os.Stat(path); err == nil {
			v[i] = fileVersion{info.ModTime(), info.Size()}
		}
	}
	return v
}

func loadCertificate(cert, key string) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("tls.cert, tls.key: %w", err)
	}
	if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
		return nil, fmt.Errorf("tls.cert: %w", err)
	}
	return &pair, nil
}
