//go:build linux

package grafana

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"onair/presence/redislog/redistest"
)

const secret = "a secret of thirty-two bytes or more for tests"

// node is a real server.
type node struct {
	t            *testing.T
	file         string
	scheme       string
	address, ops string
}

// startNode starts a server with everything that has metrics: hooks, polls,
// moderation, webhooks, token keys from a URL.
func startNode(t *testing.T, file, outside string, flags ...string) *node {
	t.Helper()
	cmd := exec.Command(file, append([]string{
		"--listen", "127.0.0.1:0", "--ops.listen", "127.0.0.1:0", "--log.format", "json", "--heartbeat.interval", "1s",
		"--push.key", "push", "--play.key", "play", "--viewer.anonymous", "true", "--auth.jwks-url", outside + "/keys",
		"--hooks.nginx-rtmp.enabled", "true", "--hooks.nginx-rtmp.secret", "hook", "--webhooks.url", outside + "/events",
		"--webhooks.secret", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "--poll.provider", "srs", "--cloud.url", outside,
		"--poll.interval", "5s", "--moderation.provider", "srs",
	}, flags...)...)
	cmd.Env = []string{"ONAIR_AUTH_SECRET=" + secret, "ONAIR_PUSH_KEY=push", "ONAIR_PLAY_KEY=play"}
	var serving struct{ Address, Ops string }
	if err := json.Unmarshal([]byte(startProgram(t, cmd, `"serving"`)), &serving); err != nil {
		t.Fatal(err)
	}
	return &node{t, file, "http", serving.Address, serving.Ops}
}

// startFleet starts two nodes with Redis, and one with the embedded store and TLS.
func startFleet(t *testing.T, file string) (shared []*node, alone *node) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"keys":[]}`) })
	mux.HandleFunc("/events", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/api/v1/streams/", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"code":0,"streams":[]}`) })
	outside := httptest.NewServer(mux)
	t.Cleanup(outside.Close)
	redis := redistest.Start(t)
	for _, name := range []string{"a", "b"} {
		shared = append(shared, startNode(t, file, outside.URL, "--redis.addrs", redis.Addr(), "--node", name))
	}
	cert, key := writeCertificate(t)
	alone = startNode(t, file, outside.URL, "--data", t.TempDir(), "--tls.cert", cert, "--tls.key", key)
	alone.scheme = "https"
	return shared, alone
}

// writeCertificate writes a self-signed certificate.
func writeCertificate(t *testing.T) (cert, key string) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	own := s.TLS.Certificates[0]
	private, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: own.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// mintToken creates a token with the server's command.
func (n *node) mintToken(role, sub string) string {
	n.t.Helper()
	cmd := exec.Command(n.file, "token", "--role", role, "--sub", sub)
	cmd.Env = []string{"ONAIR_AUTH_SECRET=" + secret, "ONAIR_PUSH_KEY=push", "ONAIR_PLAY_KEY=play"}
	out, err := cmd.Output()
	if err != nil {
		n.t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// call makes an HTTP call and checks the status.
func (n *node) call(method, path, token, body string, wantStatus int) []byte {
	n.t.Helper()
	req, err := http.NewRequestWithContext(n.t.Context(), method, n.scheme+"://"+n.address+path, strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client := &http.Client{Timeout: waitTimeout, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != wantStatus {
		n.t.Fatalf("%s %s: HTTP %d, %v\n%s", method, path, res.StatusCode, err, text)
	}
	return text
}

// startBroadcast starts a broadcast and sends a beat.
func (n *node) startBroadcast(sub string) (push *url.URL) {
	n.t.Helper()
	token := n.mintToken("anchor", sub)
	var started struct {
		Session string
		Push    struct{ RTMP string }
	}
	if err := json.Unmarshal(n.call("POST", "/v1/streams", token, `{"title":"Hello"}`, http.StatusCreated), &started); err != nil {
		n.t.Fatal(err)
	}
	beat := `{"session":"` + started.Session + `","n":1,"stats":{"bitrate_kbps":1500,"fps":25}}`
	n.call("POST", "/v1/streams/8888_"+sub+"/beat", token, beat, http.StatusOK)
	push, err := url.Parse(started.Push.RTMP)
	if err != nil {
		n.t.Fatal(err)
	}
	return push
}

// sendPublishCallback sends the callback that nginx sends for a push.
func (n *node) sendPublishCallback(sub, query string, wantStatus int) {
	n.t.Helper()
	n.call("POST", "/v1/hooks/nginx-rtmp/hook", "", "app=live&flashver=&swfurl=&tcurl=&pageurl=&addr=127.0.0.1&clientid=1"+
		"&call=publish&name=8888_"+sub+"&type=live&"+query, wantStatus)
}

// exercise changes most metrics by HTTP calls.
func (n *node) exercise() {
	n.t.Helper()
	push := n.startBroadcast("pushed")
	n.sendPublishCallback("pushed", push.RawQuery, http.StatusNoContent)
	n.sendPublishCallback("pushed", "txSecret=forged&txTime=7fffffff", http.StatusForbidden)
	n.call("POST", "/v1/streams/8888_pushed/kick", n.mintToken("admin", "operator"), `{}`, http.StatusOK)
	n.startBroadcast("silent") // expires
	n.call("GET", "/v1/streams", "", "", http.StatusOK)
	n.call("GET", "/v1/streams", "no token", "", http.StatusUnauthorized)
}

// runLoadTest runs the load test for a few seconds.
func runLoadTest(t *testing.T, file string, nodes []*node) {
	t.Helper()
	var urls []string
	for _, n := range nodes {
		urls = append(urls, "ws://"+n.address)
	}
	cmd := exec.Command(file, "--url", strings.Join(urls, ","), "--metrics", "", "--secret", secret, "--report", "",
		"--anchors", "20", "--viewers", "100", "--views", "4", "--ramp", "1s", "--duration", "6s", "--updates-per-second", "30",
		"--watch-share", "0.2", "--slow-share", "0.1", "--away-share", "0.3", "--stay-for", "1s", "--away-for", "300ms",
		"--anchor-life", "2s", "--crash-share", "0.2", "--rest-for", "500ms", "--max-p99", "30s", "--max-client-lag", "30s")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	if err := cmd.Run(); err != nil {
		t.Errorf("load test failed after %v: %v\n%s", time.Since(start), err, out.String())
	}
}
