package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"onair/presence/redislog/redistest"
	"onair/server/nodetest"
)

// acknowledgeCommands makes the nodes acknowledge starts, updates, stops and bans, which Redis
// is about to lose.
func (c *clientGroup) acknowledgeCommands() {
	c.t.Helper()
	banned := c.startAnchors("banned", 2, false)
	c.awaitStarted(banned)
	late := c.startAnchors("late", 4, false)
	c.awaitStarted(late)
	for _, p := range banned {
		c.banAnchor(p)
	}
	c.sleep(time.Second)
	c.pauseRequests()
}

// testLoss makes the log lose its last entries while anchors send requests, and checks that the
// nodes restore them.
func (c *clientGroup) testLoss(causeLoss func(), checkNoticed func() error) {
	c.t.Helper()
	c.isPaused.Store(false)
	causeLoss()
	since := time.Now()
	c.await("the loss to be noticed", nodetest.ProcessTimeout, checkNoticed)
	c.awaitRecovery(since)
	c.sleep(leaseDuration) // a session that had to expire would have
	c.awaitEqualLists()
	c.awaitDegraded("")
	c.checkNoFalseEnds()
	for _, n := range c.allNodes() {
		if err := n.checkMetric("onair_nodes", float64(len(c.allNodes()))); err != nil {
			c.t.Error(err)
		}
	}
}

// checkForked returns an error unless metrics and log of all nodes report that the log has lost
// entries.
func (c *clientGroup) checkForked() error {
	return c.checkNodes(func(n *fleetNode) error {
		if n.metricValue(`onair_rebuilds_total{cause="forked"}`) == 0 {
			return errors.New(n.name + " has not rebuilt its list")
		}
		return errors.Join(
			n.checkLogLine("list rebuilt from log", "log lost entries that were read", `"lost":`),
			n.checkLogLine("node rejoined log"),
		)
	})
}

// checkEpochFounded returns an error unless one node has founded an epoch in the empty Redis.
func (c *clientGroup) checkEpochFounded() error {
	if n := c.sumOfMetric("onair_epochs_founded_total"); n != 2 { // the first was at the start
		return fmt.Errorf("%v epochs were founded, want 2", n)
	}
	return c.checkAnyNodeLogs("redis was empty, epoch founded with the list of this node", `"streams":`)
}

// checkRestored checks that the nodes restored entries and logged that.
func (c *clientGroup) checkRestored() {
	c.t.Helper()
	if n := c.sumOfMetric("onair_restores_total"); n == 0 {
		c.t.Error("nothing was restored")
	}
	if err := c.checkNodes(func(n *fleetNode) error { return n.checkLogLine("lost entries restored") }); err != nil {
		c.t.Error(err)
	}
}

// TestRedisRestartsEmpty: Redis restarts without data. A node founds an epoch with its list,
// and nothing is lost.
func TestRedisRestartsEmpty(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	c := startFleet(t, 3, "--redis.addrs", r.Addr()).startClients(10, 6)
	c.acknowledgeCommands()
	c.testLoss(func() { r.Restart() }, c.checkEpochFounded)
}

// TestRedisFlushed: FLUSHALL while requests are open loses nothing.
func TestRedisFlushed(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	c := startFleet(t, 3, "--redis.addrs", r.Addr()).startClients(10, 6)
	c.acknowledgeCommands()
	c.testLoss(func() { r.Do("FLUSHALL") }, c.checkEpochFounded)
}

// TestSentinelLosesTail: the primary dies, and its successor lacks the entries of the last
// seconds. The nodes restore them.
func TestSentinelLosesTail(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinel(t, 1)
	c := startFleet(t, 3, "--redis.addrs", strings.Join(g.Addrs(), ","), "--redis.master-name", redistest.MasterName).startClients(10, 6)
	first := g.Primary()
	first.DetachReplicas()
	c.acknowledgeCommands()
	c.testLoss(func() {
		first.Kill()
		g.AwaitFailover(first)
	}, c.checkForked)
	c.checkRestored()
}

// TestClusterLosesTail: the primary of the log's slot dies, and its replica lacks the entries
// of the last seconds. The nodes find the replica and restore the entries.
func TestClusterLosesTail(t *testing.T) {
	t.Parallel()
	k := redistest.StartCluster(t, 3, 1)
	c := startFleet(t, 3, "--redis.addrs", strings.Join(k.Addrs(), ",")).startClients(10, 6)
	const key = "{onair}"
	first := k.Primary(key)
	first.DetachReplicas()
	c.acknowledgeCommands()
	c.testLoss(func() {
		first.Kill()
		k.AwaitFailover(key, first)
	}, c.checkForked)
	c.checkRestored()
}

// TestClusterMoves: after a manual failover, which loses nothing, the old primary answers MOVED.
// The nodes know one address of the Cluster.
func TestClusterMoves(t *testing.T) {
	t.Parallel()
	k := redistest.StartCluster(t, 3, 1)
	c := startFleet(t, 2, "--redis.addrs", k.Primary("{onair}").Addr()).startClients(8, 4)
	first := k.Primary("{onair}")
	for _, replica := range k.Replicas("{onair}") {
		replica.Do("CLUSTER", "FAILOVER")
	}
	c.testLoss(func() { k.AwaitFailover("{onair}", first) }, func() error { return nil })
	if n := c.sumOfMetric("onair_restores_total"); n != 0 {
		t.Errorf("%v commands restored what was not lost", n)
	}
}
