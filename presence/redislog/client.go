package redislog

import (
	"context"
	"crypto/tls"
	"slices"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// ClientOptions configure NewClient.
type ClientOptions struct {
	// Addrs is one address, which may be of a Cluster too, or several of a Cluster. With
	// MasterName they are the addresses of its Sentinels.
	Addrs                              []string
	MasterName                         string
	Username, Password                 string
	SentinelUsername, SentinelPassword string
	DB                                 int // must be 0 in a Cluster
	TLS                                *tls.Config
}

const (
	dialTimeout    = time.Second
	replyTimeout   = time.Second
	maxConnections = 8 // one reads, one appends, the others serve snapshots and the archive
)

// NewClient returns a client of a single Redis, one under Sentinel, or a Cluster. It
// connects at its first use.
//
// The client does not retry, because the log must know the result of each append. A
// Cluster client retries nevertheless, so a hook watches its attempts. The client obeys
// deadlines. It reloads a Cluster's state every second instead of every minute, so that
// the log is not away for a minute after the loss of a primary.
func NewClient(c ClientOptions) redis.UniversalClient {
	c.Addrs = distinct(c.Addrs)
	switch {
	case c.MasterName != "":
		return redis.NewFailoverClient(c.universal().Failover())
	case len(c.Addrs) > 1:
		return newClusterClient(c)
	}
	return redis.NewClient(c.universal().Simple())
}

// distinct returns the texts in their order, each once.
func distinct(texts []string) (out []string) {
	for _, text := range texts {
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// universal returns the options that all kinds of clients have.
func (c *ClientOptions) universal() *redis.UniversalOptions {
	return &redis.UniversalOptions{
		Addrs: c.Addrs, MasterName: c.MasterName, Username: c.Username, Password: c.Password,
		SentinelUsername: c.SentinelUsername, SentinelPassword: c.SentinelPassword, DB: c.DB, TLSConfig: c.TLS,
		MaxRetries: -1, DialTimeout: dialTimeout, DialerRetries: 1, ReadTimeout: replyTimeout, WriteTimeout: replyTimeout,
		ContextTimeoutEnabled: true, PoolSize: maxConnections, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

func newClusterClient(c ClientOptions) *redis.ClusterClient {
	o := c.universal().Cluster()
	o.ClusterStateReloadInterval = time.Second
	o.NewClient = func(o *redis.Options) *redis.Client {
		node := redis.NewClient(o)
		node.AddHook(attemptHook{})
		return node
	}
	return redis.NewClusterClient(o)
}

// clusterClientOf returns a client of the Cluster that a single client's server is in.
func clusterClientOf(single *redis.Client) *redis.ClusterClient {
	o := single.Options()
	return newClusterClient(ClientOptions{Addrs: []string{o.Addr}, Username: o.Username, Password: o.Password, TLS: o.TLSConfig})
}

// attemptHook watches each attempt of a command with a context of watchAttempts.
type attemptHook struct{}

// mayBeWrittenKey is the context key of watchAttempts.
type mayBeWrittenKey struct{}

// watchAttempts returns a context for one command. mayBeWritten becomes true when an
// attempt fails that may have run: then the error of a later attempt proves nothing.
func watchAttempts(ctx context.Context) (watched context.Context, mayBeWritten *atomic.Bool) {
	mayBeWritten = new(atomic.Bool)
	return context.WithValue(ctx, mayBeWrittenKey{}, mayBeWritten), mayBeWritten
}

// recordAttemptError returns the attempt's error unchanged.
func recordAttemptError(ctx context.Context, err error) error {
	mayBeWritten, watched := ctx.Value(mayBeWrittenKey{}).(*atomic.Bool)
	if watched && err != nil && !isNotWritten(err) {
		mayBeWritten.Store(true)
	}
	return err
}

// DialHook implements redis.Hook.
func (attemptHook) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (attemptHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { return recordAttemptError(ctx, next(ctx, cmd)) }
}

// ProcessPipelineHook implements redis.Hook.
func (attemptHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { return recordAttemptError(ctx, next(ctx, cmds)) }
}
