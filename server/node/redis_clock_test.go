package node_test

import (
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/presence/redislog"
	"onair/presence/redislog/redismodel"
	"onair/server/nodetest"
)

// TestRedisClock: the clock of Redis is another one than that of the nodes, is
// set, or is that of a replica which was promoted without the last seconds. No
// viewer on either node sees a stream leave or go away that beats, and whoever
// goes silent afterwards leaves in time.
func TestRedisClock(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(*redismodel.Redis)
	}{
		{"five minutes ahead", func(r *redismodel.Redis) { r.StepClock(5 * time.Minute) }},
		{"five minutes behind", func(r *redismodel.Redis) { r.StepClock(-5 * time.Minute) }},
		{"a replica ten minutes behind", func(r *redismodel.Redis) { r.Failover(3*time.Second, -10*time.Minute) }},
		{"a replica ten minutes ahead", func(r *redismodel.Redis) { r.Failover(3*time.Second, 10*time.Minute) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { underClock(t, c.fault) })
		})
	}
}

func underClock(t *testing.T, fault func(*redismodel.Redis)) {
	redis := redismodel.New(redismodel.Options{})
	node := func(seed uint64, name string) *nodetest.Server {
		link := redis.Dial(seed, redismodel.Faults{})
		return nodetest.ServeStore(t, redislog.Open(redislog.Options{Client: link.Client()}), true, "--node", name)
	}
	one, two := node(1, "n1"), node(2, "n2")
	alice := one.DialAnchor("alice")
	code := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"}).Stream.Code
	nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: 0})
	viewers := []*nodetest.Client{one.DialViewer(""), two.DialViewer("")}
	for _, v := range viewers {
		v.Send(&wire.Subscribe{ID: v.NextID()})
		v.AwaitView("live", func(l *wire.ClientView) bool { return nodetest.StateInView(l, code) == wire.StateLive })
	}
	for range 3 {
		time.Sleep(10 * time.Second)
		fault(redis)
		for n := range int64(5) {
			time.Sleep(30 * time.Second)
			if err := alice.Send(&wire.Beat{ID: alice.NextID(), N: n}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Second)
		}
		synctest.Wait()
		for _, v := range viewers {
			for len(v.Inbox) > 0 {
				v.Receive()
				if got := nodetest.StateInView(&v.View, code); got != wire.StateLive {
					t.Fatalf("a viewer saw state %q", got)
				}
			}
		}
	}
	bob := two.DialAnchor("bob")
	nodetest.RequestReply[*wire.Started](bob, &wire.Start{ID: bob.NextID(), Title: "Hello"})
	last := time.Now()
	_, at := nodetest.AwaitMessage[*wire.Ended](bob)
	nodetest.RequireWithin(t, "bob's end", at.Sub(last), 180*time.Second, 188*time.Second)
}
