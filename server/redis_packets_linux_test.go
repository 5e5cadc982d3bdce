package main

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"onair/presence/redislog/redistest"
	"onair/server/networktest"
	"onair/server/nodetest"
)

// redisNetwork is a network with a Redis and three nodes, each on its own host. Clients reach the
// nodes by perfect paths.
type redisNetwork struct {
	*clientGroup
	network *networktest.Network
	redis   *networktest.Host
	hosts   []*networktest.Host // of the nodes
}

func startRedisNetwork(t *testing.T) *redisNetwork {
	t.Helper()
	network := networktest.New(t)
	r := &redisNetwork{network: network, redis: network.NewHost()}
	var port string
	r.redis.Run(func() {
		_, port, _ = net.SplitHostPort(redistest.Start(t, "--bind", "127.0.0.1", r.redis.Addr(), "--protected-mode", "no").Addr())
	})
	f := newFleet(t, "--redis.addrs", net.JoinHostPort(r.redis.Addr(), port))
	f.client = network.NewHost().Client()
	var nodes []*fleetNode
	for range 3 {
		host := network.NewHost()
		r.hosts = append(r.hosts, host)
		nodes = append(nodes, &fleetNode{run: host.Run, flags: listenFlags(host)})
	}
	f.addNodes(nodes...)
	r.clientGroup = f.startClients(10, 6)
	return r
}

// setPaths calls set with each node and Redis.
func (r *redisNetwork) setPaths(set func(node, redis *networktest.Host, p networktest.Path), p networktest.Path) {
	for _, h := range r.hosts {
		set(h, r.redis, p)
	}
}

// testOneWayCut cuts one direction between one node and Redis, then between all nodes and Redis.
func (r *redisNetwork) testOneWayCut(set func(node, redis *networktest.Host, p networktest.Path)) {
	r.t.Helper()
	nodes := r.allNodes()
	isolated, others := nodes[0], nodes[1:]
	set(r.hosts[0], r.redis, networktest.Cut)
	r.await("the node to be isolated", nodetest.ProcessTimeout, func() error { return r.checkDegraded(isolated, "log") })
	r.await("its anchors to go", nodetest.ProcessTimeout, func() error {
		for _, p := range r.allAnchors() {
			if p.node() == isolated {
				return fmt.Errorf("%s is still there", p.sub)
			}
		}
		return nil
	})
	r.sleep(leaseDuration)
	r.await("the others not to be degraded", nodetest.ProcessTimeout, func() error {
		return errors.Join(r.checkDegraded(others[0], ""), r.checkDegraded(others[1], ""))
	})
	r.checkSteadyListed(nodes...)
	set(r.hosts[0], r.redis, networktest.Path{})
	r.awaitDegraded("")

	r.testOutage(
		func() { r.setPaths(set, networktest.Cut) },
		func() { r.setPaths(set, networktest.Path{}) },
	)
}

// TestRedisRequestsLost: what nodes send does not reach Redis, and they get what Redis sends.
func TestRedisRequestsLost(t *testing.T) {
	t.Parallel()
	r := startRedisNetwork(t)
	r.testOneWayCut(r.network.SetPath)
}

// TestRedisRepliesLost: what nodes send reaches Redis, which does it, and no reply reaches them.
func TestRedisRepliesLost(t *testing.T) {
	t.Parallel()
	r := startRedisNetwork(t)
	r.testOneWayCut(func(node, redis *networktest.Host, p networktest.Path) { r.network.SetPath(redis, node, p) })
}

// TestRedisPacketsLost: a twentieth of the packets between all nodes and Redis is lost. No
// session expires.
func TestRedisPacketsLost(t *testing.T) {
	t.Parallel()
	r := startRedisNetwork(t)
	r.setPaths(r.network.SetPaths, networktest.Path{Loss: 0.05, Delay: 5 * time.Millisecond})
	r.sleep(2 * leaseDuration)
	if r.network.Lost() == 0 {
		t.Error("no packet was lost")
	}
	r.setPaths(r.network.SetPaths, networktest.Path{})
	r.awaitRecovery(time.Now())
	r.awaitDegraded("")
	r.awaitEqualLists()
	r.checkNoFalseEnds()
}
