package redislog

import (
	"context"
	"crypto/tls"
	"sync/atomic"
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
	connections = 8 // one reads, one appends, the rest is for snapshots and the archive
)

// Dial gives a client of a single Redis, one under Sentinel, or a Cluster. It
// connects when it is used.
//
// Nothing is tried again by the client itself: it would not say so, and what
// became of an append must be known. That of a Cluster does it all the same, so
// its tries are watched. It keeps to deadlines, and looks at a
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
		cluster.NewClient = func(o *redis.Options) *redis.Client {
			c := redis.NewClient(o)
			c.AddHook(tries{})
			return c
		}
		return redis.NewClusterClient(cluster)
	}
	return redis.NewClient(o.Simple())
}

// tries watches each try of a command that asks for it, see doubting.
type tries struct{}

// doubtKey is of a context's doubt.
type doubtKey struct{}

// doubting gives a context for a command, and whether a try of it may have done
// something, though its error be that of a later one that has not.
func doubting(ctx context.Context) (context.Context, *atomic.Bool) {
	doubt := new(atomic.Bool)
	return context.WithValue(ctx, doubtKey{}, doubt), doubt
}

func (tries) note(ctx context.Context, err error) error {
	if doubt, asked := ctx.Value(doubtKey{}).(*atomic.Bool); asked && err != nil && !refused(err) {
		doubt.Store(true)
	}
	return err
}

// DialHook implements redis.Hook.
func (tries) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (t tries) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { return t.note(ctx, next(ctx, cmd)) }
}

// ProcessPipelineHook implements redis.Hook.
func (t tries) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { return t.note(ctx, next(ctx, cmds)) }
}
