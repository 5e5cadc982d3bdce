package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"onair/deploy/program"
)

// built is the folder with the binaries that the tests use.
var built string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "onair-picture-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built = dir
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

// longestTest bounds a test, whatever hangs in it.
const longestTest = 2 * time.Minute

// scene is a picture in a test, and nginx beside HAProxy in front of its nodes.
type scene struct {
	*picture
	t      *testing.T
	ctx    context.Context
	client *http.Client
	fronts map[string]string
}

func newScene(t *testing.T) *scene {
	t.Helper()
	for _, name := range []string{"haproxy", "nginx", "prometheus", "redis-server", "ffmpeg", "chromium"} {
		if _, err := program.Locate(name); err != nil {
			t.Fatalf("make test installs it: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), longestTest)
	t.Cleanup(cancel)
	p, err := raise(ctx, settings{
		Onair: filepath.Join(built, "server"), Loadtest: filepath.Join(built, "loadtest"), Deploy: "..",
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{picture: p, t: t, ctx: ctx, client: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		http.DefaultClient.CloseIdleConnections()
		for _, c := range p.all {
			if t.Failed() {
				t.Logf("--- %s\n%s", c.Name, c.LastLines(30))
			}
		}
		p.end()
	})
	s.fronts = map[string]string{"haproxy": p.at.balancer, "nginx": s.startProxy()}
	return s
}

// startProxy starts nginx with the example of a proxy.
func (s *scene) startProxy() (address string) {
	s.t.Helper()
	at, err := findPlaces()
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := os.ReadFile("../nginx.conf")
	if err != nil {
		s.t.Fatal(err)
	}
	conf := strings.NewReplacer(
		"10.0.0.11:8080", s.at.nodes[0].api, "10.0.0.12:8080", s.at.nodes[1].api, "listen 80;", "listen "+at.balancer+";",
		"worker_rlimit_nofile 90000;", "", "worker_connections 40000;", "worker_connections 1000;",
	).Replace("daemon off; error_log stderr notice;\n" + s.here.Replace(string(text)))
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
	return at.balancer
}

// until waits for what must come.
func (s *scene) until(what string, there func() bool) {
	s.t.Helper()
	for end := time.Now().Add(30 * time.Second); !there(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// asks makes a call, as somebody of a role, and returns what is answered.
func (s *scene) asks(role, method, url, body string) (*http.Response, []byte) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.ctx, method, url, strings.NewReader(body))
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

// query asks Prometheus, and returns the one value that it answers, or "".
func (s *scene) query(expr string) string {
	s.t.Helper()
	_, body := s.asks("", http.MethodPost, "http://"+s.at.prometheus+"/api/v1/query?query="+escape(expr), "")
	var answer struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		s.t.Fatalf("%s: %v", body, err)
	}
	if len(answer.Data.Result) != 1 {
		return ""
	}
	value, _ := answer.Data.Result[0].Value[1].(string)
	return value
}

// TestPicture looks at the whole as a person would: through the balancers, at
// Prometheus, with an encoder, and while a node is taken away and comes back.
func TestPicture(t *testing.T) {
	s := newScene(t)
	for name, address := range s.fronts {
		s.watches(name, address)
		s.listens(name, address)
	}
	s.broadcasts()
	s.until("Prometheus to have both nodes, each to know of the other, and the rules to be in force", func() bool {
		return s.query("count(onair_nodes == 2)") == "2" && s.query("job:onair_streams:max") != ""
	})
	s.takesAway()
	if firing := s.query(`count(ALERTS{alertstate="firing"})`); firing != "" {
		t.Errorf("%s alerts fire", firing)
	}
	s.photographs()
}

// broadcasts has an encoder push to the media server, which asks onair through
// the balancer, play its picture from there, and find what was recorded.
func (s *scene) broadcasts() {
	t := s.t
	t.Helper()
	onair := "http://" + s.at.balancer
	res, body := s.asks("anchor", http.MethodPost, onair+"/v1/streams", `{"title":"Hello"}`)
	var started struct {
		Stream struct{ Code string }
		Push   struct{ RTMP string }
	}
	if err := json.Unmarshal(body, &started); err != nil || res.StatusCode != http.StatusCreated {
		t.Fatalf("a start: %s %s", res.Status, body)
	}
	push, err := s.spawn("ffmpeg", "ffmpeg", nil, "-nostdin", "-hide_banner", "-loglevel", "error", "-re",
		"-f", "lavfi", "-i", "testsrc=size=160x120:rate=10", "-c:v", "libx264", "-preset", "ultrafast", "-g", "10",
		"-pix_fmt", "yuv420p", "-threads", "1", "-t", "30", "-f", "flv", started.Push.RTMP)
	if err != nil {
		t.Fatal(err)
	}
	s.until("the push to be evidence", func() bool {
		_, body := s.asks("admin", http.MethodGet, onair+"/v1/streams/"+started.Stream.Code+"/why", "")
		return bytes.Contains(body, []byte(`"source":"callback","sign":"publish_begun"`))
	})
	_, body = s.asks("", http.MethodGet, onair+"/v1/streams/"+started.Stream.Code+"/play", "")
	var play struct{ Play map[string]string }
	if err := json.Unmarshal(body, &play); err != nil || play.Play["hls"] == "" {
		t.Fatalf("its play URLs: %s", body)
	}
	s.until("its picture at "+play.Play["hls"], func() bool {
		res, body := s.asks("", http.MethodGet, play.Play["hls"], "")
		return bytes.Contains(body, []byte(".ts")) && res.Header.Get("Access-Control-Allow-Origin") == "*"
	})
	push.Stop()
	var page struct{ Recordings []struct{ ID string } }
	s.until("a recording", func() bool {
		_, body := s.asks("", http.MethodGet, onair+"/v1/recordings?code="+started.Stream.Code, "")
		return json.Unmarshal(body, &page) == nil && len(page.Recordings) > 0
	})
	_, body = s.asks("", http.MethodGet, onair+"/v1/recordings/"+page.Recordings[0].ID+"/play", "")
	var file struct{ URLs map[string]string }
	if err := json.Unmarshal(body, &file); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if res, video := s.asks("", http.MethodGet, file.URLs["flv"], ""); !bytes.HasPrefix(video, []byte("FLV")) {
		t.Errorf("the recording: %s", res.Status)
	}
}
