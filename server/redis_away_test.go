package main

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"onair/presence/redislog/redistest"
	"onair/server/auth"
	"onair/server/nodetest"
)

// away has Redis be away for longer than every lease, as all nodes see it: the
// list is served, beats are answered without a promise, nobody expires, starts
// are refused or in doubt, and all goes on by itself.
func (c *crew) away(gone, back func()) {
	c.t.Helper()
	gone()
	c.allSay("log")
	n := c.all()[0]
	served, err := c.page(n)
	if err != nil || len(served) < c.steady() {
		c.t.Errorf("the list has %d streams while Redis is away, %v", len(served), err)
	}
	c.pass(3 * lease) // with what came before, ten seconds
	c.refusesStarts(n)
	c.steadyAt(c.all()...)
	back()
	since := time.Now()
	c.allSay("")
	c.heals(since)
	c.pass(lease) // whoever was to expire would have by now
	c.settles()
	c.unharmed()
	if c.heldBeats() == 0 {
		c.t.Error("no beat was answered as held")
	}
}

// refusesStarts sees what somebody is told who would start.
func (c *crew) refusesStarts(n *fleetNode) {
	c.t.Helper()
	url := "http://" + n.address + "/v1/streams"
	status, body, err := c.call("POST", url, nodetest.SignToken(c.t, auth.Anchor, "newcomer"), `{"title":"Hello"}`)
	if err == nil && status != 503 && status != 504 {
		c.t.Errorf("a start is answered with %d: %s", status, body)
	}
}

// steadyAt sees that nodes list whoever is live all the while.
func (c *crew) steadyAt(nodes ...*fleetNode) {
	c.t.Helper()
	for _, n := range nodes {
		page, err := c.page(n)
		if err != nil {
			c.t.Error(err)
		}
		for _, p := range c.performers() {
			if _, there := page["8888_"+p.sub]; !there && !p.restless {
				c.t.Errorf("%s does not list %s", n.name, p.sub)
			}
		}
	}
}

// TestRedisPaused: Redis takes connections and answers nothing.
func TestRedisPaused(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	c := launch(t, 3, "--redis.addrs", r.Addr()).board(10, 6)
	c.away(r.Pause, r.Resume)
	if err := c.logs("redis unreachable"); err != nil {
		t.Error(err)
	}
	if err := c.logs("redis reachable again"); err != nil {
		t.Error(err)
	}
}

// TestRedisRestarts: Redis is not there, and comes back with all it had.
func TestRedisRestarts(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "everysec")
	c := launch(t, 3, "--redis.addrs", r.Addr()).board(10, 6)
	before := c.sum(`onair_rebuilds_total{cause="forked"}`)
	c.away(r.Stop, func() { r.Restart() })
	if lost := c.sum(`onair_restores_total`); lost != 0 {
		t.Errorf("%v commands put back what was not lost", lost)
	}
	if after := c.sum(`onair_rebuilds_total{cause="forked"}`); after != before {
		t.Errorf("%v nodes built their list anew, although nothing was lost", after-before)
	}
}

// TestNetworkHalfOpen: connections to Redis stay open and nothing passes, for all
// nodes; then what was sent arrives.
func TestNetworkHalfOpen(t *testing.T) {
	t.Parallel()
	c := launchBehindProxies(t, 3, redistest.Start(t).Addr()).board(10, 6)
	each := func(do func(*redistest.Proxy)) func() {
		return func() {
			for _, n := range c.all() {
				do(n.proxy)
			}
		}
	}
	c.away(each((*redistest.Proxy).HalfOpen), each((*redistest.Proxy).Restore))
}

