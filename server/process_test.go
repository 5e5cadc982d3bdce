package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"onair/hub/wire"
	"onair/server/nodetest"
)

// runAsServer is the environment variable that makes the test binary run as the server.
const runAsServer = "ONAIR_TEST_AS_SERVER"

// process is a server process.
type process struct {
	t       *testing.T
	cmd     *exec.Cmd
	address string
	ops     string
	client  *http.Client // of the calls and sockets of the test
	exited  chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
}

// startProcess starts a server on a data directory, with a heartbeat interval of one second.
func startProcess(t *testing.T, data string, flags ...string) *process {
	t.Helper()
	return startServer(t, testBinary(), nil, append([]string{"--data", data, "--heartbeat.interval", "1s"}, flags...)...)
}

// readLog stores the log, and reads the addresses from the line "serving".
func (p *process) readLog(out io.Reader, serving chan struct{}) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var line struct{ Message, Address, Ops string }
		json.Unmarshal(lines.Bytes(), &line)
		p.mu.Lock()
		p.log.Write(append(lines.Bytes(), '\n'))
		if line.Message == "serving" {
			p.address, p.ops = line.Address, line.Ops
			close(serving)
		}
		p.mu.Unlock()
	}
	p.cmd.Wait()
	close(p.exited)
}

func (p *process) logText() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// signalAndWait sends a signal and waits until the process has ended.
func (p *process) signalAndWait(sig syscall.Signal) {
	p.t.Helper()
	p.cmd.Process.Signal(sig)
	select {
	case <-p.exited:
	case <-time.After(nodetest.ProcessTimeout):
		p.t.Fatalf("the server does not end on %v", sig)
	}
}

// dial opens a socket and reads its welcome. On a busy machine a node may be isolated
// for a moment, and reject a socket: dial tries again, as clients do.
func (p *process) dial(path, token string) *nodetest.Client {
	p.t.Helper()
	for deadline := time.Now().Add(nodetest.ProcessTimeout); ; <-time.After(100 * time.Millisecond) {
		c, err := p.tryDial(path, token)
		if err == nil {
			return c
		}
		if !errors.Is(err, errRejected) || time.Now().After(deadline) {
			p.t.Fatal(err)
		}
	}
}

// errRejected is returned when a node rejects a socket with 503.
var errRejected = errors.New("503")

// tryDial opens a socket once. The server may end meanwhile. It returns errRejected.
func (p *process) tryDial(path, token string) (*nodetest.Client, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	options := nodetest.DialOptions(token)
	options.HTTPClient = p.client
	conn, res, err := websocket.Dial(ctx, "ws://"+p.address+path, options)
	if err != nil {
		if res != nil && res.StatusCode == http.StatusServiceUnavailable {
			err = errRejected
		}
		return nil, err
	}
	c := nodetest.NewClient(p.t, conn, 10*time.Second)
	r := c.TryReceive()
	if _, ok := r.Message.(*wire.Welcome); !ok {
		return nil, fmt.Errorf("no welcome but %+v", r)
	}
	return c, nil
}

// listedEntries returns the server's list by live code.
func (p *process) listedEntries() map[string]wire.Entry {
	p.t.Helper()
	res, err := p.client.Get("http://" + p.address + "/v1/streams?limit=500")
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	var page struct{ Streams []wire.Entry }
	if err := json.NewDecoder(res.Body).Decode(&page); err != nil {
		p.t.Fatal(err)
	}
	out := map[string]wire.Entry{}
	for _, e := range page.Streams {
		out[e.Code] = e
	}
	return out
}

func (p *process) metricText(name string) string {
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
	for line := range strings.Lines(string(body)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// commandResult is the exit code and the output of a command.
type commandResult struct {
	code     int
	out, err string
}

// runCommand runs a command of the server until it ends.
func runCommand(t *testing.T, args ...string) commandResult {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = []string{runAsServer + "=1"}
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, ended := err.(*exec.ExitError); err != nil && !ended {
		t.Fatal(err)
	}
	return commandResult{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}
