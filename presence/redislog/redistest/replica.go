package redistest

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
)

// StartReplica starts a replica, and waits until it has the primary's data.
func StartReplica(t testing.TB, primary *Server, options ...string) *Server {
	t.Helper()
	replication := []string{"--replicaof", "127.0.0.1", strconv.Itoa(primary.port)}
	if password := primary.password(); password != "" {
		replication = append(replication, "--requirepass", password, "--masterauth", password)
	}
	s := Start(t, append(replication, options...)...)
	await(t, "replica to connect", s.checkReplication)
	return s
}

// checkReplication returns an error while the replica is not connected to its primary.
func (s *Server) checkReplication() error {
	status, err := s.info("replication", "master_link_status")
	if err == nil && status != "up" {
		err = fmt.Errorf("the link to the primary is %q", status)
	}
	return err
}

// DetachReplicas disconnects the replicas, and lets none connect. So later writes are
// acknowledged, and not replicated. To lose them, call Kill and wait for a failover. To
// replicate them, call ReattachReplicas. Sentinel promotes no replica that has been
// without a primary for ten seconds.
//
// Pausing a replica is not enough: it would read the data in the system's buffers
// before it notices that its primary is down.
func (s *Server) DetachReplicas() {
	s.t.Helper()
	s.Do("ACL", "SETUSER", "default", "-psync", "-sync")
	s.Do("CLIENT", "KILL", "TYPE", "replica")
	await(s.t, "replicas to disconnect", func() error {
		if n := s.Info("replication", "connected_slaves"); n != "0" {
			return errors.New(n + " are connected")
		}
		return nil
	})
}

// ReattachReplicas lets the replicas connect again. They get the missing writes.
func (s *Server) ReattachReplicas() {
	s.t.Helper()
	s.Do("ACL", "SETUSER", "default", "+psync", "+sync")
}
