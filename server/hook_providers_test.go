package main

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/presence"
	"onair/server/auth"
)

// cloudKey signs callbacks of the cloud in tests.
const cloudKey = "5d41402abc4b2a76b9719d911017c592"

// cloud does what Tencent Cloud does at an event; the members are laid over those
// that every event has.
func (s *testServer) cloud(event int, members map[string]any) *answer {
	s.t.Helper()
	until := time.Now().Add(10 * time.Minute).Unix()
	sum := md5.Sum(fmt.Appendf(nil, "%s%d", cloudKey, until))
	body := map[string]any{
		"event_type": event, "appid": 1, "app": "push.example.com", "appname": "live", "stream_id": "8888_alice", "channel_id": "8888_alice",
		"event_time": time.Now().Unix(), "t": until, "sign": hex.EncodeToString(sum[:]),
	}
	maps.Copy(body, members)
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.call("POST", "/v1/hooks/tencent/s3cret", "", string(text), "Content-Type: application/json")
}

func clouded(t *testing.T, flags ...string) *testServer {
	t.Helper()
	return serveTest(t, append([]string{
		"--hooks.tencent.enabled", "true", "--hooks.tencent.secret", "s3cret", "--hooks.tencent.key", cloudKey,
	}, flags...)...)
}

func sequence(n int) map[string]any { return map[string]any{"sequence": fmt.Sprint("seq", n)} }

func TestCloudTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clouded(t)
		s.public.Peer = netip.MustParseAddrPort("203.0.113.9:1") // from anywhere
		s.begin(s.day(auth.Anchor, "alice"), `{"title":"x"}`)
		want := func(what, state string) {
			t.Helper()
			if got := s.state("8888_alice"); got != state {
				t.Errorf("%s: %s, want %s", what, got, state)
			}
		}
		if a := s.cloud(1, sequence(1)).is(200); string(a.body) != `{"code":0}` {
			t.Errorf("answered with %s", a.body)
		}
		want("begun", "live")
		late := map[string]any{"sequence": "seq0", "event_time": time.Now().Unix()}
		time.Sleep(5 * time.Second)
		s.cloud(1, sequence(2)).is(200)
		s.cloud(1, late).is(200) // an older one comes late
		s.cloud(0, map[string]any{"sequence": "seq1", "errcode": 21}).is(200)
		want("replaced by another push", "live")
		s.cloud(0, sequence(2)).is(200)
		want("ended", "away media")
		s.cloud(1, sequence(2)).is(200)
		want("its begin comes again", "away media")
		time.Sleep(35 * time.Second)
		want("after the grace", "gone")
		s.cloud(1, sequence(3)).is(200) // for nobody: the cloud is not to repeat it
		if n := s.metric(`onair_callbacks_total{event="start",provider="tencent",result="not_live"}`); n != "1" {
			t.Errorf("%s starts for nobody", n)
		}
	})
}

func TestCloudIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clouded(t, "--hooks.tencent.allow", "203.0.113.0/24")
		s.public.Peer = netip.MustParseAddrPort("203.0.113.9:1")
		s.begin(s.day(auth.Anchor, "alice"), `{"title":"x"}`)
		s.cloud(1, map[string]any{"sequence": "1", "sign": strings.Repeat("0", 32)}).refused(401, wire.CodeUnauthorized)
		old := time.Now().Add(-time.Second).Unix()
		sum := md5.Sum(fmt.Appendf(nil, "%s%d", cloudKey, old))
		s.cloud(1, map[string]any{"sequence": "1", "t": fmt.Sprint(old), "sign": hex.EncodeToString(sum[:])}).refused(403, wire.CodeForbidden)
		s.cloud(1, map[string]any{"sequence": "1", "appname": "other"}).is(200)
		s.cloud(1, map[string]any{"sequence": "1", "stream_id": "a/b"}).refused(400, wire.CodeBadRequest)
		s.cloud(1, map[string]any{"sequence": "1", "stream_param": strings.Repeat("x", 70<<10)}).refused(400, wire.CodeBadRequest)
		s.call("POST", "/v1/hooks/tencent", "", "{}").refused(404, wire.CodeNotFound)
		s.call("POST", "/v1/hooks/srs/s3cret", "", "{}").is(404)
		s.public.Peer = netip.MustParseAddrPort("198.51.100.1:1")
		s.cloud(1, sequence(1)).refused(404, wire.CodeNotFound)
		if got := s.state("8888_alice"); got != "starting" {
			t.Errorf("%s", got)
		}
		if log := s.logged(); strings.Contains(log, cloudKey) || strings.Contains(log, "s3cret") || strings.Contains(log, hex.EncodeToString(sum[:])) {
			t.Error("a secret is in the log")
		}
	})
}

