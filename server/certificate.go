package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// lookEvery is how often the files of the certificate are looked at, while
// clients come.
const lookEvery = 10 * time.Second

// certificate is what TLS in the process is served with. It follows its files;
// while they cannot be read, or do not fit together, the last good one stays.
// It may be used concurrently.
type certificate struct {
	// Static after construction.
	log     zerolog.Logger
	metrics *metrics

	mu       sync.Mutex // guards all below
	cert     string     // paths
	key      string
	present  *tls.Certificate
	versions [2]fileVersion // of the files that were tried last
	looked   time.Time
}

// fileVersion tells whether a file is another than it was.
type fileVersion struct {
	at   time.Time
	size int64
}

// newCertificate returns an error that names the key when there is no
// certificate in the files.
func newCertificate(cert, key string, m *metrics, log zerolog.Logger) (*certificate, error) {
	c := &certificate{log: log, metrics: m, cert: cert, key: key}
	c.versions = c.onDisk()
	if err := c.read(); err != nil {
		return nil, err
	}
	c.looked = time.Now()
	return c, nil
}

// config is how TLS is spoken. Everything from TLS 1.2 on, by what Go has for
// safe.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.current(time.Now()), nil
		},
	}
}

// current gives the certificate, and looks at its files once in a while.
func (c *certificate) current(now time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.looked) < lookEvery {
		return c.present
	}
	c.looked = now
	if v := c.onDisk(); v != c.versions {
		c.versions = v
		if err := c.read(); err != nil {
			c.log.Error().Err(err).Msg("the certificate stays as it was")
		}
	}
	return c.present
}

// use reads the certificate anew, maybe from other files. It returns an error
// and keeps the one that it has when there is none in them.
func (c *certificate) use(cert, key string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := [2]string{c.cert, c.key}
	c.cert, c.key = cert, key
	c.versions = c.onDisk()
	if err := c.read(); err != nil {
		c.cert, c.key = was[0], was[1]
		c.versions = c.onDisk()
		return err
	}
	return nil
}

// read reads the files. The caller holds mu, or nobody else has c.
func (c *certificate) read() error {
	pair, err := loadCertificate(c.cert, c.key)
	if err != nil {
		return err
	}
	c.present = pair
	c.metrics.certificate.Set(float64(pair.Leaf.NotAfter.Unix()))
	c.log.Info().Time("not_after", pair.Leaf.NotAfter).Strs("names", pair.Leaf.DNSNames).Msg("certificate")
	return nil
}

func (c *certificate) onDisk() (v [2]fileVersion) {
	for i, path := range []string{c.cert, c.key} {
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
