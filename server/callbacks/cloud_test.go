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
	"onair/server/cloud"
	"onair/server/nodetest"
)

// clouded starts a server that listens to Tencent.
func clouded(t *testing.T, log presence.Log, flags ...string) *nodetest.Server {
	t.Helper()
	return nodetest.ServeLog(t, log, append([]string{"--hooks.tencent.enabled", "true", "--hooks.tencent.key", nodetest.TencentKey}, flags...)...)
}

// cloud makes a callback as Tencent does: event, what else it says, and for how
// long its signature holds.
func postCloud(s *nodetest.Server, event int, more string, holds time.Duration) *nodetest.Response {
	s.T.Helper()
	t := time.Now().Add(holds).Unix()
	sign := md5.Sum(fmt.Appendf(nil, "%s%d", nodetest.TencentKey, t))
	return s.Call("POST", "/v1/hooks/tencent", "", fmt.Sprintf(
		`{"t":%d,"sign":"%x","event_type":%d,"app":"8888.livepush.myqcloud.com","appname":"live","appid":1,%s}`, t, sign, event, more))
}

// cloudPush tells of the begin (1) or end (0) of a push.
func postCloudPush(s *nodetest.Server, event int, code, sequence string, at time.Time) *nodetest.Response {
	s.T.Helper()
	return postCloud(s, event, fmt.Sprintf(`"stream_id":%q,"channel_id":%q,"sequence":%q,"event_time":%d,"stream_param":"txSecret=hush"`,
		code, code, sequence, at.Unix()), 10*time.Minute)
}

func TestCloud(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &witnessed{Log: nodetest.OpenMemory(t)}
		s := clouded(t, log, "--play.templates", "hd=550")
		alice := s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""})
		taken := func(what string, a *nodetest.Response) {
			t.Helper()
			if got := strings.TrimSpace(string(a.Body)); a.Status != 200 || got != `{"code":0}` {
				t.Errorf("%s: status %d, %s", what, a.Status, got)
			}
		}
		is := func(what, state string) {
			t.Helper()
			if got := s.StreamState("8888_alice"); got != state {
				t.Errorf("%s: %s, want %s", what, got, state)
			}
		}
		taken("begun", postCloudPush(s, 1, "8888_alice", "1", time.Now()))
		is("begun", "live")
		// With the cloud's name for it and its time: so the registry knows it again.
		begun := presence.Observe{
			Session: s.Node.Hub.StreamByCode("8888_alice").Session, Source: presence.FromCallback, Signal: presence.PushStarted,
			Push: "tencent 1", PushStartedAt: time.Now().Truncate(time.Second).UnixMilli(), IsUnique: true,
		}
		if !log.holds(&begun) {
			t.Error("the log does not hold what the cloud said")
		}
		taken("an end of another push", postCloudPush(s, 0, "8888_alice", "0", time.Now()))
		is("an end of another push", "live")
		taken("ended", postCloudPush(s, 0, "8888_alice", "1", time.Now()))
		is("ended", "away media")
		taken("begun again", postCloudPush(s, 1, "8888_alice", "2", time.Now()))
		is("begun again", "live")
		taken("ended twice", postCloudPush(s, 0, "8888_alice", "1", time.Now()))
		is("ended twice", "live")
		for _, other := range []string{"8888_bob", "other_alice", "a.b", "8888_alice_550"} {
			taken(other, postCloudPush(s, 1, other, "3", time.Now()))
		}
		taken("unknown", postCloud(s, 321, `"x":1`, time.Minute))

		// A snapshot is a cover, over https.
		const picture = "bucket.cos.region.myqcloud.com/8888_alice.jpg"
		taken("a snapshot", postCloud(s, 200, `"stream_id":"8888_alice","pic_full_url":"http://`+picture+`"`, time.Minute))
		if log.times("https://"+picture) != 1 {
			t.Error("the snapshot is not in the log")
		}
		taken("of another", postCloud(s, 200, `"stream_id":"8888_bob","pic_full_url":"https://example.com/x.jpg"`, time.Minute))
		if log.times("https://example.com/x.jpg") != 0 {
			t.Error("a snapshot of nobody is in the log")
		}

		// A recording is kept whoever is live, but not of anybody's streams.
		record := func(code, id string) *nodetest.Response {
			return postCloud(s, 100, fmt.Sprintf(`"stream_id":%q,"file_id":%q,"file_format":"mp4","end_time":%d,"duration":7,"video_url":"http://vod/%s.mp4"`,
				code, id, time.Now().Unix(), id), time.Minute)
		}
		taken("a recording", record("8888_bob", "f1"))
		taken("a foreign recording", record("other_bob", "f2"))
		if log.times(presence.RecordingID("tencent", "f1")) != 1 || log.times("http://vod/f2.mp4") != 0 {
			t.Error("recordings are not kept, or those of others are")
		}
		for event, want := range map[string]string{"push_begun": "foreign", "recorded": "foreign", "push_ended": "accepted", "pictured": "not_live", "other": "accepted"} {
			if n := s.Metric(`onair_callbacks_total{event="` + event + `",provider="tencent",result="` + want + `"}`); n == "" {
				t.Errorf("%s was never %s", event, want)
			}
		}
		if text := s.Log(); strings.Contains(text, "hush") || strings.Contains(text, nodetest.TencentKey) {
			t.Errorf("a secret is in the log: %s", text)
		}
	})
}

