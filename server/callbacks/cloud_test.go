package callbacks_test

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/presence"
	"onair/server/nodetest"
)

// serveTencent starts a server with the callbacks of Tencent enabled.
func serveTencent(t *testing.T, log presence.Log, flags ...string) *nodetest.Server {
	t.Helper()
	return nodetest.ServeLog(t, log, append([]string{"--hooks.tencent.enabled", "true", "--hooks.tencent.key", nodetest.TencentKey}, flags...)...)
}

// long its signature holds.
func postTencent(s *nodetest.Server, event int, members string, validFor time.Duration) *nodetest.Response {
	s.T.Helper()
	t := time.Now().Add(validFor).Unix()
	sign := md5.Sum(fmt.Appendf(nil, "%s%d", nodetest.TencentKey, t))
	return s.Call("POST", "/v1/hooks/tencent", "", fmt.Sprintf(
		`{"t":%d,"sign":"%x","event_type":%d,"app":"8888.livepush.myqcloud.com","appname":"live","appid":1,%s}`, t, sign, event, members))
}

// postTencentPush reports the start (1) or end (0) of a push.
func postTencentPush(s *nodetest.Server, event int, code, sequence string, at time.Time) *nodetest.Response {
	s.T.Helper()
	return postTencent(s, event, fmt.Sprintf(`"stream_id":%q,"channel_id":%q,"sequence":%q,"event_time":%d,"stream_param":"txSecret=canary"`,
		code, code, sequence, at.Unix()), 10*time.Minute)
}

func TestTencentCallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &appendRecorder{Log: nodetest.OpenMemoryStore(t)}
		s := serveTencent(t, log, "--play.templates", "hd=550")
		alice := s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""})
		wantAccepted := func(what string, a *nodetest.Response) {
			t.Helper()
			if got := strings.TrimSpace(string(a.Body)); a.Status != 200 || got != `{"code":0}` {
				t.Errorf("%s: status %d, %s", what, a.Status, got)
			}
		}
		wantState := func(what, state string) {
			t.Helper()
			if got := s.StreamState("8888_alice"); got != state {
				t.Errorf("%s: %s, want %s", what, got, state)
			}
		}
		wantAccepted("started", postTencentPush(s, 1, "8888_alice", "1", time.Now()))
		wantState("started", "live")
		// It has the id and the time of the cloud, by which the registry identifies the push.
		started := presence.Observe{
			Session: s.Node.Hub.StreamByCode("8888_alice").Session, Source: presence.FromCallback, Signal: presence.PushStarted,
			Push: "tencent 1", PushStartedAt: time.Now().Truncate(time.Second).UnixMilli(), IsUnique: true,
		}
		if !log.hasCommand(&started) {
			t.Error("the log lacks the observation")
		}
		wantAccepted("an end of another push", postTencentPush(s, 0, "8888_alice", "0", time.Now()))
		wantState("an end of another push", "live")
		wantAccepted("ended", postTencentPush(s, 0, "8888_alice", "1", time.Now()))
		wantState("ended", "away media")
		wantAccepted("started again", postTencentPush(s, 1, "8888_alice", "2", time.Now()))
		wantState("started again", "live")
		wantAccepted("ended twice", postTencentPush(s, 0, "8888_alice", "1", time.Now()))
		wantState("ended twice", "live")
		for _, other := range []string{"8888_bob", "other_alice", "a.b", "8888_alice_550"} {
			wantAccepted(other, postTencentPush(s, 1, other, "3", time.Now()))
		}
		wantAccepted("unknown", postTencent(s, 321, `"x":1`, time.Minute))

		// A snapshot is a cover, over https.
		const screenshot = "bucket.cos.region.myqcloud.com/8888_alice.jpg"
		wantAccepted("a snapshot", postTencent(s, 200, `"stream_id":"8888_alice","pic_full_url":"http://`+screenshot+`"`, time.Minute))
		if log.countOf("https://"+screenshot) != 1 {
			t.Error("the snapshot is not in the log")
		}
		wantAccepted("of another", postTencent(s, 200, `"stream_id":"8888_bob","pic_full_url":"https://example.com/x.jpg"`, time.Minute))
		if log.countOf("https://example.com/x.jpg") != 0 {
			t.Error("a snapshot of no stream is in the log")
		}

		// A recording is stored for streams that are not live, but not for foreign ones.
		record := func(code, id string) *nodetest.Response {
			return postTencent(s, 100, fmt.Sprintf(`"stream_id":%q,"file_id":%q,"file_format":"mp4","end_time":%d,"duration":7,"video_url":"http://vod/%s.mp4"`,
				code, id, time.Now().Unix(), id), time.Minute)
		}
		wantAccepted("a recording", record("8888_bob", "f1"))
		wantAccepted("a foreign recording", record("other_bob", "f2"))
		if log.countOf(presence.RecordingID("tencent", "f1")) != 1 || log.countOf("http://vod/f2.mp4") != 0 {
			t.Error("a recording is missing, or a foreign one was stored")
		}
		for event, want := range map[string]string{"push_begun": "foreign", "recorded": "foreign", "push_ended": "accepted", "pictured": "not_live", "other": "accepted"} {
			if n := s.MetricText(`onair_callbacks_total{event="` + event + `",provider="tencent",result="` + want + `"}`); n == "" {
				t.Errorf("%s was never %s", event, want)
			}
		}
		if text := s.Log(); strings.Contains(text, "canary") || strings.Contains(text, nodetest.TencentKey) {
			t.Errorf("a secret is in the log: %s", text)
		}
	})
}

