package redistest

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// MasterName is the sentinels' name for the primary and its replicas.
const MasterName = "onair"

// sentinelCount is how many sentinels there are. Two must agree that the primary is down.
const sentinelCount = 3

// Sentinel is a primary, its replicas and their sentinels. They promote a replica when
// the primary has not replied for a second.
type Sentinel struct {
	t         testing.TB
	servers   serverGroup
	sentinels serverGroup
}

// StartSentinel starts a primary and replicas with the same options, and three
// sentinels. It waits until the sentinels know each other.
func StartSentinel(t testing.TB, replicas int, options ...string) *Sentinel {
	t.Helper()
	g := &Sentinel{t: t}
	options = append(options, replicaAuth(options)...)
	for _, user := range []string{sentinelUser, NearUser, FarUser} {
		options = append(options, "--user", user, "on", "nopass", "~*", "&*", "+@all")
	}
	primary := Start(t, options...)
	g.servers = serverGroup{primary}
	for range replicas {
		g.servers = append(g.servers, StartReplica(t, primary, options...))
	}
	for range sentinelCount {
		g.sentinels = append(g.sentinels, startSentinelServer(t, primary))
	}
	for _, s := range g.sentinels {
		await(t, "sentinels to know each other", func() error { return checkSentinelDiscovery(s, replicas) })
	}
	return g
}

// startSentinelServer starts redis-server as a sentinel, because some machines have no
// redis-sentinel.
func startSentinelServer(t testing.TB, primary *Server) *Server {
	t.Helper()
	s := startWithArgs(t, func(port int, dir string) []string {
		conf := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %q\n", port, dir) +
			fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d 2\n", MasterName, primary.port) +
			fmt.Sprintf("sentinel down-after-milliseconds %s 1000\n", MasterName) +
			fmt.Sprintf("sentinel failover-timeout %s 3000\n", MasterName) +
			fmt.Sprintf("sentinel auth-user %s %s\nsentinel auth-pass %[1]s any\n", MasterName, sentinelUser) +
			fmt.Sprintf("user %s on nopass ~* &* +@all\n", NearUser)
		path := filepath.Join(dir, "sentinel.conf") // the sentinel writes to it
		if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{path, "--sentinel"}
	})
	// By default the sentinels exchange their state every few seconds, which is too slow
	// for tests. The period of pings stays: a replica's state is valid for five of them.
	err := s.Client().Do(context.Background(), "SENTINEL", "DEBUG", "INFO-PERIOD", 100, "PUBLISH-PERIOD", 100).Err()
	if err != nil && !strings.Contains(err.Error(), "Unknown subcommand") { // Redis 6.2 lacks it, and its tests take longer
		t.Fatal(err)
	}
	return s
}

// checkSentinelDiscovery returns an error until a sentinel knows all replicas and sentinels.
func checkSentinelDiscovery(s *Server, replicas int) error {
	reply := redis.NewMapStringStringCmd(context.Background(), "SENTINEL", "MASTER", MasterName)
	if err := s.Client().Process(context.Background(), reply); err != nil {
		return err
	}
	fields := reply.Val()
	for field, want := range map[string]int{"num-slaves": replicas, "num-other-sentinels": sentinelCount - 1} {
		if fields[field] != fmt.Sprint(want) {
			return fmt.Errorf("%s is %v, want %d", field, fields[field], want)
		}
	}
	return nil
}

// Addrs returns the sentinels' addresses.
func (g *Sentinel) Addrs() []string { return g.sentinels.addrs() }

// Sentinels returns the three sentinels.
func (g *Sentinel) Sentinels() []*Server { return g.sentinels }

// Primary waits until all running sentinels report the same primary.
func (g *Sentinel) Primary() *Server {
	g.t.Helper()
	var primary *Server
	await(g.t, "sentinels to agree", func() (err error) {
		primary, err = g.servers.agreedServer(g.sentinels, primaryAddr)
		return err
	})
	return primary
}

// AwaitFailover waits until another server is the primary, for all running sentinels
// and for itself. A killed primary that is restarted is a primary at first, and becomes
// a replica after a few seconds.
func (g *Sentinel) AwaitFailover(oldPrimary *Server) (newPrimary *Server) {
	g.t.Helper()
	var primary *Server
	await(g.t, "a failover", func() (err error) {
		primary, err = g.servers.agreedServer(g.sentinels, primaryAddr)
		if err == nil && primary == oldPrimary {
			return fmt.Errorf("%s is still the primary", oldPrimary.Addr())
		}
		if err == nil {
			err = primary.checkPrimary()
		}
		return err
	})
	return primary
}

// primaryAddr returns the primary's address by one sentinel.
func primaryAddr(sentinel *Server) (addr string, err error) {
	parts, err := sentinel.Client().Do(context.Background(), "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MasterName).StringSlice()
	if err == nil && len(parts) != 2 {
		err = fmt.Errorf("unexpected reply of a sentinel: %q", parts)
	}
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(parts[0], parts[1]), nil
}

// checkPrimary returns an error when the server's role is not primary.
func (s *Server) checkPrimary() error {
	role, err := s.info("replication", "role")
	if err == nil && role != "master" {
		err = fmt.Errorf("%s is a %s", s.Addr(), role)
	}
	return err
}
