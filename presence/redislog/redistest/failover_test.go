package redistest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// setUntilAcknowledged retries a write.
func setUntilAcknowledged(t *testing.T, client redis.UniversalClient, key, value string) {
	t.Helper()
	await(t, "a write", func() error { return client.Set(t.Context(), key, value, 0).Err() })
}

func TestSentinelFailover(t *testing.T) {
	for _, secret := range []string{"", "secret"} {
		t.Run("password="+secret, func(t *testing.T) {
			var options []string
			if secret != "" {
				options = []string{"--requirepass", secret}
			}
			g := StartSentinel(t, 2, options...)
			client := redis.NewUniversalClient(&redis.UniversalOptions{
				Addrs: g.Addrs(), MasterName: MasterName, Password: secret, MaxRetries: -1, ContextTimeoutEnabled: true,
			})
			defer client.Close()
			setUntilAcknowledged(t, client, "before", "value")
			first := g.Primary()
			first.Do("WAIT", 2, 0)

			first.DetachReplicas()
			acknowledged := 0
			for i := range 100 {
				if err := client.Set(t.Context(), fmt.Sprint("unreplicated", i), "value", 0).Err(); err == nil {
					acknowledged++
				}
			}
			if acknowledged != 100 {
				t.Errorf("%d of 100 acknowledged", acknowledged)
			}
			first.Kill()
			second := g.AwaitFailover(first)
			setUntilAcknowledged(t, client, "after", "value")
			if got := second.Do("GET", "before"); got != "value" {
				t.Errorf("the replicated key has %v", got)
			}
			if got := second.Do("DBSIZE"); got != int64(2) {
				t.Errorf("%v keys, want two", got)
			}

			first.Restart()
			await(t, "the old primary to become a replica", first.checkReplication)
			if got := first.Do("GET", "after"); got != "value" {
				t.Errorf("the old primary has %v", got)
			}
			if g.Primary() != second {
				t.Error("the primary changed again")
			}
		})
	}
}

// TestSentinelFailoverAfterPause: a paused primary causes a failover.
func TestSentinelFailoverAfterPause(t *testing.T) {
	g := StartSentinel(t, 1)
	first := g.Primary()
	g.Sentinels()[0].Kill()
	first.Pause()
	second := g.AwaitFailover(first)
	if second == first {
		t.Fatal("no failover")
	}
	first.Resume()
	await(t, "the old primary to become a replica", first.checkReplication)
}

func TestClusterFailover(t *testing.T) {
	c := StartCluster(t, 3, 1)
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: c.Addrs(), MaxRetries: -1, MaxRedirects: 3,
		ContextTimeoutEnabled: true, ClusterStateReloadInterval: time.Second,
	})
	defer client.Close()
	setUntilAcknowledged(t, client, "{log}before", "value")
	first := c.Primary("{log}")
	replicas := c.Replicas("{log}")
	if len(replicas) != 1 || replicas[0] == first {
		t.Fatalf("replicas %v of %v", replicas, first)
	}
	first.Do("WAIT", 1, 0)

	first.DetachReplicas()
	for i := range 100 {
		if err := client.Set(t.Context(), fmt.Sprint("{log}unreplicated", i), "value", 0).Err(); err != nil {
			t.Error(err)
		}
	}
	first.Kill()
	second := c.AwaitFailover("{log}", first)
	if second != replicas[0] {
		t.Errorf("%s is the primary, want %s", second.Addr(), replicas[0].Addr())
	}
	setUntilAcknowledged(t, client, "{log}after", "value")
	if got := second.Do("GET", "{log}before"); got != "value" {
		t.Errorf("the replicated key has %v", got)
	}
	if got := second.Do("DBSIZE"); got != int64(2) {
		t.Errorf("%v keys, want two", got)
	}

	first.Restart()
	await(t, "the old primary to become a replica", first.checkReplication)
	await(t, "the cluster to list the old primary", func() error {
		if replicas := c.Replicas("{log}"); len(replicas) != 1 || replicas[0] != first {
			return fmt.Errorf("the replicas are %v", replicas)
		}
		return nil
	})
}

func TestClusterOfOneNode(t *testing.T) {
	c := StartCluster(t, 1, 0, "--requirepass", "secret")
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Addrs(), Password: "secret"})
	defer client.Close()
	if err := client.Set(context.Background(), "key", "value", 0).Err(); err != nil {
		t.Error(err)
	}
}
