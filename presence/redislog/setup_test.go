package redislog

import (
	"bytes"
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

// at runs the suite of all logs on a Redis.
func at(t *testing.T, s Server) {
	t.Helper()
	presencetest.Run(t, func(t *testing.T) presencetest.Home {
		open := func(*testing.T) presence.Log {
			l := Open(Options{Client: Dial(s), Prefix: strings.ReplaceAll(t.Name(), "/", "-"), Logger: zerolog.Nop()})
			l.yields = 0
			return l
		}
		return presencetest.Home{Open: open, Reopen: open}
	})
}

func TestSentinel(t *testing.T) {
	s := redistest.StartSentinel(t, 1)
	at(t, Server{Addrs: s.Addrs(), MasterName: redistest.MasterName})
}

func TestCluster(t *testing.T) { at(t, Server{Addrs: redistest.StartCluster(t, 3, 0).Addrs()}) }

// TestSecured: TLS, and a user who may do no more than is needed.
func TestSecured(t *testing.T) {
	dir := t.TempDir()
	roots := certify(t, dir)
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
	with := func(change func(*Server)) Server {
		out := Server{Addrs: []string{address}, Username: "onair", Password: "secret", TLS: &tls.Config{RootCAs: roots}}
		change(&out)
		return out
	}
	at(t, with(func(*Server) {}))
	s.Do("ACL", "SETUSER", "blind", "on", ">secret", "~*", "+@all", "-info")
	for what, c := range map[string]struct {
		Server
		says string
	}{
		"wrong password": {with(func(s *Server) { s.Password = "wrong" }), "WRONGPASS"},
		"no such user":   {with(func(s *Server) { s.Username = "nobody" }), "WRONGPASS"},
		"no INFO":        {with(func(s *Server) { s.Username = "blind" }), "INFO"},
		"not trusted":    {with(func(s *Server) { s.TLS = &tls.Config{RootCAs: x509.NewCertPool()} }), "certificate"},
	} {
		l := Open(Options{Client: Dial(c.Server), Logger: zerolog.Nop()})
		if _, _, err := l.Load(t.Context(), nil); err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", what, err)
		}
		l.Close()
	}
}

// certify writes a certificate for loopback, and its key.
func certify(t *testing.T, dir string) *x509.CertPool {
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

// TestInspected: what will not do, or may lose the list, is said at the start.
func TestInspected(t *testing.T) {
	s := redistest.Start(t)
	said := func() string {
		var out bytes.Buffer
		l := Open(Options{Client: Dial(Server{Addrs: []string{s.Addr()}}), Logger: zerolog.New(&out)})
		defer l.Close()
		l.yields = 0
		if _, _, err := l.Load(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if out := said(); !strings.Contains(out, "appendonly is off") || strings.Contains(out, "noeviction") {
		t.Errorf("without persistence: %s", out)
	}
	s.Do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	s.Do("CONFIG", "SET", "appendonly", "yes")
	if out := said(); strings.Contains(out, "appendonly is off") || !strings.Contains(out, "noeviction") {
		t.Errorf("with eviction: %s", out)
	}
}

// TestAway: a node that starts waits for Redis, and says so once.
func TestAway(t *testing.T) {
	s := redistest.Start(t)
	s.Stop()
	var out bytes.Buffer
	l := Open(Options{Client: Dial(Server{Addrs: []string{s.Addr()}}), Logger: zerolog.New(zerolog.SyncWriter(&out))})
	defer l.Close()
	l.yields = 0
	loaded := make(chan error, 1)
	go func() {
		_, _, err := l.Load(t.Context(), nil)
		loaded <- err
	}()
	for l.silent.Load() == 0 {
		<-time.After(time.Millisecond)
	}
	s.Restart()
	if err := <-loaded; err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Count(text, "redis: no answer") != 1 || !strings.Contains(text, "answers again") {
		t.Errorf("it says %s", text)
	}
}
