//go:build linux

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"onair/loadtest/report"
)

// rotation changes the keys, certificate and limits of a server.
type rotation struct {
	t       *testing.T
	dir     string
	server  *serverProcess
	reloads int
}

// writeConfig writes a configuration and a certificate.
func (r *rotation) writeConfig(certificateSerial int64, lines ...string) {
	r.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		r.t.Error(err)
		return
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(certificateSerial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		r.t.Error(err)
		return
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		r.t.Error(err)
		return
	}
	cert, keyFile := filepath.Join(r.dir, "cert.pem"), filepath.Join(r.dir, "key.pem")
	lines = append(lines, "tls.cert: "+cert, "tls.key: "+keyFile)
	for name, text := range map[string][]byte{
		cert:           pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		keyFile:        pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		r.configFile(): []byte(strings.Join(lines, "\n") + "\n"),
	} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			r.t.Error(err)
		}
	}
}

func (r *rotation) configFile() string { return filepath.Join(r.dir, "onair.yaml") }

// reload makes the server load a configuration, and waits until it has.
func (r *rotation) reload(certificateSerial int64, lines ...string) {
	r.t.Helper()
	r.writeConfig(certificateSerial, lines...)
	r.reloads++
	r.server.sendHangUp()
	want := fmt.Sprintf("onair_config_reloads_total{result=\"ok\"} %d\n", r.reloads)
	for deadline := time.Now().Add(testTimeout); !strings.Contains(r.metrics(), want); <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Errorf("reload %d has not finished", r.reloads)
			return
		}
	}
	if got := r.servedSerial(); got != certificateSerial {
		r.t.Errorf("certificate %d is served, want %d", got, certificateSerial)
	}
}

func (r *rotation) metrics() string {
	res, err := http.Get(r.server.metricsURL())
	if err != nil {
		r.t.Error(err)
		return ""
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Error(err)
	}
	return string(text)
}

// servedSerial is the serial number of the certificate of a new connection.
func (r *rotation) servedSerial() int64 {
	conn, err := tls.Dial("tcp", r.server.address, r.tlsConfig())
	if err != nil {
		r.t.Error(err)
		return 0
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// tlsConfig accepts any certificate: servedSerial checks it.
func (r *rotation) tlsConfig() *tls.Config { return &tls.Config{InsecureSkipVerify: true} } //nolint:gosec // on loopback

// statusWithToken is the HTTP status of a call with a token signed with a key.
func (r *rotation) statusWithToken(kid, secret string) int {
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "app", "role": "backend", "exp": time.Now().Add(time.Hour).Unix()})
	if kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString([]byte(secret))
	if err != nil {
		r.t.Error(err)
		return 0
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://"+r.server.address+"/v1/sessions", nil)
	if err != nil {
		r.t.Error(err)
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+text)
	res, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: r.tlsConfig(), DisableKeepAlives: true}}).Do(req)
	if err != nil {
		r.t.Error(err)
		return 0
	}
	res.Body.Close()
	return res.StatusCode
}

// startTLSProxy listens for plain connections, and forwards each over TLS.
func (r *rotation) startTLSProxy() (address string) {
	r.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go r.forwardOverTLS(in)
		}
	}()
	return l.Addr().String()
}

func (r *rotation) forwardOverTLS(in net.Conn) {
	defer in.Close()
	out, err := tls.Dial("tcp", r.server.address, r.tlsConfig())
	if err != nil {
		return
	}
	defer out.Close()
	go func() {
		defer in.Close()
		_, _ = io.Copy(in, out)
	}()
	_, _ = io.Copy(out, in)
}

// TestRotationUnderLoad: keys of tokens and URLs, the certificate and limits are
// changed, again and again, under a hundred anchors and four hundred viewers
// over TLS. No connection is lost, and each change is in force.
//
// The load test's tokens have no key id. The server verifies them with each HS256 key until
// theirs is removed, so all anchors must be connected before the first change.
func TestRotationUnderLoad(t *testing.T) {
	const newSecret = "another secret of thirty-two bytes or more"
	r := &rotation{t: t, dir: t.TempDir()}
	before := []string{"auth.secret: " + testSecret, "push.key: p1", "play.key: q1"}
	both := []string{
		"auth.secrets: {old: " + testSecret + ", new: " + newSecret + "}",
		"push.key: p2", "push.backup_key: p1", "play.key: q2", "play.backup_key: q1", "limits.rate: 30",
	}
	after := []string{"auth.secrets: {new: " + newSecret + "}", "push.key: p2", "play.key: q2"}
	r.writeConfig(1, before...)
	r.server = startServer(t, "--config", r.configFile())
	hasRotated := false
	rotate := func(cancel func()) {
		defer cancel()
		serial := int64(1)
		for range 5 {
			for _, lines := range [][]string{both, after, both, before} {
				serial++
				r.reload(serial, lines...)
				<-time.After(50 * time.Millisecond)
			}
		}
		r.reload(serial+1, both...)
		for _, key := range []struct {
			kid, secret string
			want        int
		}{{"old", testSecret, http.StatusOK}, {"new", newSecret, http.StatusOK}, {"new", testSecret, http.StatusUnauthorized}} {
			if got := r.statusWithToken(key.kid, key.secret); got != key.want {
				t.Errorf("a token of key %s: status %d, want %d", key.kid, got, key.want)
			}
		}
		r.reload(serial+2, after...)
		if got := r.statusWithToken("old", testSecret); got != http.StatusUnauthorized {
			t.Errorf("a token of the removed key: status %d", got)
		}
		hasRotated = true
	}
	// Without play URLs: viewers keep theirs until their renewal, so that lists from
	// before and after a change differ in them.
	got := runLoadTestWith(t, rotate, "--url", "ws://"+r.startTLSProxy(), "--metrics", r.server.metricsURL(),
		"--anchors", "100", "--viewers", "400", "--views", "5", "--ramp", "500ms", "--settle", testTimeout.String(),
		"--duration", testTimeout.String(), "--updates-per-second", "50", "--watch-share", "0", "--max-disconnects", "0", "--max-p99", "30s")
	if got.exitCode != 0 || got.report.Result != report.Passed || !hasRotated {
		t.Errorf("exit %d, rotated: %t\n%s", got.exitCode, hasRotated, got.output)
	}
	for line := range strings.Lines(r.metrics()) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasPrefix(name, "onair_closes_total") {
			// At its end the load test closes its sockets with 1000 or 1001, or without a
			// close frame.
			if n, _ := strconv.Atoi(value); n > 0 && !strings.Contains(name, `"100`) {
				t.Errorf("%s: %d", name, n)
			}
		}
	}
}
