package main

import (
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"onair/hub/wire"
	"onair/presence/redislog/redistest"
	"onair/server/auth"
	"onair/server/nodetest"
)

// TestNodeKilled: the anchors of a killed node resume at others, its viewers resume with
// diffs, and all that it acknowledged stays.
func TestNodeKilled(t *testing.T) {
	t.Parallel()
	f := startFleet(t, 3, "--redis.addrs", redistest.Start(t).Addr())
	c := f.startClients(10, 6)
	c.sleep(2 * time.Second)
	victim := f.allNodes()[1]
	f.killNode(victim)
	c.awaitRecovery(time.Now())
	c.sleep(2 * leaseDuration)
	c.awaitEqualLists()
	c.await("the others to count two nodes", nodetest.ProcessTimeout, func() error {
		return c.checkNodes(func(n *fleetNode) error { return n.checkMetric("onair_nodes", 2) })
	})
	c.checkResumedWithDiffs()
	c.checkNoFalseEnds()
}

// TestLeaderKilled: the next leader delivers and archives what the killed one had not, under
// the same ids.
func TestLeaderKilled(t *testing.T) {
	t.Parallel()
	b := &nodetest.Backend{Status: 503}
	srv := httptest.NewServer(b)
	defer srv.Close()
	f := startFleet(t, 3, "--redis.addrs", redistest.Start(t).Addr(), "--webhooks.url", srv.URL, "--webhooks.secret", nodetest.WebhookSecret,
		"--hooks.srs.enabled", "true", "--heartbeat.interval", "5s", "--heartbeat.grace", "500ms")
	leader := func() (leaderNode *fleetNode) {
		f.await("a leader", nodetest.ProcessTimeout, func() error {
			for _, n := range f.allNodes() {
				if leaderNode = n; n.checkMetric("onair_leader", 1) == nil {
					return nil
				}
			}
			return errors.New("there is none")
		})
		return leaderNode
	}
	first := leader()
	status, body, err := f.call("POST", "http://"+f.otherNode(first).address+"/v1/streams", nodetest.SignToken(t, auth.Anchor, "alice"), `{"title":"Hello"}`)
	if err != nil || status != 201 {
		t.Fatalf("%d %s %v", status, body, err)
	}
	for _, file := range []string{"a.mp4", "a.mp4", "b.mp4"} {
		status, body, err = f.call("POST", "http://"+f.otherNode(first).address+"/v1/hooks/srs", "",
			`{"server_id":"s","action":"on_dvr","client_id":"c","app":"live","stream":"8888_alice","cwd":"/rec","file":"./`+file+`"}`)
		if err != nil || status != 200 {
			t.Fatalf("%d %s %v", status, body, err)
		}
	}
	f.await("a webhook attempt", nodetest.ProcessTimeout, func() error {
		b.Mutex.Lock()
		defer b.Mutex.Unlock()
		if b.Attempts == 0 {
			return errors.New("none yet")
		}
		return nil
	})
	f.killNode(first)
	b.SetStatus(200)
	f.await("the back end to get the webhooks", nodetest.ProcessTimeout, func() error {
		b.Mutex.Lock()
		defer b.Mutex.Unlock()
		received := map[string]int{}
		for _, e := range b.Events {
			received[e.Type+" "+e.Data.Location]++
		}
		if want := map[string]int{"stream.started ": 1, "recording.ready /rec/a.mp4": 1, "recording.ready /rec/b.mp4": 1}; !maps.Equal(received, want) {
			return fmt.Errorf("got %v", received)
		}
		return nil
	})
	f.await("the recordings to be listed everywhere", nodetest.ProcessTimeout, func() error {
		return f.checkNodes(func(n *fleetNode) error {
			status, body, err := f.call("GET", "http://"+n.address+"/v1/recordings?code=8888_alice", "", "")
			if err != nil || status != 200 || strings.Count(string(body), `"title":"Hello"`) != 2 {
				return fmt.Errorf("%s: %d %s %v", n.name, status, body, err)
			}
			return nil
		})
	})
}

