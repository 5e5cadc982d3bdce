package callbacks_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/presence"
	"onair/presence/presencetest"
	"onair/server/auth"
	"onair/server/cloud"
	"onair/server/nodetest"
)

// post is one callback: the event in its path, if any, and its body.
type post struct{ event, body string }

// mediaServer is how one kind of media server speaks.
type mediaServer struct {
	key     string // of its configuration
	ask     func(client, code, query string) post
	begun   func(client, code string) []post // where that is told apart
	done    func(client, code, query string) []post
	play    func(code, query string) post
	record  func(code, query string) post
	file    string // that record tells of
	yes     string // the answer to those who ask
	refuses func(*nodetest.Response) bool
}

// status is how those refuse that are asked for a status.
func status(codes ...int) func(*nodetest.Response) bool {
	return func(a *nodetest.Response) bool {
		return slices.Contains(codes, a.Status)
	}
}

func mediaServers() map[string]mediaServer {
	srs := func(action, more string) post {
		return post{"", `{"action":"` + action + `","server_id":"vid-1","ip":"10.1.2.3","vhost":"__defaultVhost__","app":"live",` + more + `}`}
	}
	nginx := func(client, call, name, query string) post {
		return post{"", "app=live&flashver=&swfurl=&tcurl=rtmp://x/live&pageurl=&addr=10.1.2.3&clientid=" + client + "&call=" + call + name + "&" + query}
	}
	zlm := func(event, more, code string) post {
		return post{event, `{"mediaServerId":"z","vhost":"__defaultVhost__","app":"live",` + more + `,"stream":"` + code + `"}`}
	}
	schemas := func(regist bool, code string) (all []post) {
		for _, schema := range []string{"rtmp", "rtsp", "ts", "fmp4", "hls"} {
			all = append(all, zlm("on_stream_changed", fmt.Sprintf(`"regist":%t,"schema":%q`, regist, schema), code))
		}
		return all
	}
	media := func(action, code, query string) post {
		return post{"", `{"user":"","password":"","token":"","ip":"10.1.2.3","action":"` + action + `","path":"live/` + code + `","protocol":"rtmp","id":"x","query":"` + query + `"}`}
	}
	return map[string]mediaServer{
		"srs": {
			key: "srs", yes: `{"code":0}`, file: "/srs/html/live/a.flv",
			ask: func(client, code, query string) post {
				return srs("on_publish", `"client_id":"`+client+`","stream":"`+code+`","param":"?`+query+`"`)
			},
			begun: func(string, string) []post { return nil },
			done: func(client, code, query string) []post {
				return []post{srs("on_unpublish", `"client_id":"`+client+`","stream":"`+code+`","param":"?`+query+`"`)}
			},
			play: func(code, query string) post {
				return srs("on_play", `"client_id":"p","stream":"`+code+`","param":"?`+query+`","pageUrl":""`)
			},
			record: func(code, query string) post {
				return srs("on_dvr", `"client_id":"a","stream":"`+code+`","param":"?`+query+`","cwd":"/srs","file":"./html/live/a.flv"`)
			},
			refuses: func(a *nodetest.Response) bool {
				var body struct{ Code int }
				a.Decode(&body)
				return a.Status == 403 && body.Code == 403
			},
		},
		"nginx-rtmp": {
			key: "nginx-rtmp", file: "/rec/a.flv",
			ask: func(client, code, query string) post {
				return nginx(client, "publish", "&name="+code+"&type=live", query)
			},
			begun: func(string, string) []post { return nil },
			done: func(client, code, query string) []post {
				return []post{nginx(client, "publish_done", "&name="+code, query)}
			},
			play: func(code, query string) post {
				return nginx("9", "play", "&name="+code+"&start=0&duration=0&reset=0", query)
			},
			record: func(code, query string) post {
				return nginx("9", "record_done", "&recorder=&name="+code+"&path=/rec/a.flv", query)
			},
			refuses: status(403),
		},
		"mediamtx": {
			key: "mediamtx", file: "/rec/a.mp4",
			ask: func(_, code, query string) post { return media("publish", code, query) },
			begun: func(client, code string) []post {
				return []post{{"available", "path=live/" + code + "&source_id=" + client}}
			},
			done: func(client, code, _ string) []post {
				return []post{{"unavailable", "path=live/" + code + "&source_id=" + client}}
			},
			play: func(code, query string) post { return media("read", code, query) },
			record: func(code, _ string) post {
				return post{"record", "path=live/" + code + "&segment_path=/rec/a.mp4&segment_duration=12.5"}
			},
			refuses: status(401, 403),
		},
		"zlm": {
			key: "zlm", yes: `{"code":0,"msg":"success"}`, file: "/rec/a.mp4",
			ask:   func(_, code, query string) post { return zlm("on_publish", `"params":"`+query+`","id":"1-2"`, code) },
			begun: func(_, code string) []post { return schemas(true, code) },
			done:  func(_, code, _ string) []post { return schemas(false, code) },
			play:  func(code, query string) post { return zlm("on_play", `"params":"`+query+`","id":"1-3"`, code) },
			record: func(code, _ string) post {
				return zlm("on_record_mp4", `"file_path":"/rec/a.mp4","start_time":946684790,"time_len":9.5,"file_size":7`, code)
			},
			refuses: func(a *nodetest.Response) bool {
				var body struct{ Code int }
				a.Decode(&body)
				return a.Status == 200 && body.Code == 403
			},
		},
	}
}

