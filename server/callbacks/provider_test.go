package callbacks_test

import (
	"bytes"
	"context"
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
		if n := s.Metric(`onair_callbacks_total{event="on_stream_changed",provider="zlm",result="superseded"}`); n != "1" {
			t.Errorf("%s late", n)
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
