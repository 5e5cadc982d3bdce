package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"onair/hub/wire"
	"onair/presence/redislog/redistest"
	"onair/server/auth"
	"onair/server/nodetest"
)

// heartbeatInterval is the heartbeat interval of a fleet: a lease is 3.1 s.
const heartbeatInterval = time.Second

// leaseDuration is how long a session stays listed without a beat.
const leaseDuration = 3*heartbeatInterval + heartbeatInterval/10

// fleet is several nodes, each a process, that share a log on Redis.
type fleet struct {
	t         *testing.T
	startedAt time.Time
	flags     []string     // of all nodes
	client    *http.Client // of the clients

	mu    sync.Mutex // guards nodes, which restarts replace
	nodes []*fleetNode
}

// fleetNode is one process of a node.
type fleetNode struct {
	*process
	name  string
	flags []string           // of its own
	proxy *redistest.Proxy   // to Redis; nil: it connects directly
	run   func(start func()) // starts the process on a host; nil: on this one
}

// startFleet starts n nodes on the Redis that the flags name.
func startFleet(t *testing.T, n int, flags ...string) *fleet {
	t.Helper()
	f := newFleet(t, flags...)
	f.addNodes(make([]*fleetNode, n)...)
	return f
}

// startFleetBehindProxies starts n nodes, each with its own proxy to a Redis.
func startFleetBehindProxies(t *testing.T, n int, addr string, flags ...string) *fleet {
	t.Helper()
	f := newFleet(t, flags...)
	nodes := make([]*fleetNode, n)
	for i := range nodes {
		p := redistest.NewProxy(t, addr)
		nodes[i] = &fleetNode{proxy: p, flags: []string{"--redis.addrs", p.Addr()}}
	}
	f.addNodes(nodes...)
	return f
}

func newFleet(t *testing.T, flags ...string) *fleet {
	return &fleet{t: t, startedAt: time.Now(), client: http.DefaultClient, flags: append([]string{
		"--heartbeat.interval", heartbeatInterval.String(), "--idle", "2s",
		"--push.key", "a key of pushes", "--play.key", "a key of plays",
	}, flags...)}
}

// addNodes starts nodes, all at once, and adds them to the fleet.
func (f *fleet) addNodes(nodes ...*fleetNode) {
	f.t.Helper()
	var wg sync.WaitGroup
	for i, n := range nodes {
		if n == nil {
			n = &fleetNode{}
			nodes[i] = n
		}
		if n.name == "" {
			n.name = fmt.Sprintf("n%d", len(f.nodes)+i+1)
		}
		wg.Go(func() { n.process = f.startNode(n) })
	}
	wg.Wait()
	if f.t.Failed() {
		f.t.FailNow()
	}
	f.mu.Lock()
	f.nodes = append(f.nodes, nodes...)
	f.mu.Unlock()
	f.t.Cleanup(func() {
		for _, n := range nodes {
			if f.t.Failed() {
				f.t.Logf("log of %s:\n%s", n.name, n.logWithoutStreams())
			}
		}
	})
}

// logWithoutStreams returns the end of a node's log without its lines about streams.
func (n *fleetNode) logWithoutStreams() string {
	var b strings.Builder
	for line := range strings.Lines(n.logText()) {
		if !strings.Contains(line, `"message":"stream state changed"`) {
			b.WriteString(line)
		}
	}
	return lastBytes(b.String(), 10_000)
}

func (f *fleet) startNode(n *fleetNode) (p *process) {
	start := func() {
		p = startServer(f.t, testBinary(), nil, slices.Concat([]string{"--node", n.name}, f.flags, n.flags)...)
	}
	if n.run == nil {
		start()
	} else {
		n.run(start)
	}
	p.client = f.client
	return p
}

// killNode kills a node and removes it from the fleet.
func (f *fleet) killNode(n *fleetNode) {
	f.t.Helper()
	f.mu.Lock()
	f.nodes = slices.DeleteFunc(f.nodes, func(x *fleetNode) bool { return x == n })
	f.mu.Unlock()
	n.signalAndWait(syscall.SIGKILL)
}

// allNodes returns the present nodes.
func (f *fleet) allNodes() []*fleetNode {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.nodes)
}

// otherNode returns a random node other than the given one, unless that is the only one.
func (f *fleet) otherNode(not *fleetNode) *fleetNode {
	nodes := f.allNodes()
	if i := slices.Index(nodes, not); i >= 0 && len(nodes) > 1 {
		nodes = slices.Delete(nodes, i, i+1)
	}
	return nodes[rand.IntN(len(nodes))]
}

// dial opens a socket with a short timeout, because clients may use other nodes.
func (f *fleet) dial(n *fleetNode, path, token string) (*nodetest.Client, *wire.Welcome, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	options := nodetest.DialOptions(token)
	options.HTTPClient = f.client
	conn, res, err := websocket.Dial(ctx, "ws://"+n.address+path, options)
	if err != nil {
		if res != nil && res.StatusCode == http.StatusServiceUnavailable {
			err = errRejected
		}
		return nil, nil, err
	}
	c := nodetest.NewClient(f.t, conn, 2*time.Second)
	r := c.TryReceive()
	welcome, ok := r.Message.(*wire.Welcome)
	if !ok {
		conn.CloseNow()
		return nil, nil, fmt.Errorf("no welcome but %+v", r)
	}
	return c, welcome, nil
}

