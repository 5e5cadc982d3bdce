package redislog

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"onair/presence"
	"onair/presence/redislog/redistest"
)

// crashAfterScript is a Cluster node that crashes after it has run the script: the reply
// is lost, and the client's next attempts are refused.
type crashAfterScript struct{ crashed *atomic.Bool }

func (crashAfterScript) DialHook(next redis.DialHook) redis.DialHook { return next }

func (crashAfterScript) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (c crashAfterScript) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() != "evalsha" && cmd.Name() != "eval" {
			return next(ctx, cmd)
		}
		if c.crashed.Load() {
			cmd.SetErr(&net.OpError{Op: "dial", Err: errors.New("connection refused")})
			return cmd.Err()
		}
		if err := next(ctx, cmd); err != nil {
			return err
		}
		c.crashed.Store(true)
		cmd.SetErr(io.EOF)
		return cmd.Err()
	}
}

// TestClusterAttempts: a Cluster client retries. The error of its last attempt does not
// prove that the first one wrote nothing.
func TestClusterAttempts(t *testing.T) {
	client := NewClient(ClientOptions{Addrs: redistest.StartCluster(t, 3, 0).Addrs()})
	l := openLog(t, Options{Client: client})
	mustLoad(t, l)
	var crashed atomic.Bool
	err := client.(*redis.ClusterClient).ForEachMaster(t.Context(), func(_ context.Context, c *redis.Client) error {
		c.AddHook(crashAfterScript{&crashed})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), emptyBatch(1)); err == nil || errors.Is(err, presence.ErrNotWritten) {
		t.Errorf("a written batch: %v", err)
	}
	if n, err := client.XLen(t.Context(), l.keys.log).Result(); n != 1 {
		t.Fatalf("%d entries, error %v", n, err)
	}
}
