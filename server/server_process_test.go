package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/nodetest"
)

// buildBinary builds the server without the race detector, which supports at most 8,128
// goroutines.
func buildBinary(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "onair")
	if out, err := exec.Command("go", "build", "-o", file, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// testBinary is the command of the test binary, which can run as a server.
func testBinary() []string { return []string{os.Args[0]} }

// startServer starts a server process with its data in memory, waits until it serves, and kills
// it when the test ends. The command is the binary with its first arguments; env is added to
// the environment.
func startServer(t *testing.T, command, env []string, flags ...string) *process {
	t.Helper()
	args := append(command[1:len(command):len(command)],
		"--listen", "127.0.0.1:0", "--ops.listen", "127.0.0.1:0", "--node", "n1",
		"--log.format", "json", "--heartbeat.interval", "60s", "--drain", "1s",
	)
	if !slices.Contains(flags, "--redis.addrs") {
		args = append(args, "--data", "memory")
	}
	p := &process{
		t: t, cmd: exec.Command(command[0], append(args, flags...)...), client: http.DefaultClient, exited: make(chan struct{}),
	}
	killWithTest(p.cmd)
	p.cmd.Env = append([]string{runAsServer + "=1", "ONAIR_AUTH_SECRET=" + nodetest.TokenSecret, "ONAIR_PUSH_KEY=push", "ONAIR_PLAY_KEY=play", "ONAIR_VIEWER_ANONYMOUS=true"}, env...)
	out, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	serving := make(chan struct{})
	go p.readLog(out, serving)
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.exited
		if t.Failed() {
			t.Logf("log of the server:\n%s", lastBytes(p.logText(), 4000))
		}
	})
	select {
	case <-serving:
	case <-p.exited:
		t.Fatalf("the server ended at once:\n%s", p.logText())
	case <-time.After(nodetest.ProcessTimeout):
		t.Fatal("the server does not serve")
	}
	return p
}

func lastBytes(text string, n int) string { return text[max(0, len(text)-n):] }

// metricValue returns the value of a metric, 0 if there is none yet. A name that ends in a comma
// is a prefix; the values are added.
func (p *process) metricValue(name string) float64 {
	p.t.Helper()
	res, err := p.client.Get("http://" + p.ops + "/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return nodetest.SumOfMetric(p.t, string(body), name)
}

// awaitMetricAtMost waits until a metric has at most the given value.
func (p *process) awaitMetricAtMost(name string, most float64) {
	p.t.Helper()
	for late := time.Now().Add(nodetest.ProcessTimeout); ; time.Sleep(50 * time.Millisecond) {
		now := p.metricValue(name)
		if now <= most {
			return
		}
		if time.Now().After(late) {
			p.t.Errorf("%s stays at %v, want %v at most", name, now, most)
			return
		}
	}
}

// bystanders are an anchor and a viewer that must be served while other clients are hostile.
type bystanders struct {
	t              *testing.T
	anchor, viewer *nodetest.Client
	code           string
	beatNumber     int64
}

// connectBystanders connects the bystanders: the anchor is live, and the viewer subscribes to
// the list and watches the anchor.
func (p *process) connectBystanders() *bystanders {
	p.t.Helper()
	b := &bystanders{
		t: p.t, anchor: p.dial("/v1/anchor", nodetest.SignToken(p.t, auth.Anchor, "bystander")),
		viewer: p.dial("/v1/viewer", nodetest.SignToken(p.t, auth.Viewer, "guest")),
	}
	b.anchor.Timeout, b.viewer.Timeout = nodetest.ProcessTimeout, nodetest.ProcessTimeout
	b.code = nodetest.RequestReply[*wire.Started](b.anchor, &wire.Start{ID: b.anchor.NextID(), Title: "0"}).Stream.Code
	nodetest.RequestReply[*wire.Snapshot](b.viewer, &wire.Subscribe{ID: b.viewer.NextID()})
	nodetest.RequestReply[*wire.Watching](b.viewer, &wire.Watch{ID: b.viewer.NextID(), Code: b.code})
	b.checkServed()
	return b
}

// checkServed checks that a beat is acknowledged, and that a change reaches the viewer.
func (b *bystanders) checkServed() {
	b.t.Helper()
	b.beatNumber++
	title := fmt.Sprint(b.beatNumber)
	if ack := nodetest.RequestReply[*wire.Ack](b.anchor, &wire.Beat{ID: b.anchor.NextID(), N: b.beatNumber}); ack.N != b.beatNumber || ack.Pending {
		b.t.Errorf("beat %d was answered with %+v", b.beatNumber, ack)
	}
	nodetest.RequestReply[*wire.Updated](b.anchor, &wire.Update{ID: b.anchor.NextID(), Title: wire.Some(title)})
	b.viewer.AwaitView("the bystander's title", func(l *wire.ClientView) bool { e, _ := l.Entry(b.code); return e.Title == title })
}

// checkServedDuring runs a task, and calls checkServed repeatedly until after its end.
func (b *bystanders) checkServedDuring(task func()) {
	b.t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); task() }()
	defer func() { <-done }()
	for open := true; open; {
		select {
		case <-done:
			open = false
		case <-time.After(200 * time.Millisecond): // well below limits.rateLimiter
		}
		b.checkServed()
	}
}

// dialRaw connects to the process from a loopback address; "": any.
func (p *process) dialRaw(from string) (*nodetest.RawSocket, error) {
	d := net.Dialer{Timeout: nodetest.ProcessTimeout}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	conn, err := d.Dial("tcp", p.address)
	if err != nil {
		return nil, err
	}
	return nodetest.NewRawSocket(conn), nil
}

// dialRawSockets opens n connections, and closes them when the test ends.
func (p *process) dialRawSockets(n int) []*nodetest.RawSocket {
	p.t.Helper()
	out := make([]*nodetest.RawSocket, n)
	for i := range out {
		c, err := p.dialRaw("")
		if err != nil {
			p.t.Fatal(err)
		}
		p.t.Cleanup(func() { c.Close() })
		out[i] = c
	}
	return out
}
