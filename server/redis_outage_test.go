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

// testOutage makes Redis unreachable for all nodes for longer than every lease. The list must be
// served, beats acknowledged as held, and starts rejected; no session may expire. After the
// outage all nodes must recover.
func (c *clientGroup) testOutage(begin, end func()) {
	c.t.Helper()
	begin()
	c.awaitDegraded("log")
	n := c.allNodes()[0]
	listed, err := c.listStreams(n)
	if err != nil || len(listed) < c.steadyAnchorCount() {
		c.t.Errorf("the list has %d streams while Redis is unreachable, %v", len(listed), err)
	}
	c.sleep(3 * leaseDuration) // with what came before, ten seconds
	c.checkStartFails(n)
	c.checkSteadyListed(c.allNodes()...)
	end()
	since := time.Now()
	c.awaitDegraded("")
	c.awaitRecovery(since)
	c.sleep(leaseDuration) // a session that had to expire would have
	c.awaitEqualLists()
	c.checkNoFalseEnds()
	if c.pendingBeats() == 0 {
		c.t.Error("no beat was answered as held")
	}
}

// checkStartFails checks that a node rejects a start.
func (c *clientGroup) checkStartFails(n *fleetNode) {
	c.t.Helper()
	url := "http://" + n.address + "/v1/streams"
	status, body, err := c.call("POST", url, nodetest.SignToken(c.t, auth.Anchor, "newcomer"), `{"title":"Hello"}`)
	if err == nil && status != 503 && status != 504 {
		c.t.Errorf("a start is answered with %d: %s", status, body)
	}
}

// checkSteadyListed checks that the nodes list all steady anchors.
func (c *clientGroup) checkSteadyListed(nodes ...*fleetNode) {
	c.t.Helper()
	for _, n := range nodes {
		page, err := c.listStreams(n)
		if err != nil {
			c.t.Error(err)
		}
		for _, p := range c.allAnchors() {
			if _, there := page["8888_"+p.sub]; !there && !p.restless {
				c.t.Errorf("%s does not list %s", n.name, p.sub)
			}
		}
	}
}

// TestRedisPaused: Redis accepts connections and does not answer.
func TestRedisPaused(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	c := startFleet(t, 3, "--redis.addrs", r.Addr()).startClients(10, 6)
	c.testOutage(r.Pause, r.Resume)
	if err := c.checkAnyNodeLogs("redis unreachable"); err != nil {
		t.Error(err)
	}
	if err := c.checkAnyNodeLogs("redis reachable again"); err != nil {
		t.Error(err)
	}
}

// TestRedisRestarts: Redis stops, and restarts with all of its data.
func TestRedisRestarts(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "everysec")
	c := startFleet(t, 3, "--redis.addrs", r.Addr()).startClients(10, 6)
	before := c.sumOfMetric(`onair_rebuilds_total{cause="forked"}`)
	c.testOutage(r.Stop, func() { r.Restart() })
	if lost := c.sumOfMetric(`onair_restores_total`); lost != 0 {
		t.Errorf("%v commands restored what was not lost", lost)
	}
	if after := c.sumOfMetric(`onair_rebuilds_total{cause="forked"}`); after != before {
		t.Errorf("%v nodes rebuilt their list, although nothing was lost", after-before)
	}
}

// TestNetworkHalfOpen: connections of all nodes to Redis stay open and pass nothing; later the
// sent data arrives.
func TestNetworkHalfOpen(t *testing.T) {
	t.Parallel()
	c := startFleetBehindProxies(t, 3, redistest.Start(t).Addr()).startClients(10, 6)
	each := func(do func(*redistest.Proxy)) func() {
		return func() {
			for _, n := range c.allNodes() {
				do(n.proxy)
			}
		}
	}
	c.testOutage(each((*redistest.Proxy).HalfOpen), each((*redistest.Proxy).EndFaults))
}

