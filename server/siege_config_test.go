package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// TestBadFileAtSIGHUP: a file that cannot be used leaves all as it was; one
// that can is taken over; nobody is dropped for either.
func TestBadFileAtSIGHUP(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "onair.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("limits:\n  sockets_per_address: 50\n")
	p := besiege(t, thisBinary(), nil, "--config", file)
	b := p.invite()
	for _, step := range []struct{ text, says string }{
		{"limits:\n  sockets_per_address: many\n", "the configuration stays as it was"},
		{"limits: [", "the configuration stays as it was"},
		{"limits:\n  sockets_per_address: 5\n", "configuration read again"},
	} {
		before := countLines(p.logged(), step.says)
		write(step.text)
		p.cmd.Process.Signal(syscall.SIGHUP)
		for late := time.Now().Add(soon); countLines(p.logged(), step.says) == before; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(late) {
				t.Fatalf("%q: the log does not say %q", step.text, step.says)
			}
		}
		b.served()
	}
	if n := p.gauge(`onair_config_reloads_total{result="failed"}`); n != 2 {
		t.Errorf("%v failed reloads were counted, want 2", n)
	}
}

// TestSpoofedAddress: X-Forwarded-For counts as far as proxies of ours wrote it.
func TestSpoofedAddress(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, test := range []struct {
		peer, said, want string
		proxies          []netip.Prefix
	}{
		{"203.0.113.9:1", "198.51.100.1", "203.0.113.9", nil},
		{"203.0.113.9:1", "198.51.100.1", "203.0.113.9", proxies},
		{"10.0.0.1:1", "198.51.100.1", "198.51.100.1", proxies},
		{"10.0.0.1:1", "198.51.100.1", "10.0.0.1", nil},
		{"10.0.0.1:1", "127.0.0.1, 198.51.100.1, 10.0.0.2", "198.51.100.1", proxies},
		{"10.0.0.1:1", "127.0.0.1, rubbish", "10.0.0.1", proxies},
		{"10.0.0.1:1", "", "10.0.0.1", proxies},
	} {
		r := &http.Request{RemoteAddr: test.peer, Header: http.Header{"X-Forwarded-For": {test.said}}}
		if got := clientAddress(r, test.proxies).String(); got != test.want {
			t.Errorf("%s says %q: taken for %s, want %s", test.peer, test.said, got, test.want)
		}
	}
}

// issue writes a certificate that is valid until then.
func issue(t *testing.T, cert, key string, until time.Time) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "server"}, DNSNames: []string{"server"},
		NotBefore: until.Add(-time.Hour), NotAfter: until,
	}
	public, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: public}, key: {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCertificateRunsOut: a certificate that is renewed on disk is in use soon,
// without a restart; rubbish in its place is not.
func TestCertificateRunsOut(t *testing.T) {
	cert, key := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	now := time.Now().Truncate(time.Second)
	issue(t, cert, key, now.Add(time.Minute))
	var said strings.Builder
	c, err := newCertificate(cert, key, newMetrics(prometheus.NewRegistry()), zerolog.New(&said))
	if err != nil {
		t.Fatal(err)
	}
	until := func(at time.Time) time.Time { return c.current(at).Leaf.NotAfter }
	if got := until(now); !got.Equal(now.Add(time.Minute)) {
		t.Errorf("valid until %v", got)
	}
	at := now
	for n, step := range []struct {
		write func()
		want  time.Time
	}{
		{func() { issue(t, cert, key, now.Add(time.Hour)) }, now.Add(time.Hour)},
		{func() { os.WriteFile(cert, []byte("rubbish"), 0o600) }, now.Add(time.Hour)},
		{func() { issue(t, cert, key, now.Add(2*time.Hour)) }, now.Add(2 * time.Hour)},
	} {
		step.write()
		for _, file := range []string{cert, key} { // as if it were later
			if err := os.Chtimes(file, at, now.Add(time.Duration(n+1)*time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		at = at.Add(2 * lookEvery)
		if got := until(at); !got.Equal(step.want) {
			t.Errorf("step %d: valid until %v, want %v", n, got, step.want)
		}
	}
	if n := countLines(said.String(), "the certificate stays as it was"); n != 1 {
		t.Errorf("the log says %d times that a certificate was not taken, want once", n)
	}
}
