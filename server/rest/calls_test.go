package rest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/presence"
	"onair/server/auth"
	"onair/server/nodetest"
	"onair/server/rest"
)

// TestBroadcastOverHTTP: an app without sockets lives by HTTP alone.
func TestBroadcastOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		alice := s.DayToken(auth.Anchor, "alice")
		viewer := s.DialViewer("")
		nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()})
		b := s.StartStream(alice, `{"title":"Hello","tags":["game"]}`)
		if b.Stream.Code != "8888_alice" || b.HeartbeatMS != 60_000 || b.MissedLimit != 3 || !strings.HasPrefix(b.Push.RTMP, "rtmp://") {
			t.Errorf("started %+v", b)
		}
		viewer.AwaitView("starting", func(l *wire.ClientView) bool { return nodetest.StateInView(l, "8888_alice") == "starting" })
		var ack struct {
			N            int64
			DeadlineInMS int64 `json:"deadline_in_ms"`
			HeartbeatMS  int64 `json:"heartbeat_ms"`
			Held         bool
		}
		beat := func() {
			t.Helper()
			s.Call("POST", "/v1/streams/8888_alice/beat", alice, `{"session":"`+b.Session+`","n":7}`).RequireStatus(200).Decode(&ack)
		}
		beat()
		if ack.N != 7 || ack.DeadlineInMS != 185_000 || ack.HeartbeatMS != 60_000 || ack.Held {
			t.Errorf("ack %+v", ack)
		}
		viewer.AwaitView("live", func(l *wire.ClientView) bool { return nodetest.StateInView(l, "8888_alice") == "live" })
		for range 10 {
			time.Sleep(time.Minute)
			beat()
		}
		s.Call("PATCH", "/v1/streams/8888_alice", alice, `{"session":"`+b.Session+`","title":"New","tags":null}`).RequireStatus(200)
		viewer.AwaitView("the new title", func(l *wire.ClientView) bool {
			e, _ := l.Entry("8888_alice")
			return e.Title == "New" && e.State == "live" && len(e.Tags) == 0
		})
		var stopped struct{ Summary wire.Summary }
		s.Call("DELETE", "/v1/streams/8888_alice?session="+b.Session, alice, "").RequireStatus(200).Decode(&stopped)
		if d := stopped.Summary.DurationMS; d < 600_000 || d > 605_000 {
			t.Errorf("stopped after %d ms", d)
		}
		viewer.AwaitView("nothing", func(l *wire.ClientView) bool { return l.Total() == 0 })
		p := s.Call("POST", "/v1/streams/8888_alice/beat", alice, `{"session":"`+b.Session+`","n":8}`).
			RequireProblem(http.StatusConflict, wire.CodeSessionGone)
		if p.Reason != "stopped" || p.Summary == nil || p.Summary.DurationMS != stopped.Summary.DurationMS {
			t.Errorf("a late beat: %+v", p)
		}
	})
}

// TestHTTPSilence: without beats over HTTP a session ends as any other, and a
// beat right after that is a false expiration.
func TestHTTPSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		alice := s.DayToken(auth.Anchor, "alice")
		b := s.StartStream(alice, `{"title":""}`)
		beat := `{"session":"` + b.Session + `","n":1}`
		s.Call("POST", "/v1/streams/8888_alice/beat", alice, beat).RequireStatus(200)
		time.Sleep(184 * time.Second)
		if got := s.Call("GET", "/v1/streams/8888_alice", "", "").RequireStatus(200).Body; !strings.Contains(string(got), `"away":"missed_beat"`) {
			t.Errorf("before the third miss: %s", got)
		}
		time.Sleep(4 * time.Second)
		s.Call("GET", "/v1/streams/8888_alice", "", "").RequireProblem(404, wire.CodeNotFound)
		for range 2 {
			p := s.Call("POST", "/v1/streams/8888_alice/beat", alice, beat).RequireProblem(409, wire.CodeSessionGone)
			if p.Reason != "missed_beats" {
				t.Errorf("%+v", p)
			}
		}
		if n := s.MetricText("onair_false_expiries_total"); n != "1" {
			t.Errorf("%s false expirations", n)
		}
	})
}

