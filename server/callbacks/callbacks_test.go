package callbacks_test

import (
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/nodetest"
	"onair/server/rest"
)

func TestPushIsEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.ServeWithNginxHooks(t)
		alice := s.DialAnchor("alice")
		b := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""})
		query := nodetest.URLQuery(b.Push.RTMP)
		beats := time.NewTicker(20 * time.Second)
		defer beats.Stop()
		want := func(what, state string) {
			t.Helper()
			if got := s.StreamState("8888_alice"); got != state {
				t.Errorf("%s: %s, want %s", what, got, state)
			}
		}
		want("before", "starting")
		s.SendNginxCallback("publish", "1", "8888_alice", query).RequireStatus(204)
		want("pushed", "live")
		s.SendNginxCallback("update_publish", "1", "8888_alice", query).RequireStatus(204)
		s.SendNginxCallback("publish", "2", "8888_alice", query).RequireStatus(204)
		s.SendNginxCallback("publish_done", "2", "8888_alice", query).RequireStatus(204)
		want("after a second publisher", "live")
		s.SendNginxCallback("publish_done", "1", "8888_alice", query).RequireStatus(204)
		want("ended", "away media")
		time.Sleep(20 * time.Second)
		nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: 1})
		want("in the grace, with beats", "away media")
		s.SendNginxCallback("publish", "3", "8888_alice", query).RequireStatus(204)
		want("pushed again", "live")
		time.Sleep(time.Minute)
		want("later", "live")
		s.SendNginxCallback("publish_done", "3", "8888_alice", query).RequireStatus(204)
		time.Sleep(33 * time.Second)
		want("after the grace", "gone")
		if e, _ := nodetest.AwaitMessage[*wire.Ended](alice); e.Reason != "stream_lost" {
			t.Errorf("%+v", e)
		}
		// The socket stays: the anchor may start anew.
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""})
		if n := s.MetricText(`onair_callbacks_total{event="publish",provider="nginx-rtmp",result="accepted"}`); n != "3" {
			t.Errorf("%s publishes accepted", n)
		}
	})
}

// TestUnrelatedCallbackEndsNothing: the end of any push but the live session's own changes
// nothing.
func TestUnrelatedCallbackEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.ServeWithNginxHooks(t)
		_, query := s.DialPublishingAnchor("alice")
		s.SendNginxCallback("publish_done", "9", "8888_alice", query).RequireStatus(204)
		s.SendNginxCallback("publish_done", "1", "8888_bob", "").RequireStatus(204)
		s.Public.PeerAddress = netip.MustParseAddrPort("127.0.0.2:1") // another media server with a client 1
		s.SendNginxCallback("publish_done", "1", "8888_alice", query).RequireStatus(204)
		if got := s.StreamState("8888_alice"); got != "live" {
			t.Errorf("%s", got)
		}
	})
}

func TestInvalidPushIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.ServeWithNginxHooks(t, "--push.ttl", "10m")
		back := s.DayToken(auth.Backend, "app")
		alice, query := s.DialPublishingAnchor("alice")
		mallory, malloryQuery := s.DialPublishingAnchor("mallory")
		refused := func(what, code, query, result string) {
			t.Helper()
			name := `onair_callbacks_total{event="publish",provider="nginx-rtmp",result="` + result + `"}`
			before := s.MetricText(name)
			s.SendNginxCallback("publish", "5", code, query).RequireProblem(403, wire.CodeForbidden)
			if after := s.MetricText(name); after == before {
				t.Errorf("%s: not counted as %s", what, result)
			}
		}
		flip := map[byte]string{'a': "b"}[query[len("txSecret=")]]
		if flip == "" {
			flip = "a"
		}
		refused("forged", "8888_alice", "txSecret="+flip+query[len("txSecret=")+1:], "signature")
		refused("of another stream", "8888_alice", malloryQuery, "signature")
		refused("unsigned", "8888_alice", "", "signature")
		refused("not live", "8888_bob", query, "signature")
		time.Sleep(10 * time.Second)
		nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: 1})
		for range 10 {
			time.Sleep(time.Minute)
			nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: 1})
			nodetest.RequestReply[*wire.Ack](mallory, &wire.Beat{ID: mallory.NextID(), N: 1})
		}
		refused("expired", "8888_alice", query, "signature")
		if got := s.StreamState("8888_alice"); got != "live" {
			t.Errorf("refused pushes left the stream %s", got)
		}
		s.SendNginxCallback("update_publish", "1", "8888_alice", query).RequireStatus(204) // the push started before the expiry
		fresh := nodetest.URLQuery(nodetest.RequestReply[*wire.Pushed](alice, &wire.PushRequest{ID: alice.NextID()}).Push.RTMP)
		s.Call("PUT", "/v1/bans/alice", back, "").RequireStatus(200)
		s.SendNginxCallback("update_publish", "1", "8888_alice", query).RequireProblem(403, wire.CodeForbidden) // nginx then closes the push
		refused("banned", "8888_alice", fresh, "not_live")
		s.SendNginxCallback("update_publish", "6", "8888_mallory", query).RequireProblem(403, wire.CodeForbidden)        // a push with another stream.s signature
		s.SendNginxCallback("update_publish", "6", "8888_mallory", malloryQuery).RequireProblem(403, wire.CodeForbidden) // expired, and another push is known
		s.SendNginxCallback("update_play", "8", "8888_alice", "").RequireStatus(204)
		if log := s.Log(); strings.Contains(log, "txSecret") || strings.Contains(log, fresh[9:41]) || strings.Contains(log, "s3cret") {
			t.Errorf("a secret is in the log: %s", log)
		}
	})
}