// TestInvalidTencentCallbacksAreRefused: forged, expired and malformed callbacks change
// nothing, and get different errors.
func TestInvalidTencentCallbacksAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTencent(t, nodetest.OpenMemoryStore(t))
		alice := s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""})
		wantStatus := func(what string, a *nodetest.Response, status int) {
			t.Helper()
			var body struct{ Code int }
			if a.Decode(&body); a.Status != status || body.Code != status {
				t.Errorf("%s: status %d, %s", what, a.Status, a.Body)
			}
		}
		body := fmt.Sprintf(`"stream_id":"8888_alice","sequence":"1","event_time":%d`, time.Now().Unix())
		wantStatus("expired", postTencent(s, 1, body, 0), 401)
		wantStatus("unsigned", s.Call("POST", "/v1/hooks/tencent", "", `{"event_type":1,`+body+`}`), 403)
		wantStatus("forged", s.Call("POST", "/v1/hooks/tencent", "", `{"event_type":1,"t":99999999999,"sign":"b17971b51ba0fe5916ddcd96692e9fb3",`+body+`}`), 403)
		wantStatus("nonsense", s.Call("POST", "/v1/hooks/tencent", "", `{`), 400)
		// A client that still sends may not read the response.
		if res, err := s.HTTP.Do(s.NewRequest("POST", "/v1/hooks/tencent", "", `{"x":"`+strings.Repeat("x", 65<<10)+`"}`)); err == nil {
			res.Body.Close()
			if res.StatusCode != 400 {
				t.Errorf("too long: status %d", res.StatusCode)
			}
		}
		if n := s.MetricText(`onair_callbacks_total{event="",provider="tencent",result="malformed"}`); n != "2" {
			t.Errorf("%s callbacks were malformed, want the nonsense and the long one", n)
		}
		if a := postTencent(s, 1, body+`,"x":"`+strings.Repeat("x", 60<<10)+`"`, time.Minute); a.Status != 200 {
			t.Errorf("long: status %d", a.Status)
		}
		postTencentPush(s, 0, "8888_alice", "1", time.Now())
		if got := s.StreamState("8888_alice"); got != "away media" {
			t.Errorf("%s", got)
		}
		s.Call("POST", "/v1/hooks/tencent/x", "", `{}`).RequireProblem(404, wire.CodeNotFound)
	})
}

// TestTencentCallsFromAnyAddress: without configured networks, Tencent may call from any
// address and through any proxy.
func TestTencentCallsFromAnyAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for flags, want := range map[string]int{"": 200, "10.0.0.0/8": 404} {
			s := serveTencent(t, nodetest.OpenMemoryStore(t), "--hooks.tencent.allow", flags, "--hooks.tencent.secret", "s3cret")
			post := func(path string) int {
				r := s.NewRequest("POST", "/v1/hooks/tencent"+path, "", `{"t":99999999999,"sign":"`+fmt.Sprintf("%x", md5.Sum([]byte(nodetest.TencentKey+"99999999999")))+`","event_type":9}`, "X-Forwarded-For: 192.0.2.7")
				res, err := s.HTTP.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
				return res.StatusCode
			}
			if got := post("/s3cret"); got != want {
				t.Errorf("allowed %q: status %d", flags, got)
			}
			if got := post(""); got != 404 {
				t.Errorf("without the secret: status %d", got)
			}
		}
	})
}

// TestPushEndIsConfirmedWithCloud: the end of a push counts unless the cloud denies it.
func TestPushEndIsConfirmedWithCloud(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTencent(t, nodetest.OpenMemoryStore(t))
		alice := s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""})
		var queried []string
		answers, failure := []bool{true, true}, error(nil)
		s.Node.Callbacks.IsOnline = func(_ context.Context, code string) (isOnline bool, err error) {
			queried = append(queried, code)
			if failure == nil {
				isOnline, answers = answers[0], answers[1:]
			}
			return isOnline, failure
		}
		postTencentPush(s, 1, "8888_alice", "1", time.Now()).RequireStatus(200)
		if a := postTencentPush(s, 0, "8888_alice", "1", time.Now()); a.Status != 503 { // its state may be behind
			t.Errorf("the cloud denies the end: status %d", a.Status)
		}
		if got := s.StreamState("8888_alice"); got != "live" {
			t.Errorf("the cloud denies the end: %s", got)
		}
		failure = errors.New("the cloud does not answer")
		if a := postTencentPush(s, 0, "8888_alice", "1", time.Now()); a.Status != 503 {
			t.Errorf("the cloud does not answer: status %d", a.Status)
		}
		if got := s.StreamState("8888_alice"); got != "live" {
			t.Errorf("the cloud does not answer: %s", got)
		}
		answers, failure = []bool{true, false}, nil // its state changes late
		postTencentPush(s, 0, "8888_alice", "1", time.Now()).RequireStatus(200)
		if got := s.StreamState("8888_alice"); got != "away media" {
			t.Errorf("the cloud confirms the end: %s", got)
		}
		postTencentPush(s, 0, "8888_bob", "1", time.Now()).RequireStatus(200) // no query for a code that is not live
		if strings.Join(queried, " ") != "8888_alice 8888_alice 8888_alice 8888_alice 8888_alice" {
			t.Errorf("queried for %v", queried)
		}
		if n := s.MetricText(`onair_callbacks_total{event="push_ended",provider="tencent",result="contradicted"}`); n != "1" {
			t.Errorf("%s callbacks were contradicted, want 1", n)
		}
	})
}
