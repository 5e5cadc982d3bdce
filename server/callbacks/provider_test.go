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

// mediaServer has the forms of the callbacks of one media server.
type mediaServer struct {
	key          string // of its configuration
	publish      func(client, code, query string) post
	pushStarted  func(client, code string) []post // empty when publish reports the start
	pushEnded    func(client, code, query string) []post
	play         func(code, query string) post
	recorded     func(code, query string) post
	recordedFile string // that recorded reports
	acceptedBody string // of answers
	isRefusal    func(*nodetest.Response) bool
}

// hasStatus matches refusals by their status.
func hasStatus(codes ...int) func(*nodetest.Response) bool {
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
			key: "srs", acceptedBody: `{"code":0}`, recordedFile: "/srs/html/live/a.flv",
			publish: func(client, code, query string) post {
				return srs("on_publish", `"client_id":"`+client+`","stream":"`+code+`","param":"?`+query+`"`)
			},
			pushStarted: func(string, string) []post { return nil },
			pushEnded: func(client, code, query string) []post {
				return []post{srs("on_unpublish", `"client_id":"`+client+`","stream":"`+code+`","param":"?`+query+`"`)}
			},
			play: func(code, query string) post {
				return srs("on_play", `"client_id":"p","stream":"`+code+`","param":"?`+query+`","pageUrl":""`)
			},
			recorded: func(code, query string) post {
				return srs("on_dvr", `"client_id":"a","stream":"`+code+`","param":"?`+query+`","cwd":"/srs","file":"./html/live/a.flv"`)
			},
			isRefusal: func(a *nodetest.Response) bool {
				var body struct{ Code int }
				a.Decode(&body)
				return a.Status == 403 && body.Code == 403
			},
		},
		"nginx-rtmp": {
			key: "nginx-rtmp", recordedFile: "/rec/a.flv",
			publish: func(client, code, query string) post {
				return nginx(client, "publish", "&name="+code+"&type=live", query)
			},
			pushStarted: func(string, string) []post { return nil },
			pushEnded: func(client, code, query string) []post {
				return []post{nginx(client, "publish_done", "&name="+code, query)}
			},
			play: func(code, query string) post {
				return nginx("9", "play", "&name="+code+"&start=0&duration=0&reset=0", query)
			},
			recorded: func(code, query string) post {
				return nginx("9", "record_done", "&recorder=&name="+code+"&path=/rec/a.flv", query)
			},
			isRefusal: hasStatus(403),
		},
		"mediamtx": {
			key: "mediamtx", recordedFile: "/rec/a.mp4",
			publish: func(_, code, query string) post { return media("publish", code, query) },
			pushStarted: func(client, code string) []post {
				return []post{{"available", "path=live/" + code + "&source_id=" + client}}
			},
			pushEnded: func(client, code, _ string) []post {
				return []post{{"unavailable", "path=live/" + code + "&source_id=" + client}}
			},
			play: func(code, query string) post { return media("read", code, query) },
			recorded: func(code, _ string) post {
				return post{"record", "path=live/" + code + "&segment_path=/rec/a.mp4&segment_duration=12.5"}
			},
			isRefusal: hasStatus(401, 403),
		},
		"zlm": {
			key: "zlm", acceptedBody: `{"code":0,"msg":"success"}`, recordedFile: "/rec/a.mp4",
			publish:     func(_, code, query string) post { return zlm("on_publish", `"params":"`+query+`","id":"1-2"`, code) },
			pushStarted: func(_, code string) []post { return schemas(true, code) },
			pushEnded:   func(_, code, _ string) []post { return schemas(false, code) },
			play:        func(code, query string) post { return zlm("on_play", `"params":"`+query+`","id":"1-3"`, code) },
			recorded: func(code, _ string) post {
				return zlm("on_record_mp4", `"file_path":"/rec/a.mp4","start_time":946684790,"time_len":9.5,"file_size":7`, code)
			},
			isRefusal: func(a *nodetest.Response) bool {
				var body struct{ Code int }
				a.Decode(&body)
				return a.Status == 200 && body.Code == 403
			},
		},
	}
}

// sendCallback sends a callback to a provider with the secret s3cret.
func sendCallback(s *nodetest.Server, provider string, p post) *nodetest.Response {
	s.T.Helper()
	path := "/v1/hooks/" + provider + "/s3cret"
	if p.event != "" {
		path += "/" + p.event
	}
	return s.Call("POST", path, "", p.body)
}

