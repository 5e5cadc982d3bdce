package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/certificate"
	"onair/server/config"
	"onair/server/runtimeconfig"
)

func badConfig() (*config.Config, error) { return nil, errors.New("a bad configuration") }

// given reads flags as a reload does.
func given(t *testing.T, flags ...string) func() (*config.Config, error) {
	t.Helper()
	return func() (*config.Config, error) {
		return config.Load(append([]string{"--auth.secret", processSecret, "--viewer.anonymous=true"}, flags...), nil)
	}
}

// TestReload: keys, limits and the log level change while sockets stay; what
// cannot change is said; a bad configuration changes nothing.
func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t, "--push.key", "one", "--hooks.nginx-rtmp.enabled", "true")
		viewer, alice := s.viewer(""), s.anchor("alice")
		answerTo[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.id()})
		old := pushQuery(answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: ""}).Push.RTMP)
		now := time.Now().Unix()

		s.s.Reload(t.Context(), badConfig)
		s.s.Reload(t.Context(), given(t, "--auth.public-key", "nonsense"))
		if err := s.s.Runtime.Current().PushSigner.Verify("8888_alice", old, now); err != nil {
			t.Errorf("a bad configuration changed the key: %v", err)
		}

		other := "another secret of thirty-two bytes or more"
		s.s.Reload(t.Context(), func() (*config.Config, error) {
			return config.Load([]string{
				"--auth.secrets", "a=" + other + ",b=" + processSecret, "--viewer.anonymous=false",
				"--push.key", "two", "--push.backup-key", "one", "--limits.window", "7", "--limits.sockets-per-address", "3",
				"--node", "n1", "--data", "memory", "--log.level", "error", "--heartbeat.interval", "7s", "--hooks.nginx-rtmp.enabled", "true",
			}, nil)
		})
		log := s.logged()
		if !strings.Contains(log, `"keys":["heartbeat.interval"]`) || strings.Contains(log, other) {
			t.Errorf("the log says %s", log)
		}
		fresh := pushQuery(answerTo[*wire.Pushed](alice, &wire.PushRequest{ID: alice.id()}).Push.RTMP)
		for _, query := range []string{old, fresh} {
			if err := s.s.Runtime.Current().PushSigner.Verify("8888_alice", query, now); err != nil {
				t.Errorf("a push URL of before or after: %v", err)
			}
		}
		if fresh == old {
			t.Error("the new key signs nothing")
		}
		s.call("GET", "/v1/streams", "", "").refused(401, wire.CodeUnauthorized)
		token, err := auth.SignToken([]byte(other), "a", auth.Identity{Subject: "x", Role: auth.Viewer}, time.Hour, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		s.call("GET", "/v1/streams?limit=7", token, "").is(200)
		s.call("GET", "/v1/streams?limit=8", token, "").refused(400, wire.CodeBadRequest)
		answerTo[*wire.Ack](alice, &wire.Beat{ID: alice.id(), N: 1}) // sockets that are in stay
		viewer.shows("live", func(l *wire.ClientView) bool { return state(l, "8888_alice") == "live" })
		quiet := s.logged()
		s.call("GET", "/v1/streams", "nonsense", "").is(401) // a warning
		if s.logged() != quiet {
			t.Error("the log level did not change")
		}
		third := s.unwelcomed("/v1/viewer", token)
		third.welcomed()
		if code, _ := s.unwelcomed("/v1/viewer", token).closes(); code != wire.CloseTooManySockets {
			t.Errorf("over the new limit: closed with %d", code)
		}
	})
}

// TestReloadKeepsMadeUpSecrets: a development server that reads its
// configuration again must not forget its own tokens.
func TestReloadKeepsMadeUpSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		alice := s.anchor("alice")
		old := answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: ""}).Push.RTMP
		s.s.Reload(t.Context(), func() (*config.Config, error) { return config.Load(nil, nil) })
		s.call("GET", "/v1/streams", s.day(auth.Viewer, "bob"), "").is(200)
		if err := s.s.Runtime.Current().PushSigner.Verify("8888_alice", pushQuery(old), time.Now().Unix()); err != nil {
			t.Error(err)
		}
	})
}

