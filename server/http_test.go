package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/presence"
	"onair/server/auth"
	"onair/server/response"
	"onair/server/rest"
)

// answer is what an HTTP call came to.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

// into decodes the body.
func (a *answer) into(v any) *answer {
	a.t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		a.t.Fatalf("%s: %v", a.body, err)
	}
	return a
}

// is fails the test unless the status is as wanted.
func (a *answer) is(status int) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// refused fails the test unless the answer is a problem of that status and code.
func (a *answer) refused(status int, code wire.ErrorCode) response.Problem {
	a.t.Helper()
	var p response.Problem
	a.is(status).into(&p)
	if p.Code != code || p.Status != status || p.Detail == "" || a.header.Get("Content-Type") != "application/problem+json" {
		a.t.Fatalf("%s problem %+v, want %s", a.header.Get("Content-Type"), p, code)
	}
	return p
}

// request makes a request; each of headers is name: value.
func (s *testServer) request(method, path, token, body string, headers ...string) *http.Request {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.host+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// call makes an HTTP call.
func (s *testServer) call(method, path, token, body string, headers ...string) *answer {
	s.t.Helper()
	r := s.request(method, path, token, body, headers...)
	res, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := documented().answer(r, res.StatusCode, res.Header, text); err != nil {
		s.t.Error(err)
	}
	return &answer{s.t, res.StatusCode, res.Header, text}
}

// started is the answer to a start over HTTP.
type started struct {
	Stream      wire.Entry
	Session     string
	Push        struct{ RTMP string }
	HeartbeatMS int64 `json:"heartbeat_ms"`
	MissedLimit int   `json:"missed_limit"`
}

func (s *testServer) begin(token, body string, headers ...string) started {
	s.t.Helper()
	var out started
	s.call("POST", "/v1/streams", token, body, headers...).is(http.StatusCreated).into(&out)
	return out
}

func (s *testServer) day(role auth.Role, sub string) string {
	s.t.Helper()
	return s.token(role, sub, 24*time.Hour)
}

// TestBroadcastOverHTTP: an app without sockets lives by HTTP alone.
func TestBroadcastOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		alice := s.day(auth.Anchor, "alice")
		viewer := s.viewer("")
		answerTo[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.id()})
		b := s.begin(alice, `{"title":"Hello","tags":["game"]}`)
		if b.Stream.Code != "8888_alice" || b.HeartbeatMS != 60_000 || b.MissedLimit != 3 || !strings.HasPrefix(b.Push.RTMP, "rtmp://") {
			t.Errorf("started %+v", b)
		}
		viewer.shows("starting", func(l *wire.ClientView) bool { return state(l, "8888_alice") == "starting" })
		var ack struct {
			N            int64
			DeadlineInMS int64 `json:"deadline_in_ms"`
			HeartbeatMS  int64 `json:"heartbeat_ms"`
			Held         bool
		}
		beat := func() {
			t.Helper()
			s.call("POST", "/v1/streams/8888_alice/beat", alice, `{"session":"`+b.Session+`","n":7}`).is(200).into(&ack)
		}
		beat()
		if ack.N != 7 || ack.DeadlineInMS != 185_000 || ack.HeartbeatMS != 60_000 || ack.Held {
			t.Errorf("ack %+v", ack)
		}
		viewer.shows("live", func(l *wire.ClientView) bool { return state(l, "8888_alice") == "live" })
		for range 10 {
			time.Sleep(time.Minute)
			beat()
		}
		s.call("PATCH", "/v1/streams/8888_alice", alice, `{"session":"`+b.Session+`","title":"New","tags":null}`).is(200)
		viewer.shows("the new title", func(l *wire.ClientView) bool {
			e, _ := l.Entry("8888_alice")
			return e.Title == "New" && e.State == "live" && len(e.Tags) == 0
		})
		var stopped struct{ Summary wire.Summary }
		s.call("DELETE", "/v1/streams/8888_alice?session="+b.Session, alice, "").is(200).into(&stopped)
		if d := stopped.Summary.DurationMS; d < 600_000 || d > 605_000 {
			t.Errorf("stopped after %d ms", d)
		}
		viewer.shows("nothing", func(l *wire.ClientView) bool { return l.Total() == 0 })
		p := s.call("POST", "/v1/streams/8888_alice/beat", alice, `{"session":"`+b.Session+`","n":8}`).
			refused(http.StatusConflict, wire.CodeSessionGone)
		if p.Reason != "stopped" || p.Summary == nil || p.Summary.DurationMS != stopped.Summary.DurationMS {
			t.Errorf("a late beat: %+v", p)
		}
	})
}