// call makes an HTTP call with a timeout of 12 s; the server answers within 10 s.
func (f *fleet) call(method, url, token, text string) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 12*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := f.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	body, err = io.ReadAll(res.Body)
	return res.StatusCode, body, err
}

// listStreams returns the list of a node by live code.
func (f *fleet) listStreams(n *fleetNode) (map[string]wire.Entry, error) {
	status, body, err := f.call("GET", "http://"+n.address+"/v1/streams?limit=500", "", "")
	if err != nil || status != http.StatusOK {
		return nil, fmt.Errorf("%s: the list: %d, %w", n.name, status, err)
	}
	var page struct{ Streams []wire.Entry }
	if err := json.Unmarshal(body, &page); err != nil {
		return nil, err
	}
	out := map[string]wire.Entry{}
	for _, e := range page.Streams {
		out[e.Code] = e
	}
	return out, nil
}

// ban bans an anchor through a node.
func (f *fleet) ban(n *fleetNode, anchor string) error {
	status, body, err := f.call("PUT", "http://"+n.address+"/v1/bans/"+anchor, nodetest.SignToken(f.t, auth.Backend, "shop"), "")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%d: %s", status, body)
	}
	return err
}

// checkBanned returns an error if an anchor is not banned at a node.
func (f *fleet) checkBanned(n *fleetNode, anchor string) error {
	status, _, err := f.call("GET", "http://"+n.address+"/v1/bans/"+anchor, nodetest.SignToken(f.t, auth.Backend, "shop"), "")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s has no ban of %s: %d", n.name, anchor, status)
	}
	return err
}

// degradedParts returns the degraded parts that /readyz of a ready node names.
func (n *fleetNode) degradedParts(f *fleet) ([]string, error) {
	status, body, err := f.call("GET", "http://"+n.ops+"/readyz", "", "")
	if err != nil || status != http.StatusOK {
		return nil, fmt.Errorf("%s: /readyz: %d %s, %w", n.name, status, body, err)
	}
	var state struct{ Degraded []string }
	return state.Degraded, json.Unmarshal(body, &state)
}

// checkDegraded returns an error unless /readyz names the part as degraded; "": no part.
func (f *fleet) checkDegraded(n *fleetNode, want string) error {
	got, err := n.degradedParts(f)
	if err == nil && (want == "" && len(got) > 0 || want != "" && !slices.Contains(got, want)) {
		err = fmt.Errorf("%s: /readyz has %q, want %q", n.name, got, want)
	}
	return err
}

// awaitDegraded waits until /readyz of all nodes names the part as degraded; "": no part.
func (f *fleet) awaitDegraded(want string) {
	f.t.Helper()
	f.await("all /readyz to have "+want, nodetest.ProcessTimeout, func() error {
		return f.checkNodes(func(n *fleetNode) error { return f.checkDegraded(n, want) })
	})
}

// checkNodes returns the first error of a check of each node.
func (f *fleet) checkNodes(ask func(*fleetNode) error) error {
	for _, n := range f.allNodes() {
		if err := ask(n); err != nil {
			return err
		}
	}
	return nil
}

// sumOfMetric returns the sum of a metric over all nodes.
func (f *fleet) sumOfMetric(name string) (sum float64) {
	f.t.Helper()
	for _, n := range f.allNodes() {
		sum += n.metricValue(name)
	}
	return sum
}

// checkMetric returns an error if a metric has another value.
func (n *fleetNode) checkMetric(metric string, want float64) error {
	if got := n.metricValue(metric); got != want {
		return fmt.Errorf("%s: %s is %v, not %v", n.name, metric, got, want)
	}
	return nil
}

// checkLogLine returns an error if no line of a node's log contains all of the texts.
func (n *fleetNode) checkLogLine(words ...string) error {
	for line := range strings.Lines(n.logText()) {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			return nil
		}
	}
	return fmt.Errorf("%s: no line of the log has %q", n.name, words)
}

// checkAnyNodeLogs returns an error if no node's log has a line that contains all of the texts.
func (f *fleet) checkAnyNodeLogs(words ...string) error {
	var err error
	for _, n := range f.allNodes() {
		if err = n.checkLogLine(words...); err == nil {
			return nil
		}
	}
	return err
}

// await repeats a check until it returns no error, and returns how long that took. After the
// timeout the test fails with the last error.
func (f *fleet) await(what string, within time.Duration, ask func() error) time.Duration {
	f.t.Helper()
	began := time.Now()
	again := time.NewTicker(25 * time.Millisecond)
	defer again.Stop()
	for {
		err := ask()
		took := time.Since(began)
		if err == nil {
			return took
		}
		if took > within {
			f.t.Fatalf("%s: not within %v: %v", what, within, err)
		}
		<-again.C
	}
}

// sleep waits.
func (f *fleet) sleep(d time.Duration) { <-time.After(d) }