// TestHTTPFencing: who may say what of which session.
func TestHTTPFencing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		alice, mallory := s.DayToken(auth.Anchor, "alice"), s.DayToken(auth.Anchor, "mallory")
		back, viewer := s.DayToken(auth.Backend, "app"), s.DayToken(auth.Viewer, "bob")
		old := s.StartStream(alice, `{"title":"one"}`).Session
		b := s.StartStream(alice, `{"title":"two"}`)
		other := s.StartStream(mallory, `{"title":"hers"}`).Session
		beat := func(token, code, session string) *nodetest.Response {
			return s.Call("POST", "/v1/streams/"+code+"/beat", token, `{"session":"`+session+`","n":1}`)
		}
		if p := beat(alice, "8888_alice", old).RequireProblem(409, wire.CodeSessionGone); p.Reason != "taken_over" {
			t.Errorf("the old session: %+v", p)
		}
		beat(mallory, "8888_alice", b.Session).RequireProblem(403, wire.CodeForbidden)
		beat(mallory, "8888_alice", other).RequireProblem(404, wire.CodeNotFound)
		beat(alice, "8888_alice", "nonsense").RequireProblem(400, wire.CodeBadRequest)
		beat(alice, "8888_alice", "").RequireProblem(400, wire.CodeBadRequest)
		beat(alice, "8888_alice", presence.NewSession().String()).RequireProblem(409, wire.CodeSessionGone)
		beat(viewer, "8888_alice", b.Session).RequireProblem(403, wire.CodeForbidden)
		beat("", "8888_alice", b.Session).RequireProblem(401, wire.CodeUnauthorized)
		beat("nonsense", "8888_alice", b.Session).RequireProblem(401, wire.CodeUnauthorized)
		s.Call("DELETE", "/v1/streams/8888_alice?session="+old, alice, "").RequireProblem(409, wire.CodeSessionGone)
		s.Call("PATCH", "/v1/streams/8888_alice?session="+old, alice, `{"title":"three"}`).RequireProblem(409, wire.CodeSessionGone)
		s.Call("PATCH", "/v1/streams/8888_alice?session="+b.Session, mallory, `{"title":"three"}`).RequireProblem(403, wire.CodeForbidden)
		var e wire.Entry
		if s.Call("GET", "/v1/streams/8888_alice", "", "").RequireStatus(200).Decode(&e); e.Title != "two" {
			t.Errorf("title %q", e.Title)
		}
		// A back end speaks for all of its anchors, and need not name the session.
		beat(back, "8888_alice", b.Session).RequireStatus(200)
		beat(back, "8888_alice", "").RequireStatus(200)
		s.Call("PATCH", "/v1/streams/8888_alice", back, `{"title":"four"}`).RequireStatus(200)
		s.Call("DELETE", "/v1/streams/8888_alice", back, "").RequireStatus(200)
		s.Call("DELETE", "/v1/streams/8888_alice", back, "").RequireProblem(404, wire.CodeNotFound)
	})
}

func TestBackendStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		back, alice := s.DayToken(auth.Backend, "app"), s.DayToken(auth.Anchor, "alice")
		if b := s.StartStream(back, `{"title":"","anchor":"艾丽丝","suffix":"room-7"}`); b.Stream.Code != "8888_room-7" || b.Stream.Anchor != "艾丽丝" {
			t.Errorf("%+v", b.Stream)
		}
		s.Call("POST", "/v1/streams", back, `{"title":""}`).RequireProblem(400, wire.CodeBadRequest)
		s.Call("POST", "/v1/streams", back, `{"title":"","anchor":"x","suffix":"a b"}`).RequireProblem(400, wire.CodeBadRequest)
		s.Call("POST", "/v1/streams", back, `{"title":"","anchor":"bob","suffix":"room-7"}`).RequireProblem(409, wire.CodeCodeTaken)
		s.Call("POST", "/v1/streams", alice, `{"title":"","anchor":"bob"}`).RequireProblem(403, wire.CodeForbidden)
		s.Call("POST", "/v1/streams", alice, `{"title":"","suffix":"x"}`).RequireProblem(403, wire.CodeForbidden)
		s.Call("POST", "/v1/streams", alice, `{"title":1}`).RequireProblem(400, wire.CodeBadRequest)
		s.Call("POST", "/v1/streams", alice, `title=x`, "Content-Type: text/plain").RequireProblem(400, wire.CodeBadRequest)
		// A byte too many, all of which is read: what is not read may fail to be sent.
		s.Call("POST", "/v1/streams", alice, `{"title":"`+strings.Repeat("x", rest.MaxBody-11)+`"}`).RequireProblem(400, wire.CodeBadRequest)
		s.Call("POST", "/v1/streams", alice, `{"title":"","sources":["poll"]}`).RequireProblem(400, wire.CodeBadRequest)
		if n := s.MetricText(`onair_streams{list="live",state="starting"}`); n != "1" {
			t.Errorf("%s streams: a refused start began one", n)
		}
	})
}