// TestHTTPSilence: without beats over HTTP a session ends as any other, and a
// beat right after that is a false expiration.
func TestHTTPSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		alice := s.day(auth.Anchor, "alice")
		b := s.begin(alice, `{"title":""}`)
		beat := `{"session":"` + b.Session + `","n":1}`
		s.call("POST", "/v1/streams/8888_alice/beat", alice, beat).is(200)
		time.Sleep(184 * time.Second)
		if got := s.call("GET", "/v1/streams/8888_alice", "", "").is(200).body; !strings.Contains(string(got), `"away":"missed_beat"`) {
			t.Errorf("before the third miss: %s", got)
		}
		time.Sleep(4 * time.Second)
		s.call("GET", "/v1/streams/8888_alice", "", "").refused(404, wire.CodeNotFound)
		for range 2 {
			p := s.call("POST", "/v1/streams/8888_alice/beat", alice, beat).refused(409, wire.CodeSessionGone)
			if p.Reason != "missed_beats" {
				t.Errorf("%+v", p)
			}
		}
		if n := s.metric("onair_false_expirations_total"); n != "1" {
			t.Errorf("%s false expirations", n)
		}
	})
}

// TestHTTPFencing: who may say what of which session.
func TestHTTPFencing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		alice, mallory := s.day(auth.Anchor, "alice"), s.day(auth.Anchor, "mallory")
		back, viewer := s.day(auth.Backend, "app"), s.day(auth.Viewer, "bob")
		old := s.begin(alice, `{"title":"one"}`).Session
		b := s.begin(alice, `{"title":"two"}`)
		other := s.begin(mallory, `{"title":"hers"}`).Session
		beat := func(token, code, session string) *answer {
			return s.call("POST", "/v1/streams/"+code+"/beat", token, `{"session":"`+session+`","n":1}`)
		}
		if p := beat(alice, "8888_alice", old).refused(409, wire.CodeSessionGone); p.Reason != "taken_over" {
			t.Errorf("the old session: %+v", p)
		}
		beat(mallory, "8888_alice", b.Session).refused(403, wire.CodeForbidden)
		beat(mallory, "8888_alice", other).refused(404, wire.CodeNotFound)
		beat(alice, "8888_alice", "nonsense").refused(400, wire.CodeBadRequest)
		beat(alice, "8888_alice", "").refused(400, wire.CodeBadRequest)
		beat(alice, "8888_alice", presence.NewSession().String()).refused(409, wire.CodeSessionGone)
		beat(viewer, "8888_alice", b.Session).refused(403, wire.CodeForbidden)
		beat("", "8888_alice", b.Session).refused(401, wire.CodeUnauthorized)
		beat("nonsense", "8888_alice", b.Session).refused(401, wire.CodeUnauthorized)
		s.call("DELETE", "/v1/streams/8888_alice?session="+old, alice, "").refused(409, wire.CodeSessionGone)
		s.call("PATCH", "/v1/streams/8888_alice?session="+old, alice, `{"title":"three"}`).refused(409, wire.CodeSessionGone)
		s.call("PATCH", "/v1/streams/8888_alice?session="+b.Session, mallory, `{"title":"three"}`).refused(403, wire.CodeForbidden)
		var e wire.Entry
		if s.call("GET", "/v1/streams/8888_alice", "", "").is(200).into(&e); e.Title != "two" {
			t.Errorf("title %q", e.Title)
		}
		// A back end speaks for all of its anchors, and need not name the session.
		beat(back, "8888_alice", b.Session).is(200)
		beat(back, "8888_alice", "").is(200)
		s.call("PATCH", "/v1/streams/8888_alice", back, `{"title":"four"}`).is(200)
		s.call("DELETE", "/v1/streams/8888_alice", back, "").is(200)
		s.call("DELETE", "/v1/streams/8888_alice", back, "").refused(404, wire.CodeNotFound)
	})
}

func TestBackendStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		back, alice := s.day(auth.Backend, "app"), s.day(auth.Anchor, "alice")
		if b := s.begin(back, `{"title":"","anchor":"艾丽丝","suffix":"room-7"}`); b.Stream.Code != "8888_room-7" || b.Stream.Anchor != "艾丽丝" {
			t.Errorf("%+v", b.Stream)
		}
		s.call("POST", "/v1/streams", back, `{"title":""}`).refused(400, wire.CodeBadRequest)
		s.call("POST", "/v1/streams", back, `{"title":"","anchor":"x","suffix":"a b"}`).refused(400, wire.CodeBadRequest)
		s.call("POST", "/v1/streams", back, `{"title":"","anchor":"bob","suffix":"room-7"}`).refused(409, wire.CodeCodeTaken)
		s.call("POST", "/v1/streams", alice, `{"title":"","anchor":"bob"}`).refused(403, wire.CodeForbidden)
		s.call("POST", "/v1/streams", alice, `{"title":"","suffix":"x"}`).refused(403, wire.CodeForbidden)
		s.call("POST", "/v1/streams", alice, `{"title":1}`).refused(400, wire.CodeBadRequest)
		s.call("POST", "/v1/streams", alice, `title=x`, "Content-Type: text/plain").refused(400, wire.CodeBadRequest)
		// A byte too many, all of which is read: what is not read may fail to be sent.
		s.call("POST", "/v1/streams", alice, `{"title":"`+strings.Repeat("x", rest.MaxBody-11)+`"}`).refused(400, wire.CodeBadRequest)
		s.call("POST", "/v1/streams", alice, `{"title":"","sources":["poll"]}`).refused(400, wire.CodeBadRequest)
		if n := s.metric(`onair_streams{list="live",state="starting"}`); n != "1" {
			t.Errorf("%s streams: a refused start began one", n)
		}
	})
}

// TestIdempotencyKey: what is repeated under its key is not done again.
func TestIdempotencyKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		alice, back := s.day(auth.Anchor, "alice"), s.day(auth.Backend, "app")
		key := "Idempotency-Key: k1"
		b := s.begin(alice, `{"title":"one"}`, key)
		var again started
		s.call("POST", "/v1/streams", alice, `{"title":"one"}`, key).is(200).into(&again)
		if again.Session != b.Session {
			t.Error("a repeated start began another session")
		}
		s.call("POST", "/v1/streams", alice, `{"title":"one","key":"k1"}`).is(200)
		s.call("POST", "/v1/streams", alice, `{"title":"one","key":"k2"}`, key).refused(400, wire.CodeBadRequest)
		s.call("POST", "/v1/streams", alice, `{"title":"one"}`, "Idempotency-Key: "+strings.Repeat("k", 65)).refused(400, wire.CodeBadRequest)

		patch := func(title string, headers ...string) {
			t.Helper()
			s.call("PATCH", "/v1/streams/8888_alice?session="+b.Session, alice, `{"title":"`+title+`"}`, headers...).is(200)
		}
		patch("two", key)
		patch("three")
		patch("two", key) // its answer was lost
		var e wire.Entry
		if s.call("GET", "/v1/streams/8888_alice", "", "").into(&e); e.Title != "three" {
			t.Errorf("a repeated update took effect: %q", e.Title)
		}

		like := func() { s.call("POST", "/v1/streams/8888_alice/likes", "", `{"n":5}`, key).is(200) }
		like()
		like()
		time.Sleep(2 * time.Second)
		if s.call("GET", "/v1/streams/8888_alice", "", "").into(&e); e.Likes != 5 {
			t.Errorf("%d likes", e.Likes)
		}

		var first, second json.RawMessage
		s.call("DELETE", "/v1/streams/8888_alice?session="+b.Session, alice, "", key).is(200).into(&first)
		s.call("DELETE", "/v1/streams/8888_alice?session="+b.Session, alice, "", key).is(200).into(&second)
		if string(first) != string(second) {
			t.Errorf("a repeated stop: %s, then %s", first, second)
		}
		if p := s.call("POST", "/v1/streams", alice, `{"title":"one"}`, key).refused(409, wire.CodeSessionGone); p.Reason != "stopped" {
			t.Errorf("%+v", p)
		}

		s.begin(alice, `{"title":""}`)
		s.call("DELETE", "/v1/streams/8888_alice", back, "", key).is(200).into(&first)
		s.call("DELETE", "/v1/streams/8888_alice", back, "", key).is(200).into(&second)
		s.begin(alice, `{"title":"next"}`)
		s.call("DELETE", "/v1/streams/8888_alice", back, "", key).is(200)
		if s.call("GET", "/v1/streams/8888_alice", "", "").is(200).into(&e); string(first) != string(second) || e.Title != "next" {
			t.Errorf("a back end's repeated stop: %s, then %s", first, second)
		}
		s.call("DELETE", "/v1/streams/8888_nobody", back, "", "Idempotency-Key: k9").refused(404, wire.CodeNotFound)

		s.call("POST", "/v1/streams/8888_alice/kick", back, "", key).is(200)
		s.begin(alice, `{"title":""}`)
		s.call("POST", "/v1/streams/8888_alice/kick", back, "", key).is(200)
		s.call("GET", "/v1/streams/8888_alice", "", "").is(200) // the next session was not kicked
		s.call("PUT", "/v1/bans/alice", back, "", key).is(200)
		s.call("DELETE", "/v1/bans/alice", back, "", key).is(204)
		s.call("PUT", "/v1/bans/alice", back, "", key).is(200)
		s.call("GET", "/v1/bans/alice", back, "").refused(404, wire.CodeNotFound)
	})
}