// TestNetworkIsBad: delay with jitter and a narrow line for all nodes, then a cut
// and a half-open line for one of them after the other. Nobody expires, and no
// viewer sees anybody leave.
func TestNetworkIsBad(t *testing.T) {
	t.Parallel()
	c := launchBehindProxies(t, 3, redistest.Start(t).Addr()).board(10, 6)
	nodes := c.all()
	for _, n := range nodes {
		n.proxy.Delay(100*time.Millisecond, 90*time.Millisecond)
	}
	c.pass(lease)
	for _, n := range nodes {
		n.proxy.Throttle(20)
	}
	c.pass(lease)
	for i, n := range nodes[:2] {
		if i == 0 {
			n.proxy.Disconnect()
		} else {
			n.proxy.HalfOpen()
		}
		c.await("it to say so", nodetest.ProcessTimeout, func() error { return c.says(n, "log") })
		n.proxy.Restore()
		c.await("it to be well", nodetest.ProcessTimeout, func() error { return c.says(n, "") })
	}
	nodes[2].proxy.Restore()
	c.heals(time.Now())
	c.settles()
	c.unharmed()
}

// TestRedisFull: Redis has no memory left. Starts are refused, nothing is half
// done, and with room again all goes on.
func TestRedisFull(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	c := launch(t, 2, "--redis.addrs", r.Addr()).board(8, 4)
	c.away(
		func() { r.Do("CONFIG", "SET", "maxmemory", "1mb") },
		func() { r.Do("CONFIG", "SET", "maxmemory", "0") },
	)
	if err := c.logs("OOM"); err != nil {
		t.Error(err)
	}
}

// TestRedisReadOnly: the Redis that is configured has become a replica, as it
// does where a failover happened of which nodes are not told.
func TestRedisReadOnly(t *testing.T) {
	t.Parallel()
	r, other := redistest.Start(t), redistest.Start(t)
	c := launch(t, 2, "--redis.addrs", r.Addr()).board(8, 4)
	port := other.Addr()[len("127.0.0.1:"):]
	other.Do("REPLICAOF", "127.0.0.1", r.Addr()[len("127.0.0.1:"):])
	c.await("the other one to follow", nodetest.ProcessTimeout, func() error {
		if got := other.Info("replication", "master_link_status"); got != "up" {
			return errors.New(got)
		}
		return nil
	})
	c.away(
		func() { other.Do("REPLICAOF", "NO", "ONE"); r.Do("REPLICAOF", "127.0.0.1", port) },
		func() { r.Do("REPLICAOF", "NO", "ONE") },
	)
	if err := c.logs("READONLY"); err != nil {
		t.Error(err)
	}
}

// TestRedisPasswordChanges: nodes that are let in no longer go on with what they
// know, and go on when the password is theirs again.
func TestRedisPasswordChanges(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t, "--requirepass", "right")
	c := launch(t, 2, "--redis.addrs", r.Addr(), "--redis.password", "right").board(8, 4)
	c.away(
		func() {
			r.Do("ACL", "SETUSER", "admin", "on", ">admin", "~*", "&*", "+@all")
			r.Do("ACL", "SETUSER", "default", "resetpass", ">other")
			r.Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
		},
		func() { r.Do("ACL", "SETUSER", "default", "resetpass", ">right") },
	)
	if err := c.logs("WRONGPASS"); err != nil {
		t.Error(err)
	}
}

// TestRedisLoads: after its start Redis says for a while that it is loading.
func TestRedisLoads(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t, "--appendonly", "yes")
	c := launch(t, 2, "--redis.addrs", r.Addr()).board(8, 4)
	for i := range 120 { // ballast: it would take a minute, were it let
		r.Do("EVAL", "for i = 1, 1000 do redis.call('SET', ARGV[1] .. i, 1) end", 0, fmt.Sprint(i, "/"))
	}
	c.away(
		func() { r.BeginRestart("--key-load-delay", "400") },
		func() { r.Do("CONFIG", "SET", "key-load-delay", "0"); r.AwaitReady() },
	)
	if err := c.logs("LOADING"); err != nil {
		t.Error(err)
	}
}

// TestScriptFlush: scripts that Redis forgets are sent again, and nobody notices.
func TestScriptFlush(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	c := launch(t, 2, "--redis.addrs", r.Addr()).board(6, 4)
	for range 20 {
		r.Do("SCRIPT", "FLUSH")
		c.pass(100 * time.Millisecond)
	}
	c.settles()
	c.unharmed()
	c.allSay("")
	if n := c.sum(`onair_appends_total{result="unknown"}`) + c.sum(`onair_appends_total{result="refused"}`); n != 0 {
		t.Errorf("%v appends failed", n)
	}
}
