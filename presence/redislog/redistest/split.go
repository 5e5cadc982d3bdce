package redistest

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// Users of a Sentinel's servers, without passwords: the servers accept any. A partition
// is made by refusing users.
const (
	sentinelUser = "sentinel" // of the Sentinels
	NearUser     = "near"     // of clients that stay with a separated primary; also at the Sentinels
	FarUser      = "far"      // of clients on the other side
)

// separatedUsers are the users that a separated primary refuses. Replicas use the default
// one. A client whose user is refused would be it, too.
var separatedUsers = []string{"default", FarUser, sentinelUser}

// SeparatePrimary separates the primary and the clients of NearUser from all others: the
// replicas, the Sentinels and the clients of FarUser. The Sentinels promote a replica. The
// old primary still accepts writes.
func (g *Sentinel) SeparatePrimary() (oldPrimary *Server) {
	g.t.Helper()
	oldPrimary = g.Primary()
	for _, s := range g.sentinels {
		s.Do("ACL", "SETUSER", NearUser, "off")
		s.Do("CLIENT", "KILL", "USER", NearUser)
	}
	for _, user := range separatedUsers {
		oldPrimary.doAsNearUser("ACL", "SETUSER", user, "off")
		oldPrimary.doAsNearUser("CLIENT", "KILL", "USER", user)
	}
	return oldPrimary
}

// ReunitePrimary ends the partition of SeparatePrimary. The Sentinels make the old primary
// a replica.
func (g *Sentinel) ReunitePrimary(oldPrimary *Server) {
	g.t.Helper()
	for _, s := range g.sentinels {
		s.Do("ACL", "SETUSER", NearUser, "on")
	}
	for _, user := range separatedUsers {
		oldPrimary.doAsNearUser("ACL", "SETUSER", user, "on")
	}
}

// doAsNearUser runs a command as NearUser, and fails the test after an error.
func (s *Server) doAsNearUser(args ...any) {
	s.t.Helper()
	client := redis.NewClient(&redis.Options{Addr: s.Addr(), Username: NearUser, Password: "any", MaxRetries: -1})
	defer client.Close()
	if err := client.Do(context.Background(), args...).Err(); err != nil {
		s.t.Fatalf("%s: %v: %v", s.Addr(), args, err)
	}
}
