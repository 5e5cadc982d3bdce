package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"onair/deploy/program"
)

// binaries is the folder with the binaries for the tests.
var binaries string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "onair-localstack-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binaries = dir
	build := exec.Command("go", "build", "-trimpath", "-o", dir+"/", "./server", "./loadtest")
	build.Dir = filepath.Join("..", "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s\n%v\n", out, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// testTimeout bounds one test.
const testTimeout = 2 * time.Minute

// testStack is a stack with nginx as a second reverse proxy, beside HAProxy.
type testStack struct {
	*stack
	t       testing.TB
	ctx     context.Context
	client  *http.Client
	proxies map[string]string // addresses of the reverse proxies, by name
}

func newTestStack(t *testing.T) *testStack {
	t.Helper()
	for _, name := range []string{"haproxy", "nginx", "prometheus", "redis-server", "ffmpeg", "chromium"} {
		if _, err := program.Locate(name); err != nil {
			t.Fatalf("%v: make test installs it", err)
		}
	}
	s := newUnstartedStack(t)
	ctx, cancel := context.WithTimeoutCause(s.ctx, startTimeout, errors.New("start timed out"))
	defer cancel()
	if err := s.start(ctx); err != nil {
		t.Fatal(err)
	}
	s.proxies = map[string]string{"haproxy": s.addrs.balancer, "nginx": s.startNginxProxy()}
	return s
}

// newUnstartedStack returns a stack whose programs the test starts. They are stopped at
// the end of the test.
func newUnstartedStack(t testing.TB) *testStack {
	t.Helper()
	local, err := newStack(settings{
		Onair: filepath.Join(binaries, "server"), Loadtest: filepath.Join(binaries, "loadtest"), Deploy: "..",
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	s := &testStack{stack: local, t: t, ctx: ctx, client: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(func() {
		cancel()
		s.client.CloseIdleConnections()
		http.DefaultClient.CloseIdleConnections()
		s.logFailure()
		s.stop()
	})
	return s
}

// logFailure logs the output of the programs when the test has failed.
func (s *testStack) logFailure() {
	for _, p := range s.programs {
		if s.t.Failed() {
			s.t.Logf("--- %s\n%s", p.Name, p.LastLines(30))
		}
	}
}

// startNginxProxy starts nginx with the example of a reverse proxy.
func (s *testStack) startNginxProxy() (address string) {
	s.t.Helper()
	addrs, err := findFreeAddresses()
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := os.ReadFile("../nginx.conf")
	if err != nil {
		s.t.Fatal(err)
	}
	conf := strings.NewReplacer(
		"10.0.0.11:8080", s.addrs.nodes[0].api, "10.0.0.12:8080", s.addrs.nodes[1].api, "listen 80 ", "listen "+addrs.balancer+" ",
		"worker_rlimit_nofile 90000;", "", "worker_connections 40000;", "worker_connections 1000;",
	).Replace("daemon off; error_log stderr notice;\n" + s.rewriter.Replace(string(text)))
	if err := os.WriteFile(s.path("proxy.conf"), []byte(conf), 0o600); err != nil {
		s.t.Fatal(err)
	}
	proxy, err := s.startNginx("proxy", s.path("proxy.conf"))
	if err == nil {
		_, err = proxy.AwaitLine(s.ctx, "start worker process ")
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return addrs.balancer
}

// await waits until a condition holds.
func (s *testStack) await(description string, holds func() bool) {
	s.t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("timed out waiting for %s", description)
		}
	}
}

// request sends a request with a token of that role, and returns the response and its
// body.
func (s *testStack) request(role, method, address, body string) (*http.Response, []byte) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.ctx, method, address, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if role != "" {
		token, err := s.token(s.ctx, role, "alice")
		if err != nil {
			s.t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res, text
}

// query runs a query in Prometheus. It returns its only value, or "".
func (s *testStack) query(expr string) string {
	s.t.Helper()
	_, body := s.request("", http.MethodPost, "http://"+s.addrs.prometheus+"/api/v1/query?query="+url.QueryEscape(expr), "")
	var result struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	if err := json.Unmarshal(body, &result); err != nil {
		s.t.Fatalf("%s: %v", body, err)
	}
	if len(result.Data.Result) != 1 {
		return ""
	}
	value, _ := result.Data.Result[0].Value[1].(string)
	return value
}

// TestLocalStack tests the whole stack: viewers behind the reverse proxies, an encoder,
// Prometheus, and the restart of a node.
func TestLocalStack(t *testing.T) {
	s := newTestStack(t)
	for name, address := range s.proxies {
		s.checkViewerSocket(name, address)
		s.checkEvents(name, address)
	}
	s.checkBroadcast()
	s.await("Prometheus to have the metrics of both nodes and of the rules", func() bool {
		return s.query("count(onair_nodes == 2)") == "2" && s.query("job:onair_streams:max") != ""
	})
	s.checkNodeRestart()
	if firing := s.query(`count(ALERTS{alertstate="firing"})`); firing != "" {
		t.Errorf("%s alerts fire", firing)
	}
	s.takeScreenshot()
}

// checkBroadcast pushes to the media server, whose callbacks go through the balancer, plays
// the stream, and plays its recording.
func (s *testStack) checkBroadcast() {
	t := s.t
	t.Helper()
	onair := "http://" + s.addrs.balancer
	res, body := s.request("anchor", http.MethodPost, onair+"/v1/streams", `{"title":"Hello"}`)
	var started struct {
		Stream struct{ Code string }
		Push   struct{ RTMP string }
	}
	if err := json.Unmarshal(body, &started); err != nil || res.StatusCode != http.StatusCreated {
		t.Fatalf("start: %s %s", res.Status, body)
	}
	push, err := s.startProgram("ffmpeg", "ffmpeg", nil, "-nostdin", "-hide_banner", "-loglevel", "error", "-re",
		"-f", "lavfi", "-i", "testsrc=size=160x120:rate=10", "-c:v", "libx264", "-preset", "ultrafast", "-g", "10",
		"-pix_fmt", "yuv420p", "-threads", "1", "-t", "30", "-f", "flv", started.Push.RTMP)
	if err != nil {
		t.Fatal(err)
	}
	s.await("the push to be evidence", func() bool {
		_, body := s.request("admin", http.MethodGet, onair+"/v1/streams/"+started.Stream.Code+"/why", "")
		return bytes.Contains(body, []byte(`"source":"callback","sign":"publish_begun"`))
	})
	_, body = s.request("", http.MethodGet, onair+"/v1/streams/"+started.Stream.Code+"/play", "")
	var play struct{ Play map[string]string }
	if err := json.Unmarshal(body, &play); err != nil || play.Play["hls"] == "" {
		t.Fatalf("play URLs: %s", body)
	}
	s.await("the stream at "+play.Play["hls"], func() bool {
		res, body := s.request("", http.MethodGet, play.Play["hls"], "")
		return bytes.Contains(body, []byte(".ts")) && res.Header.Get("Access-Control-Allow-Origin") == "*"
	})
	push.Stop()
	var page struct{ Recordings []struct{ ID string } }
	s.await("a recording", func() bool {
		_, body := s.request("", http.MethodGet, onair+"/v1/recordings?code="+started.Stream.Code, "")
		return json.Unmarshal(body, &page) == nil && len(page.Recordings) > 0
	})
	_, body = s.request("", http.MethodGet, onair+"/v1/recordings/"+page.Recordings[0].ID+"/play", "")
	var file struct{ URLs map[string]string }
	if err := json.Unmarshal(body, &file); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if res, video := s.request("", http.MethodGet, file.URLs["flv"], ""); !bytes.HasPrefix(video, []byte("FLV")) {
		t.Errorf("the recording: %s", res.Status)
	}
}