// TestOnlyMediaServerMayCallBack: only the configured media server may call, on its path.
func TestOnlyMediaServerMayCallBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.ServeWithNginxHooks(t, "--proxies", "10.9.0.0/16")
		alice := s.DialAnchor("alice")
		b := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""})
		body := "app=live&addr=1.2.3.4&clientid=1&call=publish&name=8888_alice&type=live&" + nodetest.URLQuery(b.Push.RTMP)
		post := func(path string, headers ...string) *nodetest.Response {
			return s.Call("POST", "/v1/hooks/"+path, "", body, headers...)
		}
		for _, path := range []string{
			"nginx-rtmp", "nginx-rtmp/wrong", "nginx-rtmp/wrong/publish", "nginx-rtmp/s3cret/stop", "nginx-rtmp/s3cret/publish/x", "srs/s3cret",
		} {
			post(path).RequireProblem(404, wire.CodeNotFound)
		}
		post("nginx-rtmp/s3cret", "X-Forwarded-For: 127.0.0.1").RequireProblem(404, wire.CodeNotFound)
		post("nginx-rtmp/s3cret", "X-Forwarded-For: ", "X-Forwarded-For: 192.0.2.7").RequireProblem(404, wire.CodeNotFound)
		for _, peer := range []string{"192.0.2.1:1", "[2001:db8::1]:1", "10.9.1.1:1"} {
			s.Public.PeerAddress = netip.MustParseAddrPort(peer)
			post("nginx-rtmp/s3cret").RequireProblem(404, wire.CodeNotFound)
			post("nginx-rtmp/s3cret", "X-Forwarded-For: 192.0.2.7").RequireProblem(404, wire.CodeNotFound)
		}
		if got := s.StreamState("8888_alice"); got != "starting" {
			t.Errorf("%s", got)
		}
		s.Public.PeerAddress = netip.MustParseAddrPort("10.9.1.1:1")
		post("nginx-rtmp/s3cret", "X-Forwarded-For: 192.0.2.7, 127.0.0.1").RequireStatus(204)
		s.Public.PeerAddress = netip.MustParseAddrPort("[::1]:1")
		post("nginx-rtmp/s3cret/publish").RequireStatus(204)
		hookRequest(t, s, "publish", strings.Repeat("x", 20<<10), "").RequireProblem(400, wire.CodeBadRequest)
		s.Call("POST", "/v1/hooks/nginx-rtmp/s3cret", "", strings.Replace(body, "app=live", "app=other", 1)).RequireProblem(403, wire.CodeForbidden)
		off := nodetest.Serve(t)
		off.Call("POST", "/v1/hooks/nginx-rtmp", "", body).RequireProblem(404, wire.CodeNotFound)
	})
}

// TestSessionLivesByCallbacks: a session with callbacks as its only source needs no beats,
// and ends when nothing is pushed in time.
func TestSessionLivesByCallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.ServeWithNginxHooks(t)
		back := s.DayToken(auth.Backend, "app")
		b := s.StartStream(back, `{"title":"","anchor":"alice","sources":["callback"]}`)
		s.StartStream(back, `{"title":"","anchor":"bob","sources":["callback"]}`)
		s.SendNginxCallback("publish", "1", "8888_alice", nodetest.URLQuery(b.Push.RTMP)).RequireStatus(204)
		time.Sleep(11 * time.Minute)
		if got := s.StreamState("8888_alice") + ", " + s.StreamState("8888_bob"); got != "live, gone" {
			t.Errorf("%s", got)
		}
		var a rest.ExplanationView
		s.Call("GET", "/v1/streams/8888_alice/why", back, "").RequireStatus(200).Decode(&a)
		if len(a.Sources) != 1 || a.Sources[0] != "callback" || len(a.Evidence) != 1 || a.Evidence[0].Signal != "publish_begun" {
			t.Errorf("%+v", a)
		}
		s.SendNginxCallback("publish_done", "1", "8888_alice", "").RequireStatus(204)
		time.Sleep(33 * time.Second)
		if got := s.StreamState("8888_alice"); got != "gone" {
			t.Errorf("%s", got)
		}
	})
}

// TestUndecidableCallbackIsRefused: a callback that cannot be decided is refused.
func TestUndecidableCallbackIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.ServeWithNginxHooks(t)
		alice := s.DialAnchor("alice")
		b := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""})
		s.Stop()
		if err := s.Wait(); err != nil {
			t.Fatal(err)
		}
		s.HTTP = s.Public.Client()
		r := hookRequest(t, s, "publish", "8888_alice", nodetest.URLQuery(b.Push.RTMP))
		if r.Status < 500 {
			t.Errorf("status %d from a server whose log is closed", r.Status)
		}
	})
}

// hookRequest calls the handler of a server that no longer listens.
func hookRequest(t *testing.T, s *nodetest.Server, call, code, query string) *nodetest.Response {
	t.Helper()
	body := "app=live&addr=1.2.3.4&clientid=1&call=" + call + "&name=" + code + "&type=live&" + query
	r := httptest.NewRequest("POST", "/v1/hooks/nginx-rtmp/s3cret", strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:1"
	w := httptest.NewRecorder()
	s.Node.PublicHandler().ServeHTTP(w, r)
	return &nodetest.Response{T: t, Status: w.Code, Header: w.Header(), Body: w.Body.Bytes()}
}
