//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const testSecret = "a secret of thirty-two bytes or more for tests"

// onair is a real server in a process of its own.
type onair struct {
	address, ops string
	kill         func() // and wait until it is gone
	stop         func() // as an operator does, likewise
	hangUp       func() // have it read its configuration again
}

// startServer builds and starts one.
func startServer(t *testing.T, flags ...string) *onair {
	t.Helper()
	return start(t, buildServer(t), flags...)
}

// buildServer gives the file of the server as it is in the tree.
func buildServer(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "onair")
	if out, err := exec.Command("go", "build", "-o", file, "../server").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// start starts a server, which is killed when the test ends. Its beats are slow
// enough for a busy machine.
func start(t testing.TB, file string, flags ...string) *onair {
	t.Helper()
	cmd := exec.Command(file, append([]string{
		"--listen", "127.0.0.1:0", "--ops.listen", "127.0.0.1:0", "--data", "memory", "--log.format", "json",
		"--heartbeat.interval", "3s", "--auth.secret", testSecret, "--viewer.anonymous", "true",
	}, flags...)...)
	cmd.Env = []string{}
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	serving, over := make(chan *onair, 1), make(chan struct{})
	go func() {
		defer close(over)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			var line struct{ Message, Address, Ops string }
			if json.Unmarshal(lines.Bytes(), &line); line.Message == "serving" {
				serving <- &onair{address: line.Address, ops: line.Ops}
			}
		}
		cmd.Wait()
	}()
	end := func(sig os.Signal) {
		_ = cmd.Process.Signal(sig) // it may be gone
		<-over
	}
	kill := func() { end(os.Kill) }
	t.Cleanup(kill)
	select {
	case s := <-serving:
		s.kill, s.stop = kill, func() { end(syscall.SIGTERM) }
		s.hangUp = func() { _ = cmd.Process.Signal(syscall.SIGHUP) }
		return s
	case <-over:
		t.Fatal("the server ended at once")
	case <-time.After(soon):
		t.Fatal("the server does not serve")
	}
	return nil
}

// load runs a load test against an address, and returns what it came to.
func (s *onair) load(t *testing.T, address string, args ...string) (code int, r Report, printed string) {
	t.Helper()
	base := filepath.Join(t.TempDir(), "report")
	code, out, errs := called(t, append([]string{
		"--url", "ws://" + address, "--metrics", "http://" + s.ops + "/metrics", "--secret", testSecret, "--report", base,
		"--ramp", "500ms", "--max-p99", "30s", // the machine may be busy with other tests
	}, args...)...)
	data, err := os.ReadFile(base + ".json")
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		t.Errorf("exit %d, %s%s: %v", code, out, errs, err) // it may not be the test's own goroutine
	}
	if page, err := os.ReadFile(base + ".html"); err != nil || !strings.Contains(string(page), "<svg") {
		t.Errorf("the page: %v", err)
	}
	return code, r, out
}

// TestRealServer: a bit of everything against a real server, and it passes.
func TestRealServer(t *testing.T) {
	s := startServer(t)
	for name, more := range map[string][]string{"plain": nil, "deflated": {"--deflate", "--play", "flv,hls", "--limit", "5"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, r, out := s.load(t, s.address, append([]string{
				"--anchors", "50", "--viewers", "200", "--views", "5", "--duration", "5s", "--updates-per-second", "40",
				"--likes-per-second", "20", "--watch-share", "0.3", "--slow-share", "0.1", "--away-share", "0.2", "--stay-for", "2s",
				"--away-for", "500ms", "--herds", "1", "--herd-in", "500ms", "--anchor-life", "3s", "--crash-share", "0.3",
				"--rest-for", "500ms",
			}, more...)...)
			if code != 0 || r.Result != Passed || !strings.Contains(out, "\n"+Passed+"\n") {
				t.Errorf("exit %d\n%s", code, out)
			}
			v, a := r.Viewers, r.Anchors
			if v.Diffs == 0 || v.Bytes == 0 || v.Resumes == 0 || v.Absences == 0 || v.LikesAcknowledged == 0 || r.Compared.Equal != 200 {
				t.Errorf("viewers %+v", v)
			}
			if a.Starts <= 50 || a.Stops == 0 || a.Crashes == 0 || a.Beats == 0 || a.UpdatesAcknowledged == 0 {
				t.Errorf("anchors %+v", a)
			}
			if r.Latency.Samples == 0 || r.Client.CPUPerDiff <= 0 || r.Server == nil || r.Server.Memory == 0 || len(r.Series) < 5 {
				t.Errorf("figures %+v, %+v, %+v, %d seconds", r.Latency, r.Client, r.Server, len(r.Series))
			}
		})
	}
}

// TestKilledServer: a server that is killed and started again on its data has
// lied to nobody.
func TestKilledServer(t *testing.T) {
	data := t.TempDir()
	s := startServer(t, "--data", data)
	type result struct {
		code int
		r    Report
		out  string
	}
	done := make(chan result, 1)
	go func() {
		var got result
		got.code, got.r, got.out = s.load(t, s.address, "--anchors", "30", "--viewers", "100", "--views", "3", "--duration", "6s",
			"--updates-per-second", "30", "--watch-share", "0.3", "--anchor-life", "2s", "--crash-share", "0.2",
			"--rest-for", "500ms", "--max-disconnects", "1000")
		done <- got
	}()
	scrapes := New("http://"+s.ops+"/metrics", netip.MustParseAddrPort(s.ops))
	defer scrapes.Client.CloseIdleConnections()
	for late := time.Now().Add(soon); ; time.Sleep(50 * time.Millisecond) {
		got, err := scrapes.Scrape(t.Context())
		if err == nil && got.Connections >= 100 && got.Frames > 1000 {
			break
		}
		if time.Now().After(late) {
			t.Fatalf("nobody comes: %+v, %v", got, err)
		}
	}
	s.kill()
	startServer(t, "--data", data, "--listen", s.address, "--ops.listen", s.ops)
	got := <-done
	if got.code != 0 || got.r.Viewers.Disconnects < 100 || got.r.Anchors.Resumes == 0 {
		t.Errorf("exit %d, %+v, %+v\n%s", got.code, got.r.Viewers, got.r.Anchors, got.out)
	}
}

// TestDeadServer: a server that is gone fails the run, and does not hang it.
func TestDeadServer(t *testing.T) {
	s := startServer(t)
	code, r, out := s.load(t, "127.0.0.1:1", "--anchors", "1", "--viewers", "2", "--views", "1", "--updates-per-second", "1",
		"--duration", "1s", "--settle", "1s")
	if code != exitFailed || r.Result != Failed || r.Viewers.Refusals == 0 {
		t.Errorf("exit %d\n%s", code, out)
	}
}
