//go:build linux

package main

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"onair/loadtest/report"
	"onair/presence/redislog/redistest"
)

// cluster is three nodes on one Redis.
type cluster struct {
	testing.TB
	file  string
	redis *redistest.Server
	nodes []*serverProcess
	flags []string
}

func startCluster(t testing.TB, flags ...string) *cluster {
	c := &cluster{TB: t, file: buildServer(t), redis: redistest.Start(t, "--appendonly", "yes")}
	c.flags = append([]string{
		"--redis.addrs", c.redis.Addr(), "--push.key", "push", "--play.key", "play", "--limits.handshakes", "20000/s", "--drain", "10s",
	}, flags...)
	for i := range 3 {
		c.nodes = append(c.nodes, c.startNode(i, "127.0.0.1:0", "127.0.0.1:0"))
	}
	return c
}

func (c *cluster) startNode(i int, listen, opsListen string) *serverProcess {
	c.Helper()
	return startBinary(c, c.file, append([]string{"--listen", listen, "--ops.listen", opsListen, "--node", "n" + strconv.Itoa(i)}, c.flags...)...)
}

// restartNodes restarts one node after the other. It waits until each serves, and then
// for pause.
func (c *cluster) restartNodes(pause time.Duration) {
	for i, n := range c.nodes {
		n.terminate()
		c.nodes[i] = c.startNode(i, n.address, n.opsAddress)
		c.awaitReady(c.nodes[i])
		<-time.After(pause)
	}
}

func (c *cluster) awaitReady(n *serverProcess) {
	for deadline := time.Now().Add(testTimeout); ; <-time.After(100 * time.Millisecond) {
		res, err := http.Get("http://" + n.opsAddress + "/readyz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			c.Errorf("node %s does not serve", n.address)
			return
		}
	}
}

// runLoadTest loads all nodes. It calls onMeasuring when the measured phase begins.
func (c *cluster) runLoadTest(onMeasuring func(), args ...string) (r report.Report, output string) {
	c.Helper()
	var urls, metricsURLs []string
	for _, n := range c.nodes {
		urls, metricsURLs = append(urls, "ws://"+n.address), append(metricsURLs, n.metricsURL())
	}
	got := runLoadTestWith(c, func(func()) { onMeasuring() }, append([]string{
		"--url", strings.Join(urls, ","), "--metrics", strings.Join(metricsURLs, ","),
	}, args...)...)
	if got.exitCode != 0 {
		c.Errorf("exit code %d\n%s", got.exitCode, got.output)
	}
	return got.report, got.output
}

// TestRollingRestart: one node after the other is restarted. No session that beats
// leaves the list or expires, and viewers continue from their lists, also at a node
// that has just restarted. No alert fires, although its times are divided by twenty.
func TestRollingRestart(t *testing.T) {
	c := startCluster(t)
	alerts := startAlertWatcher(t, 20, c.nodes...)
	r, output := c.runLoadTest(func() { c.restartNodes(2 * time.Second) }, "--ramp", "2s",
		"--profile", "rolling", "--anchors", "60", "--viewers", "240", "--views", "6", "--duration", "20s", "--max-p99", "30s")
	if r.Viewers.Reconnects.All < 240 || r.Anchors.Resumes < 60 {
		t.Errorf("%d viewers and %d anchors reconnected: was any node restarted?\n%s", r.Viewers.Reconnects.All, r.Anchors.Resumes, output)
	}
	if fired := alerts.haveFired(); fired != nil {
		t.Errorf("alerts fired: %v", fired)
	}
	if n := alerts.query("sum(changes(onair_draining[1m]))"); n == 0 {
		t.Error("Prometheus has seen no restart")
	}
}

// BenchmarkRollingRestart is the same at full size: 3,000 anchors and 6,000
// viewers.
func BenchmarkRollingRestart(b *testing.B) {
	for b.Loop() {
		c := startCluster(b, "--heartbeat.interval", "10s")
		r, output := c.runLoadTest(func() { c.restartNodes(8 * time.Second) }, "--ramp", "10s", "--profile", "rolling", "--duration", "80s")
		b.Log(output)
		b.ReportMetric(100*float64(r.Viewers.Resumed)/float64(max(1, r.Viewers.Reconnects.All)), "%resumed")
		b.ReportMetric(r.Latency.P99, "p99-ms")
	}
}

// BenchmarkStarts measures from a start at one node to the frame that a viewer at
// another has read, while a hundred other anchors start each second.
func BenchmarkStarts(b *testing.B) {
	for b.Loop() {
		c := startCluster(b, "--heartbeat.interval", "10s")
		_, output := c.runLoadTest(func() {}, "--ramp", "5s", "--profile", "starts", "--max-p99", "30s")
		b.Log(output)
	}
}
