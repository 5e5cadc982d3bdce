package node_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/presence/presencetest"
	"onair/server/auth"
	"onair/server/nodetest"
)

// TestDiskFull: what must be on disk is refused as unavailable; beats, expiry
// and viewers go on; with room again, so does everything.
func TestDiskFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := presencetest.NewFaultyLog(nodetest.OpenMemoryStore(t))
		s := nodetest.ServeLog(t, log)
		viewer, alice, bob := s.DialViewer(""), s.DialAnchor("alice"), s.DialAnchor("bob")
		nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()})
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
		log.SetDiskFull(true)
		e := nodetest.RequestReply[*wire.Error](bob, &wire.Start{ID: bob.NextID(), Title: "Hello"})
		if e.Code != wire.CodeUnavailable {
			t.Errorf("start on a full disk was answered with %+v", e)
		}
		if got := s.Get(s.Ops, "/readyz"); !strings.Contains(got, `{"degraded":["store"],"since":`) {
			t.Errorf("readyz says %s", got)
		}
		nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: 1})
		viewer.AwaitView("live", func(l *wire.ClientView) bool { return nodetest.StateInView(l, "8888_alice") == wire.StateLive })
		e = nodetest.RequestReply[*wire.Error](alice, &wire.Stop{ID: alice.NextID()})
		if e.Code != wire.CodeUnavailable {
			t.Errorf("stop on a full disk was answered with %+v", e)
		}
		viewer.AwaitView("gone", func(l *wire.ClientView) bool { return nodetest.StateInView(l, "8888_alice") == "" }) // three beats later
		log.SetDiskFull(false)
		time.Sleep(10 * time.Second)
		if got := s.Get(s.Ops, "/readyz"); strings.Contains(got, "degraded") { // nobody had to ask for it
			t.Errorf("with room again readyz says %s", got)
		}
		nodetest.RequestReply[*wire.Started](bob, &wire.Start{ID: bob.NextID(), Title: "Hello"})
		viewer.AwaitView("bob", func(l *wire.ClientView) bool { return nodetest.StateInView(l, "8888_bob") != "" })
	})
}

// TestCutOff: a node that does not see its own entries promises nothing, says
// so, takes no new anchors, and ends nobody; then all goes on.
func TestCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := presencetest.NewFaultyLog(nodetest.OpenMemoryStore(t))
		s := nodetest.ServeLog(t, log)
		alice := s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
		if ack := nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: 1}); ack.Pending {
			t.Error("held from the start")
		}
		log.SetTailBlocked(true)
		if n, _ := nodetest.AwaitMessage[*wire.Notice](alice); n.Code != wire.NoticeDegraded {
			t.Errorf("notice %+v", n)
		}
		if ack := nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: 2}); !ack.Pending {
			t.Error("a beat was promised")
		}
		if status := s.GetStatus("/v1/anchor", s.Token(auth.Anchor, "bob", time.Hour)); status != http.StatusServiceUnavailable {
			t.Errorf("a new anchor: HTTP %d", status)
		}
		if got := s.Get(s.Ops, "/readyz"); !strings.Contains(got, `"degraded":["log"],"since":`) {
			t.Errorf("readyz says %s", got)
		}
		if got := s.Get(s.HTTP, "/v1/streams"); !strings.Contains(got, "8888_alice") {
			t.Errorf("the list is not served: %s", got)
		}
		for n := range int64(10) {
			time.Sleep(time.Minute)
			nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: n})
		}
		log.SetTailBlocked(false)
		time.Sleep(2 * time.Second)
		if ack := nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: 3}); ack.Pending {
			t.Error("still held")
		}
		if got := s.Get(s.Ops, "/readyz"); got != "{}" {
			t.Errorf("readyz says %s", got)
		}
	})
}
