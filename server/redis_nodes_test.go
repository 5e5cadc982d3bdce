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

// TestNodeKilled: the anchors of a node that dies resume on the others, its
// viewers go on from where they were, and what it had acknowledged holds.
func TestNodeKilled(t *testing.T) {
	t.Parallel()
	f := launch(t, 3, "--redis.addrs", redistest.Start(t).Addr())
	c := f.board(10, 6)
	c.pass(2 * time.Second)
	victim := f.all()[1]
	f.kill(victim)
	c.heals(time.Now())
	c.pass(2 * lease)
	c.settles()
	c.await("the others to know", nodetest.ProcessTimeout, func() error {
		return c.each(func(n *fleetNode) error { return n.is("onair_nodes", 2) })
	})
	c.wasLedOn()
	c.unharmed()
}

// TestKeeperKilled: what the keeper had not told the back end, and had not filed, the
// next one does, under the same ids.
func TestKeeperKilled(t *testing.T) {
	t.Parallel()
	b := &nodetest.Backend{Status: 503}
	srv := httptest.NewServer(b)
	defer srv.Close()
	f := launch(t, 3, "--redis.addrs", redistest.Start(t).Addr(), "--webhooks.url", srv.URL, "--webhooks.secret", nodetest.WebhookSecret,
		"--hooks.srs.enabled", "true", "--heartbeat.interval", "5s", "--heartbeat.grace", "500ms")
	keeper := func() (k *fleetNode) {
		f.await("a keeper", nodetest.ProcessTimeout, func() error {
			for _, n := range f.all() {
				if k = n; n.is("onair_leader", 1) == nil {
					return nil
				}
			}
			return errors.New("there is none")
		})
		return k
	}
	first := keeper()
	status, body, err := f.call("POST", "http://"+f.another(first).address+"/v1/streams", nodetest.SignToken(t, auth.Anchor, "alice"), `{"title":"Hello"}`)
	if err != nil || status != 201 {
		t.Fatalf("%d %s %v", status, body, err)
	}
	for _, file := range []string{"a.mp4", "a.mp4", "b.mp4"} {
		status, body, err = f.call("POST", "http://"+f.another(first).address+"/v1/hooks/srs", "",
			`{"server_id":"s","action":"on_dvr","client_id":"c","app":"live","stream":"8888_alice","cwd":"/rec","file":"./`+file+`"}`)
		if err != nil || status != 200 {
			t.Fatalf("%d %s %v", status, body, err)
		}
	}
	f.await("a try", nodetest.ProcessTimeout, func() error {
		b.Mutex.Lock()
		defer b.Mutex.Unlock()
		if b.Attempts == 0 {
			return errors.New("none yet")
		}
		return nil
	})
	f.kill(first)
	b.SetStatus(200)
	f.await("the back end to be told", nodetest.ProcessTimeout, func() error {
		b.Mutex.Lock()
		defer b.Mutex.Unlock()
		told := map[string]int{}
		for _, e := range b.Events {
			told[e.Type+" "+e.Data.Location]++
		}
		if want := map[string]int{"stream.started ": 1, "recording.ready /rec/a.mp4": 1, "recording.ready /rec/b.mp4": 1}; !maps.Equal(told, want) {
			return fmt.Errorf("told %v", told)
		}
		return nil
	})
	f.await("the recordings to be listed everywhere", nodetest.ProcessTimeout, func() error {
		return f.each(func(n *fleetNode) error {
			status, body, err := f.call("GET", "http://"+n.address+"/v1/recordings?code=8888_alice", "", "")
			if err != nil || status != 200 || strings.Count(string(body), `"title":"Hello"`) != 2 {
				return fmt.Errorf("%s: %d %s %v", n.name, status, body, err)
			}
			return nil
		})
	})
}

// TestNodePaused: a node that stood still for longer than a lease, and that the
// others have declared lost, joins again. It expires nobody and writes nothing
// that is not true any more.
func TestNodePaused(t *testing.T) {
	t.Parallel()
	f := launch(t, 3, "--redis.addrs", redistest.Start(t).Addr())
	c := f.board(10, 6)
	victim := f.all()[0]
	victim.cmd.Process.Signal(syscall.SIGSTOP)
	c.pass(2 * lease)
	others := f.all()[1:]
	c.await("the others to declare it lost", nodetest.ProcessTimeout, func() error {
		return errors.Join(others[0].is("onair_nodes", 2), others[1].is("onair_nodes", 2))
	})
	victim.cmd.Process.Signal(syscall.SIGCONT)
	c.await("it to join again", nodetest.ProcessTimeout, func() error {
		return errors.Join(victim.logs("node was declared lost"),
			victim.logs("node rejoined log"),
			c.each(func(n *fleetNode) error { return n.is("onair_nodes", 3) }))
	})
	c.pass(lease)
	c.settles()
	c.allSay("")
	c.unharmed()
}

// TestNodeCutOff: one node of three has no Redis for five intervals. It says so
// to its anchors, who go to the others; nobody expires, and its viewers keep the
// list.
func TestNodeCutOff(t *testing.T) {
	t.Parallel()
	f := launchBehindProxies(t, 3, redistest.Start(t).Addr())
	c := f.board(12, 6)
	victim := f.all()[2]
	before := c.notices()
	victim.proxy.Disconnect()
	c.await("it to say so", nodetest.ProcessTimeout, func() error { return f.says(victim, "log") })
	c.await("its anchors to go", nodetest.ProcessTimeout, func() error {
		for _, p := range c.performers() {
			if p.whereabouts() == victim {
				return fmt.Errorf("%s is still there", p.sub)
			}
		}
		return nil
	})
	c.pass(5 * beatEvery)
	if _, _, err := f.dial(victim, "/v1/anchor", nodetest.SignToken(t, auth.Anchor, "newcomer")); !errors.Is(err, errRejected) {
		t.Errorf("an anchor who comes to it is told %v, want to be turned away", err)
	}
	page, err := f.page(victim)
	if err != nil || len(page) < 12 {
		t.Errorf("it lists %d streams, %v", len(page), err)
	}
	victim.proxy.Restore()
	c.heals(time.Now())
	c.allSay("")
	c.settles()
	if c.notices() == before {
		t.Error("no anchor was told that the node is degraded")
	}
	c.unharmed()
}

// TestTakeoverAcrossNodes: the newest start, or resume, has the session; the
// older socket is closed wherever it is.
func TestTakeoverAcrossNodes(t *testing.T) {
	t.Parallel()
	f := launch(t, 2, "--redis.addrs", redistest.Start(t).Addr())
	n, tok := f.all(), nodetest.SignToken(t, auth.Anchor, "alice")
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
			page, err := f.page(n)
			if e := page["8888_alice"]; err == nil && (len(page) != 1 || e.Title != "two" || e.StartedAt != two.Stream.StartedAt) {
				err = fmt.Errorf("%s lists %+v", n.name, page)
			}
			return err
		})
	}
}
