package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"onair/hub/wire"
	"onair/server/auth"
)

// soon is how long tests against real processes wait for what must come: only
// a test that fails takes so long.
const soon = 60 * time.Second

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
	p.cmd.Env = append([]string{asServer + "=1", "ONAIR_AUTH_SECRET=" + processSecret, "ONAIR_VIEWER_ANONYMOUS=true"}, env...)
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
	case <-time.After(soon):
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
	return sumOf(p.t, string(body), name)
}

func sumOf(t *testing.T, metrics, name string) (sum float64) {
	t.Helper()
	for line := range strings.Lines(metrics) {
		rest, found := strings.CutPrefix(line, name)
		if !found || rest[0] != ' ' && !strings.HasSuffix(name, ",") {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' '):]), 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += value
	}
	return sum
}

// settles waits until a metric is at most what it is to be.
func (p *process) settles(name string, most float64) {
	p.t.Helper()
	for late := time.Now().Add(soon); ; time.Sleep(50 * time.Millisecond) {
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
	anchor, guest *caller
	code          string
	n             int64
}

// invite lets the bystanders in: the anchor is live, the viewer has the list
// and watches.
func (p *process) invite() *bystanders {
	p.t.Helper()
	b := &bystanders{
		t: p.t, anchor: p.dial("/v1/anchor", token(p.t, auth.Anchor, "bystander")),
		guest: p.dial("/v1/viewer", token(p.t, auth.Viewer, "guest")),
	}
	b.anchor.patience, b.guest.patience = soon, soon
	b.code = answerTo[*wire.Started](b.anchor, &wire.Start{ID: b.anchor.id(), Title: "0"}).Stream.Code
	answerTo[*wire.Snapshot](b.guest, &wire.Subscribe{ID: b.guest.id()})
	answerTo[*wire.Watching](b.guest, &wire.Watch{ID: b.guest.id(), Code: b.code})
	b.served()
	return b
}

// served sees that a beat is acknowledged, and that a change reaches the viewer.
func (b *bystanders) served() {
	b.t.Helper()
	b.n++
	title := fmt.Sprint(b.n)
	if ack := answerTo[*wire.Ack](b.anchor, &wire.Beat{ID: b.anchor.id(), N: b.n}); ack.N != b.n || ack.Pending {
		b.t.Errorf("beat %d was answered with %+v", b.n, ack)
	}
	answerTo[*wire.Updated](b.anchor, &wire.Update{ID: b.anchor.id(), Title: wire.Some(title)})
	b.guest.shows("the bystander's title", func(l *wire.ClientView) bool { e, _ := l.Entry(b.code); return e.Title == title })
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
		case <-time.After(200 * time.Millisecond): // well below limits.rate
		}
		b.served()
	}
}

// rawSocket is a connection that speaks HTTP and WebSocket as badly as a test
// wants. It has no goroutine.
type rawSocket struct {
	net.Conn
	in *bufio.Reader
}

func newRaw(conn net.Conn) *rawSocket { return &rawSocket{conn, bufio.NewReaderSize(conn, 256)} }

// dialRaw connects to the process from a loopback address, "" for any.
func (p *process) dialRaw(from string) (*rawSocket, error) {
	d := net.Dialer{Timeout: soon}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	conn, err := d.Dial("tcp", p.address)
	if err != nil {
		return nil, err
	}
	return newRaw(conn), nil
}

// rawSockets connects n times, and closes them when the test ends.
func (p *process) rawSockets(n int) []*rawSocket {
	p.t.Helper()
	out := make([]*rawSocket, n)
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

// ask sends the request for a socket.
func (c *rawSocket) ask(path string, headers ...string) error {
	lines := append([]string{
		"GET " + path + " HTTP/1.1", "Host: server", "Connection: Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
	}, headers...)
	_, err := io.WriteString(c, strings.Join(lines, "\r\n")+"\r\n\r\n")
	return err
}

// answer reads the header of an answer, and returns its status.
func (c *rawSocket) answer() (int, error) {
	line, err := c.in.ReadString('\n')
	if err != nil {
		return 0, err
	}
	status := 0
	if _, err := fmt.Sscanf(line, "HTTP/1.1 %d", &status); err != nil {
		return 0, fmt.Errorf("%q: %w", line, err)
	}
	for line != "\r\n" {
		if line, err = c.in.ReadString('\n'); err != nil {
			return 0, err
		}
	}
	return status, nil
}

// upgrade makes it a socket.
func (c *rawSocket) upgrade(path string, headers ...string) error {
	if err := c.ask(path, headers...); err != nil {
		return err
	}
	status, err := c.answer()
	if err == nil && status != 101 {
		err = fmt.Errorf("HTTP %d", status)
	}
	return err
}

// frame reads one frame: its first byte and what it carries.
func (c *rawSocket) frame() (first byte, payload []byte, err error) {
	var head [10]byte
	if _, err := io.ReadFull(c.in, head[:2]); err != nil {
		return 0, nil, err
	}
	n := uint64(head[1])
	switch n {
	case 126:
		_, err = io.ReadFull(c.in, head[2:4])
		n = uint64(binary.BigEndian.Uint16(head[2:]))
	case 127:
		_, err = io.ReadFull(c.in, head[2:10])
		n = binary.BigEndian.Uint64(head[2:])
	}
	if err == nil {
		payload = make([]byte, n)
		_, err = io.ReadFull(c.in, payload)
	}
	return head[0], payload, err
}

// closes reads until the server closes the socket, and returns the code.
func (c *rawSocket) closes() (websocket.StatusCode, error) {
	for {
		first, payload, err := c.frame()
		if err != nil {
			return -1, err
		}
		if first&0xf == opClose && len(payload) >= 2 {
			return websocket.StatusCode(binary.BigEndian.Uint16(payload)), nil
		}
	}
}

// First bytes of frames, or parts of them.
const (
	final   = 0x80
	opText  = 0x1
	opClose = 0x8
	opPing  = 0x9
)

// masked is a client's frame, under the mask 0.
func masked(first byte, payload string) []byte {
	f := []byte{first}
	switch n := len(payload); {
	case n < 126:
		f = append(f, 0x80|byte(n))
	case n < 1<<16:
		f = binary.BigEndian.AppendUint16(append(f, 0x80|126), uint16(n))
	default:
		f = binary.BigEndian.AppendUint64(append(f, 0x80|127), uint64(n))
	}
	return append(append(f, 0, 0, 0, 0), payload...)
}

// reset has the next Close of a TCP connection be a reset.
func (c *rawSocket) reset() error {
	if err := c.Conn.(*net.TCPConn).SetLinger(0); err != nil {
		return err
	}
	return c.Close()
}