// TestReloadTakesOver: what is not secret is taken over beside a secret that was
// made up, and a running server makes up none that was given.
func TestReloadTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t, "--push.key", "one")
		s.s.Reload(t.Context(), given(t))
		if log := s.logged(); !strings.Contains(log, "push.key: it was given") {
			t.Errorf("a key that is gone: %s", log)
		}
		s.s.Reload(t.Context(), given(t, "--push.key", "one", "--push.backup-key", "zero", "--play.backup-key", "two",
			"--hooks.nginx-rtmp.enabled", "true"))
		if cfg := s.s.Runtime.Current(); cfg.Push.BackupKey.Reveal() != "zero" || cfg.Play.BackupKey.Reveal() != "two" {
			t.Error("the backup keys are as they were")
		}
		s.call("POST", "/v1/streams", s.day(auth.Anchor, "alice"), `{"title":"","sources":["heartbeat","callback"]}`).is(201)
	})
	made, err := config.Load(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	is, err := config.Load([]string{"--auth.issuer", "me"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if next, err := runtimeconfig.Merge(made, is); err != nil || next.Auth.Issuer != "me" || next.Auth.Secret != made.Auth.Secret {
		t.Errorf("issuer %q, %v", next.Auth.Issuer, err)
	}
}

// TestReloadWithoutJWKS: keys of tokens that cannot be fetched just now hold,
// whatever else is changed.
// TestReloadMovesBetweenCDNs: play domains, their weights, providers and keys change
// without a restart, and what anchors push to does not.
func TestReloadMovesBetweenCDNs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := []string{"--play.key", "one key", "--push.key", "push key", "--play.domain", "a.example.com"}
		s := serveTest(t, one...)
		s.begin(s.day(auth.Anchor, "alice"), `{"title":"x"}`)
		flv := func() string {
			var play struct{ Play map[string]string }
			s.call("GET", "/v1/streams/8888_alice/play", "", "").is(200).into(&play)
			return play.Play["flv"]
		}
		if got := flv(); !strings.HasPrefix(got, "https://a.example.com/live/8888_alice.flv?txSecret=") {
			t.Errorf("%s", got)
		}
		s.s.Reload(t.Context(), given(t, "--play.key", "one key", "--push.key", "push key",
			"--play.domain", "a.example.com=1,b.example.com=1000", "--play.providers", "b.example.com=aliyun_a", "--play.keys", "b.example.com=another"))
		if got := flv(); !strings.HasPrefix(got, "https://b.example.com/live/8888_alice.flv?auth_key=") {
			t.Errorf("after the reload: %s", got)
		}
		s.s.Reload(t.Context(), given(t, append(one, "--play.provider", "template", "--play.template", "a={md5 path time}&b={time}")...))
		if got := flv(); !strings.HasPrefix(got, "https://b.example.com/") || !strings.Contains(s.logged(), "must cover the key") {
			t.Errorf("after a bad one: %s", got)
		}
		s.s.Reload(t.Context(), given(t, one...))
		if got := flv(); !strings.HasPrefix(got, "https://a.example.com/live/8888_alice.flv?txSecret=") {
			t.Errorf("and back: %s", got)
		}
	})
}

func TestReloadWithoutJWKS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	public := jsonOf(map[string]any{"keys": []map[string]string{
		{"kty": "EC", "crv": "P-256", "kid": "a", "x": b64(point[1:33]), "y": b64(point[33:])},
	}})
	var down atomic.Bool
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, public)
	}))
	defer issuer.Close()
	s := serveTest(t, "--auth.jwks-url", issuer.URL)
	unsigned := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"sub": "bob", "role": "backend", "exp": time.Now().Add(time.Hour).Unix()})
	unsigned.Header["kid"] = "a"
	token, err := unsigned.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	s.call("GET", "/v1/sessions", token, "").is(200)
	fetched := func(ok, failed string) {
		t.Helper()
		if o, f := s.metric(`onair_jwks_fetches_total{result="ok"}`), s.metric(`onair_jwks_fetches_total{result="failed"}`); o != ok || f != failed {
			t.Errorf("read %s times, failed %s, want %s and %s", o, f, ok, failed)
		}
	}
	fetched("1", "0")
	if s.metric("onair_jwks_last_fetch_timestamp_seconds") == "0" {
		t.Error("nothing says when the keys were read")
	}
	down.Store(true)
	s.s.Reload(t.Context(), given(t, "--auth.jwks-url", issuer.URL, "--limits.window", "7"))
	s.call("GET", "/v1/streams?limit=8", token, "").refused(400, wire.CodeBadRequest)
	s.call("GET", "/v1/sessions", token, "").is(200)
	unsigned.Header["kid"] = "b" // has the keys read anew
	if token, err = unsigned.SignedString(key); err != nil {
		t.Fatal(err)
	}
	s.call("GET", "/v1/sessions", token, "").is(401)
	fetched("1", "1")
	s.s.Reload(t.Context(), given(t))
	if at := s.metric("onair_jwks_last_fetch_timestamp_seconds"); at != "0" {
		t.Errorf("without a URL its keys were read at %s", at)
	}
}