// appendRecorder is a log that records the appended bytes.
type appendRecorder struct {
	presence.Log
	mu       sync.Mutex // guards appended
	appended bytes.Buffer
}

// Append implements presence.Log.
func (l *appendRecorder) Append(ctx context.Context, b presence.SealedBatch) error {
	l.mu.Lock()
	l.appended.Write(b.Bytes)
	l.mu.Unlock()
	return l.Log.Append(ctx, b)
}

// countOf is how often a text was appended.
func (l *appendRecorder) countOf(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.appended.String(), text)
}

// hasCommand reports whether a command was appended with exactly these fields.
func (l *appendRecorder) hasCommand(c presence.Command) bool {
	none, one := presence.Batch{}, presence.Batch{Commands: []presence.Command{c}}
	return l.countOf(string(one.Seal().Bytes[len(none.Seal().Bytes):])) > 0
}

// playQuery is the query of a play URL of a live stream.
func playQuery(s *nodetest.Server, code, protocol string) string {
	s.T.Helper()
	var a struct{ Play map[string]string }
	s.Call("GET", "/v1/streams/"+code+"/play", "", "").RequireStatus(200).Decode(&a)
	return nodetest.URLQuery(a.Play[protocol])
}

// TestMediaServers: all media servers can make the same requests and reports, each in its
// own form.
func TestMediaServers(t *testing.T) {
	for name, m := range mediaServers() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &appendRecorder{Log: nodetest.OpenMemoryStore(t)}
				s := nodetest.ServeLog(t, log, "--hooks."+m.key+".enabled", "true", "--hooks."+m.key+".secret", "s3cret", "--play.templates", "hd=550")
				alice, mallory := s.DialAnchor("alice"), s.DialAnchor("mallory")
				query := nodetest.URLQuery(nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""}).Push.RTMP)
				malloryQuery := nodetest.URLQuery(nodetest.RequestReply[*wire.Started](mallory, &wire.Start{ID: mallory.NextID(), Title: ""}).Push.RTMP)
				wantAccepted := func(what string, p post) {
					t.Helper()
					if a := sendCallback(s, name, p); a.Status >= 300 || strings.TrimSpace(string(a.Body)) != m.acceptedBody {
						t.Errorf("%s: status %d, %s", what, a.Status, a.Body)
					}
				}
				wantRefused := func(what string, p post) {
					t.Helper()
					if a := sendCallback(s, name, p); !m.isRefusal(a) {
						t.Errorf("%s: status %d, %s", what, a.Status, a.Body)
					}
				}
				wantState := func(what, state string) {
					t.Helper()
					if got := s.StreamState("8888_alice"); got != state {
						t.Errorf("%s: %s, want %s", what, got, state)
					}
				}
				sendAll := func(all []post) {
					t.Helper()
					for _, p := range all {
						wantAccepted("report", p)
					}
				}
				push := func(client string) {
					t.Helper()
					wantAccepted("push", m.publish(client, "8888_alice", query))
					sendAll(m.pushStarted(client, "8888_alice"))
				}
				wantRefused("unsigned", m.publish("1", "8888_alice", ""))
				wantRefused("of another stream", m.publish("1", "8888_alice", malloryQuery))
				wantRefused("under another app", post{m.publish("1", "8888_alice", query).event, strings.NewReplacer("app=live", "app=x", `"app":"live"`, `"app":"x"`, `"live/`, `"x/`).Replace(m.publish("1", "8888_alice", query).body)})
				wantRefused("a play under the push key", m.play("8888_alice", query))
				wantState("refused", "starting")
				push("1")
				push("1")
				wantState("pushed", "live")
				sendAll(m.pushEnded("1", "8888_alice", query))
				wantState("ended", "away media")
				sendAll(m.pushEnded("1", "8888_alice", query))
				push("2")
				wantState("pushed again", "live")

				played := playQuery(s, "8888_alice", "rtmp")
				wantAccepted("play", m.play("8888_alice", played))
				wantAccepted("a transcoded one", m.play("8888_alice_550", playQuery(s, "8888_alice", "rtmp_hd")))
				wantRefused("of another stream", m.play("8888_mallory", played))
				wantRefused("another transcoding", m.play("8888_alice_900", played))

				wantAccepted("a recording", m.recorded("8888_alice", query))
				if n := log.countOf(m.recordedFile); n == 0 {
					t.Error("the recording is not in the log")
				}
				s.Call("POST", "/v1/streams/8888_alice/kick", s.DayToken(auth.Admin, "op"), "").RequireStatus(200)
				wantRefused("after a kick", m.publish("3", "8888_alice", query))
				wantRefused("played after a kick", m.play("8888_alice", played))
				sendAll(m.pushEnded("2", "8888_alice", query))
				wantAccepted("a recording that comes late", m.recorded("8888_alice", query))
				if text := s.Log(); strings.Contains(text, "txSecret") || strings.Contains(text, "s3cret") || strings.Contains(text, query[9:41]) {
					t.Errorf("a secret is in the log: %s", text)
				}
			})
		})
	}
}

