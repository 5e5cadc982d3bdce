package sockets_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/nodetest"
)

// TestSteppedClockIsNotVisible: while the clock of the log steps by an hour, either way,
// viewers see no stream leave or become away.
func TestSteppedClockIsNotVisible(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(step.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var shift atomic.Int64
				s := nodetest.ServeWithClockSteps(t, func() time.Duration { return time.Duration(shift.Load()) })
				viewer, alice := s.DialViewer(""), s.DialAnchor("alice")
				nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()})
				code := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"}).Stream.Code
				nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: 0})
				viewer.AwaitView("live", func(l *wire.ClientView) bool { return nodetest.StateInView(l, code) == wire.StateLive })
				time.Sleep(30 * time.Second)
				shift.Add(int64(step))
				for n := range int64(5) {
					time.Sleep(30 * time.Second)
					nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: n})
					time.Sleep(30 * time.Second)
				}
				synctest.Wait()
				for len(viewer.Inbox) > 0 {
					viewer.Receive()
					if got := nodetest.StateInView(&viewer.View, code); got != wire.StateLive {
						t.Fatalf("a viewer saw state %q", got)
					}
				}
				// A later start and a later expiry work as usual.
				bob := s.DialAnchor("bob")
				nodetest.RequestReply[*wire.Started](bob, &wire.Start{ID: bob.NextID(), Title: "Hello"})
				last := time.Now()
				_, at := nodetest.AwaitMessage[*wire.Ended](bob)
				nodetest.RequireWithin(t, "bob's end", at.Sub(last), 180*time.Second, 188*time.Second)
			})
		})
	}
}

// TestTokenClockLeeway: a token from a clock that is ahead by less than half a minute is
// valid, and one from further ahead is not. The expiry has no leeway.
func TestTokenClockLeeway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--viewer.anonymous=false")
		for _, test := range []struct {
			name string
			skew time.Duration // of the clock of the signer
			ttl  time.Duration
			want int
		}{
			{"ahead within the leeway", 20 * time.Second, time.Hour, http.StatusOK},
			{"ahead by five minutes", 5 * time.Minute, time.Hour, http.StatusUnauthorized},
			{"behind by five minutes", -5 * time.Minute, time.Hour, http.StatusOK},
			{"behind by more than its life", -5 * time.Minute, 4 * time.Minute, http.StatusUnauthorized},
		} {
			refused := refusedTokens(s)
			text, err := auth.SignToken([]byte(s.Secret), "", auth.Identity{Subject: "bob", Role: auth.Viewer}, test.ttl, time.Now().Add(test.skew))
			if err != nil {
				t.Fatal(err)
			}
			if got := s.GetStatus("/v1/streams", text); got != test.want {
				t.Errorf("%s: HTTP %d, want %d", test.name, got, test.want)
			}
			if counted := refusedTokens(s) != refused; counted != (test.want != http.StatusOK) {
				t.Errorf("%s: counted as refused: %v", test.name, counted)
			}
		}
	})
}

// refusedTokens are the counts of refusals for the times in tokens.
func refusedTokens(s *nodetest.Server) (counts [2]string) {
	return [2]string{s.MetricText(`onair_tokens_total{result="expired"}`), s.MetricText(`onair_tokens_total{result="not_yet_valid"}`)}
}
