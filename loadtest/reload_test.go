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
)

// rotation is a server whose keys, certificate and limits are changed.
type rotation struct {
	t      *testing.T
	dir    string
	server *onair
	said   int // reloads
}

// write writes the configuration, with a certificate of that serial number.
func (r *rotation) write(serial int64, lines ...string) {
	r.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		r.t.Error(err)
		return
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
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
		cert:     pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		keyFile:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		r.file(): []byte(strings.Join(lines, "\n") + "\n"),
	} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			r.t.Error(err)
		}
	}
}

func (r *rotation) file() string { return filepath.Join(r.dir, "onair.yaml") }

// reload has the server read what was written, and waits until it has.
func (r *rotation) reload(serial int64, lines ...string) {
	r.t.Helper()
	r.write(serial, lines...)
	r.said++
	r.server.hangUp()
	want := fmt.Sprintf("onair_config_reloads_total{result=\"ok\"} %d\n", r.said)
	for late := time.Now().Add(soon); !strings.Contains(r.metrics(), want); <-time.After(20 * time.Millisecond) {
		if time.Now().After(late) {
			r.t.Errorf("reload %d is not done", r.said)
			return
		}
	}
	if is := r.serial(); is != serial {
		r.t.Errorf("certificate %d is served, not %d", is, serial)
	}
}

func (r *rotation) metrics() string {
	res, err := http.Get("http://" + r.server.ops + "/metrics")
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

// serial is that of the certificate that a new connection is served with.
func (r *rotation) serial() int64 {
	conn, err := tls.Dial("tcp", r.server.address, r.trust())
	if err != nil {
		r.t.Error(err)
		return 0
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// trust takes any certificate: which one is looked at where that matters.
func (r *rotation) trust() *tls.Config { return &tls.Config{InsecureSkipVerify: true} } //nolint:gosec // on loopback

// admits is the status that a call gets with a token by a key.
func (r *rotation) admits(kid, secret string) int {
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "app", "role": "backend", "exp": time.Now().Add(time.Hour).Unix()})
	if kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString([]byte(secret))
	if err != nil {
		r.t.Error(err)
		return 0
	}
	ask, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://"+r.server.address+"/v1/sessions", nil)
	if err != nil {
		r.t.Error(err)
		return 0
	}
	ask.Header.Set("Authorization", "Bearer "+text)
	res, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: r.trust(), DisableKeepAlives: true}}).Do(ask)
	if err != nil {
		r.t.Error(err)
		return 0
	}
	res.Body.Close()
	return res.StatusCode
}

// endTLS listens for plain connections, and carries each on over TLS.
func (r *rotation) endTLS() (address string) {
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
			go r.carry(in)
		}
	}()
	return l.Addr().String()
}

func (r *rotation) carry(in net.Conn) {
	defer in.Close()
	out, err := tls.Dial("tcp", r.server.address, r.trust())
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
// over TLS. No connection is lost, and what was changed holds.
func TestRotationUnderLoad(t *testing.T) {
	const next = "another secret of thirty-two bytes or more"
	r := &rotation{t: t, dir: t.TempDir()}
	before := []string{"auth.secret: " + testSecret, "push.key: p1", "play.key: q1"}
	both := []string{
		"auth.secrets: {old: " + testSecret + ", new: " + next + "}",
		"push.key: p2", "push.backup_key: p1", "play.key: q2", "play.backup_key: q1", "limits.rate: 30",
	}
	after := []string{"auth.secrets: {new: " + next + "}", "push.key: p2", "play.key: q2"}
	r.write(1, before...)
	r.server = startServer(t, "--config", r.file())
	done := make(chan struct{})
	go func() {
		defer close(done)
		<-time.After(2 * time.Second)
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
		}{{"old", testSecret, http.StatusOK}, {"new", next, http.StatusOK}, {"new", testSecret, http.StatusUnauthorized}} {
			if got := r.admits(key.kid, key.secret); got != key.want {
				t.Errorf("a token of key %s: status %d, want %d", key.kid, got, key.want)
			}
		}
		r.reload(serial+2, after...)
		if got := r.admits("old", testSecret); got != http.StatusUnauthorized {
			t.Errorf("a token of the key that is gone: status %d", got)
		}
	}()
	// Without play URLs: those that viewers have stay until they would be renewed
	// anyway, so that lists of before and after differ in them.
	code, result, out := r.server.load(t, r.endTLS(), "--anchors", "100", "--viewers", "400", "--views", "5", "--duration", "8s",
		"--updates-per-second", "50", "--watch-share", "0", "--max-disconnects", "0")
	<-done
	if code != 0 || result.Result != Passed {
		t.Errorf("exit %d\n%s", code, out)
	}
	for line := range strings.Lines(r.metrics()) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasPrefix(name, "onair_closes_total") {
			// At its end the load test closes its sockets, with 1000 or 1001, or without a word.
			if n, _ := strconv.Atoi(value); n > 0 && !strings.Contains(name, `"100`) {
				t.Errorf("%s: %d", name, n)
			}
		}
	}
}