// TestForeignRecordingIsRefused: a recording under another anchor's code needs a signature
// of that code.
func TestForeignRecordingIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &appendRecorder{Log: nodetest.OpenMemoryStore(t)}
		s := nodetest.ServeLog(t, log, "--hooks.nginx-rtmp.enabled", "true", "--hooks.nginx-rtmp.secret", "s3cret", "--push.ttl", "1m")
		_, query := s.DialPublishingAnchor("alice")
		_, malloryQuery := s.DialPublishingAnchor("mallory")
		record := mediaServers()["nginx-rtmp"].recorded
		sendCallback(s, "nginx-rtmp", record("8888_alice", malloryQuery)).RequireProblem(403, wire.CodeForbidden)
		sendCallback(s, "nginx-rtmp", record("8888_alice", "")).RequireProblem(403, wire.CodeForbidden)
		if n := log.countOf("/rec/a.flv"); n != 0 {
			t.Error("the foreign recording was stored")
		}
		time.Sleep(2 * time.Minute) // the signature has expired, and the push had started in time
		sendCallback(s, "nginx-rtmp", record("8888_alice", query)).RequireStatus(204)
		if n := log.countOf("/rec/a.flv"); n == 0 {
			t.Error("the recording was not stored")
		}
	})
}

// TestAcceptedRecordingIsDurable: a recording that could not be stored is not accepted.
func TestAcceptedRecordingIsDurable(t *testing.T) {
	for name, m := range mediaServers() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := presencetest.NewFaultyLog(nodetest.OpenMemoryStore(t))
				s := nodetest.ServeLog(t, log, "--hooks."+m.key+".enabled", "true", "--hooks."+m.key+".secret", "s3cret")
				alice := s.DialAnchor("alice")
				query := nodetest.URLQuery(nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""}).Push.RTMP)
				log.SetDiskFull(true)
				if a := sendCallback(s, name, m.recorded("8888_alice", query)); a.Status != 503 {
					t.Errorf("status %d while nothing can be stored", a.Status)
				}
				log.SetDiskFull(false)
				if a := sendCallback(s, name, m.recorded("8888_alice", query)); a.Status >= 300 {
					t.Errorf("status %d", a.Status)
				}
			})
		})
	}
}

// TestZLMSchemasAreOnePush: ZLMediaKit reports a push once for each schema. The push
// starts with the first and ends with the last.
func TestZLMSchemasAreOnePush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--hooks.zlm.enabled", "true", "--hooks.zlm.secret", "s3cret")
		alice := s.DialAnchor("alice")
		query := nodetest.URLQuery(nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""}).Push.RTMP)
		zlm := mediaServers()["zlm"]
		sendCallback(s, "zlm", zlm.publish("", "8888_alice", query)).RequireStatus(200)
		if got := s.StreamState("8888_alice"); got != "starting" {
			t.Errorf("let in, and not pushStarted: %s", got)
		}
		started, ended := zlm.pushStarted("", "8888_alice"), zlm.pushEnded("", "8888_alice", "")
		for i, p := range started {
			sendCallback(s, "zlm", p).RequireStatus(200)
			if got := s.StreamState("8888_alice"); got != "live" {
				t.Errorf("schema %d pushStarted: %s", i, got)
			}
		}
		for i, p := range ended {
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
			t.Errorf("no reader: %s", got)
		}
	})
}

