package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/nodetest"
)

// plainBinary builds the server without the race detector, which cannot do
// more than 8,128 goroutines.
func plainBinary(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "onair")
	if out, err := exec.Command("go", "build", "-o", file, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// thisBinary is the test's own, which is a server as well.
func thisBinary() []string { return []string{os.Args[0]} }

// besiege starts a server in a process of its own that forgets all when it
// ends. The command is a binary that is one, with whatever stands before it;
// env is added to the environment.
func besiege(t *testing.T, command, env []string, flags ...string) *process {
	t.Helper()
	args := append(command[1:len(command):len(command)],
		"--listen", "127.0.0.1:0", "--ops.listen", "127.0.0.1:0", "--data", "memory", "--node", "n1",
		"--log.format", "json", "--heartbeat.interval", "60s", "--drain", "1s",
	)
	p := &process{t: t, cmd: exec.Command(command[0], append(args, flags...)...), exited: make(chan struct{})}
	p.cmd.Env = append([]string{asServer + "=1", "ONAIR_AUTH_SECRET=" + nodetest.TokenSecret, "ONAIR_VIEWER_ANONYMOUS=true"}, env...)
	out, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	serving := make(chan struct{})
	go p.read(out, serving)
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.exited
		if t.Failed() {
			t.Logf("log of the server:\n%s", tail(p.logged(), 4000))
		}
	})
	select {
	case <-serving:
	case <-p.exited:
		t.Fatalf("the server ended at once:\n%s", p.logged())
	case <-time.After(nodetest.ProcessTimeout):
		t.Fatal("the server does not serve")
	}
	return p
}

func tail(text string, n int) string { return text[max(0, len(text)-n):] }

// gauge is a metric's value, 0 where there is none yet. A name that ends in a
// comma is the beginning of several, which are summed up.
func (p *process) gauge(name string) float64 {
	p.t.Helper()
	res, err := http.Get("http://" + p.ops + "/metrics")
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

// settles waits until a metric is at most what it is to be.
func (p *process) settles(name string, most float64) {
	p.t.Helper()
	for late := time.Now().Add(nodetest.ProcessTimeout); ; time.Sleep(50 * time.Millisecond) {
		now := p.gauge(name)
		if now <= most {
			return
		}
		if time.Now().After(late) {
			p.t.Errorf("%s stays at %v, want %v at most", name, now, most)
			return
		}
	}
}

// bystanders are an anchor and a viewer who do nothing wrong, and whom no
// siege of others is to touch.
type bystanders struct {
	t             *testing.T
	anchor, guest *nodetest.Client
	code          string
	n             int64
}

// invite lets the bystanders in: the anchor is live, the viewer has the list
// and watches.
func (p *process) invite() *bystanders {
	p.t.Helper()
	b := &bystanders{
		t: p.t, anchor: p.dial("/v1/anchor", nodetest.SignToken(p.t, auth.Anchor, "bystander")),
		guest: p.dial("/v1/viewer", nodetest.SignToken(p.t, auth.Viewer, "guest")),
	}
	b.anchor.Timeout, b.guest.Timeout = nodetest.ProcessTimeout, nodetest.ProcessTimeout
	b.code = nodetest.RequestReply[*wire.Started](b.anchor, &wire.Start{ID: b.anchor.NextID(), Title: "0"}).Stream.Code
	nodetest.RequestReply[*wire.Snapshot](b.guest, &wire.Subscribe{ID: b.guest.NextID()})
	nodetest.RequestReply[*wire.Watching](b.guest, &wire.Watch{ID: b.guest.NextID(), Code: b.code})
	b.served()
	return b
}

// served sees that a beat is acknowledged, and that a change reaches the viewer.
func (b *bystanders) served() {
	b.t.Helper()
	b.n++
	title := fmt.Sprint(b.n)
	if ack := nodetest.RequestReply[*wire.Ack](b.anchor, &wire.Beat{ID: b.anchor.NextID(), N: b.n}); ack.N != b.n || ack.Pending {
		b.t.Errorf("beat %d was answered with %+v", b.n, ack)
	}
	nodetest.RequestReply[*wire.Updated](b.anchor, &wire.Update{ID: b.anchor.NextID(), Title: wire.Some(title)})
	b.guest.AwaitView("the bystander's title", func(l *wire.ClientView) bool { e, _ := l.Entry(b.code); return e.Title == title })
}

// whilst keeps the bystanders served until a task is done, and a last time
// after that.
func (b *bystanders) whilst(task func()) {
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
		b.served()
	}
}

// dialRaw connects to the process from a loopback address, "" for any.
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

// rawSockets connects n times, and closes them when the test ends.
func (p *process) rawSockets(n int) []*nodetest.RawSocket {
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
