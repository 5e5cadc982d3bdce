package main

import (
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/presence/redislog"
	"onair/presence/redislog/redismodel"
)

// TestStartedWhileTheListIsRebuilt: a socket holds the session that it was told
// of, also when the log says so while the node builds its list anew.
func TestStartedWhileTheListIsRebuilt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		redis := redismodel.New(redismodel.Options{})
		link := redis.Dial(1, redismodel.Faults{})
		s := serveOn(t, redislog.Open(redislog.Options{Client: link.Client()}), true)
		alice := s.anchor("alice")
		time.Sleep(10 * time.Second)
		link.SetFaults(redismodel.Faults{DropTailReplies: true})
		redis.Failover(5*time.Second, 0) // the node has read what is lost
		if err := alice.tell(&wire.Start{ID: alice.id(), Title: "Hello"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		link.SetFaults(redismodel.Faults{})
		expect[*wire.Started](alice)
		for n := range int64(5) {
			answerTo[*wire.Ack](alice, &wire.Beat{ID: alice.id(), N: n})
			time.Sleep(10 * time.Second)
		}
		// What the log says of it reaches the socket.
		again := s.anchor("alice")
		answerTo[*wire.Started](again, &wire.Start{ID: again.id(), Title: "Anew"})
		if ended, _ := expect[*wire.Ended](alice); ended.Reason != wire.EndTakenOver {
			t.Errorf("ended with %+v", ended)
		}
	})
}

// TestStoppedWhileTheListIsRebuilt: a socket that was told that its session is
// stopped may hold the next one, and is not told of the end again.
func TestStoppedWhileTheListIsRebuilt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		redis := redismodel.New(redismodel.Options{})
		link := redis.Dial(1, redismodel.Faults{})
		s := serveOn(t, redislog.Open(redislog.Options{Client: link.Client()}), true)
		alice := s.anchor("alice")
		answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "Hello"})
		time.Sleep(10 * time.Second)
		link.SetFaults(redismodel.Faults{DropTailReplies: true})
		redis.Failover(5*time.Second, 0) // the node has read what is lost
		if err := alice.tell(&wire.Stop{ID: alice.id()}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		link.SetFaults(redismodel.Faults{})
		expect[*wire.Stopped](alice)
		alice.tell(&wire.Start{ID: alice.id(), Title: "Anew"})
		time.Sleep(10 * time.Second) // the views no longer stand still
		alice.tell(&wire.Beat{ID: alice.id(), N: 1})
		for {
			switch m := alice.next().Message.(type) {
			case *wire.Ended, *wire.Error:
				t.Fatalf("told %+v", m)
			case *wire.Ack:
				return
			}
		}
	})
}

// TestMovedOnWhileTheListIsRebuilt: of two sockets that resume a session while
// the node builds its list anew the later one holds it, and the other is closed
// rather than left with none.
func TestMovedOnWhileTheListIsRebuilt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		redis := redismodel.New(redismodel.Options{})
		link := redis.Dial(1, redismodel.Faults{})
		s := serveOn(t, redislog.Open(redislog.Options{Client: link.Client()}), true)
		first, second, third := s.anchor("alice"), s.anchor("alice"), s.anchor("alice")
		session := answerTo[*wire.Started](first, &wire.Start{ID: first.id(), Title: "Hello"}).Session
		time.Sleep(10 * time.Second)
		link.SetFaults(redismodel.Faults{DropTailReplies: true})
		redis.Failover(5*time.Second, 0)
		for _, c := range []*caller{second, third} {
			if err := c.tell(&wire.Resume{ID: c.id(), Session: session}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		link.SetFaults(redismodel.Faults{})
		expect[*wire.Started](third)
		answerTo[*wire.Ack](third, &wire.Beat{ID: third.id(), N: 1})
		for _, c := range []*caller{second, first} {
			if status, _ := c.closes(); status != wire.CloseTakenOver {
				t.Errorf("closed with %d", status)
			}
		}
		answerTo[*wire.Ack](third, &wire.Beat{ID: third.id(), N: 2})
	})
}