// TestHTTPInterval: a session over HTTP goes on by the interval that its client
// knows, until the client says that it beats by another.
func TestHTTPInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		alice := s.day(auth.Anchor, "alice")
		b := s.begin(alice, `{"title":""}`)
		s.setInterval(10 * time.Second)
		var ack struct {
			DeadlineInMS int64 `json:"deadline_in_ms"`
			HeartbeatMS  int64 `json:"heartbeat_ms"`
		}
		beat := func(more string) {
			t.Helper()
			s.call("POST", "/v1/streams/8888_alice/beat", alice, `{"session":"`+b.Session+`","n":1`+more+`}`).is(200).into(&ack)
		}
		beat("")
		if ack.DeadlineInMS != 185_000 || ack.HeartbeatMS != 10_000 {
			t.Errorf("told of the new interval: %+v", ack)
		}
		time.Sleep(60 * time.Second)
		beat(`,"heartbeat_ms":60000`)
		time.Sleep(60 * time.Second)
		beat(`,"heartbeat_ms":10000`)
		if ack.DeadlineInMS != 31_000 {
			t.Errorf("held to the new interval: %+v", ack)
		}
		time.Sleep(35 * time.Second)
		s.call("GET", "/v1/streams/8888_alice", "", "").refused(404, wire.CodeNotFound)
	})
}

// TestStoppedFromElsewhere: an anchor's socket is told when somebody else ends
// its session.
func TestStoppedFromElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		alice, back := s.anchor("alice"), s.day(auth.Backend, "app")
		answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: ""})
		s.call("DELETE", "/v1/streams/8888_alice", back, "").is(200)
		if e, _ := expect[*wire.Ended](alice); e.Reason != "stopped" || e.Summary == nil {
			t.Errorf("%+v", e)
		}
		if e := answerTo[*wire.Error](alice, &wire.Stop{ID: alice.id()}); e.Code != wire.CodeSessionGone {
			t.Errorf("%+v", e)
		}
		answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: ""})
		s.call("POST", "/v1/streams/8888_alice/kick", back, "").is(200)
		if e, _ := expect[*wire.Ended](alice); e.Reason != "kicked" {
			t.Errorf("%+v", e)
		}
		if code, _ := alice.closes(); code != wire.CloseRemoved {
			t.Errorf("closed with %d", code)
		}
	})
}

func TestBansOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		alice, back, admin := s.day(auth.Anchor, "alice"), s.day(auth.Backend, "app"), s.day(auth.Admin, "ops")
		s.begin(alice, `{"title":""}`)
		until := time.Now().Add(time.Hour).UnixMilli()
		var ban rest.BanView
		s.call("PUT", "/v1/bans/alice", admin, `{"reason":"spam","until":`+jsonOf(until)+`}`).is(200)
		if s.call("GET", "/v1/bans/alice", back, "").is(200).into(&ban); ban != (rest.BanView{Anchor: "alice", Until: until, Reason: "spam", By: "ops"}) {
			t.Errorf("%+v", ban)
		}
		s.call("GET", "/v1/streams/8888_alice", "", "").refused(404, wire.CodeNotFound)
		s.call("POST", "/v1/streams", alice, `{"title":""}`).refused(403, wire.CodeBanned)
		for elapsed := time.Duration(0); elapsed < 61*time.Minute; elapsed += time.Minute {
			time.Sleep(time.Minute)
		}
		s.call("GET", "/v1/bans/alice", back, "").refused(404, wire.CodeNotFound)
		s.begin(alice, `{"title":""}`)
		s.call("PUT", "/v1/bans/alice", back, "").is(200)
		s.call("DELETE", "/v1/bans/alice", back, "").is(204)
		s.call("DELETE", "/v1/bans/alice", back, "").is(204)
		s.begin(alice, `{"title":""}`)
		s.call("PUT", "/v1/bans/alice", back, `{"until":1}`).refused(400, wire.CodeBadRequest)
		s.call("PUT", "/v1/bans/alice", back, `{"reason":"`+strings.Repeat("x", 300)+`"}`).refused(400, wire.CodeBadRequest)
		s.call("PUT", "/v1/bans/"+strings.Repeat("x", 257), back, ``).refused(400, wire.CodeBadRequest)
		longest := strings.Repeat("x", 256)
		s.call("PUT", "/v1/bans/"+longest, back, "").is(200)
		s.call("DELETE", "/v1/bans/"+longest, back, "").is(204)
		s.call("PUT", "/v1/bans/alice", alice, "").refused(403, wire.CodeForbidden)
	})
}

func jsonOf(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

func TestWhyOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		back := s.day(auth.Backend, "app")
		alice := s.anchor("alice")
		b := answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "Hello"})
		why := func(query string) (a rest.Account) {
			t.Helper()
			s.call("GET", "/v1/streams/8888_alice/why"+query, back, "").is(200).into(&a)
			return a
		}
		if a := why(""); a.State != "starting" || a.Rule != "nothing_heard" || a.Session != b.Session || len(a.Evidence) != 2 || a.EndsInMS == nil {
			t.Errorf("at first: %+v", a)
		}
		alice.conn.CloseNow()
		time.Sleep(70 * time.Second)
		a := why("")
		if a.State != "away" || a.Rule != "missed_beat" || a.Explanation == "" || *a.EndsInMS < 110_000 || *a.EndsInMS > 116_000 {
			t.Errorf("silent: %+v", a)
		}
		for _, e := range a.Evidence {
			if e.AgeMS < 68_000 || e.AgeMS > 71_000 || e.Sign != "missed" && e.Sign != "detached" {
				t.Errorf("evidence %+v", e)
			}
		}
		time.Sleep(2 * time.Minute)
		if a := why("?session=" + b.Session); a.State != "ended" || a.Rule != "missed_beats" || a.Reason != "missed_beats" || len(a.Evidence) != 2 {
			t.Errorf("ended: %+v", a)
		}
		if a := why(""); a.Session != b.Session {
			t.Errorf("the last that had the code: %+v", a)
		}
		s.call("GET", "/v1/streams/8888_bob/why", back, "").refused(404, wire.CodeNotFound)
		s.call("GET", "/v1/streams/8888_bob/why?session="+b.Session, back, "").refused(404, wire.CodeNotFound)
		s.call("GET", "/v1/streams/8888_alice/why?session=x", back, "").refused(400, wire.CodeBadRequest)
		s.call("GET", "/v1/streams/8888_alice/why", s.day(auth.Anchor, "alice"), "").refused(403, wire.CodeForbidden)
		s.call("GET", "/v1/streams/8888_alice/why", "", "").refused(401, wire.CodeUnauthorized)
	})
}