func TestCloudPicture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clouded(t)
		s.begin(s.day(auth.Anchor, "alice"), `{"title":"x"}`)
		cover := func() string {
			var e wire.Entry
			s.call("GET", "/v1/streams/8888_alice", "", "").is(200).into(&e)
			return e.Cover
		}
		s.cloud(200, map[string]any{"pic_full_url": "http://x/1.jpg"}).is(200)
		s.cloud(200, map[string]any{"pic_url": "/1.jpg"}).is(200)
		if got := cover(); got != "" {
			t.Errorf("cover %s", got)
		}
		s.cloud(200, map[string]any{"pic_full_url": "https://x/2.jpg"}).is(200)
		s.cloud(200, map[string]any{"pic_full_url": "https://x/3.jpg"}).is(200)
		if got := cover(); got != "https://x/2.jpg" {
			t.Errorf("cover %s", got)
		}
		s.cloud(999, nil).is(200)
		s.cloud(332, nil).is(200)
	})
}

// TestCloudsEndIsConfirmed: where the cloud can be asked, its word that a push has
// ended counts once it says so when asked.
func TestCloudsEndIsConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		online, err := true, error(nil)
		s := servePrepared(t, openMemory(t), false, func(s *server) {
			s.confirm = func(context.Context, string) (bool, error) { return online, err }
		}, "--hooks.tencent.enabled", "true", "--hooks.tencent.secret", "s3cret", "--hooks.tencent.key", cloudKey)
		s.begin(s.day(auth.Anchor, "alice"), `{"title":"x"}`)
		s.cloud(1, sequence(1)).is(200)
		s.cloud(0, sequence(1)).is(200)
		if got := s.state("8888_alice"); got != "live" {
			t.Errorf("an end that the cloud does not know of: %s", got)
		}
		online, err = false, fmt.Errorf("no answer")
		s.cloud(0, sequence(1)).refused(503, wire.CodeUnavailable)
		if err = nil; s.cloud(0, sequence(1)).is(200).status == 200 && s.state("8888_alice") != "away media" {
			t.Errorf("a confirmed end: %s", s.state("8888_alice"))
		}
	})
}

// serverHook posts what a media server does.
func (s *testServer) serverHook(path, body string) *answer {
	s.t.Helper()
	return s.call("POST", "/v1/hooks/"+path, "", body, "Content-Type: application/json")
}

