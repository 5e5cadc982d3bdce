package sockets_test

import (
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/presence/redislog"
	"onair/presence/redislog/redismodel"
	"onair/server/nodetest"
)

// TestStartDuringRebuild: a socket is attached to the session that it started while the
// node rebuilt its registry.
func TestStartDuringRebuild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		redis := redismodel.New(redismodel.Options{})
		link := redis.Dial(1, redismodel.Faults{})
		s := nodetest.ServeStore(t, redislog.Open(redislog.Options{Client: link.Client()}), true)
		alice := s.DialAnchor("alice")
		time.Sleep(10 * time.Second)
		link.SetFaults(redismodel.Faults{DropTailReplies: true})
		redis.Failover(5*time.Second, 0) // the node has read what is lost
		if err := alice.Send(&wire.Start{ID: alice.NextID(), Title: "Hello"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		link.SetFaults(redismodel.Faults{})
		nodetest.AwaitMessage[*wire.Started](alice)
		for n := range int64(5) {
			nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: n})
			time.Sleep(10 * time.Second)
		}
		// Changes in the log reach the socket.
		again := s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Started](again, &wire.Start{ID: again.NextID(), Title: "Anew"})
		if ended, _ := nodetest.AwaitMessage[*wire.Ended](alice); ended.Reason != wire.EndTakenOver {
			t.Errorf("ended with %+v", ended)
		}
	})
}

// TestStopDuringRebuild: a socket that stopped its session while the node rebuilt its
// registry may start the next one, and gets no second end.
func TestStopDuringRebuild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		redis := redismodel.New(redismodel.Options{})
		link := redis.Dial(1, redismodel.Faults{})
		s := nodetest.ServeStore(t, redislog.Open(redislog.Options{Client: link.Client()}), true)
		alice := s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
		time.Sleep(10 * time.Second)
		link.SetFaults(redismodel.Faults{DropTailReplies: true})
		redis.Failover(5*time.Second, 0) // the node has read what is lost
		if err := alice.Send(&wire.Stop{ID: alice.NextID()}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		link.SetFaults(redismodel.Faults{})
		nodetest.AwaitMessage[*wire.Stopped](alice)
		alice.Send(&wire.Start{ID: alice.NextID(), Title: "Anew"})
		time.Sleep(10 * time.Second) // the views are no longer frozen
		alice.Send(&wire.Beat{ID: alice.NextID(), N: 1})
		for {
			switch m := alice.Receive().Message.(type) {
			case *wire.Ended, *wire.Error:
				t.Fatalf("received %+v", m)
			case *wire.Ack:
				return
			}
		}
	})
}

// TestResumesDuringRebuild: when two sockets resume a session while the node rebuilds its
// registry, the later one is attached and the other is closed.
func TestResumesDuringRebuild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		redis := redismodel.New(redismodel.Options{})
		link := redis.Dial(1, redismodel.Faults{})
		s := nodetest.ServeStore(t, redislog.Open(redislog.Options{Client: link.Client()}), true)
		first, second, third := s.DialAnchor("alice"), s.DialAnchor("alice"), s.DialAnchor("alice")
		session := nodetest.RequestReply[*wire.Started](first, &wire.Start{ID: first.NextID(), Title: "Hello"}).Session
		time.Sleep(10 * time.Second)
		link.SetFaults(redismodel.Faults{DropTailReplies: true})
		redis.Failover(5*time.Second, 0)
		for _, c := range []*nodetest.Client{second, third} {
			if err := c.Send(&wire.Resume{ID: c.NextID(), Session: session}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		link.SetFaults(redismodel.Faults{})
		nodetest.AwaitMessage[*wire.Started](third)
		nodetest.RequestReply[*wire.Ack](third, &wire.Beat{ID: third.NextID(), N: 1})
		for _, c := range []*nodetest.Client{second, first} {
			if status, _ := c.AwaitClose(); status != wire.CloseTakenOver {
				t.Errorf("closed with %d", status)
			}
		}
		nodetest.RequestReply[*wire.Ack](third, &wire.Beat{ID: third.NextID(), N: 2})
	})
}
