package redistest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// persist writes until it is acknowledged.
func persist(t *testing.T, client redis.UniversalClient, key, value string) {
	t.Helper()
	await(t, "a write", func() error { return client.Set(t.Context(), key, value, 0).Err() })
}

func TestSentinel(t *testing.T) {
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
			persist(t, client, "before", "value")
			first := g.Primary()
			first.Do("WAIT", 2, 0)

			first.DetachReplicas()
			lost := 0
			for i := range 100 {
				if err := client.Set(t.Context(), fmt.Sprint("held", i), "value", 0).Err(); err == nil {
					lost++
				}
			}
			if lost != 100 {
				t.Errorf("%d of 100 acknowledged", lost)
			}
			first.Kill()
			second := g.AwaitFailover(first)
			persist(t, client, "after", "value")
			if got := second.Do("GET", "before"); got != "value" {
				t.Errorf("what was replicated is %v", got)
			}
			if got := second.Do("DBSIZE"); got != int64(2) {
				t.Errorf("%v keys, there should be two", got)
			}

			first.Restart()
			await(t, "the old primary to follow", func() error { return first.linked("up") })
			if got := first.Do("GET", "after"); got != "value" {
				t.Errorf("the old primary has %v", got)
			}
			if g.Primary() != second {
				t.Error("the primary changed again")
			}
		})
	}
}

// TestPausedSentinel shows that a pause is a failure too.
func TestPausedSentinel(t *testing.T) {
	g := StartSentinel(t, 1)
	first := g.Primary()
	g.Sentinels()[0].Kill()
	first.Pause()
	second := g.AwaitFailover(first)
	if second == first {
		t.Fatal("no failover")
	}
	first.Resume()
	await(t, "the old primary to follow", func() error { return first.linked("up") })
}

func TestCluster(t *testing.T) {
	c := StartCluster(t, 3, 1)
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: c.Addrs(), MaxRetries: -1, MaxRedirects: 3,
		ContextTimeoutEnabled: true, ClusterStateReloadInterval: time.Second,
	})
	defer client.Close()
	persist(t, client, "{log}before", "value")
	first := c.Primary("{log}")
	replicas := c.Replicas("{log}")
	if len(replicas) != 1 || replicas[0] == first {
		t.Fatalf("replicas %v of %v", replicas, first)
	}
	first.Do("WAIT", 1, 0)

	first.DetachReplicas()
	for i := range 100 {
		if err := client.Set(t.Context(), fmt.Sprint("{log}held", i), "value", 0).Err(); err != nil {
			t.Error(err)
		}
	}
	first.Kill()
	second := c.AwaitFailover("{log}", first)
	if second != replicas[0] {
		t.Errorf("%s has taken over, not %s", second.Addr(), replicas[0].Addr())
	}
	persist(t, client, "{log}after", "value")
	if got := second.Do("GET", "{log}before"); got != "value" {
		t.Errorf("what was replicated is %v", got)
	}
	if got := second.Do("DBSIZE"); got != int64(2) {
		t.Errorf("%v keys, there should be two", got)
	}

	first.Restart()
	await(t, "the old primary to follow", func() error { return first.linked("up") })
	await(t, "the cluster to see it", func() error {
		if again := c.Replicas("{log}"); len(again) != 1 || again[0] != first {
			return errors.New("it does not")
		}
		return nil
	})
}

func TestSmallCluster(t *testing.T) {
	c := StartCluster(t, 1, 0, "--requirepass", "secret")
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Addrs(), Password: "secret"})
	defer client.Close()
	if err := client.Set(context.Background(), "key", "value", 0).Err(); err != nil {
		t.Error(err)
	}
}
