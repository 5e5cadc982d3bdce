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
		link := redis.Dial(1, redismodel.Weather{})
		s := serveOn(t, redislog.Open(redislog.Options{Client: link.Client()}), true)
		alice := s.anchor("alice")
		time.Sleep(10 * time.Second)
		link.Set(redismodel.Weather{Deaf: true})
		redis.Failover(5*time.Second, 0) // the node has read what is lost
		if err := alice.tell(&wire.Start{ID: alice.id(), Title: "Hello"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		link.Set(redismodel.Weather{})
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
