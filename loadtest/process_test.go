//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"onair/loadtest/report"
	"onair/loadtest/scrape"
)

const testSecret = "a secret of thirty-two bytes or more for tests"

// serverProcess is a real server in a process of its own.
type serverProcess struct {
	address, opsAddress string
	kill                func() // and wait for its end
	terminate           func() // by SIGTERM, and wait for its end
	sendHangUp          func() // makes it reload its configuration
}

// startServer builds and starts the server.
func startServer(t *testing.T, flags ...string) *serverProcess {
	t.Helper()
	return startBinary(t, buildServer(t), flags...)
}

// buildServer returns the file of the built server.
func buildServer(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "onair")
	if out, err := exec.Command("go", "build", "-o", file, "../server").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// startBinary starts a server, which is killed at the end of the test. Its heartbeat
// interval is long enough for a busy machine.
func startBinary(t testing.TB, file string, flags ...string) *serverProcess {
	t.Helper()
	args := []string{
		"--listen", "127.0.0.1:0", "--ops.listen", "127.0.0.1:0", "--log.format", "json",
		"--heartbeat.interval", "3s", "--auth.secret", testSecret, "--push.key", "push", "--play.key", "play", "--viewer.anonymous", "true",
	}
	if !slices.Contains(flags, "--redis.addrs") {
		args = append(args, "--data", "memory")
	}
	cmd := exec.Command(file, append(args, flags...)...)
	cmd.Env = []string{}
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	serving, ended := make(chan *serverProcess, 1), make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			var line struct{ Message, Address, Ops string }
			if json.Unmarshal(lines.Bytes(), &line); line.Message == "serving" {
				serving <- &serverProcess{address: line.Address, opsAddress: line.Ops}
			}
		}
		cmd.Wait()
	}()
	end := func(sig os.Signal) {
		_ = cmd.Process.Signal(sig) // it may have ended
		<-ended
	}
	kill := func() { end(os.Kill) }
	t.Cleanup(kill)
	select {
	case s := <-serving:
		s.kill, s.terminate = kill, func() { end(syscall.SIGTERM) }
		s.sendHangUp = func() { _ = cmd.Process.Signal(syscall.SIGHUP) }
		return s
	case <-ended:
		t.Fatal("the server ended at once")
	case <-time.After(testTimeout):
		t.Fatal("the server does not serve")
	}
	return nil
}

func (s *serverProcess) metricsURL() string { return "http://" + s.opsAddress + "/metrics" }

// loadResult is the result of a run of the command.
type loadResult struct {
	exitCode int
	report   report.Report
	output   string
}

// runLoadTest loads an address, whose metrics are those of s.
func (s *serverProcess) runLoadTest(t *testing.T, address string, args ...string) loadResult {
	t.Helper()
	return runLoadTestWith(t, nil, append([]string{
		"--url", "ws://" + address, "--metrics", s.metricsURL(), "--ramp", "500ms", "--max-p99", "30s", // other tests may keep the machine busy
	}, args...)...)
}

// runLoadTestWith runs the command. When its measured phase begins, it calls
// onMeasuring, unless that is nil, in another goroutine. cancel ends that phase. It
// returns after both have ended.
func runLoadTestWith(t testing.TB, onMeasuring func(cancel func()), args ...string) (r loadResult) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout bytes.Buffer
	var measuring sync.WaitGroup
	stderr := &announcements{onMeasuring: func() {
		if onMeasuring != nil {
			measuring.Go(func() { onMeasuring(cancel) })
		}
	}}
	base := filepath.Join(t.TempDir(), "report")
	r.exitCode = runCommand(ctx, append([]string{
		"--secret", testSecret, "--report", base,
	}, args...), func(string) string { return "" }, &stdout, stderr)
	measuring.Wait()
	r.output = stdout.String()
	data, err := os.ReadFile(base + ".json")
	if err == nil {
		err = json.Unmarshal(data, &r.report)
	}
	if err != nil {
		t.Errorf("exit %d, %s%s: %v", r.exitCode, r.output, stderr.String(), err) // not Fatal: this may be another goroutine
	}
	if page, err := os.ReadFile(base + ".html"); err != nil || !strings.Contains(string(page), "<svg") {
		t.Errorf("the page: %v", err)
	}
	return r
}

