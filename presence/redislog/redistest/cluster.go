package redistest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// slotCount is the number of hash slots in a cluster.
const slotCount = 16384

// Cluster is a Redis Cluster. A replica is promoted when its primary has not replied for
// 1.5 s.
type Cluster struct {
	t        testing.TB
	servers  serverGroup // first the first primaries
	replicas int         // of each primary
}

// StartCluster starts a cluster with a number of replicas for each primary, and waits
// until all nodes agree on the slots. A failover needs a majority of the primaries, so
// at least three.
func StartCluster(t testing.TB, primaries, replicas int, options ...string) *Cluster {
	t.Helper()
	c := &Cluster{t: t, replicas: replicas}
	options = append(options, replicaAuth(options)...)
	for range primaries * (1 + replicas) {
		c.servers = append(c.servers, startClusterNode(t, options))
	}
	for i, s := range c.servers[:primaries] {
		s.Do("CLUSTER", "SET-CONFIG-EPOCH", i+1)
		s.addSlots(i*slotCount/primaries, (i+1)*slotCount/primaries)
	}
	for _, s := range c.servers[1:] {
		c.servers[0].Do("CLUSTER", "MEET", "127.0.0.1", s.port)
	}
	for _, s := range c.servers {
		await(t, "nodes to know each other", func() error { return c.checkMembership(s) })
	}
	for i, s := range c.servers[primaries:] {
		s.Do("CLUSTER", "REPLICATE", c.servers[i%primaries].Do("CLUSTER", "MYID"))
	}
	for _, s := range c.servers[primaries:] {
		await(t, "replica to connect", s.checkReplication)
	}
	for _, s := range c.servers {
		await(t, "nodes to agree", func() error { return c.checkSlots(s, primaries) })
	}
	return c
}

// startClusterNode starts a node without slots. It pings its replicas often: a cluster
// lists no replica that has no data from its primary yet.
func startClusterNode(t testing.TB, options []string) *Server {
	t.Helper()
	return Start(t, append([]string{
		"--cluster-enabled", "yes", "--cluster-node-timeout", "1500",
		"--cluster-allow-replica-migration", "no", "--repl-ping-replica-period", "1",
	}, options...)...)
}

// addSlots assigns the slots from first on, up to but not including end.
func (s *Server) addSlots(first, end int) {
	s.t.Helper()
	args := []any{"CLUSTER", "ADDSLOTS"}
	for slot := range end - first {
		args = append(args, first+slot)
	}
	s.Do(args...)
}

// checkMembership returns an error until a node knows all others.
func (c *Cluster) checkMembership(s *Server) error {
	info, err := s.Client().ClusterInfo(context.Background()).Result()
	if err != nil {
		return err
	}
	for _, want := range []string{"cluster_state:ok", fmt.Sprintf("cluster_known_nodes:%d", len(c.servers))} {
		if !strings.Contains(info, want+"\r\n") {
			return errors.New("no " + want)
		}
	}
	return nil
}

// checkSlots returns an error until a node knows all primaries and replicas.
func (c *Cluster) checkSlots(s *Server, primaries int) error {
	if err := c.checkMembership(s); err != nil {
		return err
	}
	ranges, err := slotRanges(s)
	if err != nil {
		return err
	}
	if len(ranges) != primaries {
		return fmt.Errorf("%d primaries", len(ranges))
	}
	for _, r := range ranges {
		if len(r.addrs) != 1+c.replicas {
			return fmt.Errorf("%d nodes serve a slot", len(r.addrs))
		}
	}
	return nil
}

// Addrs returns the nodes' addresses.
func (c *Cluster) Addrs() []string { return c.servers.addrs() }

// DoOnAll runs a command on each node.
func (c *Cluster) DoOnAll(args ...any) {
	c.t.Helper()
	for _, s := range c.servers {
		s.Do(args...)
	}
}

// Primary waits until all running nodes report the same primary for a key.
func (c *Cluster) Primary(key string) *Server {
	c.t.Helper()
	var primary *Server
	await(c.t, "nodes to agree", func() (err error) {
		primary, err = c.agreedPrimary(key)
		return err
	})
	return primary
}

// agreedPrimary returns an error while the running nodes do not agree.
func (c *Cluster) agreedPrimary(key string) (*Server, error) {
	return c.servers.agreedServer(c.servers, func(s *Server) (string, error) {
		addrs, err := addrsOfKey(s, key)
		if err != nil {
			return "", err
		}
		return addrs[0], nil
	})
}

// Replicas returns the replicas that a key's primary reports.
func (c *Cluster) Replicas(key string) []*Server {
	c.t.Helper()
	primary := c.Primary(key)
	addrs, err := addrsOfKey(primary, key)
	if err != nil {
		c.t.Fatal(err)
	}
	var replicas []*Server
	for _, addr := range addrs[1:] {
		s, err := c.servers.serverAt(addr)
		if err != nil {
			c.t.Fatal(err)
		}
		replicas = append(replicas, s)
	}
	return replicas
}

// AwaitFailover waits until all running nodes report another primary for the key, and
// the cluster is ok. A killed primary that is restarted is that node's replica.
func (c *Cluster) AwaitFailover(key string, oldPrimary *Server) (newPrimary *Server) {
	c.t.Helper()
	var primary *Server
	await(c.t, "a failover", func() (err error) {
		if primary, err = c.agreedPrimary(key); err != nil {
			return err
		}
		if primary == oldPrimary {
			return fmt.Errorf("%s is still the primary", oldPrimary.Addr())
		}
		for _, s := range c.servers {
			if s.isUp() {
				err = errors.Join(err, c.checkMembership(s))
			}
		}
		return err
	})
	return primary
}

// addrsOfKey returns the addresses that a node reports for a key, the primary's first.
func addrsOfKey(s *Server, key string) ([]string, error) {
	slot, err := s.Client().ClusterKeySlot(context.Background(), key).Result()
	if err != nil {
		return nil, err
	}
	ranges, err := slotRanges(s)
	if err != nil {
		return nil, err
	}
	for _, r := range ranges {
		if r.start <= int(slot) && int(slot) <= r.end {
			return r.addrs, nil
		}
	}
	return nil, fmt.Errorf("no node serves slot %d", slot)
}

// slotRange is a range of slots and the nodes that serve it.
type slotRange struct {
	start, end int
	addrs      []string // the primary first, which may be down; then the replicas that are not
}

// slotRanges returns the ranges that a node reports.
func slotRanges(s *Server) (ranges []slotRange, err error) {
	//lint:ignore SA1019 Redis 6.2 has no CLUSTER SHARDS
	reported, err := s.Client().ClusterSlots(context.Background()).Result()
	if err != nil {
		return nil, err
	}
	for _, slots := range reported {
		r := slotRange{start: slots.Start, end: slots.End}
		for _, n := range slots.Nodes {
			r.addrs = append(r.addrs, n.Addr)
		}
		ranges = append(ranges, r)
	}
	return ranges, nil
}