// TestIdempotencyKey: what is repeated under its key is not done again.
func TestIdempotencyKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		alice, back := s.DayToken(auth.Anchor, "alice"), s.DayToken(auth.Backend, "app")
		key := "Idempotency-Key: k1"
		b := s.StartStream(alice, `{"title":"one"}`, key)
		var again nodetest.StartResult
		s.Call("POST", "/v1/streams", alice, `{"title":"one"}`, key).RequireStatus(200).Decode(&again)
		if again.Session != b.Session {
			t.Error("a repeated start began another session")
		}
		s.Call("POST", "/v1/streams", alice, `{"title":"one","key":"k1"}`).RequireStatus(200)
		s.Call("POST", "/v1/streams", alice, `{"title":"one","key":"k2"}`, key).RequireProblem(400, wire.CodeBadRequest)
		s.Call("POST", "/v1/streams", alice, `{"title":"one"}`, "Idempotency-Key: "+strings.Repeat("k", 65)).RequireProblem(400, wire.CodeBadRequest)

		patch := func(title string, headers ...string) {
			t.Helper()
			s.Call("PATCH", "/v1/streams/8888_alice?session="+b.Session, alice, `{"title":"`+title+`"}`, headers...).RequireStatus(200)
		}
		patch("two", key)
		patch("three")
		patch("two", key) // its answer was lost
		var e wire.Entry
		if s.Call("GET", "/v1/streams/8888_alice", "", "").Decode(&e); e.Title != "three" {
			t.Errorf("a repeated update took effect: %q", e.Title)
		}

		like := func() { s.Call("POST", "/v1/streams/8888_alice/likes", "", `{"n":5}`, key).RequireStatus(200) }
		like()
		like()
		time.Sleep(2 * time.Second)
		if s.Call("GET", "/v1/streams/8888_alice", "", "").Decode(&e); e.Likes != 5 {
			t.Errorf("%d likes", e.Likes)
		}

		var first, second json.RawMessage
		s.Call("DELETE", "/v1/streams/8888_alice?session="+b.Session, alice, "", key).RequireStatus(200).Decode(&first)
		s.Call("DELETE", "/v1/streams/8888_alice?session="+b.Session, alice, "", key).RequireStatus(200).Decode(&second)
		if string(first) != string(second) {
			t.Errorf("a repeated stop: %s, then %s", first, second)
		}
		if p := s.Call("POST", "/v1/streams", alice, `{"title":"one"}`, key).RequireProblem(409, wire.CodeSessionGone); p.Reason != "stopped" {
			t.Errorf("%+v", p)
		}

		s.StartStream(alice, `{"title":""}`)
		s.Call("DELETE", "/v1/streams/8888_alice", back, "", key).RequireStatus(200).Decode(&first)
		s.Call("DELETE", "/v1/streams/8888_alice", back, "", key).RequireStatus(200).Decode(&second)
		s.StartStream(alice, `{"title":"next"}`)
		s.Call("DELETE", "/v1/streams/8888_alice", back, "", key).RequireStatus(200)
		if s.Call("GET", "/v1/streams/8888_alice", "", "").RequireStatus(200).Decode(&e); string(first) != string(second) || e.Title != "next" {
			t.Errorf("a back end's repeated stop: %s, then %s", first, second)
		}
		s.Call("DELETE", "/v1/streams/8888_nobody", back, "", "Idempotency-Key: k9").RequireProblem(404, wire.CodeNotFound)

		s.Call("POST", "/v1/streams/8888_alice/kick", back, "", key).RequireStatus(200)
		s.StartStream(alice, `{"title":""}`)
		s.Call("POST", "/v1/streams/8888_alice/kick", back, "", key).RequireStatus(200)
		s.Call("GET", "/v1/streams/8888_alice", "", "").RequireStatus(200) // the next session was not kicked
		s.Call("PUT", "/v1/bans/alice", back, "", key).RequireStatus(200)
		s.Call("DELETE", "/v1/bans/alice", back, "", key).RequireStatus(204)
		s.Call("PUT", "/v1/bans/alice", back, "", key).RequireStatus(200)
		s.Call("GET", "/v1/bans/alice", back, "").RequireProblem(404, wire.CodeNotFound)
	})
}