// TestMediaServersAsk: each lets in whom this server has signed for, in the words
// of each, and nobody else; a push that ends is away.
func TestMediaServersAsk(t *testing.T) {
	type words struct {
		publish, play, done func(code, query string) *answer
		yes                 int
		refused             func(*answer) bool
	}
	problem := func(a *answer) bool { return a.status == 403 }
	for name, of := range map[string]func(s *testServer) words{
		"srs": func(s *testServer) words {
			say := func(action string) func(string, string) *answer {
				return func(code, query string) *answer {
					return s.serverHook("srs/s3cret", fmt.Sprintf(`{"server_id":"v","action":%q,"client_id":"c1","app":"live","stream":%q,"param":"?%s"}`, action, code, query))
				}
			}
			return words{say("on_publish"), say("on_play"), say("on_unpublish"), 200, func(a *answer) bool {
				return a.status == 403 && strings.HasPrefix(string(a.body), `{"code":1,`)
			}}
		},
		"zlm": func(s *testServer) words {
			say := func(event, more string) func(string, string) *answer {
				return func(code, query string) *answer {
					return s.serverHook("zlm/s3cret/"+event, fmt.Sprintf(`{"mediaServerId":"z","app":"live","stream":%q,"params":%q,"schema":"rtmp"%s}`, code, query, more))
				}
			}
			return words{say("on_publish", ""), say("on_play", ""), say("on_stream_changed", `,"regist":false`), 200, func(a *answer) bool {
				return a.status == 200 && strings.HasPrefix(string(a.body), `{"code":-1,`)
			}}
		},
		"mediamtx": func(s *testServer) words {
			ask := func(action string) func(string, string) *answer {
				return func(code, query string) *answer {
					return s.serverHook("mediamtx/s3cret", fmt.Sprintf(`{"user":"u","action":%q,"path":"live/%s","protocol":"rtmp","id":"m1","query":%q}`, action, code, query))
				}
			}
			return words{ask("publish"), ask("read"), func(code, _ string) *answer {
				return s.serverHook("mediamtx/s3cret/unavailable", "path=live/"+code+"&source_id=m1")
			}, 200, problem}
		},
		"nginx_rtmp": func(s *testServer) words {
			say := func(call string) func(string, string) *answer {
				return func(code, query string) *answer { return s.callback(call, "1", code, query) }
			}
			return words{say("publish"), func(code, query string) *answer {
				return s.serverHook("nginx-rtmp/s3cret", "app=live&flashver=&swfurl=&tcurl=&pageurl=&addr=&clientid=9&call=play&name="+code+"&start=0&duration=0&reset=0&"+query)
			}, say("publish_done"), 204, problem}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				flag := "--hooks." + strings.ReplaceAll(name, "_", "-")
				s := serveTest(t, flag+".enabled", "true", flag+".secret", "s3cret")
				w := of(s)
				begun := s.begin(s.day(auth.Anchor, "alice"), `{"title":"x"}`)
				query := pushQuery(begun.Push.RTMP)
				refused := func(what string, a *answer) {
					t.Helper()
					if !w.refused(a) {
						t.Errorf("%s: %d %s", what, a.status, a.body)
					}
				}
				refused("another's signature", w.publish("8888_bob", query))
				refused("no signature", w.publish("8888_alice", "x=y"))
				w.publish("8888_alice", query).is(w.yes)
				if got := s.state("8888_alice"); got != "live" {
					t.Errorf("pushed: %s", got)
				}
				var play struct{ Play map[string]string }
				s.call("GET", "/v1/streams/8888_alice/play", "", "").is(200).into(&play)
				w.play("8888_alice", pushQuery(play.Play["rtmp"])).is(w.yes)
				refused("the push key", w.play("8888_alice", query))
				refused("another stream", w.play("8888_bob", pushQuery(play.Play["rtmp"])))
				w.done("8888_alice", query).is(w.yes)
				if got := s.state("8888_alice"); got != "away media" {
					t.Errorf("ended: %s", got)
				}
				s.call("POST", "/v1/streams/8888_alice/kick", s.day(auth.Admin, "op"), "").is(200)
				refused("after a kick", w.publish("8888_alice", query))
				refused("nobody is live", w.play("8888_alice", pushQuery(play.Play["rtmp"])))
			})
		})
	}
}

func TestMediaMTXIsShownCredentialsWhenAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t, "--hooks.mediamtx.enabled", "true")
		s.begin(s.day(auth.Anchor, "alice"), `{"title":"x"}`)
		s.serverHook("mediamtx", `{"action":"publish","path":"live/8888_alice","protocol":"rtsp","id":"m1"}`).refused(401, wire.CodeUnauthorized)
		s.serverHook("mediamtx", `{"action":"api","path":""}`).refused(400, wire.CodeBadRequest)
	})
}

// recordings are those of a page.
func (s *testServer) recordings(query, token string) (page struct {
	Recordings []recordingView
	Cursor     string
},
) {
	s.t.Helper()
	s.call("GET", "/v1/recordings"+query, token, "").is(200).into(&page)
	return page
}

