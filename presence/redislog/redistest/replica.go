package redistest

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
)

// StartReplica starts a replica and waits until it has what its primary has.
func StartReplica(t testing.TB, of *Server, options ...string) *Server {
	t.Helper()
	follow := []string{"--replicaof", "127.0.0.1 " + strconv.Itoa(of.port)}
	if secret := of.password(); secret != "" {
		follow = append(follow, "--requirepass", secret, "--masterauth", secret)
	}
	s := Start(t, append(follow, options...)...)
	await(t, "a replica to follow", func() error { return s.linked("up") })
	return s
}

// linked tells, by an error, that a replica's link to its primary is not so.
func (s *Server) linked(want string) error {
	got, err := s.info("replication", "master_link_status")
	if err == nil && got != want {
		err = fmt.Errorf("link is %q", got)
	}
	return err
}

// DetachReplicas keeps from the replicas whatever is written from now on, though
// it is acknowledged: they are thrown out and cannot come back. To lose a tail,
// write, then Kill this server, and let a failover happen; or ReattachReplicas.
// Do not wait long: a replica that has been without a primary for ten seconds
// is not promoted.
//
// A replica that is paused would be no such thing: what was sent to it is in
// the buffers of the system, and it reads that before it notices that its
// primary has died.
func (s *Server) DetachReplicas() {
	s.t.Helper()
	s.Do("ACL", "SETUSER", "default", "-psync", "-sync")
	s.Do("CLIENT", "KILL", "TYPE", "replica")
	await(s.t, "replicas to be held", func() error {
		if n := s.Info("replication", "connected_slaves"); n != "0" {
			return errors.New(n + " follow")
		}
		return nil
	})
}

// ReattachReplicas lets replicas follow again: they get what they missed.
func (s *Server) ReattachReplicas() {
	s.t.Helper()
	s.Do("ACL", "SETUSER", "default", "+psync", "+sync")
}