// posted makes a callback to a provider whose secret is s3cret.
func sendCallback(s *nodetest.Server, provider string, p post) *nodetest.Response {
	s.T.Helper()
	path := "/v1/hooks/" + provider + "/s3cret"
	if p.event != "" {
		path += "/" + p.event
	}
	return s.Call("POST", path, "", p.body)
}

// witnessed is a log that remembers what was appended.
type witnessed struct {
	presence.Log
	mu   sync.Mutex // guards said
	said bytes.Buffer
}

// Append implements presence.Log.
func (l *witnessed) Append(ctx context.Context, b presence.SealedBatch) error {
	l.mu.Lock()
	l.said.Write(b.Bytes)
	l.mu.Unlock()
	return l.Log.Append(ctx, b)
}

// times is how often a text was appended.
func (l *witnessed) times(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.said.String(), text)
}

// holds reports whether a command was appended, with all that it says.
func (l *witnessed) holds(c presence.Command) bool {
	none, one := presence.Batch{}, presence.Batch{Commands: []presence.Command{c}}
	return l.times(string(one.Seal().Bytes[len(none.Seal().Bytes):])) > 0
}

// playQuery is the query of a play URL of a live stream.
func playQuery(s *nodetest.Server, code, protocol string) string {
	s.T.Helper()
	var a struct{ Play map[string]string }
	s.Call("GET", "/v1/streams/"+code+"/play", "", "").RequireStatus(200).Decode(&a)
	return nodetest.PushQuery(a.Play[protocol])
}

// TestMediaServers: the same is asked and told in the words of each, and answered
// in them.
func TestMediaServers(t *testing.T) {
	for name, m := range mediaServers() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &witnessed{Log: nodetest.OpenMemory(t)}
				s := nodetest.ServeLog(t, log, "--hooks."+m.key+".enabled", "true", "--hooks."+m.key+".secret", "s3cret", "--play.templates", "hd=550")
				alice, mallory := s.DialAnchor("alice"), s.DialAnchor("mallory")
				query := nodetest.PushQuery(nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""}).Push.RTMP)
				hers := nodetest.PushQuery(nodetest.RequestReply[*wire.Started](mallory, &wire.Start{ID: mallory.NextID(), Title: ""}).Push.RTMP)
				yes := func(what string, p post) {
					t.Helper()
					if a := sendCallback(s, name, p); a.Status >= 300 || strings.TrimSpace(string(a.Body)) != m.yes {
						t.Errorf("%s: status %d, %s", what, a.Status, a.Body)
					}
				}
				no := func(what string, p post) {
					t.Helper()
					if a := sendCallback(s, name, p); !m.refuses(a) {
						t.Errorf("%s: status %d, %s", what, a.Status, a.Body)
					}
				}
				is := func(what, state string) {
					t.Helper()
					if got := s.StreamState("8888_alice"); got != state {
						t.Errorf("%s: %s, want %s", what, got, state)
					}
				}
				tell := func(all []post) {
					t.Helper()
					for _, p := range all {
						yes("told", p)
					}
				}
				push := func(client string) {
					t.Helper()
					yes("push", m.ask(client, "8888_alice", query))
					tell(m.begun(client, "8888_alice"))
				}
				no("unsigned", m.ask("1", "8888_alice", ""))
				no("of another stream", m.ask("1", "8888_alice", hers))
				no("under another app", post{m.ask("1", "8888_alice", query).event, strings.NewReplacer("app=live", "app=x", `"app":"live"`, `"app":"x"`, `"live/`, `"x/`).Replace(m.ask("1", "8888_alice", query).body)})
				no("a play under the push key", m.play("8888_alice", query))
				is("refused", "starting")
				push("1")
				push("1")
				is("pushed", "live")
				tell(m.done("1", "8888_alice", query))
				is("ended", "away media")
				tell(m.done("1", "8888_alice", query))
				push("2")
				is("pushed again", "live")

				played := playQuery(s, "8888_alice", "rtmp")
				yes("play", m.play("8888_alice", played))
				yes("a transcoded one", m.play("8888_alice_550", playQuery(s, "8888_alice", "rtmp_hd")))
				no("of another", m.play("8888_mallory", played))
				no("another transcoding", m.play("8888_alice_900", played))

				yes("a recording", m.record("8888_alice", query))
				if n := log.times(m.file); n == 0 {
					t.Error("the recording is not in the log")
				}
				s.Call("POST", "/v1/streams/8888_alice/kick", s.DayToken(auth.Admin, "op"), "").RequireStatus(200)
				no("after a kick", m.ask("3", "8888_alice", query))
				no("played after a kick", m.play("8888_alice", played))
				tell(m.done("2", "8888_alice", query))
				yes("a recording that comes late", m.record("8888_alice", query))
				if text := s.Log(); strings.Contains(text, "txSecret") || strings.Contains(text, "s3cret") || strings.Contains(text, query[9:41]) {
					t.Errorf("a secret is in the log: %s", text)
				}
			})
		})
	}
}

