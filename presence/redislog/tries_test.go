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

// dying is a node of a Cluster that dies once it has run the script: its answer
// is lost, and nobody is there for the client's next tries.
type dying struct{ dead *atomic.Bool }

func (dying) DialHook(next redis.DialHook) redis.DialHook { return next }

func (dying) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (d dying) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() != "evalsha" && cmd.Name() != "eval" {
			return next(ctx, cmd)
		}
		if d.dead.Load() {
			cmd.SetErr(&net.OpError{Op: "dial", Err: errors.New("connection refused")})
			return cmd.Err()
		}
		if err := next(ctx, cmd); err != nil {
			return err
		}
		d.dead.Store(true)
		cmd.SetErr(io.EOF)
		return cmd.Err()
	}
}

// TestTriesOfCluster: the client of a Cluster tries again by itself. That its
// last try was in vain says nothing of the first.
func TestTriesOfCluster(t *testing.T) {
	client := Dial(Server{Addrs: redistest.StartCluster(t, 3, 0).Addrs()})
	l := Open(Options{Client: client})
	defer l.Close()
	l.yields = 0
	if _, _, err := l.Load(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	var dead atomic.Bool
	err := client.(*redis.ClusterClient).ForEachMaster(t.Context(), func(_ context.Context, c *redis.Client) error {
		c.AddHook(dying{&dead})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	b := presence.Batch{Node: "a", Boot: 1, Origin: 1, No: 1, Knows: presence.Rules}
	if err := l.Append(t.Context(), b.Seal()); err == nil || errors.Is(err, presence.ErrNotWritten) {
		t.Errorf("of a batch that was written: %v", err)
	}
	if n, err := client.XLen(t.Context(), l.keys.log).Result(); n != 1 {
		t.Fatalf("%d entries, error %v", n, err)
	}
}
