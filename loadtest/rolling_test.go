//go:build linux

package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"onair/presence/redislog/redistest"
)

// fleet is three nodes on one Redis.
type fleet struct {
	testing.TB
	file  string
	redis *redistest.Server
	nodes []*onair
	flags []string
}

func startFleet(t testing.TB, flags ...string) *fleet {
	f := &fleet{TB: t, file: buildServer(t), redis: redistest.Start(t, "--appendonly", "yes")}
	f.flags = append([]string{
		"--redis.addrs", f.redis.Addr(), "--push.key", "push", "--play.key", "play", "--limits.handshakes", "20000/s", "--drain", "10s",
	}, flags...)
	for i := range 3 {
		f.nodes = append(f.nodes, f.launch(i, "127.0.0.1:0", "127.0.0.1:0"))
	}
	return f
}

func (f *fleet) launch(i int, listen, ops string) *onair {
	f.Helper()
	return start(f, f.file, append([]string{"--listen", listen, "--ops.listen", ops, "--node", "n" + strconv.Itoa(i)}, f.flags...)...)
}

// roll restarts one node after the other, and waits between two until the one
// that was restarted serves.
func (f *fleet) roll(rest time.Duration) {
	for i, n := range f.nodes {
		n.stop()
		f.nodes[i] = f.launch(i, n.address, n.ops)
		f.ready(f.nodes[i])
		<-time.After(rest)
	}
}

func (f *fleet) ready(n *onair) {
	for late := time.Now().Add(soon); ; <-time.After(100 * time.Millisecond) {
		res, err := http.Get("http://" + n.ops + "/readyz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(late) {
			f.Errorf("node %s does not serve", n.address)
			return
		}
	}
}

// load runs a load test against all nodes, and gives what it came to; meanwhile
// runs when the ramp is over.
func (f *fleet) load(ramp time.Duration, meanwhile func(), args ...string) (r Report, printed string) {
	f.Helper()
	var urls, metrics []string
	for _, n := range f.nodes {
		urls, metrics = append(urls, "ws://"+n.address), append(metrics, "http://"+n.ops+"/metrics")
	}
	base := filepath.Join(f.TempDir(), "report")
	done := make(chan struct{})
	go func() {
		defer close(done)
		<-time.After(ramp + 2*time.Second)
		meanwhile()
	}()
	code, out, errs := called(f, append([]string{
		"--url", strings.Join(urls, ","), "--metrics", strings.Join(metrics, ","), "--secret", testSecret,
		"--report", base, "--ramp", ramp.String(),
	}, args...)...)
	<-done
	data, err := os.ReadFile(base + ".json")
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil || code != 0 {
		f.Errorf("exit code %d, %v\n%s\n%s", code, err, out, errs)
	}
	return r, out
}

// TestRollingRestart: one node after the other is restarted, and nobody notices:
// no anchor that beats leaves the list or is said to have missed beats, and
// whoever had a list goes on from there, also at a node that was away just now.
// No alert fires, though for alerts a second is twenty here.
func TestRollingRestart(t *testing.T) {
	f := startFleet(t)
	w := watchOver(t, 20, f.nodes...)
	r, out := f.load(2*time.Second, func() { f.roll(2 * time.Second) },
		"--profile", "rolling", "--anchors", "60", "--viewers", "240", "--views", "6", "--duration", "20s", "--max-p99", "30s")
	if r.Viewers.Reconnects < 240 || r.Anchors.Resumes < 60 {
		t.Errorf("%d viewers and %d anchors came back: was anything restarted?\n%s", r.Viewers.Reconnects, r.Anchors.Resumes, out)
	}
	if f := w.firing("ever"); f != nil {
		t.Errorf("who is on call was woken: %v", f)
	}
	if n := w.value("sum(changes(onair_draining[1m]))"); n == 0 {
		t.Error("Prometheus saw nothing of the restarts")
	}
}

// BenchmarkRollingRestart is the same at full size: 3,000 anchors and 6,000
// viewers.
func BenchmarkRollingRestart(b *testing.B) {
	for b.Loop() {
		f := startFleet(b, "--heartbeat.interval", "10s")
		r, out := f.load(10*time.Second, func() { f.roll(8 * time.Second) }, "--profile", "rolling", "--duration", "80s")
		b.Log(out)
		b.ReportMetric(100*float64(r.Viewers.ReconnectsResumed)/float64(max(1, r.Viewers.Reconnects)), "%resumed")
		b.ReportMetric(r.Latency.P99, "p99-ms")
	}
}

// BenchmarkStarts measures from a start on one node to the frame that a viewer
// on another has read, while a hundred others start each second.
func BenchmarkStarts(b *testing.B) {
	for b.Loop() {
		f := startFleet(b, "--heartbeat.interval", "10s")
		_, out := f.load(5*time.Second, func() {}, "--profile", "starts", "--max-p99", "30s")
		b.Log(out)
	}
}