// TestHTTPInterval: a session over HTTP goes on by the interval that its client
// knows, until the client says that it beats by another.
func TestHTTPInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		alice := s.DayToken(auth.Anchor, "alice")
		b := s.StartStream(alice, `{"title":""}`)
		s.SetHeartbeatInterval(10 * time.Second)
		var ack struct {
			DeadlineInMS int64 `json:"deadline_in_ms"`
			HeartbeatMS  int64 `json:"heartbeat_ms"`
		}
		beat := func(more string) {
			t.Helper()
			s.Call("POST", "/v1/streams/8888_alice/beat", alice, `{"session":"`+b.Session+`","n":1`+more+`}`).RequireStatus(200).Decode(&ack)
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
		s.Call("GET", "/v1/streams/8888_alice", "", "").RequireProblem(404, wire.CodeNotFound)
	})
}

// TestStoppedFromElsewhere: an anchor's socket is told when somebody else ends
// its session.
func TestStoppedFromElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		alice, back := s.DialAnchor("alice"), s.DayToken(auth.Backend, "app")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""})
		s.Call("DELETE", "/v1/streams/8888_alice", back, "").RequireStatus(200)
		if e, _ := nodetest.AwaitMessage[*wire.Ended](alice); e.Reason != "stopped" || e.Summary == nil {
			t.Errorf("%+v", e)
		}
		if e := nodetest.RequestReply[*wire.Error](alice, &wire.Stop{ID: alice.NextID()}); e.Code != wire.CodeSessionGone {
			t.Errorf("%+v", e)
		}
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""})
		s.Call("POST", "/v1/streams/8888_alice/kick", back, "").RequireStatus(200)
		if e, _ := nodetest.AwaitMessage[*wire.Ended](alice); e.Reason != "kicked" {
			t.Errorf("%+v", e)
		}
		if code, _ := alice.AwaitClose(); code != wire.CloseRemoved {
			t.Errorf("closed with %d", code)
		}
	})
}

func TestBansOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		alice, back, admin := s.DayToken(auth.Anchor, "alice"), s.DayToken(auth.Backend, "app"), s.DayToken(auth.Admin, "ops")
		s.StartStream(alice, `{"title":""}`)
		until := time.Now().Add(time.Hour).UnixMilli()
		var ban rest.BanView
		s.Call("PUT", "/v1/bans/alice", admin, `{"reason":"spam","until":`+nodetest.JSON(until)+`}`).RequireStatus(200)
		if s.Call("GET", "/v1/bans/alice", back, "").RequireStatus(200).Decode(&ban); ban != (rest.BanView{Anchor: "alice", Until: until, Reason: "spam", By: "ops"}) {
			t.Errorf("%+v", ban)
		}
		s.Call("GET", "/v1/streams/8888_alice", "", "").RequireProblem(404, wire.CodeNotFound)
		s.Call("POST", "/v1/streams", alice, `{"title":""}`).RequireProblem(403, wire.CodeBanned)
		for elapsed := time.Duration(0); elapsed < 61*time.Minute; elapsed += time.Minute {
			time.Sleep(time.Minute)
		}
		s.Call("GET", "/v1/bans/alice", back, "").RequireProblem(404, wire.CodeNotFound)
		s.StartStream(alice, `{"title":""}`)
		s.Call("PUT", "/v1/bans/alice", back, "").RequireStatus(200)
		s.Call("DELETE", "/v1/bans/alice", back, "").RequireStatus(204)
		s.Call("DELETE", "/v1/bans/alice", back, "").RequireStatus(204)
		s.StartStream(alice, `{"title":""}`)
		s.Call("PUT", "/v1/bans/alice", back, `{"until":1}`).RequireProblem(400, wire.CodeBadRequest)
		s.Call("PUT", "/v1/bans/alice", back, `{"reason":"`+strings.Repeat("x", 300)+`"}`).RequireProblem(400, wire.CodeBadRequest)
		s.Call("PUT", "/v1/bans/"+strings.Repeat("x", 257), back, ``).RequireProblem(400, wire.CodeBadRequest)
		longest := strings.Repeat("x", 256)
		s.Call("PUT", "/v1/bans/"+longest, back, "").RequireStatus(200)
		s.Call("DELETE", "/v1/bans/"+longest, back, "").RequireStatus(204)
		s.Call("PUT", "/v1/bans/alice", alice, "").RequireProblem(403, wire.CodeForbidden)
	})
}

func TestWhyOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		back := s.DayToken(auth.Backend, "app")
		alice := s.DialAnchor("alice")
		b := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
		why := func(query string) (a rest.ExplanationView) {
			t.Helper()
			s.Call("GET", "/v1/streams/8888_alice/why"+query, back, "").RequireStatus(200).Decode(&a)
			return a
		}
		if a := why(""); a.State != "starting" || a.Rule != "nothing_heard" || a.Session != b.Session || len(a.Evidence) != 2 || a.EndsInMS == nil {
			t.Errorf("at first: %+v", a)
		}
		alice.Conn.CloseNow()
		time.Sleep(70 * time.Second)
		a := why("")
		if a.State != "away" || a.Rule != "missed_beat" || a.Explanation == "" || *a.EndsInMS < 110_000 || *a.EndsInMS > 116_000 {
			t.Errorf("silent: %+v", a)
		}
		for _, e := range a.Evidence {
			if e.AgeMS < 68_000 || e.AgeMS > 71_000 || e.Signal != "missed" && e.Signal != "detached" {
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
		s.Call("GET", "/v1/streams/8888_bob/why", back, "").RequireProblem(404, wire.CodeNotFound)
		s.Call("GET", "/v1/streams/8888_bob/why?session="+b.Session, back, "").RequireProblem(404, wire.CodeNotFound)
		s.Call("GET", "/v1/streams/8888_alice/why?session=x", back, "").RequireProblem(400, wire.CodeBadRequest)
		s.Call("GET", "/v1/streams/8888_alice/why", s.DayToken(auth.Anchor, "alice"), "").RequireProblem(403, wire.CodeForbidden)
		s.Call("GET", "/v1/streams/8888_alice/why", "", "").RequireProblem(401, wire.CodeUnauthorized)
	})
}

// TestSessions: every session is on exactly one page.
func TestSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		back := s.DayToken(auth.Backend, "app")
		const many = 250
		for i := range many {
			s.StartStream(back, `{"title":"","anchor":"a`+nodetest.JSON(i)+`"}`)
		}
		read := func(query string) map[string]rest.SessionView {
			t.Helper()
			all := map[string]rest.SessionView{}
			for cursor := ""; ; {
				var page struct {
					Sessions []rest.SessionView
					Cursor   string
				}
				s.Call("GET", "/v1/sessions?"+query+"&cursor="+cursor, back, "").RequireStatus(200).Decode(&page)
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
			s.Call("DELETE", "/v1/streams/8888_a"+nodetest.JSON(i), back, "").RequireStatus(200)
		}
		if n := len(read("state=ended")); n != many {
			t.Errorf("%d ended sessions", n)
		}
		for _, v := range read("state=ended&anchor=a7") {
			if v.Reason != "stopped" || v.By != "app" || v.State != "ended" || v.EndedAt < later {
				t.Errorf("%+v", v)
			}
		}
		if n := len(read("state=ended&from=" + nodetest.JSON(later+3_600_000))); n != 0 {
			t.Errorf("%d ended in the future", n)
		}
		for _, bad := range []string{"state=x", "from=x", "cursor=-1", "from=-1"} {
			s.Call("GET", "/v1/sessions?"+bad, back, "").RequireProblem(400, wire.CodeBadRequest)
		}
	})
}

func TestSignOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--push.key", "pushkey", "--play.key", "playkey")
		back := s.DayToken(auth.Backend, "app")
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
		s.Call("POST", "/v1/sign", back, `{"code":"anything-7","expires_at":`+nodetest.JSON(until+7)+`}`).RequireStatus(200).Decode(&a)
		if a.Code != "anything-7" || a.Push.ExpiresAt != until || a.PlayExpiresAt != until || len(a.Play) != 3 {
			t.Errorf("%+v", a)
		}
		_, query, _ := strings.Cut(a.Push.RTMP, "?")
		if err := s.Node.Runtime.Current().PushSigner.Verify("anything-7", query, time.Now().Unix()); err != nil {
			t.Errorf("%s: %v", a.Push.RTMP, err)
		}
		s.Call("POST", "/v1/sign", back, `{"code":"8888_a"}`).RequireStatus(200)
		s.Call("POST", "/v1/sign", back, `{"code":"a?b=c"}`).RequireProblem(400, wire.CodeBadRequest)
		s.Call("POST", "/v1/sign", back, `{}`).RequireProblem(400, wire.CodeBadRequest)
		s.Call("POST", "/v1/sign", back, `{"code":"a","expires_at":1000}`).RequireProblem(400, wire.CodeBadRequest)
		s.Call("POST", "/v1/sign", back, `{"code":"a","expires_at":4294967295000}`).RequireStatus(200)
		s.Call("POST", "/v1/sign", back, `{"code":"a","expires_at":4294967296000}`).RequireProblem(400, wire.CodeBadRequest)
		s.Call("POST", "/v1/sign", s.DayToken(auth.Anchor, "alice"), `{"code":"a"}`).RequireProblem(403, wire.CodeForbidden)
		if log := s.Log(); strings.Contains(log, "txSecret") || strings.Contains(log, "pushkey") {
			t.Error("the log has a secret")
		}
	})
}

func TestETag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		alice := s.DayToken(auth.Anchor, "alice")
		b := s.StartStream(alice, `{"title":"one"}`)
		first := s.Call("GET", "/v1/streams", "", "").RequireStatus(200)
		tag := first.Header.Get("ETag")
		for _, match := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
			if a := s.Call("GET", "/v1/streams", "", "", "If-None-Match: "+match).RequireStatus(304); len(a.Body) != 0 || a.Header.Get("ETag") != tag {
				t.Errorf("%s: %+v", match, a)
			}
		}
		s.Call("GET", "/v1/streams", "", "", `If-None-Match: "x"`).RequireStatus(200)
		s.Call("PATCH", "/v1/streams/8888_alice", alice, `{"session":"`+b.Session+`","title":"two"}`).RequireStatus(200)
		if a := s.Call("GET", "/v1/streams", "", "", "If-None-Match: "+tag).RequireStatus(200); a.Header.Get("ETag") == tag {
			t.Error("another page has the same tag")
		}
	})
}

// TestCallsTooFast: an anchor over HTTP is held to what a socket is held to.
func TestCallsTooFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--limits.rate", "2", "--limits.burst", "3")
		alice, back := s.DayToken(auth.Anchor, "alice"), s.DayToken(auth.Backend, "app")
		b := s.StartStream(alice, `{"title":""}`)
		beat := func(token string) *nodetest.Response {
			return s.Call("POST", "/v1/streams/8888_alice/beat", token, `{"session":"`+b.Session+`","n":1}`)
		}
		beat(alice).RequireStatus(200)
		beat(alice).RequireStatus(200)
		if p := beat(alice).RequireProblem(429, wire.CodeRateLimited); p.RetryAfterMS != 500 {
			t.Errorf("%+v", p)
		}
		beat(back).RequireStatus(200)
		s.StartStream(s.DayToken(auth.Anchor, "bob"), `{"title":""}`)
		time.Sleep(500 * time.Millisecond)
		beat(alice).RequireStatus(200)
	})
}

func TestLikesOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		s.StartStream(s.DayToken(auth.Anchor, "alice"), `{"title":""}`)
		bob := s.DayToken(auth.Viewer, "bob")
		for range 2 {
			s.Call("POST", "/v1/streams/8888_alice/likes", bob, `{"n":100}`).RequireStatus(200)
		}
		a := s.Call("POST", "/v1/streams/8888_alice/likes", bob, `{"n":50}`)
		if p := a.RequireProblem(429, wire.CodeRateLimited); p.RetryAfterMS != 500 || a.Header.Get("Retry-After") != "1" {
			t.Errorf("%+v, Retry-After %s", p, a.Header.Get("Retry-After"))
		}
		key := "Idempotency-Key: k"
		s.Call("POST", "/v1/streams/8888_alice/likes", bob, `{"n":50}`, key).RequireStatus(429)
		s.Call("POST", "/v1/streams/8888_alice/likes", s.DayToken(auth.Viewer, "eve"), `{"n":50}`).RequireStatus(200)
		time.Sleep(500 * time.Millisecond)
		for range 2 { // what was refused did not use its key up
			s.Call("POST", "/v1/streams/8888_alice/likes", bob, `{"n":50}`, key).RequireStatus(200)
		}
		s.Call("POST", "/v1/streams/8888_alice/likes", bob, `{"n":101}`).RequireProblem(400, wire.CodeBadRequest)
		s.Call("POST", "/v1/streams/8888_nobody/likes", bob, `{"n":1}`).RequireProblem(404, wire.CodeNotFound)
		time.Sleep(2 * time.Second)
		var e wire.Entry
		if s.Call("GET", "/v1/streams/8888_alice", "", "").Decode(&e); e.Likes != 300 {
			t.Errorf("%d likes", e.Likes)
		}
	})
}

// TestAmbiguousCodes: a warning says that the signed push URL of one stream may fit another, as
// soon as the ids of anchors make it so, and once.
func TestAmbiguousCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		const warning = "live codes are ambiguous"
		for _, anchor := range []string{"room1", "room2", "other"} {
			s.StartStream(s.DayToken(auth.Anchor, anchor), `{"title":""}`)
		}
		if strings.Contains(s.Log(), warning) {
			t.Error("a warning without a reason")
		}
		for _, anchor := range []string{"room12", "room2f0"} {
			s.StartStream(s.DayToken(auth.Anchor, anchor), `{"title":""}`)
		}
		if log := s.Log(); strings.Count(log, warning) != 1 || !strings.Contains(log, `"stream":"8888_room12","similar":"8888_room1"`) {
			t.Error(log)
		}
	})
}

// TestCredentialsForProxies: a browser sends the credentials of a site behind basic
// authentication with every request. They are no token.
func TestCredentialsForProxies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--viewer.anonymous=true")
		const basic = "Authorization: Basic c3RhZ2luZzpzdGFnaW5n"
		s.Call("GET", "/v1/streams", "", "", basic).RequireStatus(200)
		problem := s.Call("POST", "/v1/streams", "", `{"title":"x"}`, basic).RequireProblem(401, wire.CodeUnauthorized)
		if !strings.Contains(problem.Detail, "Bearer") {
			t.Errorf("detail %q does not name the scheme", problem.Detail)
		}
		viewer := nodetest.DialRaw(s)
		defer viewer.Close()
		if err := viewer.Upgrade("/v1/viewer", basic); err != nil {
			t.Errorf("socket: %v", err)
		}
	})
}

func TestWithoutAnonymousViewers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--viewer.anonymous=false")
		for _, path := range []string{"/v1/streams", "/v1/streams/x", "/v1/streams/x/play", "/v1/streams/events"} {
			s.Call("GET", path, "", "").RequireProblem(401, wire.CodeUnauthorized)
		}
		s.Call("POST", "/v1/streams/x/likes", "", `{"n":1}`).RequireProblem(401, wire.CodeUnauthorized)
		for _, role := range []auth.Role{auth.Viewer, auth.Anchor, auth.Backend, auth.Admin} {
			s.Call("GET", "/v1/streams", s.DayToken(role, "x"), "").RequireStatus(200)
		}
		s.Call("GET", "/v1/nothing", "", "").RequireProblem(404, wire.CodeNotFound)
		s.Call("PUT", "/v1/streams", "", "").RequireProblem(404, wire.CodeNotFound)
	})
}
