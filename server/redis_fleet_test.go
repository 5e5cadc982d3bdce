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

// beatEvery is the heartbeat interval of a fleet: a lease is 3.1 s.
const beatEvery = time.Second

// lease is how long a session lives without a beat.
const lease = 3*beatEvery + beatEvery/10

// fleet is several nodes, each a process, that share a log on Redis.
type fleet struct {
	t     *testing.T
	began time.Time
	flags []string // of all nodes

	mu    sync.Mutex // guards nodes, which restarts replace
	nodes []*fleetNode
}

// fleetNode is one life of a node.
type fleetNode struct {
	*process
	name  string
	flags []string         // of its own
	proxy *redistest.Proxy // between it and Redis; nil: none
}

// launch starts so many nodes on the Redis that the flags name.
func launch(t *testing.T, n int, flags ...string) *fleet {
	t.Helper()
	f := newFleet(t, flags...)
	f.join(make([]*fleetNode, n)...)
	return f
}

// launchBehindProxies starts nodes each of which has a network of its own to
// the Redis of that address.
func launchBehindProxies(t *testing.T, n int, addr string, flags ...string) *fleet {
	t.Helper()
	f := newFleet(t, flags...)
	nodes := make([]*fleetNode, n)
	for i := range nodes {
		p := redistest.NewProxy(t, addr)
		nodes[i] = &fleetNode{proxy: p, flags: []string{"--redis.addrs", p.Addr()}}
	}
	f.join(nodes...)
	return f
}

func newFleet(t *testing.T, flags ...string) *fleet {
	return &fleet{t: t, began: time.Now(), flags: append([]string{
		"--heartbeat.interval", beatEvery.String(), "--idle", "2s",
		"--push.key", "a key of pushes", "--play.key", "a key of plays",
	}, flags...)}
}

// join starts nodes, all at once, and adds them to the fleet.
func (f *fleet) join(nodes ...*fleetNode) {
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
		wg.Go(func() { n.process = f.start(n) })
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
				f.t.Logf("%s said of itself:\n%s", n.name, n.ofItself())
			}
		}
	})
}

// ofItself is a node's log without what it says of streams.
func (n *fleetNode) ofItself() string {
	var b strings.Builder
	for line := range strings.Lines(n.logged()) {
		if !strings.Contains(line, `"message":"stream state changed"`) {
			b.WriteString(line)
		}
	}
	return tail(b.String(), 10_000)
}

func (f *fleet) start(n *fleetNode) *process {
	return besiege(f.t, thisBinary(), nil, slices.Concat([]string{"--node", n.name}, f.flags, n.flags)...)
}

// kill ends a node as a crash does: it is no part of the fleet any more.
func (f *fleet) kill(n *fleetNode) {
	f.t.Helper()
	f.mu.Lock()
	f.nodes = slices.DeleteFunc(f.nodes, func(x *fleetNode) bool { return x == n })
	f.mu.Unlock()
	n.end(syscall.SIGKILL)
}

// all are the nodes that there are.
func (f *fleet) all() []*fleetNode {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.nodes)
}

// another is a node at random, but not that one, unless it is the only one.
func (f *fleet) another(not *fleetNode) *fleetNode {
	nodes := f.all()
	if i := slices.Index(nodes, not); i >= 0 && len(nodes) > 1 {
		nodes = slices.Delete(nodes, i, i+1)
	}
	return nodes[rand.IntN(len(nodes))]
}

// dial opens a socket, as one does who has other nodes to go to.
func (f *fleet) dial(n *fleetNode, path, token string) (*nodetest.Client, *wire.Welcome, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	conn, res, err := websocket.Dial(ctx, "ws://"+n.address+path, nodetest.DialOptions(token))
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

// call makes an HTTP call that has twelve seconds: an answer is due after ten.
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
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	body, err = io.ReadAll(res.Body)
	return res.StatusCode, body, err
}

// page is what a node lists, by live code.
func (f *fleet) page(n *fleetNode) (map[string]wire.Entry, error) {
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

// ban has a node ban an anchor.
func (f *fleet) ban(n *fleetNode, anchor string) error {
	status, body, err := f.call("PUT", "http://"+n.address+"/v1/bans/"+anchor, nodetest.SignToken(f.t, auth.Backend, "shop"), "")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%d: %s", status, body)
	}
	return err
}

// banned tells, by an error, that a node does not know of a ban.
func (f *fleet) banned(n *fleetNode, anchor string) error {
	status, _, err := f.call("GET", "http://"+n.address+"/v1/bans/"+anchor, nodetest.SignToken(f.t, auth.Backend, "shop"), "")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s does not know that %s is banned: %d", n.name, anchor, status)
	}
	return err
}

// degraded is what a node, which must be ready, says is wrong with it.
func (n *fleetNode) degraded(f *fleet) ([]string, error) {
	status, body, err := f.call("GET", "http://"+n.ops+"/readyz", "", "")
	if err != nil || status != http.StatusOK {
		return nil, fmt.Errorf("%s: /readyz: %d %s, %w", n.name, status, body, err)
	}
	var state struct{ Degraded []string }
	return state.Degraded, json.Unmarshal(body, &state)
}

// says tells, by an error, that /readyz does not say so of a node; "" is all well.
func (f *fleet) says(n *fleetNode, want string) error {
	got, err := n.degraded(f)
	if err == nil && (want == "" && len(got) > 0 || want != "" && !slices.Contains(got, want)) {
		err = fmt.Errorf("%s: /readyz says %q, not %q", n.name, got, want)
	}
	return err
}

// allSay waits until /readyz says so of all nodes.
func (f *fleet) allSay(want string) {
	f.t.Helper()
	f.await("all /readyz to say "+want, nodetest.ProcessTimeout, func() error {
		return f.each(func(n *fleetNode) error { return f.says(n, want) })
	})
}

// each asks every node.
func (f *fleet) each(ask func(*fleetNode) error) error {
	for _, n := range f.all() {
		if err := ask(n); err != nil {
			return err
		}
	}
	return nil
}

// sum is a metric over all nodes.
func (f *fleet) sum(name string) (sum float64) {
	f.t.Helper()
	for _, n := range f.all() {
		sum += n.gauge(name)
	}
	return sum
}

// is tells, by an error, that a metric has another value.
func (n *fleetNode) is(metric string, want float64) error {
	if got := n.gauge(metric); got != want {
		return fmt.Errorf("%s: %s is %v, not %v", n.name, metric, got, want)
	}
	return nil
}

// logs tells, by an error, that no line of a node's log has all of the words.
func (n *fleetNode) logs(words ...string) error {
	for line := range strings.Lines(n.logged()) {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			return nil
		}
	}
	return fmt.Errorf("%s: no line of the log has %q", n.name, words)
}

// logs tells, by an error, that no node has such a line.
func (f *fleet) logs(words ...string) error {
	var err error
	for _, n := range f.all() {
		if err = n.logs(words...); err == nil {
			return nil
		}
	}
	return err
}

// await asks again until there is no error, and returns how long that took. The
// test fails with the last error.
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

// pass lets time pass.
func (f *fleet) pass(d time.Duration) { <-time.After(d) }