// TestRecordingOfAnother: nginx-rtmp can be made to tell of one's recording as
// another's, whose signature that has not.
func TestRecordingOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &witnessed{Log: nodetest.OpenMemory(t)}
		s := nodetest.ServeLog(t, log, "--hooks.nginx-rtmp.enabled", "true", "--hooks.nginx-rtmp.secret", "s3cret", "--push.ttl", "1m")
		_, query := s.DialPublishingAnchor("alice")
		_, hers := s.DialPublishingAnchor("mallory")
		record := mediaServers()["nginx-rtmp"].record
		sendCallback(s, "nginx-rtmp", record("8888_alice", hers)).RequireProblem(403, wire.CodeForbidden)
		sendCallback(s, "nginx-rtmp", record("8888_alice", "")).RequireProblem(403, wire.CodeForbidden)
		if n := log.times("/rec/a.flv"); n != 0 {
			t.Error("the recording of another is kept")
		}
		time.Sleep(2 * time.Minute) // the signature has expired, and the push had begun in time
		sendCallback(s, "nginx-rtmp", record("8888_alice", query)).RequireStatus(204)
		if n := log.times("/rec/a.flv"); n == 0 {
			t.Error("the recording is not kept")
		}
	})
}

// TestRecordingIsDurable: a recording that could not be kept is not taken for
// kept.
func TestRecordingIsDurable(t *testing.T) {
	for name, m := range mediaServers() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := presencetest.NewFaultyLog(nodetest.OpenMemory(t))
				s := nodetest.ServeLog(t, log, "--hooks."+m.key+".enabled", "true", "--hooks."+m.key+".secret", "s3cret")
				alice := s.DialAnchor("alice")
				query := nodetest.PushQuery(nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""}).Push.RTMP)
				log.SetDiskFull(true)
				if a := sendCallback(s, name, m.record("8888_alice", query)); a.Status != 503 {
					t.Errorf("status %d while nothing can be kept", a.Status)
				}
				log.SetDiskFull(false)
				if a := sendCallback(s, name, m.record("8888_alice", query)); a.Status >= 300 {
					t.Errorf("status %d", a.Status)
				}
			})
		})
	}
}

