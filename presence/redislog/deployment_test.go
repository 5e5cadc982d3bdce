package redislog

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"onair/presence"
	"onair/presence/presencetest"
	"onair/presence/redislog/redistest"
)

// runLogSuite runs the suite of all logs on one Redis.
func runLogSuite(t *testing.T, c ClientOptions) {
	t.Helper()
	presencetest.RunLogSuite(t, func(t *testing.T) presencetest.Backend {
		open := func(*testing.T) presence.Log {
			return openLog(t, Options{Client: NewClient(c), Prefix: strings.ReplaceAll(t.Name(), "/", "-"), Logger: zerolog.Nop()})
		}
		return presencetest.Backend{Open: open, Reopen: open}
	})
}

func TestSentinel(t *testing.T) {
	s := redistest.StartSentinel(t, 1)
	runLogSuite(t, ClientOptions{Addrs: s.Addrs(), MasterName: redistest.MasterName})
}

func TestCluster(t *testing.T) {
	runLogSuite(t, ClientOptions{Addrs: redistest.StartCluster(t, 3, 0).Addrs()})
}

// TestClusterBehindOneAddress: the address of any node of a Cluster suffices. The log
// follows the slot to another primary after that node has died. A user needs the rights
// of the documents.
func TestClusterBehindOneAddress(t *testing.T) {
	k := redistest.StartCluster(t, 3, 1)
	primary := k.Primary("{onair}")
	k.DoOnAll("ACL", "SETUSER", "onair", "on", ">secret", "~{onair}:*", "+@read", "+@write", "+@scripting", "+@connection", "+info", "+time", "+cluster|slots")
	k.DoOnAll("ACL", "SETUSER", "blind", "on", ">secret", "~{onair}:*", "+@all", "-cluster")
	var logs []*Log
	for i, addr := range k.Addrs() {
		l := openLog(t, Options{Client: NewClient(ClientOptions{Addrs: []string{addr}, Username: "onair", Password: "secret"})})
		mustLoad(t, l)
		mustAppend(t, l, emptyBatch(uint64(i+1)))
		logs = append(logs, l)
	}
	checkLoadFails(t, NewClient(ClientOptions{Addrs: []string{primary.Addr()}, Username: "blind", Password: "secret"}), "onair", "+cluster|slots")
	primary.Kill()
	k.AwaitFailover("{onair}", primary)
	soon, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for i, l := range logs {
		for err := errors.New("not yet"); err != nil && soon.Err() == nil; {
			err = l.Append(soon, emptyBatch(uint64(len(logs)+i+1)))
		}
	}
	if soon.Err() != nil {
		t.Fatal("a log does not find the new primary")
	}
}

// TestSameAddressTwice: an address that is given twice is one address.
func TestSameAddressTwice(t *testing.T) {
	addr := redistest.Start(t).Addr()
	mustLoad(t, openLog(t, Options{Client: NewClient(ClientOptions{Addrs: []string{addr, addr}, DB: 1})}))
}

// TestTLSAndACL: the log works over TLS, with a user that has only the needed
// permissions. Load fails with wrong credentials.
func TestTLSAndACL(t *testing.T) {
	dir := t.TempDir()
	roots := writeCertificate(t, dir)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	s := redistest.Start(t, "--tls-port", fmt.Sprint(port), "--tls-auth-clients", "no",
		"--tls-cert-file", filepath.Join(dir, "cert"), "--tls-key-file", filepath.Join(dir, "key"), "--tls-ca-cert-file", filepath.Join(dir, "cert"))
	s.Do("ACL", "SETUSER", "onair", "on", ">secret", "~{*}:*", "+@read", "+@write", "+@scripting", "+@connection", "+info", "+time")
	address := fmt.Sprintf("127.0.0.1:%d", port)
	valid := ClientOptions{Addrs: []string{address}, Username: "onair", Password: "secret", TLS: &tls.Config{RootCAs: roots}}
	with := func(change func(*ClientOptions)) ClientOptions {
		c := valid
		change(&c)
		return c
	}
	runLogSuite(t, valid)
	s.Do("ACL", "SETUSER", "blind", "on", ">secret", "~*", "+@all", "-info")
	for fault, c := range map[string]struct {
		ClientOptions
		wantError string
	}{
		"wrong password": {with(func(c *ClientOptions) { c.Password = "wrong" }), "WRONGPASS"},
		"no such user":   {with(func(c *ClientOptions) { c.Username = "nobody" }), "WRONGPASS"},
		"no INFO":        {with(func(c *ClientOptions) { c.Username = "blind" }), "INFO"},
		"not trusted":    {with(func(c *ClientOptions) { c.TLS = &tls.Config{RootCAs: x509.NewCertPool()} }), "certificate"},
	} {
		l := Open(Options{Client: NewClient(c.ClientOptions), Logger: zerolog.Nop()})
		if _, _, err := l.Load(t.Context(), nil); err == nil || !strings.Contains(err.Error(), c.wantError) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", fault, err)
		}
		l.Close()
	}
}

// writeCertificate writes a self-signed certificate for loopback, and its key.
func writeCertificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis of a test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "cert"), certPEM, 0o600), os.WriteFile(filepath.Join(dir, "key"), keyPEM, 0o600)); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return roots
}

// TestServerCheckWarns: Load warns of settings that may lose the list.
func TestServerCheckWarns(t *testing.T) {
	s := redistest.Start(t)
	logged := func() string {
		var out bytes.Buffer
		l := openLog(t, Options{Client: NewClient(ClientOptions{Addrs: []string{s.Addr()}}), Logger: zerolog.New(&out)})
		mustLoad(t, l)
		l.Close()
		return out.String()
	}
	if out := logged(); !strings.Contains(out, "appendonly is off") || strings.Contains(out, "noeviction") {
		t.Errorf("without persistence: %s", out)
	}
	s.Do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	s.Do("CONFIG", "SET", "appendonly", "yes")
	if out := logged(); strings.Contains(out, "appendonly is off") || !strings.Contains(out, "noeviction") {
		t.Errorf("with eviction: %s", out)
	}
}

// TestLoadWaitsForRedis: Load waits for Redis, and logs the outage once.
func TestLoadWaitsForRedis(t *testing.T) {
	s := redistest.Start(t)
	s.Stop()
	var out bytes.Buffer
	l := openLog(t, Options{Client: NewClient(ClientOptions{Addrs: []string{s.Addr()}}), Logger: zerolog.New(zerolog.SyncWriter(&out))})
	loaded := make(chan error, 1)
	go func() {
		_, _, err := l.Load(t.Context(), nil)
		loaded <- err
	}()
	for l.outage.since.Load() == 0 {
		<-time.After(time.Millisecond)
	}
	s.Restart()
	if err := <-loaded; err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Count(text, "redis unreachable") != 1 || !strings.Contains(text, "redis reachable again") {
		t.Errorf("the log has %s", text)
	}
}