// TestCloudRefused: what is forged or has expired changes nothing, and is told
// apart.
func TestCloudRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clouded(t, nodetest.OpenMemory(t))
		alice := s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""})
		said := func(what string, a *nodetest.Response, status int) {
			t.Helper()
			var body struct{ Code int }
			if a.Decode(&body); a.Status != status || body.Code != status {
				t.Errorf("%s: status %d, %s", what, a.Status, a.Body)
			}
		}
		body := fmt.Sprintf(`"stream_id":"8888_alice","sequence":"1","event_time":%d`, time.Now().Unix())
		said("expired", postCloud(s, 1, body, 0), 401)
		said("unsigned", s.Call("POST", "/v1/hooks/tencent", "", `{"event_type":1,`+body+`}`), 403)
		said("forged", s.Call("POST", "/v1/hooks/tencent", "", `{"event_type":1,"t":99999999999,"sign":"b17971b51ba0fe5916ddcd96692e9fb3",`+body+`}`), 403)
		said("nonsense", s.Call("POST", "/v1/hooks/tencent", "", `{`), 400)
		// Who goes on sending when the answer is there may not come to read it.
		if res, err := s.HTTP.Do(s.NewRequest("POST", "/v1/hooks/tencent", "", `{"x":"`+strings.Repeat("x", 65<<10)+`"}`)); err == nil {
			res.Body.Close()
			if res.StatusCode != 400 {
				t.Errorf("too long: status %d", res.StatusCode)
			}
		}
		if n := s.Metric(`onair_callbacks_total{event="",provider="tencent",result="malformed"}`); n != "2" {
			t.Errorf("%s callbacks were malformed, want the nonsense and the long one", n)
		}
		if a := postCloud(s, 1, body+`,"x":"`+strings.Repeat("x", 60<<10)+`"`, time.Minute); a.Status != 200 {
			t.Errorf("long: status %d", a.Status)
		}
		postCloudPush(s, 0, "8888_alice", "1", time.Now())
		if got := s.StreamState("8888_alice"); got != "away media" {
			t.Errorf("%s", got)
		}
		s.Call("POST", "/v1/hooks/tencent/x", "", `{}`).RequireProblem(404, wire.CodeNotFound)
	})
}

// TestCloudEverywhere: the cloud calls from everywhere, through any proxy, where
// nobody says from where.
func TestCloudEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for flags, want := range map[string]int{"": 200, "10.0.0.0/8": 404} {
			s := clouded(t, nodetest.OpenMemory(t), "--hooks.tencent.allow", flags, "--hooks.tencent.secret", "s3cret")
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

// TestConfirmedEnd: the end of a push counts when the cloud, asked, does not say
// otherwise.
func TestConfirmedEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clouded(t, nodetest.OpenMemory(t))
		alice := s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""})
		var asked []string
		states, failure := []cloud.State{cloud.Online, cloud.Online}, error(nil)
		s.Node.Callbacks.PushState = func(_ context.Context, code string) (state cloud.State, err error) {
			asked = append(asked, code)
			if failure == nil {
				state, states = states[0], states[1:]
			}
			return state, failure
		}
		postCloudPush(s, 1, "8888_alice", "1", time.Now()).RequireStatus(200)
		if a := postCloudPush(s, 0, "8888_alice", "1", time.Now()); a.Status != 503 { // its state may be behind
			t.Errorf("the cloud says that it is pushed: status %d", a.Status)
		}
		if got := s.StreamState("8888_alice"); got != "live" {
			t.Errorf("the cloud says that it is pushed: %s", got)
		}
		failure = errors.New("the cloud is away")
		if a := postCloudPush(s, 0, "8888_alice", "1", time.Now()); a.Status != 503 {
			t.Errorf("the cloud does not answer: status %d", a.Status)
		}
		if got := s.StreamState("8888_alice"); got != "live" {
			t.Errorf("the cloud does not answer: %s", got)
		}
		states, failure = []cloud.State{cloud.Online, cloud.Offline}, nil // it is late to know
		postCloudPush(s, 0, "8888_alice", "1", time.Now()).RequireStatus(200)
		if got := s.StreamState("8888_alice"); got != "away media" {
			t.Errorf("the cloud says so, too: %s", got)
		}
		postCloudPush(s, 0, "8888_bob", "1", time.Now()).RequireStatus(200) // nobody asks after who is not live
		if strings.Join(asked, " ") != "8888_alice 8888_alice 8888_alice 8888_alice 8888_alice" {
			t.Errorf("asked for %v", asked)
		}
		if n := s.Metric(`onair_callbacks_total{event="push_ended",provider="tencent",result="contradicted"}`); n != "1" {
			t.Errorf("%s contradicted", n)
		}
	})
}
