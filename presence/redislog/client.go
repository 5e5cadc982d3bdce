package redislog

import (
	"crypto/tls"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Server is where Redis is, and who we are there.
type Server struct {
	// Addrs is one address; or several of a Cluster; or, with MasterName, those of
	// its Sentinels.
	Addrs                              []string
	MasterName                         string
	Username, Password                 string
	SentinelUsername, SentinelPassword string
	DB                                 int // must be 0 in a Cluster
	TLS                                *tls.Config
}

// How long to wait for Redis.
const (
	dialWithin  = time.Second
	replyWithin = time.Second
	connections = 8 // one reads, one appends, the rest is for snapshots
)

// Dial gives a client of a single Redis, one under Sentinel, or a Cluster. It
// connects when it is used.
//
// Nothing is tried again by the client itself: it would not say so, and what
// became of an append must be known. It keeps to deadlines, and looks at a
// Cluster every second: by default it does not, and looks once a minute, which
// is for how long the loss of a primary would be one of ours.
func Dial(s Server) redis.UniversalClient {
	o := &redis.UniversalOptions{
		Addrs: s.Addrs, MasterName: s.MasterName, Username: s.Username, Password: s.Password,
		SentinelUsername: s.SentinelUsername, SentinelPassword: s.SentinelPassword, DB: s.DB, TLSConfig: s.TLS,
		MaxRetries: -1, DialTimeout: dialWithin, DialerRetries: 1, ReadTimeout: replyWithin, WriteTimeout: replyWithin,
		ContextTimeoutEnabled: true, PoolSize: connections, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	switch {
	case s.MasterName != "":
		return redis.NewFailoverClient(o.Failover())
	case len(s.Addrs) > 1:
		cluster := o.Cluster()
		cluster.ClusterStateReloadInterval = time.Second
		return redis.NewClusterClient(cluster)
	}
	return redis.NewClient(o.Simple())
}
