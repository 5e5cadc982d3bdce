package leader_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/socket/sockettest"
	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/node"
	"onair/server/nodetest"
	"onair/server/rest"
)

// telling starts a server, in a bubble, that tells a back end.
func telling(t *testing.T, b *nodetest.Backend, flags ...string) *nodetest.Server {
	t.Helper()
	l := sockettest.NewListener()
	srv := &http.Server{Handler: b}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return nodetest.ServeOptions(t, nodetest.OpenMemoryStore(t), false, func(o *node.Options) { o.WebhookTransport = l.Client().Transport }, append([]string{"--webhooks.url", "http://backend/hook", "--webhooks.secret", nodetest.WebhookSecret}, flags...)...)
}

func TestBackEndIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &nodetest.Backend{}
		s := telling(t, b)
		alice := s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
		nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: 1})
		time.Sleep(70 * time.Second)
		nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: 2})
		time.Sleep(time.Second)
		s.Call("POST", "/v1/streams/8888_alice/kick", s.DayToken(auth.Admin, "op"), "").RequireStatus(200)
		time.Sleep(time.Second)
		if got, want := b.EventTypesAndReasons(), []string{"stream.started", "stream.away", "stream.resumed", "stream.ended kicked"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		ids := map[string]bool{}
		for _, e := range b.ReceivedEvents() {
			if ids[e.ID] || e.Subject != "8888_alice" || e.Data.Anchor != "alice" || e.Data.Title != "Hello" || e.Data.Session == "" {
				t.Errorf("%+v", e)
			}
			ids[e.ID] = true
		}
		if n := s.MetricText("onair_outbox_events"); n != "0" {
			t.Errorf("%s effects wait", n)
		}
	})
}

// TestBackEndIsDown: what happens meanwhile is told when it is back, in order, and
// once; what it refuses for good is a dead letter.
func TestBackEndIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &nodetest.Backend{Status: 500}
		s := telling(t, b, "--webhooks.events", "stream.started,stream.ended")
		for _, name := range []string{"alice", "bob", "alice", "bob"} {
			session := s.StartStream(s.DayToken(auth.Anchor, name), `{"title":"x"}`).Session
			s.Call("DELETE", "/v1/streams/8888_"+name+"?session="+session, s.DayToken(auth.Anchor, name), "").RequireStatus(200)
		}
		time.Sleep(10 * time.Minute)
		if n := s.MetricText("onair_outbox_events"); n != "8" {
			t.Errorf("%s effects wait", n)
		}
		b.SetStatus(200)
		time.Sleep(10 * time.Minute)
		for _, name := range []string{"alice", "bob"} {
			var got []string
			for _, e := range b.ReceivedEvents() {
				if e.Data.Anchor == name {
					got = append(got, e.Type)
				}
			}
			if want := []string{"stream.started", "stream.ended", "stream.started", "stream.ended"}; !slices.Equal(got, want) {
				t.Errorf("of %s: %q", name, got)
			}
		}
		b.SetStatus(410)
		s.StartStream(s.DayToken(auth.Anchor, "carol"), `{"title":"x"}`)
		time.Sleep(time.Minute)
		var page struct {
			DeadLetters []rest.DeadLetterView `json:"dead_letters"`
		}
		s.Call("GET", "/v1/dead-letters", s.DayToken(auth.Admin, "op"), "").RequireStatus(200).Decode(&page)
		if len(page.DeadLetters) != 1 || page.DeadLetters[0].Subject != "8888_carol" || !strings.Contains(page.DeadLetters[0].Why, "410") {
			t.Errorf("dead letters %+v", page.DeadLetters)
		}
		if n := s.MetricText("onair_dead_letters_total"); n != "1" {
			t.Errorf("%s dead letters are counted", n)
		}
		s.Call("GET", "/v1/dead-letters", s.DayToken(auth.Viewer, "v"), "").RequireProblem(403, wire.CodeForbidden)
	})
}
