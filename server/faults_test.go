package main

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/presence/presencetest"
	"onair/server/auth"
)

// TestDiskFull: what must be on disk is refused as unavailable; beats, expiry
// and viewers go on; with room again, so does everything.
func TestDiskFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := presencetest.NewFaultyLog(openMemory(t))
		s := serveLog(t, log)
		viewer, alice, bob := s.viewer(""), s.anchor("alice"), s.anchor("bob")
		answerTo[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.id()})
		answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "Hello"})
		log.SetDiskFull(true)
		e := answerTo[*wire.Error](bob, &wire.Start{ID: bob.id(), Title: "Hello"})
		if e.Code != wire.CodeUnavailable {
			t.Errorf("start on a full disk was answered with %+v", e)
		}
		if got := s.get(s.ops, "/readyz"); !strings.Contains(got, `{"degraded":["store"],"since":`) {
			t.Errorf("readyz says %s", got)
		}
		answerTo[*wire.Ack](alice, &wire.Beat{ID: alice.id(), N: 1})
		viewer.shows("live", func(l *wire.ClientView) bool { return state(l, "8888_alice") == wire.StateLive })
		e = answerTo[*wire.Error](alice, &wire.Stop{ID: alice.id()})
		if e.Code != wire.CodeUnavailable {
			t.Errorf("stop on a full disk was answered with %+v", e)
		}
		viewer.shows("gone", func(l *wire.ClientView) bool { return state(l, "8888_alice") == "" }) // three beats later
		log.SetDiskFull(false)
		time.Sleep(10 * time.Second)
		if got := s.get(s.ops, "/readyz"); strings.Contains(got, "degraded") { // nobody had to ask for it
			t.Errorf("with room again readyz says %s", got)
		}
		answerTo[*wire.Started](bob, &wire.Start{ID: bob.id(), Title: "Hello"})
		viewer.shows("bob", func(l *wire.ClientView) bool { return state(l, "8888_bob") != "" })
	})
}

// TestCutOff: a node that does not see its own entries promises nothing, says
// so, takes no new anchors, and ends nobody; then all goes on.
func TestCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := presencetest.NewFaultyLog(openMemory(t))
		s := serveLog(t, log)
		alice := s.anchor("alice")
		answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "Hello"})
		if ack := answerTo[*wire.Ack](alice, &wire.Beat{ID: alice.id(), N: 1}); ack.Pending {
			t.Error("held from the start")
		}
		log.SetTailBlocked(true)
		if n, _ := expect[*wire.Notice](alice); n.Code != wire.NoticeDegraded {
			t.Errorf("notice %+v", n)
		}
		if ack := answerTo[*wire.Ack](alice, &wire.Beat{ID: alice.id(), N: 2}); !ack.Pending {
			t.Error("a beat was promised")
		}
		if status := s.status("/v1/anchor", s.token(auth.Anchor, "bob", time.Hour)); status != http.StatusServiceUnavailable {
			t.Errorf("a new anchor: HTTP %d", status)
		}
		if got := s.get(s.ops, "/readyz"); !strings.Contains(got, `"degraded":["log"],"since":`) {
			t.Errorf("readyz says %s", got)
		}
		if got := s.get(s.client, "/v1/streams"); !strings.Contains(got, "8888_alice") {
			t.Errorf("the list is not served: %s", got)
		}
		for n := range int64(10) {
			time.Sleep(time.Minute)
			answerTo[*wire.Ack](alice, &wire.Beat{ID: alice.id(), N: n})
		}
		log.SetTailBlocked(false)
		time.Sleep(2 * time.Second)
		if ack := answerTo[*wire.Ack](alice, &wire.Beat{ID: alice.id(), N: 3}); ack.Pending {
			t.Error("still held")
		}
		if got := s.get(s.ops, "/readyz"); got != "{}" {
			t.Errorf("readyz says %s", got)
		}
	})
}