// TestSessions: every session is on exactly one page.
func TestSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		back := s.day(auth.Backend, "app")
		const many = 250
		for i := range many {
			s.begin(back, `{"title":"","anchor":"a`+jsonOf(i)+`"}`)
		}
		read := func(query string) map[string]rest.SessionView {
			t.Helper()
			all := map[string]rest.SessionView{}
			for cursor := ""; ; {
				var page struct {
					Sessions []rest.SessionView
					Cursor   string
				}
				s.call("GET", "/v1/sessions?"+query+"&cursor="+cursor, back, "").is(200).into(&page)
				for _, v := range page.Sessions {
					if _, twice := all[v.Session]; twice {
						t.Errorf("%s is there twice", v.Code)
					}
					all[v.Session] = v
				}
				if len(page.Sessions) > rest.SessionsPerPage {
					t.Errorf("a page of %d", len(page.Sessions))
				}
				if cursor = page.Cursor; cursor == "" {
					return all
				}
			}
		}
		if n := len(read("state=live")); n != many {
			t.Errorf("%d live sessions", n)
		}
		if one := read("anchor=a7"); len(one) != 1 {
			t.Errorf("of one anchor: %+v", one)
		}
		time.Sleep(time.Minute)
		later := time.Now().UnixMilli()
		for i := range many {
			s.call("DELETE", "/v1/streams/8888_a"+jsonOf(i), back, "").is(200)
		}
		if n := len(read("state=ended")); n != many {
			t.Errorf("%d ended sessions", n)
		}
		for _, v := range read("state=ended&anchor=a7") {
			if v.Reason != "stopped" || v.By != "app" || v.State != "ended" || v.EndedAt < later {
				t.Errorf("%+v", v)
			}
		}
		if n := len(read("state=ended&from=" + jsonOf(later+3_600_000))); n != 0 {
			t.Errorf("%d ended in the future", n)
		}
		for _, bad := range []string{"state=x", "from=x", "cursor=-1", "from=-1"} {
			s.call("GET", "/v1/sessions?"+bad, back, "").refused(400, wire.CodeBadRequest)
		}
	})
}

func TestSignOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t, "--push.key", "pushkey", "--play.key", "playkey")
		back := s.day(auth.Backend, "app")
		until := time.Now().Add(time.Hour).UnixMilli() / 1000 * 1000
		var a struct {
			Code string
			Push struct {
				RTMP      string
				ExpiresAt int64 `json:"expires_at"`
			}
			Play          map[string]string
			PlayExpiresAt int64 `json:"play_expires_at"`
		}
		s.call("POST", "/v1/sign", back, `{"code":"anything-7","expires_at":`+jsonOf(until+7)+`}`).is(200).into(&a)
		if a.Code != "anything-7" || a.Push.ExpiresAt != until || a.PlayExpiresAt != until || len(a.Play) != 3 {
			t.Errorf("%+v", a)
		}
		_, query, _ := strings.Cut(a.Push.RTMP, "?")
		if err := s.s.Runtime.Current().PushSigner.Verify("anything-7", query, time.Now().Unix()); err != nil {
			t.Errorf("%s: %v", a.Push.RTMP, err)
		}
		s.call("POST", "/v1/sign", back, `{"code":"8888_a"}`).is(200)
		s.call("POST", "/v1/sign", back, `{"code":"a?b=c"}`).refused(400, wire.CodeBadRequest)
		s.call("POST", "/v1/sign", back, `{}`).refused(400, wire.CodeBadRequest)
		s.call("POST", "/v1/sign", back, `{"code":"a","expires_at":1000}`).refused(400, wire.CodeBadRequest)
		s.call("POST", "/v1/sign", back, `{"code":"a","expires_at":4294967295000}`).is(200)
		s.call("POST", "/v1/sign", back, `{"code":"a","expires_at":4294967296000}`).refused(400, wire.CodeBadRequest)
		s.call("POST", "/v1/sign", s.day(auth.Anchor, "alice"), `{"code":"a"}`).refused(403, wire.CodeForbidden)
		if log := s.logged(); strings.Contains(log, "txSecret") || strings.Contains(log, "pushkey") {
			t.Error("the log has a secret")
		}
	})
}

