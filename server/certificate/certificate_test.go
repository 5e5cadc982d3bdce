package certificate_test

import (
	"crypto/tls"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"onair/server/certificate"
	"onair/server/config"
	"onair/server/nodetest"
)

// served is the certificate that a client gets.
func served(t *testing.T, c *certificate.Watcher) *tls.Certificate {
	t.Helper()
	pair, err := c.TLSConfig().GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// TestCertificateFollowsItsFiles: without a signal, too, and an expired one is
// replaced while the server runs.
func TestCertificateFollowsItsFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		reg := prometheus.NewRegistry()
		cert, key := nodetest.WriteCertificate(t, dir, 1, time.Now().Add(time.Second))
		c, err := certificate.NewIfConfigured(&config.TLS{Cert: cert, Key: key}, reg, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		nodetest.WriteCertificate(t, dir, 2, time.Now().Add(time.Hour))
		time.Sleep(time.Second) // the first has expired
		if n := served(t, c).Leaf.SerialNumber.Int64(); n != 1 {
			t.Errorf("%d: the files are looked at with every client", n)
		}
		time.Sleep(certificate.CheckInterval)
		if n := served(t, c).Leaf.SerialNumber.Int64(); n != 2 {
			t.Errorf("certificate %d", n)
		}
		if err := os.Remove(key); err != nil {
			t.Fatal(err)
		}
		time.Sleep(certificate.CheckInterval)
		if n := served(t, c).Leaf.SerialNumber.Int64(); n != 2 {
			t.Errorf("certificate %d without a key", n)
		}
		if families, err := reg.Gather(); err != nil || families[0].GetMetric()[0].GetGauge().GetValue() == 0 {
			t.Errorf("its end is not told: %v", err)
		}
	})
}
