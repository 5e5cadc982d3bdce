package main

import (
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/rest"
)

// hooked starts a server that listens to nginx-rtmp.
func hooked(t *testing.T, flags ...string) *testServer {
	t.Helper()
	return serveTest(t, append([]string{"--hooks.nginx-rtmp.enabled", "true", "--hooks.nginx-rtmp.secret", "s3cret"}, flags...)...)
}

// callback does what nginx does at an event of the push of a client.
func (s *testServer) callback(call, client, code, query string) *answer {
	s.t.Helper()
	body := "app=live&flashver=FMLE&swfurl=&tcurl=rtmp://x/live&pageurl=&addr=10.1.2.3&clientid=" + client + "&call=" + call
	if call == "update_publish" {
		body += "&time=2&timestamp=2000"
	}
	body += "&name=" + code
	if call == "publish" {
		body += "&type=live"
	}
	if query != "" {
		body += "&" + query
	}
	return s.call("POST", "/v1/hooks/nginx-rtmp/s3cret", "", body, "Content-Type: application/x-www-form-urlencoded")
}

// pushQuery is the query of the push URL that a start gave.
func pushQuery(url string) string {
	_, query, _ := strings.Cut(url, "?")
	return query
}

// streaming starts a session on a socket, and pushes.
func (s *testServer) streaming(sub string) (c *caller, query string) {
	s.t.Helper()
	c = s.anchor(sub)
	b := answerTo[*wire.Started](c, &wire.Start{ID: c.id(), Title: ""})
	query = pushQuery(b.Push.RTMP)
	s.callback("publish", "1", "8888_"+sub, query).is(204)
	return c, query
}

func (s *testServer) state(code string) string {
	s.t.Helper()
	var e wire.Entry
	if a := s.call("GET", "/v1/streams/"+code, "", ""); a.status == 200 {
		a.into(&e)
		return strings.TrimSpace(e.State + " " + e.Away)
	}
	return "gone"
}

func TestPushIsEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := hooked(t)
		alice := s.anchor("alice")
		b := answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: ""})
		query := pushQuery(b.Push.RTMP)
		beats := time.NewTicker(20 * time.Second)
		defer beats.Stop()
		want := func(what, state string) {
			t.Helper()
			if got := s.state("8888_alice"); got != state {
				t.Errorf("%s: %s, want %s", what, got, state)
			}
		}
		want("before", "starting")
		s.callback("publish", "1", "8888_alice", query).is(204)
		want("pushed", "live")
		s.callback("update_publish", "1", "8888_alice", query).is(204)
		s.callback("publish", "2", "8888_alice", query).is(204)
		s.callback("publish_done", "2", "8888_alice", query).is(204)
		want("after a second publisher", "live")
		s.callback("publish_done", "1", "8888_alice", query).is(204)
		want("ended", "away media")
		time.Sleep(20 * time.Second)
		answerTo[*wire.Ack](alice, &wire.Beat{ID: alice.id(), N: 1})
		want("in the grace, with beats", "away media")
		s.callback("publish", "3", "8888_alice", query).is(204)
		want("pushed again", "live")
		time.Sleep(time.Minute)
		want("later", "live")
		s.callback("publish_done", "3", "8888_alice", query).is(204)
		time.Sleep(33 * time.Second)
		want("after the grace", "gone")
		if e, _ := expect[*wire.Ended](alice); e.Reason != "stream_lost" {
			t.Errorf("%+v", e)
		}
		// The socket stays: the anchor may start anew.
		answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: ""})
		if n := s.metric(`onair_callbacks_total{event="publish",provider="nginx-rtmp",result="accepted"}`); n != "3" {
			t.Errorf("%s publishes accepted", n)
		}
	})
}