func TestETag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		alice := s.day(auth.Anchor, "alice")
		b := s.begin(alice, `{"title":"one"}`)
		first := s.call("GET", "/v1/streams", "", "").is(200)
		tag := first.header.Get("ETag")
		for _, match := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
			if a := s.call("GET", "/v1/streams", "", "", "If-None-Match: "+match).is(304); len(a.body) != 0 || a.header.Get("ETag") != tag {
				t.Errorf("%s: %+v", match, a)
			}
		}
		s.call("GET", "/v1/streams", "", "", `If-None-Match: "x"`).is(200)
		s.call("PATCH", "/v1/streams/8888_alice", alice, `{"session":"`+b.Session+`","title":"two"}`).is(200)
		if a := s.call("GET", "/v1/streams", "", "", "If-None-Match: "+tag).is(200); a.header.Get("ETag") == tag {
			t.Error("another page has the same tag")
		}
	})
}

// TestCallsTooFast: an anchor over HTTP is held to what a socket is held to.
func TestCallsTooFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t, "--limits.rate", "2", "--limits.burst", "3")
		alice, back := s.day(auth.Anchor, "alice"), s.day(auth.Backend, "app")
		b := s.begin(alice, `{"title":""}`)
		beat := func(token string) *answer {
			return s.call("POST", "/v1/streams/8888_alice/beat", token, `{"session":"`+b.Session+`","n":1}`)
		}
		beat(alice).is(200)
		beat(alice).is(200)
		if p := beat(alice).refused(429, wire.CodeRateLimited); p.RetryAfterMS != 500 {
			t.Errorf("%+v", p)
		}
		beat(back).is(200)
		s.begin(s.day(auth.Anchor, "bob"), `{"title":""}`)
		time.Sleep(500 * time.Millisecond)
		beat(alice).is(200)
	})
}

func TestLikesOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		s.begin(s.day(auth.Anchor, "alice"), `{"title":""}`)
		bob := s.day(auth.Viewer, "bob")
		for range 2 {
			s.call("POST", "/v1/streams/8888_alice/likes", bob, `{"n":100}`).is(200)
		}
		a := s.call("POST", "/v1/streams/8888_alice/likes", bob, `{"n":50}`)
		if p := a.refused(429, wire.CodeRateLimited); p.RetryAfterMS != 500 || a.header.Get("Retry-After") != "1" {
			t.Errorf("%+v, Retry-After %s", p, a.header.Get("Retry-After"))
		}
		key := "Idempotency-Key: k"
		s.call("POST", "/v1/streams/8888_alice/likes", bob, `{"n":50}`, key).is(429)
		s.call("POST", "/v1/streams/8888_alice/likes", s.day(auth.Viewer, "eve"), `{"n":50}`).is(200)
		time.Sleep(500 * time.Millisecond)
		for range 2 { // what was refused did not use its key up
			s.call("POST", "/v1/streams/8888_alice/likes", bob, `{"n":50}`, key).is(200)
		}
		s.call("POST", "/v1/streams/8888_alice/likes", bob, `{"n":101}`).refused(400, wire.CodeBadRequest)
		s.call("POST", "/v1/streams/8888_nobody/likes", bob, `{"n":1}`).refused(404, wire.CodeNotFound)
		time.Sleep(2 * time.Second)
		var e wire.Entry
		if s.call("GET", "/v1/streams/8888_alice", "", "").into(&e); e.Likes != 300 {
			t.Errorf("%d likes", e.Likes)
		}
	})
}

func TestWithoutAnonymousViewers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t, "--viewer.anonymous=false")
		for _, path := range []string{"/v1/streams", "/v1/streams/x", "/v1/streams/x/play", "/v1/streams/events"} {
			s.call("GET", path, "", "").refused(401, wire.CodeUnauthorized)
		}
		s.call("POST", "/v1/streams/x/likes", "", `{"n":1}`).refused(401, wire.CodeUnauthorized)
		for _, role := range []auth.Role{auth.Viewer, auth.Anchor, auth.Backend, auth.Admin} {
			s.call("GET", "/v1/streams", s.day(role, "x"), "").is(200)
		}
		s.call("GET", "/v1/nothing", "", "").refused(404, wire.CodeNotFound)
		s.call("PUT", "/v1/streams", "", "").refused(404, wire.CodeNotFound)
	})
}