// TestHangup: SIGHUP reads the file again, and a bad file changes nothing.
func TestHangup(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "onair.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("limits.window: 5\n")
	p := startProcess(t, t.TempDir(), "--config", file)
	viewer := p.dial("/v1/viewer", "")
	hangup := func(result string) {
		t.Helper()
		metric := `onair_config_reloads_total{result="` + result + `"}`
		before := p.metric(metric)
		p.cmd.Process.Signal(syscall.SIGHUP)
		eventually(t, result, func() bool { return p.metric(metric) != before })
	}
	window := func() int {
		n := 0
		for limit := 1; limit < 20; limit++ {
			if p.get("/v1/streams?limit="+jsonOf(limit)) == http.StatusOK {
				n = limit
			}
		}
		return n
	}
	write("limits.window: 6\n")
	hangup("ok")
	if n := window(); n != 6 {
		t.Errorf("limits.window is %d", n)
	}
	for _, bad := range []string{"limits: [", "limits.window: seven\n"} {
		write(bad)
		hangup("failed")
	}
	if n := window(); n != 6 {
		t.Errorf("limits.window is %d after a bad file", n)
	}
	if log := p.logged(); !strings.Contains(log, `"limits.window: `) || !strings.Contains(log, "(file "+file+")") {
		t.Errorf("the log does not name file and key: %s", log)
	}
	if _, err := viewer.ask(&wire.Subscribe{ID: "1"}); err != nil {
		t.Errorf("a socket was dropped: %v", err)
	}
}

// get asks for a path and returns the status.
func (p *process) get(path string) int {
	p.t.Helper()
	res, err := http.Get("http://" + p.address + path)
	if err != nil {
		p.t.Fatal(err)
	}
	io.Copy(io.Discard, res.Body)
	res.Body.Close()
	return res.StatusCode
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for late := time.Now().Add(20 * time.Second); !so(); {
		if time.Now().After(late) {
			t.Fatalf("%s: it does not happen", what)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// writeCertificate makes a certificate that ends at a time.
func writeCertificate(t *testing.T, dir string, serial int64, ends time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "onair"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: ends, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestTLS: TLS ends in the process, and follows its files.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := writeCertificate(t, dir, 1, time.Now().Add(time.Hour))
	p := startProcess(t, t.TempDir(), "--tls.cert", cert, "--tls.key", key)
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true, //nolint:gosec // the serial is checked
	}}
	serial := func() int64 {
		res, err := client.Get("https://" + p.address + "/v1/streams")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	if n := serial(); n != 1 {
		t.Errorf("certificate %d", n)
	}
	options := dialOptions("")
	options.HTTPClient = client
	conn, _, err := websocket.Dial(t.Context(), "wss://"+p.address+"/v1/viewer", options)
	if err != nil {
		t.Fatal(err)
	}
	viewer := newCaller(t, conn, 10*time.Second)
	viewer.welcomed()
	if status := p.get("/v1/streams"); status != http.StatusBadRequest {
		t.Errorf("plain HTTP beside TLS: status %d", status)
	}
	if _, err := tls.Dial("tcp", p.address, &tls.Config{MaxVersion: tls.VersionTLS11, InsecureSkipVerify: true}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	writeCertificate(t, dir, 2, time.Now().Add(2*time.Hour))
	p.cmd.Process.Signal(syscall.SIGHUP)
	eventually(t, "the new certificate", func() bool { return serial() == 2 })
	if err := os.WriteFile(cert, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.cmd.Process.Signal(syscall.SIGHUP)
	eventually(t, "the failure", func() bool { return p.metric(`onair_config_reloads_total{result="failed"}`) == "1" })
	if n := serial(); n != 2 {
		t.Errorf("a bad file replaced the certificate: %d", n)
	}
	if _, err := viewer.ask(&wire.Subscribe{ID: "1"}); err != nil {
		t.Errorf("a socket was dropped: %v", err)
	}
}

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
		cert, key := writeCertificate(t, dir, 1, time.Now().Add(time.Second))
		c, err := certificate.New(&config.TLS{Cert: cert, Key: key}, reg, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		writeCertificate(t, dir, 2, time.Now().Add(time.Hour))
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
