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

// tailOfTheLog has much acknowledged by all nodes that Redis is about to lose:
// starts, updates, stops and bans.
func (c *crew) tailOfTheLog() {
	c.t.Helper()
	villain := c.perform("villain", 2, false)
	c.live(villain)
	late := c.perform("late", 4, false)
	c.live(late)
	for _, p := range villain {
		c.ban(p)
	}
	c.pass(time.Second)
	c.rest()
}

// loses has the log lose what was said of late, while the restless go on, and
// sees it put back.
func (c *crew) loses(fault func(), noticed func() error) {
	c.t.Helper()
	c.resting.Store(false)
	fault()
	since := time.Now()
	c.await("the loss to be noticed", nodetest.ProcessTimeout, noticed)
	c.heals(since)
	c.pass(lease) // whoever was to expire would have by now
	c.settles()
	c.allSay("")
	c.unharmed()
	for _, n := range c.all() {
		if err := n.is("onair_nodes", float64(len(c.all()))); err != nil {
			c.t.Error(err)
		}
	}
}

// forked tells, by an error, that a node has not said that the log has lost what
// it knew, in its metrics and its log.
func (c *crew) forked() error {
	return c.each(func(n *fleetNode) error {
		if n.gauge(`onair_rebuilds_total{cause="forked"}`) == 0 {
			return errors.New(n.name + " has not built its list anew")
		}
		return errors.Join(
			n.logs("list rebuilt from log", "log lost entries that were read", `"lost":`),
			n.logs("node rejoined log"),
		)
	})
}

// founded tells, by an error, that no node has written its list into an empty Redis.
func (c *crew) founded() error {
	if n := c.sum("onair_epochs_founded_total"); n != 2 { // the first was at the start
		return fmt.Errorf("%v histories were founded, want 2", n)
	}
	return c.logs("redis was empty, epoch founded with the list of this node", `"streams":`)
}

// putBack sees that nodes say what they put back.
func (c *crew) putBack() {
	c.t.Helper()
	if n := c.sum("onair_restores_total"); n == 0 {
		c.t.Error("nothing was put back")
	}
	if err := c.each(func(n *fleetNode) error { return n.logs("lost entries restored") }); err != nil {
		c.t.Error(err)
	}
}

// TestRedisRestartsEmpty: Redis comes back with nothing. A node writes its list,
// and all is as it was.
func TestRedisRestartsEmpty(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	c := launch(t, 3, "--redis.addrs", r.Addr()).board(10, 6)
	c.tailOfTheLog()
	c.loses(func() { r.Restart() }, c.founded)
}

// TestRedisFlushed: FLUSHALL, while requests are under way.
func TestRedisFlushed(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	c := launch(t, 3, "--redis.addrs", r.Addr()).board(10, 6)
	c.tailOfTheLog()
	c.loses(func() { r.Do("FLUSHALL") }, c.founded)
}

// TestSentinelLosesTail: the primary dies, and the replica that takes over lacks
// the last seconds.
func TestSentinelLosesTail(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinel(t, 1)
	c := launch(t, 3, "--redis.addrs", strings.Join(g.Addrs(), ","), "--redis.master-name", redistest.MasterName).board(10, 6)
	first := g.Primary()
	first.DetachReplicas()
	c.tailOfTheLog()
	c.loses(func() {
		first.Kill()
		g.AwaitFailover(first)
	}, c.forked)
	c.putBack()
}

// TestClusterLosesTail: the primary of the log's slot dies, and its replica lacks
// the last seconds. Nodes find it by themselves.
func TestClusterLosesTail(t *testing.T) {
	t.Parallel()
	k := redistest.StartCluster(t, 3, 1)
	c := launch(t, 3, "--redis.addrs", strings.Join(k.Addrs(), ",")).board(10, 6)
	const key = "{onair}"
	first := k.Primary(key)
	first.DetachReplicas()
	c.tailOfTheLog()
	c.loses(func() {
		first.Kill()
		k.AwaitFailover(key, first)
	}, c.forked)
	c.putBack()
}

// TestClusterMoves: a failover by hand, in which nothing is lost: the old primary
// answers MOVED from then on.
func TestClusterMoves(t *testing.T) {
	t.Parallel()
	k := redistest.StartCluster(t, 3, 1)
	c := launch(t, 2, "--redis.addrs", strings.Join(k.Addrs(), ",")).board(8, 4)
	first := k.Primary("{onair}")
	for _, replica := range k.Replicas("{onair}") {
		replica.Do("CLUSTER", "FAILOVER")
	}
	c.loses(func() { k.AwaitFailover("{onair}", first) }, func() error { return nil })
	if n := c.sum("onair_restores_total"); n != 0 {
		t.Errorf("%v commands put back what was not lost", n)
	}
}