// TestSlowNetwork: delay with jitter and little bandwidth for all nodes, then a cut
// and a half-open connection for one node after the other. No session expires, and no viewer
// sees an anchor leave.
func TestSlowNetwork(t *testing.T) {
	t.Parallel()
	c := startFleetBehindProxies(t, 3, redistest.Start(t).Addr()).startClients(10, 6)
	nodes := c.allNodes()
	for _, n := range nodes {
		n.proxy.Delay(100*time.Millisecond, 90*time.Millisecond)
	}
	c.sleep(leaseDuration)
	for _, n := range nodes {
		n.proxy.Throttle(20)
	}
	c.sleep(leaseDuration)
	for i, n := range nodes[:2] {
		if i == 0 {
			n.proxy.Disconnect()
		} else {
			n.proxy.HalfOpen()
		}
		c.await("it to be degraded", nodetest.ProcessTimeout, func() error { return c.checkDegraded(n, "log") })
		n.proxy.EndFaults()
		c.await("it to recover", nodetest.ProcessTimeout, func() error { return c.checkDegraded(n, "") })
	}
	nodes[2].proxy.EndFaults()
	c.awaitRecovery(time.Now())
	c.awaitEqualLists()
	c.checkNoFalseEnds()
}

// TestRedisFull: while Redis has no memory, starts are rejected and no change is partial. With
// memory again the nodes recover.
func TestRedisFull(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	c := startFleet(t, 2, "--redis.addrs", r.Addr()).startClients(8, 4)
	c.testOutage(
		func() { r.Do("CONFIG", "SET", "maxmemory", "1mb") },
		func() { r.Do("CONFIG", "SET", "maxmemory", "0") },
	)
	if err := c.checkAnyNodeLogs("OOM"); err != nil {
		t.Error(err)
	}
}

// TestRedisReadOnly: the configured Redis becomes a replica, as after a failover that the nodes
// do not learn of.
func TestRedisReadOnly(t *testing.T) {
	t.Parallel()
	r, other := redistest.Start(t), redistest.Start(t)
	c := startFleet(t, 2, "--redis.addrs", r.Addr()).startClients(8, 4)
	port := other.Addr()[len("127.0.0.1:"):]
	other.Do("REPLICAOF", "127.0.0.1", r.Addr()[len("127.0.0.1:"):])
	c.await("the replica to be in sync", nodetest.ProcessTimeout, func() error {
		if got := other.Info("replication", "master_link_status"); got != "up" {
			return errors.New(got)
		}
		return nil
	})
	c.testOutage(
		func() { other.Do("REPLICAOF", "NO", "ONE"); r.Do("REPLICAOF", "127.0.0.1", port) },
		func() { r.Do("REPLICAOF", "NO", "ONE") },
	)
	if err := c.checkAnyNodeLogs("READONLY"); err != nil {
		t.Error(err)
	}
}

// TestRedisPasswordChanges: while their password is wrong, nodes serve their state; they recover
// when it is valid again.
func TestRedisPasswordChanges(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t, "--requirepass", "right")
	c := startFleet(t, 2, "--redis.addrs", r.Addr(), "--redis.password", "right").startClients(8, 4)
	c.testOutage(
		func() {
			r.Do("ACL", "SETUSER", "admin", "on", ">admin", "~*", "&*", "+@all")
			r.Do("ACL", "SETUSER", "default", "resetpass", ">other")
			r.Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
		},
		func() { r.Do("ACL", "SETUSER", "default", "resetpass", ">right") },
	)
	if err := c.checkAnyNodeLogs("WRONGPASS"); err != nil {
		t.Error(err)
	}
}

// TestRedisLoads: nodes wait while Redis loads its data after a restart.
func TestRedisLoads(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t, "--appendonly", "yes")
	c := startFleet(t, 2, "--redis.addrs", r.Addr()).startClients(8, 4)
	for i := range 120 { // data whose loading takes about a minute with the delay
		r.Do("EVAL", "for i = 1, 1000 do redis.call('SET', ARGV[1] .. i, 1) end", 0, fmt.Sprint(i, "/"))
	}
	c.testOutage(
		func() { r.BeginRestart("--key-load-delay", "400") },
		func() { r.Restart() },
	)
	if err := c.checkAnyNodeLogs("LOADING"); err != nil {
		t.Error(err)
	}
}

// TestScriptFlush: nodes load scripts again that Redis has removed, without a failed append.
func TestScriptFlush(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	c := startFleet(t, 2, "--redis.addrs", r.Addr()).startClients(6, 4)
	for range 20 {
		r.Do("SCRIPT", "FLUSH")
		c.sleep(100 * time.Millisecond)
	}
	c.awaitEqualLists()
	c.checkNoFalseEnds()
	c.awaitDegraded("")
	if n := c.sumOfMetric(`onair_appends_total{result="unknown"}`) + c.sumOfMetric(`onair_appends_total{result="refused"}`); n != 0 {
		t.Errorf("%v appends failed", n)
	}
}
