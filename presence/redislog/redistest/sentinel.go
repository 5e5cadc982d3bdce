package redistest

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// MasterName is what the sentinels call what they watch.
const MasterName = "onair"

// sentinels is how many watch; two must agree that the primary is down.
const sentinels = 3

// Sentinel is a primary and its replicas, of which one becomes the primary when
// that has not answered for a second.
type Sentinel struct {
	t         testing.TB
	servers   servers
	sentinels servers
}

// StartSentinel starts a primary with replicas, each with the options, and
// three sentinels, and waits until all know each other.
func StartSentinel(t testing.TB, replicas int, options ...string) *Sentinel {
	t.Helper()
	g := &Sentinel{t: t}
	options = append(options, secret(options)...)
	primary := Start(t, options...)
	g.servers = servers{primary}
	for range replicas {
		g.servers = append(g.servers, StartReplica(t, primary, options...))
	}
	for range sentinels {
		g.sentinels = append(g.sentinels, startWatching(t, primary))
	}
	for _, s := range g.sentinels {
		await(t, "sentinels to know each other", func() error { return knows(s, replicas) })
	}
	return g
}

// startWatching starts a sentinel. It is a redis-server too: there need be no
// redis-sentinel on the machine.
func startWatching(t testing.TB, primary *Server) *Server {
	t.Helper()
	s := start(t, func(port int, dir string) []string {
		conf := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %q\n", port, dir) +
			fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d 2\n", MasterName, primary.port) +
			fmt.Sprintf("sentinel down-after-milliseconds %s 1000\n", MasterName) +
			fmt.Sprintf("sentinel failover-timeout %s 3000\n", MasterName)
		if word := primary.password(); word != "" {
			conf += fmt.Sprintf("sentinel auth-pass %s %s\n", MasterName, word)
		}
		// Sentinels write into the file what they find out.
		path := filepath.Join(dir, "sentinel.conf")
		if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{path, "--sentinel"}
	})
	// They tell each other every few seconds: here, there is no time. They may
	// ping as rarely as they do: what a replica said counts for five such periods.
	s.Do("SENTINEL", "DEBUG", "INFO-PERIOD", 100, "PUBLISH-PERIOD", 100)
	return s
}

// knows tells, by an error, that a sentinel has not found all others.
func knows(s *Server, replicas int) error {
	state, err := s.Client().Do(context.Background(), "SENTINEL", "MASTER", MasterName).Result()
	if err != nil {
		return err
	}
	fields, ok := state.(map[any]any)
	if !ok {
		return fmt.Errorf("a sentinel says %v", state)
	}
	for field, want := range map[string]int{"num-slaves": replicas, "num-other-sentinels": sentinels - 1} {
		if fields[field] != fmt.Sprint(want) {
			return fmt.Errorf("%s is %v, not %d", field, fields[field], want)
		}
	}
	return nil
}

// Addrs is where the sentinels listen.
func (g *Sentinel) Addrs() []string { return g.sentinels.addrs() }

// Sentinels are the three.
func (g *Sentinel) Sentinels() []*Server { return g.sentinels }

// Servers are the primary and its replicas, first the one that began as the
// primary.
func (g *Sentinel) Servers() []*Server { return g.servers }

// Primary is which server all sentinels that are up call the primary.
func (g *Sentinel) Primary() *Server {
	g.t.Helper()
	var primary *Server
	await(g.t, "sentinels to agree", func() (err error) {
		primary, err = g.servers.agreed(g.sentinels, g.ask)
		return err
	})
	return primary
}

// AwaitFailover waits until another server is the primary, for all sentinels
// that are up and for itself. One that was killed before, and is started again,
// begins as a primary and is made a replica after a few seconds.
func (g *Sentinel) AwaitFailover(from *Server) *Server {
	g.t.Helper()
	var primary *Server
	await(g.t, "a failover", func() (err error) {
		primary, err = g.servers.agreed(g.sentinels, g.ask)
		if err == nil && primary == from {
			return fmt.Errorf("%s is still the primary", from.Addr())
		}
		if err == nil {
			err = primary.leads()
		}
		return err
	})
	return primary
}

// ask asks a sentinel where the primary is.
func (g *Sentinel) ask(s *Server) (string, error) {
	addr, err := s.Client().Do(context.Background(), "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MasterName).StringSlice()
	if err == nil && len(addr) != 2 {
		err = fmt.Errorf("a sentinel says %q", addr)
	}
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(addr[0], addr[1]), nil
}

// leads tells, by an error, that the server is not a primary.
func (s *Server) leads() error {
	role, err := s.info("replication", "role")
	if err == nil && role != "master" {
		err = fmt.Errorf("%s is a %s", s.Addr(), role)
	}
	return err
}