// TestCallbackEndsNothing: what is no news of the live session's own push
// changes nothing.
func TestCallbackEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := hooked(t)
		_, query := s.streaming("alice")
		s.callback("publish_done", "9", "8888_alice", query).is(204)
		s.callback("publish_done", "1", "8888_bob", "").is(204)
		s.public.PeerAddress = netip.MustParseAddrPort("127.0.0.2:1") // another media server with a client 1
		s.callback("publish_done", "1", "8888_alice", query).is(204)
		if got := s.state("8888_alice"); got != "live" {
			t.Errorf("%s", got)
		}
	})
}

func TestPushRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := hooked(t, "--push.ttl", "10m")
		back := s.day(auth.Backend, "app")
		alice, query := s.streaming("alice")
		mallory, hers := s.streaming("mallory")
		refused := func(what, code, query, result string) {
			t.Helper()
			name := `onair_callbacks_total{event="publish",provider="nginx-rtmp",result="` + result + `"}`
			before := s.metric(name)
			s.callback("publish", "5", code, query).refused(403, wire.CodeForbidden)
			if after := s.metric(name); after == before {
				t.Errorf("%s: not counted as %s", what, result)
			}
		}
		flip := map[byte]string{'a': "b"}[query[len("txSecret=")]]
		if flip == "" {
			flip = "a"
		}
		refused("forged", "8888_alice", "txSecret="+flip+query[len("txSecret=")+1:], "signature")
		refused("of another stream", "8888_alice", hers, "signature")
		refused("unsigned", "8888_alice", "", "signature")
		refused("not live", "8888_bob", query, "signature")
		time.Sleep(10 * time.Second)
		answerTo[*wire.Ack](alice, &wire.Beat{ID: alice.id(), N: 1})
		for range 10 {
			time.Sleep(time.Minute)
			answerTo[*wire.Ack](alice, &wire.Beat{ID: alice.id(), N: 1})
			answerTo[*wire.Ack](mallory, &wire.Beat{ID: mallory.id(), N: 1})
		}
		refused("expired", "8888_alice", query, "signature")
		if got := s.state("8888_alice"); got != "live" {
			t.Errorf("refused pushes left the stream %s", got)
		}
		s.callback("update_publish", "1", "8888_alice", query).is(204) // what goes on has begun in time
		fresh := pushQuery(answerTo[*wire.Pushed](alice, &wire.PushRequest{ID: alice.id()}).Push.RTMP)
		s.call("PUT", "/v1/bans/alice", back, "").is(200)
		s.callback("update_publish", "1", "8888_alice", query).refused(403, wire.CodeForbidden) // nginx cuts it
		refused("banned", "8888_alice", fresh, "not_live")
		s.callback("update_publish", "6", "8888_mallory", query).refused(403, wire.CodeForbidden) // a push under another's name
		s.callback("update_publish", "6", "8888_mallory", hers).refused(403, wire.CodeForbidden)  // expired, in the place of one that is known
		s.callback("update_play", "8", "8888_alice", "").is(204)
		if log := s.logged(); strings.Contains(log, "txSecret") || strings.Contains(log, fresh[9:41]) || strings.Contains(log, "s3cret") {
			t.Errorf("a secret is in the log: %s", log)
		}
	})
}