// TestSchemas: of one push ZLMediaKit tells for each schema. The picture comes
// with the first, and is gone with the last.
func TestSchemas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--hooks.zlm.enabled", "true", "--hooks.zlm.secret", "s3cret")
		alice := s.DialAnchor("alice")
		query := nodetest.PushQuery(nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""}).Push.RTMP)
		zlm := mediaServers()["zlm"]
		sendCallback(s, "zlm", zlm.ask("", "8888_alice", query)).RequireStatus(200)
		if got := s.StreamState("8888_alice"); got != "starting" {
			t.Errorf("let in, and not begun: %s", got)
		}
		begun, done := zlm.begun("", "8888_alice"), zlm.done("", "8888_alice", "")
		for i, p := range begun {
			sendCallback(s, "zlm", p).RequireStatus(200)
			if got := s.StreamState("8888_alice"); got != "live" {
				t.Errorf("schema %d begun: %s", i, got)
			}
		}
		for i, p := range done {
			if got := s.StreamState("8888_alice"); got != "live" {
				t.Errorf("before schema %d ended: %s", i, got)
			}
			sendCallback(s, "zlm", p).RequireStatus(200)
		}
		if got := s.StreamState("8888_alice"); got != "away media" {
			t.Errorf("all ended: %s", got)
		}
		a := sendCallback(s, "zlm", post{"on_stream_none_reader", `{"schema":"rtmp","app":"live","stream":"8888_alice"}`})
		if got := strings.TrimSpace(string(a.Body)); got != `{"code":0,"msg":"success","close":false}` {
			t.Errorf("nobody reads: %s", got)
		}
	})
}

// TestLateEnd: an end that its server had to repeat, and that the next begin has
// overtaken, changes nothing.
func TestLateEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--hooks.zlm.enabled", "true", "--hooks.zlm.secret", "s3cret")
		alice := s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""})
		changed := func(regist bool, index int) {
			t.Helper()
			sendCallback(s, "zlm", post{"on_stream_changed", fmt.Sprintf(
				`{"mediaServerId":"z","hook_index":%d,"regist":%t,"createStamp":%d,"schema":"rtmp","app":"live","stream":"8888_alice"}`,
				index, regist, time.Now().Unix())}).RequireStatus(200)
		}
		changed(true, 3)
		time.Sleep(10 * time.Second)
		changed(true, 12) // 9 was on its way
		changed(false, 9)
		if got := s.StreamState("8888_alice"); got != "live" {
			t.Errorf("after a late end: %s", got)
		}
		changed(false, 20)
		if got := s.StreamState("8888_alice"); got != "away media" {
			t.Errorf("after its own end: %s", got)
		}
		if n := s.Metric(`onair_callbacks_total{event="on_stream_changed",provider="zlm",result="late"}`); n != "1" {
			t.Errorf("%s late", n)
		}
	})
}

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

// TestAskedForCredentials: MediaMTX asks an RTSP client for what it has not shown
// when it is told so.
func TestAskedForCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--hooks.mediamtx.enabled", "true", "--hooks.mediamtx.secret", "s3cret")
		alice := s.DialAnchor("alice")
		query := nodetest.PushQuery(nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""}).Push.RTMP)
		m := mediaServers()["mediamtx"]
		sendCallback(s, "mediamtx", m.ask("", "8888_alice", "")).RequireProblem(401, wire.CodeUnauthorized)
		sendCallback(s, "mediamtx", m.ask("", "8888_alice", query[1:])).RequireProblem(401, wire.CodeUnauthorized)
		sendCallback(s, "mediamtx", m.ask("", "8888_alice", "txSecret=0"+query[len("txSecret=0"):])).RequireStatus(map[bool]int{true: 204, false: 403}[query[9] == '0'])
		sendCallback(s, "mediamtx", m.ask("", "8888_bob", query)).RequireProblem(403, wire.CodeForbidden)
		sendCallback(s, "mediamtx", post{"", `{"action":"api","path":""}`}).RequireProblem(400, wire.CodeBadRequest)
		sendCallback(s, "mediamtx", post{"auth", m.ask("", "8888_alice", query).body}).RequireStatus(204)
	})
}

// TestHooksAreOff: nothing is there of a hook that is off, whoever else's is on.
func TestHooksAreOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--hooks.srs.enabled", "true")
		for provider := range s.Node.Callbacks.Handlers() {
			if provider != "srs" {
				s.Call("POST", "/v1/hooks/"+provider, "", `{}`).RequireProblem(404, wire.CodeNotFound)
			}
		}
		s.Call("POST", "/v1/hooks/srs/on_publish", "", `{}`).RequireStatus(400)
		s.Call("POST", "/v1/hooks/other", "", `{}`).RequireProblem(404, wire.CodeNotFound)
		s.Call("POST", "/v1/streams", s.DayToken(auth.Anchor, "alice"), `{"title":"","sources":["callback"]}`).RequireStatus(201)
		off := nodetest.Serve(t)
		off.Call("POST", "/v1/streams", off.DayToken(auth.Anchor, "alice"), `{"title":"","sources":["callback"]}`).RequireProblem(400, wire.CodeBadRequest)
	})
}