// announcements is the standard error of a command. It calls onMeasuring when the
// measured phase begins.
type announcements struct {
	bytes.Buffer
	onMeasuring func()
}

// Write implements [io.Writer].
func (a *announcements) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("measuring for")) {
		a.onMeasuring()
	}
	return a.Buffer.Write(p)
}

// TestRealServer: a mix of everything against a real server passes.
func TestRealServer(t *testing.T) {
	s := startServer(t)
	for name, more := range map[string][]string{"plain": nil, "deflated": {"--deflate", "--play", "flv,hls", "--limit", "5"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := s.runLoadTest(t, s.address, append([]string{
				"--anchors", "50", "--viewers", "200", "--views", "5", "--duration", "5s", "--updates-per-second", "40",
				"--likes-per-second", "20", "--watch-share", "0.3", "--slow-share", "0.1", "--away-share", "0.2", "--stay-for", "2s",
				"--away-for", "500ms", "--herds", "1", "--herd-in", "500ms", "--anchor-life", "3s", "--crash-share", "0.3",
				"--rest-for", "500ms",
			}, more...)...)
			r := got.report
			if got.exitCode != 0 || r.Result != report.Passed || !strings.Contains(got.output, "\n"+report.Passed+"\n") {
				t.Errorf("exit %d\n%s", got.exitCode, got.output)
			}
			v, a := r.Viewers, r.Anchors
			if v.Diffs == 0 || v.Bytes == 0 || v.Resumes == 0 || v.Absences == 0 || v.LikesAcknowledged == 0 || r.Compared.Equal != 200 {
				t.Errorf("viewers %+v", v)
			}
			if a.Starts <= 50 || a.Stops == 0 || a.Crashes == 0 || a.Beats == 0 || a.UpdatesAcknowledged == 0 {
				t.Errorf("anchors %+v", a)
			}
			if r.Latency.Samples == 0 || r.Client.CPUPerDiff <= 0 || r.Server == nil || r.Server.PeakMemory == 0 || len(r.Series) < 5 {
				t.Errorf("figures %+v, %+v, %+v, %d seconds", r.Latency, r.Client, r.Server, len(r.Series))
			}
		})
	}
}

// TestKilledServer: a server that is killed, and started again on its data, breaks no
// promise.
func TestKilledServer(t *testing.T) {
	data := t.TempDir()
	file := buildServer(t)
	s := startBinary(t, file, "--data", data)
	done := make(chan loadResult, 1)
	go func() {
		done <- s.runLoadTest(t, s.address, "--anchors", "30", "--viewers", "100", "--views", "3", "--duration", "6s",
			"--updates-per-second", "30", "--watch-share", "0.3", "--anchor-life", "2s", "--crash-share", "0.2",
			"--rest-for", "500ms", "--max-disconnects", "1000")
	}()
	scraper := scrape.New(s.metricsURL(), netip.MustParseAddrPort(s.opsAddress))
	defer scraper.Client.CloseIdleConnections()
	for deadline := time.Now().Add(testTimeout); ; time.Sleep(50 * time.Millisecond) {
		got, err := scraper.Scrape(t.Context())
		if err == nil && got.Connections >= 100 && got.Frames > 1000 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no client connects: %+v, %v", got, err)
		}
	}
	s.kill()
	startBinary(t, file, "--data", data, "--listen", s.address, "--ops.listen", s.opsAddress)
	got := <-done
	if got.exitCode != 0 || got.report.Viewers.Disconnects < 100 || got.report.Anchors.Resumes == 0 {
		t.Errorf("exit %d, %+v, %+v\n%s", got.exitCode, got.report.Viewers, got.report.Anchors, got.output)
	}
}

// TestMissingServer: a run without a server fails, and does not hang.
func TestMissingServer(t *testing.T) {
	s := startServer(t)
	got := s.runLoadTest(t, "127.0.0.1:1", "--anchors", "1", "--viewers", "2", "--views", "1", "--updates-per-second", "1",
		"--duration", "1s", "--settle", "1s")
	if got.exitCode != exitFailed || got.report.Result != report.Failed || got.report.Viewers.Refusals == 0 {
		t.Errorf("exit %d\n%s", got.exitCode, got.output)
	}
}