// TestSupersededEndIsIgnored: a repeated end that arrives after the next start changes
// nothing.
func TestSupersededEndIsIgnored(t *testing.T) {
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
		changed(true, 12) // 9 was still on its way
		changed(false, 9)
		if got := s.StreamState("8888_alice"); got != "live" {
			t.Errorf("after a late end: %s", got)
		}
		changed(false, 20)
		if got := s.StreamState("8888_alice"); got != "away media" {
			t.Errorf("after its own end: %s", got)
		}
		if n := s.MetricText(`onair_callbacks_total{event="on_stream_changed",provider="zlm",result="superseded"}`); n != "1" {
			t.Errorf("%s callbacks were superseded, want 1", n)
		}
	})
}

// TestMediaMTXAsksForCredentials: a 401 makes MediaMTX ask an RTSP client for its
// credentials.
func TestMediaMTXAsksForCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--hooks.mediamtx.enabled", "true", "--hooks.mediamtx.secret", "s3cret")
		alice := s.DialAnchor("alice")
		query := nodetest.URLQuery(nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""}).Push.RTMP)
		m := mediaServers()["mediamtx"]
		sendCallback(s, "mediamtx", m.publish("", "8888_alice", "")).RequireProblem(401, wire.CodeUnauthorized)
		sendCallback(s, "mediamtx", m.publish("", "8888_alice", query[1:])).RequireProblem(401, wire.CodeUnauthorized)
		sendCallback(s, "mediamtx", m.publish("", "8888_alice", "txSecret=0"+query[len("txSecret=0"):])).RequireStatus(map[bool]int{true: 204, false: 403}[query[9] == '0'])
		sendCallback(s, "mediamtx", m.publish("", "8888_bob", query)).RequireProblem(403, wire.CodeForbidden)
		sendCallback(s, "mediamtx", post{"", `{"action":"api","path":""}`}).RequireProblem(400, wire.CodeBadRequest)
		sendCallback(s, "mediamtx", post{"auth", m.publish("", "8888_alice", query).body}).RequireStatus(204)
	})
}

// TestNginxSendsGET: under "notify_method get", nginx-rtmp sends the form as a query.
func TestNginxSendsGET(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--hooks.nginx-rtmp.enabled", "true", "--hooks.nginx-rtmp.secret", "s3cret")
		alice := s.DialAnchor("alice")
		query := nodetest.URLQuery(nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""}).Push.RTMP)
		nginx := mediaServers()["nginx-rtmp"]
		get := func(p post) *nodetest.Response {
			return s.Call("GET", "/v1/hooks/nginx-rtmp/s3cret?"+p.body, "", "")
		}
		get(nginx.publish("1", "8888_alice", "")).RequireProblem(403, wire.CodeForbidden)
		get(nginx.publish("1", "8888_alice", query)).RequireStatus(204)
		if got := s.StreamState("8888_alice"); got != "live" {
			t.Errorf("after the push began: %s", got)
		}
		// A player of HTTP-FLV has its whole query in the form.
		get(nginx.play("8888_alice", "port=1935&app=live&stream=8888_alice&"+playQuery(s, "8888_alice", "rtmp"))).RequireStatus(204)
		get(nginx.pushEnded("1", "8888_alice", query)[0]).RequireStatus(204)
		if got := s.StreamState("8888_alice"); got != "away media" {
			t.Errorf("after the push ended: %s", got)
		}
	})
}

// TestDisabledHooksAreNotFound: the paths of disabled hooks do not exist, even if another
// hook is enabled.
func TestDisabledHooksAreNotFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--hooks.srs.enabled", "true")
		for pattern := range s.Node.Callbacks.Handlers() {
			method, path, _ := strings.Cut(pattern, " ")
			if !strings.Contains(path, "{") && path != "/v1/hooks/srs" {
				s.Call(method, path, "", `{}`).RequireProblem(404, wire.CodeNotFound)
			}
		}
		s.Call("POST", "/v1/hooks/srs/on_publish", "", `{}`).RequireStatus(400)
		s.Call("POST", "/v1/hooks/other", "", `{}`).RequireProblem(404, wire.CodeNotFound)
		s.Call("POST", "/v1/streams", s.DayToken(auth.Anchor, "alice"), `{"title":"","sources":["callback"]}`).RequireStatus(201)
		off := nodetest.Serve(t)
		off.Call("POST", "/v1/streams", off.DayToken(auth.Anchor, "alice"), `{"title":"","sources":["callback"]}`).RequireProblem(400, wire.CodeBadRequest)
	})
}
