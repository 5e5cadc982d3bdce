package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
)

// slots is how many a cluster has.
const slots = 16384

// Cluster is a Redis Cluster: primaries that share the keys, and replicas that
// take over from one that has not answered for a second and a half.
type Cluster struct {
	t        testing.TB
	servers  servers // the primaries first, as they began
	replicas int     // of each
}

// StartCluster starts a cluster with so many replicas for each primary, and
// waits until all agree on who has what. For a failover, most of the primaries
// must be alive: there must be three.
func StartCluster(t testing.TB, primaries, replicas int, options ...string) *Cluster {
	t.Helper()
	c := &Cluster{t: t, replicas: replicas}
	options = append(options, secret(options)...)
	for range primaries * (1 + replicas) {
		c.servers = append(c.servers, startNode(t, options))
	}
	for i, s := range c.servers[:primaries] {
		s.Do("CLUSTER", "SET-CONFIG-EPOCH", i+1)
		s.Do("CLUSTER", "ADDSLOTSRANGE", i*slots/primaries, (i+1)*slots/primaries-1)
	}
	for _, s := range c.servers[1:] {
		c.servers[0].Do("CLUSTER", "MEET", "127.0.0.1", s.port, s.busPort())
	}
	for _, s := range c.servers {
		await(t, "nodes to meet", func() error { return c.met(s) })
	}
	for i, s := range c.servers[primaries:] {
		s.Do("CLUSTER", "REPLICATE", c.servers[i%primaries].Do("CLUSTER", "MYID"))
	}
	for _, s := range c.servers[primaries:] {
		await(t, "a replica to follow", func() error { return s.linked("up") })
	}
	for _, s := range c.servers {
		await(t, "nodes to agree", func() error { return c.complete(s, primaries) })
	}
	return c
}

// startNode starts a server of a cluster yet to be. A replica that has not heard
// a word from its primary is told to nobody, hence the pings.
func startNode(t testing.TB, options []string) *Server {
	t.Helper()
	return Start(t, append([]string{
		"--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(freePort(t)),
		"--cluster-node-timeout", "1500", "--cluster-allow-replica-migration", "no", "--repl-ping-replica-period", "1",
	}, options...)...)
}

// busPort is where the other nodes of the cluster find it.
func (s *Server) busPort() string { return option(s.base, "--cluster-port") }

// met tells, by an error, that a node does not know all others.
func (c *Cluster) met(s *Server) error {
	info, err := s.Client().ClusterInfo(context.Background()).Result()
	if err != nil {
		return err
	}
	for _, want := range []string{"cluster_state:ok", fmt.Sprintf("cluster_known_nodes:%d", len(c.servers))} {
		if !strings.Contains(info, want+"\r\n") {
			return errors.New("not " + want)
		}
	}
	return nil
}

// complete tells, by an error, that a node does not know all replicas yet.
func (c *Cluster) complete(s *Server, primaries int) error {
	if err := c.met(s); err != nil {
		return err
	}
	seen, err := view(s)
	if err != nil {
		return err
	}
	if len(seen) != primaries {
		return fmt.Errorf("%d primaries", len(seen))
	}
	for _, r := range seen {
		if len(r.nodes) != 1+c.replicas {
			return fmt.Errorf("%d nodes have a slot", len(r.nodes))
		}
	}
	return nil
}

// Addrs is where the nodes listen.
func (c *Cluster) Addrs() []string { return c.servers.addrs() }

// Servers are the nodes, first those that began as primaries.
func (c *Cluster) Servers() []*Server { return c.servers }

// Primary is the node that has a key, as all nodes that are up see it.
func (c *Cluster) Primary(key string) *Server {
	c.t.Helper()
	var primary *Server
	await(c.t, "nodes to agree", func() (err error) {
		primary, err = c.primary(key)
		return err
	})
	return primary
}

// primary is Primary, at once.
func (c *Cluster) primary(key string) (*Server, error) {
	return c.servers.agreed(c.servers, func(s *Server) (string, error) {
		nodes, err := nodesOf(s, key)
		if err != nil {
			return "", err
		}
		return nodes[0], nil
	})
}

// Replicas are the nodes that follow a key's primary, as that sees it.
func (c *Cluster) Replicas(key string) []*Server {
	c.t.Helper()
	primary := c.Primary(key)
	nodes, err := nodesOf(primary, key)
	if err != nil {
		c.t.Fatal(err)
	}
	var replicas []*Server
	for _, addr := range nodes[1:] {
		s, err := c.servers.at(addr)
		if err != nil {
			c.t.Fatal(err)
		}
		replicas = append(replicas, s)
	}
	return replicas
}

// AwaitFailover waits until another node has the key, as all nodes that are up
// see it, and the cluster works. One that was killed before, and is started
// again, follows that node.
func (c *Cluster) AwaitFailover(key string, from *Server) *Server {
	c.t.Helper()
	var primary *Server
	await(c.t, "a failover", func() (err error) {
		if primary, err = c.primary(key); err != nil {
			return err
		}
		if primary == from {
			return fmt.Errorf("%s is still the primary", from.Addr())
		}
		for _, s := range c.servers {
			if s.up() {
				err = errors.Join(err, c.met(s))
			}
		}
		return err
	})
	return primary
}

// nodesOf asks a node for the addresses of those that have a key, the primary
// first.
func nodesOf(s *Server, key string) ([]string, error) {
	slot, err := s.Client().ClusterKeySlot(context.Background(), key).Result()
	if err != nil {
		return nil, err
	}
	seen, err := view(s)
	if err != nil {
		return nil, err
	}
	for _, r := range seen {
		if r.start <= slot && slot <= r.end {
			return r.nodes, nil
		}
	}
	return nil, fmt.Errorf("no node has slot %d", slot)
}

// slotRange is who has some of the slots, as a node sees it.
type slotRange struct {
	start, end int64
	nodes      []string // that are well, the primary first
}

// view asks a node who has what.
func view(s *Server) ([]slotRange, error) {
	shards, err := s.Client().ClusterShards(context.Background()).Result()
	if err != nil {
		return nil, err
	}
	var seen []slotRange
	for _, shard := range shards {
		var primaries, replicas []string
		for _, n := range shard.Nodes {
			switch addr := net.JoinHostPort(n.IP, strconv.FormatInt(n.Port, 10)); {
			case n.Health != "online":
			case n.Role == "master":
				primaries = append(primaries, addr)
			default:
				replicas = append(replicas, addr)
			}
		}
		if len(primaries) != 1 {
			continue
		}
		for _, slots := range shard.Slots {
			seen = append(seen, slotRange{slots.Start, slots.End, append(primaries, replicas...)})
		}
	}
	return seen, nil
}