// TestNodePaused: a node that was stopped for longer than a lease, and declared lost by the
// others, joins again. It expires no session and writes nothing stale.
func TestNodePaused(t *testing.T) {
	t.Parallel()
	f := startFleet(t, 3, "--redis.addrs", redistest.Start(t).Addr())
	c := f.startClients(10, 6)
	victim := f.allNodes()[0]
	victim.cmd.Process.Signal(syscall.SIGSTOP)
	c.sleep(2 * leaseDuration)
	others := f.allNodes()[1:]
	c.await("the others to declare it lost", nodetest.ProcessTimeout, func() error {
		return errors.Join(others[0].checkMetric("onair_nodes", 2), others[1].checkMetric("onair_nodes", 2))
	})
	victim.cmd.Process.Signal(syscall.SIGCONT)
	c.await("it to join again", nodetest.ProcessTimeout, func() error {
		return errors.Join(victim.checkLogLine("node was declared lost"),
			victim.checkLogLine("node rejoined log"),
			c.checkNodes(func(n *fleetNode) error { return n.checkMetric("onair_nodes", 3) }))
	})
	c.sleep(leaseDuration)
	c.awaitEqualLists()
	c.awaitDegraded("")
	c.checkNoFalseEnds()
}

// TestNodeIsolated: one node of three has no Redis for five intervals. It notifies its anchors,
// which move to the others. No session expires, and its viewers still have the list.
func TestNodeIsolated(t *testing.T) {
	t.Parallel()
	f := startFleetBehindProxies(t, 3, redistest.Start(t).Addr())
	c := f.startClients(12, 6)
	victim := f.allNodes()[2]
	before := c.degradedNotices()
	victim.proxy.Disconnect()
	c.await("it to say so", nodetest.ProcessTimeout, func() error { return f.checkDegraded(victim, "log") })
	c.await("its anchors to go", nodetest.ProcessTimeout, func() error {
		for _, p := range c.allAnchors() {
			if p.node() == victim {
				return fmt.Errorf("%s is still there", p.sub)
			}
		}
		return nil
	})
	c.sleep(5 * heartbeatInterval)
	if _, _, err := f.dial(victim, "/v1/anchor", nodetest.SignToken(t, auth.Anchor, "newcomer")); !errors.Is(err, errRejected) {
		t.Errorf("an anchor who comes to it is told %v, want to be turned away", err)
	}
	page, err := f.listStreams(victim)
	if err != nil || len(page) < 12 {
		t.Errorf("it lists %d streams, %v", len(page), err)
	}
	victim.proxy.EndFaults()
	c.awaitRecovery(time.Now())
	c.awaitDegraded("")
	c.awaitEqualLists()
	if c.degradedNotices() == before {
		t.Error("no anchor was told that the node is degraded")
	}
	c.checkNoFalseEnds()
}

// TestTakeoverAcrossNodes: the newest start or resume gets the session. The older socket is
// closed at any node.
func TestTakeoverAcrossNodes(t *testing.T) {
	t.Parallel()
	f := startFleet(t, 2, "--redis.addrs", redistest.Start(t).Addr())
	n, tok := f.allNodes(), nodetest.SignToken(t, auth.Anchor, "alice")
	first, second, third := n[0].dial("/v1/anchor", tok), n[1].dial("/v1/anchor", tok), n[0].dial("/v1/anchor", tok)
	one := nodetest.RequestReply[*wire.Started](first, &wire.Start{ID: first.NextID(), Title: "one"})
	two := nodetest.RequestReply[*wire.Started](second, &wire.Start{ID: second.NextID(), Title: "two"})
	if ended, _ := nodetest.AwaitMessage[*wire.Ended](first); ended.Reason != wire.EndTakenOver {
		t.Errorf("the older socket was told %+v", ended)
	}
	if code, _ := first.AwaitClose(); code != wire.CloseTakenOver {
		t.Errorf("the older socket was closed with %d", code)
	}
	e := nodetest.RequestReply[*wire.Error](third, &wire.Resume{ID: third.NextID(), Session: one.Session})
	if e.Code != wire.CodeSessionGone || e.Reason != wire.EndTakenOver {
		t.Errorf("the older session is resumed with %+v", e)
	}
	nodetest.RequestReply[*wire.Started](third, &wire.Resume{ID: third.NextID(), Session: two.Session})
	if code, _ := second.AwaitClose(); code != wire.CloseTakenOver {
		t.Errorf("the socket from which the session was resumed was closed with %d", code)
	}
	nodetest.RequestReply[*wire.Ack](third, &wire.Beat{ID: third.NextID(), N: 1})
	for _, n := range n {
		f.await("both nodes to list it", nodetest.ProcessTimeout, func() error {
			page, err := f.listStreams(n)
			if e := page["8888_alice"]; err == nil && (len(page) != 1 || e.Title != "two" || e.StartedAt != two.Stream.StartedAt) {
				err = fmt.Errorf("%s lists %+v", n.name, page)
			}
			return err
		})
	}
}