// TestWhoMayCallBack: only the media server, by its path.
func TestWhoMayCallBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := hooked(t, "--proxies", "10.9.0.0/16")
		alice := s.anchor("alice")
		b := answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: ""})
		body := "app=live&addr=1.2.3.4&clientid=1&call=publish&name=8888_alice&type=live&" + pushQuery(b.Push.RTMP)
		post := func(path string, headers ...string) *answer {
			return s.call("POST", "/v1/hooks/"+path, "", body, headers...)
		}
		for _, path := range []string{
			"nginx-rtmp", "nginx-rtmp/wrong", "nginx-rtmp/wrong/publish", "nginx-rtmp/s3cret/stop", "nginx-rtmp/s3cret/publish/x", "srs/s3cret",
		} {
			post(path).refused(404, wire.CodeNotFound)
		}
		post("nginx-rtmp/s3cret", "X-Forwarded-For: 127.0.0.1").refused(404, wire.CodeNotFound)
		post("nginx-rtmp/s3cret", "X-Forwarded-For: ", "X-Forwarded-For: 192.0.2.7").refused(404, wire.CodeNotFound)
		for _, peer := range []string{"192.0.2.1:1", "[2001:db8::1]:1", "10.9.1.1:1"} {
			s.public.PeerAddress = netip.MustParseAddrPort(peer)
			post("nginx-rtmp/s3cret").refused(404, wire.CodeNotFound)
			post("nginx-rtmp/s3cret", "X-Forwarded-For: 192.0.2.7").refused(404, wire.CodeNotFound)
		}
		if got := s.state("8888_alice"); got != "starting" {
			t.Errorf("%s", got)
		}
		s.public.PeerAddress = netip.MustParseAddrPort("10.9.1.1:1")
		post("nginx-rtmp/s3cret", "X-Forwarded-For: 192.0.2.7, 127.0.0.1").is(204)
		s.public.PeerAddress = netip.MustParseAddrPort("[::1]:1")
		post("nginx-rtmp/s3cret/publish").is(204)
		hookRequest(t, s, "publish", strings.Repeat("x", 20<<10), "").refused(400, wire.CodeBadRequest)
		s.call("POST", "/v1/hooks/nginx-rtmp/s3cret", "", strings.Replace(body, "app=live", "app=other", 1)).refused(403, wire.CodeForbidden)
		off := serveTest(t)
		off.call("POST", "/v1/hooks/nginx-rtmp", "", body).refused(404, wire.CodeNotFound)
	})
}

// TestLivesByCallbacks: a session that names callbacks as its one source needs
// no beats, and ends when it is not pushed in time.
func TestLivesByCallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := hooked(t)
		back := s.day(auth.Backend, "app")
		b := s.begin(back, `{"title":"","anchor":"alice","sources":["callback"]}`)
		s.begin(back, `{"title":"","anchor":"bob","sources":["callback"]}`)
		s.callback("publish", "1", "8888_alice", pushQuery(b.Push.RTMP)).is(204)
		time.Sleep(11 * time.Minute)
		if got := s.state("8888_alice") + ", " + s.state("8888_bob"); got != "live, gone" {
			t.Errorf("%s", got)
		}
		var a rest.Account
		s.call("GET", "/v1/streams/8888_alice/why", back, "").is(200).into(&a)
		if len(a.Sources) != 1 || a.Sources[0] != "callback" || len(a.Evidence) != 1 || a.Evidence[0].Sign != "publish_begun" {
			t.Errorf("%+v", a)
		}
		s.callback("publish_done", "1", "8888_alice", "").is(204)
		time.Sleep(33 * time.Second)
		if got := s.state("8888_alice"); got != "gone" {
			t.Errorf("%s", got)
		}
	})
}

// TestHookFailsClosed: what cannot be decided is refused.
func TestHookFailsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := hooked(t)
		alice := s.anchor("alice")
		b := answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: ""})
		s.stop()
		if err := s.stopped(); err != nil {
			t.Fatal(err)
		}
		s.client = s.public.Client()
		r := hookRequest(t, s, "publish", "8888_alice", pushQuery(b.Push.RTMP))
		if r.status < 500 {
			t.Errorf("status %d from a server whose log is closed", r.status)
		}
	})
}

// hookRequest calls the handler itself, for a server that listens no more.
func hookRequest(t *testing.T, s *testServer, call, code, query string) *answer {
	t.Helper()
	body := "app=live&addr=1.2.3.4&clientid=1&call=" + call + "&name=" + code + "&type=live&" + query
	r := httptest.NewRequest("POST", "/v1/hooks/nginx-rtmp/s3cret", strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:1"
	w := httptest.NewRecorder()
	s.s.Handler().ServeHTTP(w, r)
	return &answer{t, w.Code, w.Header(), w.Body.Bytes()}
}