func TestRecordings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clouded(t, "--recordings.min", "5s", "--vod.provider", "tencent", "--vod.key", "24FEQmTzro4V5u3D5epW")
		begun := s.begin(s.day(auth.Anchor, "alice"), `{"title":"Hello","listed":true}`)
		file := func(id string, seconds int64) map[string]any {
			return map[string]any{
				"file_id": id, "file_format": "mp4", "start_time": time.Now().Unix() - seconds, "end_time": time.Now().Unix(), "duration": seconds,
				"file_size": 7, "video_url": "http://1.vod2.myqcloud.com/a/" + id + "/f0.mp4",
			}
		}
		time.Sleep(30 * time.Second)
		s.cloud(100, file("one", 20)).is(200)
		s.cloud(100, file("short", 4)).is(200)
		s.cloud(100, file("one", 20)).is(200)
		time.Sleep(time.Second)
		page := s.recordings("", "")
		if len(page.Recordings) != 1 {
			t.Fatalf("recordings %+v", page.Recordings)
		}
		rec := page.Recordings[0]
		if rec.Code != "8888_alice" || rec.Anchor != "alice" || rec.Title != "Hello" || rec.DurationMS != 20_000 || rec.Session != "" || rec.SizeBytes != 7 {
			t.Errorf("%+v", rec)
		}
		if of := s.recordings("?anchor=alice", s.day(auth.Backend, "b")).Recordings[0]; of.Session != begun.Session {
			t.Errorf("a back end is shown session %q", of.Session)
		}
		s.call("PATCH", "/v1/streams/8888_alice?session="+begun.Session, s.day(auth.Anchor, "alice"), `{"title":"Good night"}`).is(200)
		s.call("DELETE", "/v1/streams/8888_alice?session="+begun.Session, s.day(auth.Anchor, "alice"), "").is(200)
		time.Sleep(time.Second)
		if got := s.recordings("", "").Recordings[0].Title; got != "Good night" {
			t.Errorf("after the end it is called %q", got)
		}
		s.cloud(100, file("two", 10)).is(200) // after the end
		time.Sleep(time.Second)
		if all := s.recordings("?code=8888_alice", "").Recordings; len(all) != 2 || all[0].Title != "Good night" {
			t.Errorf("%+v", all)
		}
		if none := s.recordings("?anchor=bob", "").Recordings; len(none) != 0 {
			t.Errorf("%+v", none)
		}
		var play struct {
			URLs      map[string]string
			ExpiresAt int64 `json:"expires_at"`
		}
		s.call("GET", "/v1/recordings/"+rec.ID+"/play", "", "").is(200).into(&play)
		if url := play.URLs["mp4"]; !strings.HasPrefix(url, "http://1.vod2.myqcloud.com/a/one/f0.mp4?t=") || !strings.Contains(url, "&sign=") || play.ExpiresAt <= time.Now().UnixMilli() {
			t.Errorf("play %+v", play)
		}
		s.call("GET", "/v1/recordings/none/play", "", "").refused(404, wire.CodeNotFound)
		s.call("GET", "/v1/recordings?cursor=x", "", "").refused(400, wire.CodeBadRequest)
		s.call("GET", "/v1/recordings?from=x", "", "").refused(400, wire.CodeBadRequest)
		if n := s.metric("onair_effects_waiting"); n != "0" {
			t.Errorf("%s effects wait", n)
		}
	})
}

// TestUnlistedRecordings: what was in no view is found by who knows its code.
func TestUnlistedRecordings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clouded(t, "--recordings.keep", "1h")
		s.begin(s.day(auth.Anchor, "alice"), `{"title":"x","listed":false}`)
		s.cloud(100, map[string]any{"file_id": "1", "video_url": "http://x/f.mp4", "end_time": time.Now().Unix() + 1, "duration": 1}).is(200)
		time.Sleep(time.Second)
		for query, want := range map[string]int{"": 0, "?anchor=alice": 0, "?code=8888_alice": 1} {
			if got := len(s.recordings(query, "").Recordings); got != want {
				t.Errorf("%s shows %d", query, got)
			}
		}
		if got := len(s.recordings("", s.day(auth.Admin, "op")).Recordings); got != 1 {
			t.Errorf("an operator is shown %d", got)
		}
		s.call("GET", "/v1/recordings/"+presence.RecordingID("tencent", "1")+"/play", "", "").refused(404, wire.CodeNotFound) // vod.provider is none
		time.Sleep(2 * time.Hour)
		if got := len(s.recordings("?code=8888_alice", "").Recordings); got != 0 {
			t.Errorf("%d are kept for longer than asked", got)
		}
	})
}
