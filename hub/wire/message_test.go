package wire_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"onair/hub/wire"
)

// sample is one message and its JSON.
type sample struct {
	json    string
	message wire.Message
}

const session = "abcdefghijklmnopqrstuvwxy7"

func alice() wire.Entry {
	return wire.Entry{
		Code: "8888_alice", Anchor: "alice", Title: "晚上好", State: wire.StateAway, Away: wire.AwayMissedBeat,
		StartedAt: 1763830000123, Viewers: 1201, Likes: 7, Tags: []string{"game", "pk"},
		Cover: "https://img.example/a.jpg", Extra: json.RawMessage(`{"level":3}`),
		Play: []wire.PlayURL{{"flv", "https://p/a.flv?x=1&y=2"}, {"hls", "https://p/a.m3u8"}},
	}
}

const aliceJSON = `{"code":"8888_alice","anchor":"alice","title":"晚上好","state":"away","away":"missed_beat",` +
	`"started_at":1763830000123,"viewers":1201,"likes":7,"tags":["game","pk"],"cover":"https://img.example/a.jpg",` +
	`"extra":{"level":3},"play":{"flv":"https://p/a.flv?x=1&y=2","hls":"https://p/a.m3u8"}}`

func bob() wire.Entry {
	return wire.Entry{Code: "8888_bob", Anchor: "bob", State: wire.StateLive, StartedAt: 5}
}

const bobJSON = `{"code":"8888_bob","anchor":"bob","title":"","state":"live","started_at":5,"viewers":0,"likes":0}`

func pushURLs() wire.PushURLs {
	return wire.PushURLs{
		RTMP: "rtmp://p/live/8888_alice?txSecret=s", Server: "rtmp://p/live/", Key: "8888_alice?txSecret=s",
		ExpiresAt: 9, SRT: "srt://p", WebRTC: "webrtc://p",
	}
}

const pushJSON = `{"rtmp":"rtmp://p/live/8888_alice?txSecret=s","server":"rtmp://p/live/",` +
	`"key":"8888_alice?txSecret=s","expires_at":9,"srt":"srt://p","webrtc":"webrtc://p"}`

// anchorSamples returns the requests of the anchor socket.
func anchorSamples() []sample {
	return []sample{
		{`{"type":"auth","id":1,"token":"a.b.c"}`, &wire.Auth{ID: wire.IntID(1), Token: "a.b.c"}},
		{`{"type":"start","title":"t"}`, &wire.Start{Title: "t"}},
		{
			`{"type":"start","id":"s-1","list":"live","title":"","cover":"https://c/d","tags":["a"],"extra":{"k":[1,2]},` +
				`"listed":false,"sources":["heartbeat"],"key":"k1"}`,
			&wire.Start{
				ID: wire.StringID("s-1"), List: "live", Cover: "https://c/d", Tags: []string{"a"},
				Extra: json.RawMessage(`{"k":[1,2]}`), Unlisted: true, Sources: []string{"heartbeat"}, Key: "k1",
			},
		},
		{`{"type":"resume","id":2,"session":"` + session + `"}`, &wire.Resume{ID: "2", Session: session}},
		{`{"type":"beat","n":0}`, &wire.Beat{}},
		{
			`{"type":"beat","n":7,"stats":{"bitrate_kbps":2500.5,"fps":0,"dropped":3}}`,
			&wire.Beat{N: 7, Stats: wire.EncoderStats{
				BitrateKbps: wire.Some(2500.5), FPS: wire.Some(0.0), Dropped: wire.Some[int64](3),
			}},
		},
		{`{"type":"beat","n":7,"session":"abcdefghijklmnopqrstuvwxyz","heartbeat_ms":500}`, &wire.Beat{
			N: 7, Session: "abcdefghijklmnopqrstuvwxyz", HeartbeatMS: 500,
		}},
		{`{"type":"beat","n":7,"stats":{"fps":29.97}}`, &wire.Beat{N: 7, Stats: wire.EncoderStats{FPS: wire.Some(29.97)}}},
		{`{"type":"update"}`, &wire.Update{}},
		{
			`{"type":"update","id":3,"title":"new","cover":null,"tags":[],"extra":{}}`,
			&wire.Update{
				ID: "3", Title: wire.Some("new"), Cover: wire.Null[string](),
				Tags: wire.Some[[]string](nil), Extra: wire.Some(json.RawMessage(`{}`)),
			},
		},
		{
			`{"type":"update","title":null,"cover":"https://c","tags":null,"extra":null}`,
			&wire.Update{
				Title: wire.Null[string](), Cover: wire.Some("https://c"),
				Tags: wire.Null[[]string](), Extra: wire.Null[json.RawMessage](),
			},
		},
		{`{"type":"push","id":-4}`, &wire.PushRequest{ID: "-4"}},
		{`{"type":"stop"}`, &wire.Stop{}},
	}
}

// viewerSamples returns the requests of the viewer socket.
func viewerSamples() []sample {
	return []sample{
		{`{"type":"auth","token":"a.b.c"}`, &wire.Auth{Token: "a.b.c"}},
		{`{"type":"subscribe"}`, &wire.Subscribe{}},
		{`{"type":"subscribe","anchors":[]}`, &wire.Subscribe{Anchors: []string{}}},
		{
			`{"type":"subscribe","id":"\u0061","list":"live","tags":["a"],"anchors":["x","y"],"sort":"likes","limit":20,` +
				`"play":["flv","hls"],"pos":"1-2.a","view":"live/hot100"}`,
			&wire.Subscribe{
				ID: `"\u0061"`, List: "live", Tags: []string{"a"}, Anchors: []string{"x", "y"}, Sort: wire.SortLikes,
				Limit: 20, Play: []string{"flv", "hls"}, Pos: "1-2.a", View: "live/hot100",
			},
		},
		{`{"type":"unsubscribe","id":1,"view":"v"}`, &wire.Unsubscribe{ID: "1", View: "v"}},
		{`{"type":"watch","id":1,"code":"8888_bob"}`, &wire.Watch{ID: "1", Code: "8888_bob"}},
		{`{"type":"watch","code":"8888_bob","play":[]}`, &wire.Watch{Code: "8888_bob", Play: []string{}}},
		{`{"type":"unwatch","id":1,"code":"8888_bob"}`, &wire.Unwatch{ID: "1", Code: "8888_bob"}},
		{`{"type":"like","id":1,"code":"8888_bob","n":100}`, &wire.Like{ID: "1", Code: "8888_bob", N: 100}},
	}
}

// serverSamples returns the messages of the server, on both sockets.
func serverSamples() []sample {
	return []sample{
		{
			`{"type":"welcome","node":"n1","build":"v0.3.1","connection":"01J","server_time":1763830000123,` +
				`"heartbeat_ms":60000,"missed_limit":3,"idle_ms":25000}`,
			&wire.Welcome{
				Node: "n1", Build: "v0.3.1", Connection: "01J", ServerTime: 1763830000123,
				HeartbeatMS: 60000, MissedLimit: 3, IdleMS: 25000,
			},
		},
		{
			`{"type":"authenticated","id":1,"sub":"alice","role":"anchor","expires_at":5}`,
			&wire.Authenticated{ID: "1", Sub: "alice", Role: "anchor", ExpiresAt: 5},
		},
		{`{"type":"token_expiring","expires_at":5}`, &wire.TokenExpiring{ExpiresAt: 5}},
		{`{"type":"drain","reconnect_in_ms":1500}`, &wire.Drain{ReconnectInMS: 1500}},
		{`{"type":"ping"}`, &wire.Ping{}},
		{`{"type":"probe"}`, &wire.Probe{}},
		{`{"type":"settings","heartbeat_ms":30000}`, &wire.Settings{HeartbeatMS: 30000}},
		{
			`{"type":"notice","code":"degraded","message":"m"}`,
			&wire.Notice{Code: wire.NoticeDegraded, Message: "m"},
		},
		{
			`{"type":"error","id":1,"code":"rate_limited","message":"slow down","retry_after_ms":500}`,
			&wire.Error{ID: "1", Code: wire.CodeRateLimited, Message: "slow down", RetryAfterMS: 500},
		},
		{
			`{"type":"error","code":"session_gone","message":"m","reason":"stopped",` +
				`"summary":{"duration_ms":1,"peak_viewers":2,"likes":3}}`,
			&wire.Error{
				Code: wire.CodeSessionGone, Message: "m", Reason: wire.EndStopped,
				Summary: &wire.Summary{DurationMS: 1, PeakViewers: 2, Likes: 3},
			},
		},
		{
			`{"type":"started","id":1,"stream":` + aliceJSON + `,"session":"` + session + `","push":` + pushJSON + `}`,
			&wire.Started{ID: "1", Stream: alice(), Session: session, Push: pushURLs()},
		},
		{`{"type":"updated","id":1,"stream":` + bobJSON + `}`, &wire.Updated{ID: "1", Stream: bob()}},
		{`{"type":"push","id":1,"push":` + pushJSON + `}`, &wire.Pushed{ID: "1", Push: pushURLs()}},
		{
			`{"type":"ack","n":4,"server_time":5,"deadline_in_ms":180000}`,
			&wire.Ack{N: 4, ServerTime: 5, DeadlineInMS: 180000},
		},
		{
			`{"type":"ack","id":9,"n":4,"server_time":5,"deadline_in_ms":6,"held":true}`,
			&wire.Ack{ID: "9", N: 4, ServerTime: 5, DeadlineInMS: 6, Pending: true},
		},
		{
			`{"type":"stopped","id":1,"summary":{"duration_ms":1,"peak_viewers":2,"likes":3}}`,
			&wire.Stopped{ID: "1", Summary: wire.Summary{DurationMS: 1, PeakViewers: 2, Likes: 3}},
		},
		{`{"type":"ended","reason":"missed_beats"}`, &wire.Ended{Reason: wire.EndMissedBeats}},
		{
			`{"type":"ended","reason":"kicked","summary":{"duration_ms":1,"peak_viewers":2,"likes":3}}`,
			&wire.Ended{Reason: wire.EndKicked, Summary: &wire.Summary{DurationMS: 1, PeakViewers: 2, Likes: 3}},
		},
		{
			`{"type":"snapshot","id":1,"view":"live/hot100","pos":"1-0.9f","total":5210,"streams":[` + aliceJSON + `,` + bobJSON + `]}`,
			&wire.Snapshot{ID: "1", View: "live/hot100", Pos: "1-0.9f", Total: 5210, Streams: []wire.Entry{alice(), bob()}},
		},
		{`{"type":"snapshot","view":"v","pos":"p","total":0,"streams":[]}`, &wire.Snapshot{View: "v", Pos: "p"}},
		{`{"type":"diff","view":"v","prev":"a","pos":"b"}`, &wire.Diff{View: "v", Prev: "a", Pos: "b"}},
		{
			`{"type":"diff","id":"r","view":"v","prev":"a","pos":"b","total":0,"put":[` + bobJSON + `,` + aliceJSON + `],` +
				`"set":[{"code":"c","likes":5,"tags":null},{"code":"d","zzz":{}}],"del":["e","f"]}`,
			&wire.Diff{
				ID: `"r"`, View: "v", Prev: "a", Pos: "b", HasTotal: true, Put: []wire.Entry{bob(), alice()},
				Set: []wire.Patch{
					{Code: "c", Members: map[string]json.RawMessage{"likes": []byte(`5`), "tags": []byte(`null`)}},
					{Code: "d", Members: map[string]json.RawMessage{"zzz": []byte(`{}`)}},
				},
				Del: []string{"e", "f"},
			},
		},
		{`{"type":"unsubscribed","id":1,"view":"v"}`, &wire.Unsubscribed{ID: "1", View: "v"}},
		{
			`{"type":"watching","id":1,"code":"8888_bob","view":"code/8888_bob","pos":"p","entry":` + bobJSON + `,"expires_at":3}`,
			&wire.Watching{ID: "1", Code: "8888_bob", View: "code/8888_bob", Pos: "p", Entry: bob(), ExpiresAt: 3},
		},
		{`{"type":"unwatched","id":1,"code":"8888_bob"}`, &wire.Unwatched{ID: "1", Code: "8888_bob"}},
		{`{"type":"liked","id":1,"code":"8888_bob"}`, &wire.Liked{ID: "1", Code: "8888_bob"}},
		{`{"type":"from_the_future","id":1}`, &wire.Unknown{ID: "1", Type: "from_the_future"}},
	}
}

type decodeFunc func([]byte) (wire.Message, error)

func TestMessagesEncodeAndDecode(t *testing.T) {
	for name, c := range map[string]struct {
		samples []sample
		decode  decodeFunc
	}{
		"anchor": {anchorSamples(), wire.DecodeAnchorRequest},
		"viewer": {viewerSamples(), wire.DecodeViewerRequest},
		"server": {serverSamples(), wire.DecodeServerMessage},
	} {
		t.Run(name, func(t *testing.T) {
			for _, s := range c.samples {
				if got := string(wire.Append(nil, s.message)); got != s.json {
					t.Errorf("Append(%T)\n got %s\nwant %s", s.message, got, s.json)
				}
				got, err := c.decode([]byte(s.json))
				if err != nil {
					t.Errorf("decode %s: %v", s.json, err)
				} else if !reflect.DeepEqual(got, s.message) {
					t.Errorf("decode %s\n got %+v\nwant %+v", s.json, got, s.message)
				}
			}
		})
	}
}

// A decoded message must not change when the caller reuses the buffer.
func TestDecodedMessageSharesNoMemory(t *testing.T) {
	samples := append(append(anchorSamples(), viewerSamples()...), serverSamples()...)
	for _, s := range samples {
		for _, decode := range []decodeFunc{wire.DecodeAnchorRequest, wire.DecodeViewerRequest, wire.DecodeServerMessage} {
			buf := []byte(s.json)
			m, err := decode(buf)
			if err != nil {
				continue
			}
			before := string(wire.Append(nil, m))
			for i := range buf {
				buf[i] = 'x'
			}
			if after := string(wire.Append(nil, m)); after != before {
				t.Errorf("%T changed with its input:\n%s\n%s", m, before, after)
			}
		}
	}
}

func TestDecodeIgnoresUnknownAndNullMembers(t *testing.T) {
	for in, want := range map[string]wire.Message{
		` { "new" : [{"type":"}"}] , "type" : "stop" , "id" : 1 , "Type" : 5 } `:                                                           &wire.Stop{ID: "1"},
		`{"type":"start","title":"t","list":null,"cover":null,"tags":null,"extra":null,"listed":null,"sources":null,"key":null,"id":null}`: &wire.Start{Title: "t"},
		`{"type":"start","title":"t","cover":"","list":"","key":"","tags":[],"listed":true}`:                                               &wire.Start{Title: "t"},
		`{"type":"start","title":"t","extra": {"a" : "b c"}}`:                                                                              &wire.Start{Title: "t", Extra: json.RawMessage(`{"a":"b c"}`)},
		`{"typ\u0065":"stop"}`: &wire.Stop{},
		`{"type":"beat","n":1,"stats":{"fps":null,"cpu":"hot"}}`: &wire.Beat{N: 1},
		`{"type":"beat","n":1,"x":1,"x":2}`:                      &wire.Beat{N: 1},
		`{"type":"beat","n":1,"stats":null}`:                     &wire.Beat{N: 1},
	} {
		got, err := wire.DecodeAnchorRequest([]byte(in))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n got %+v, %v\nwant %+v", in, got, err, want)
		}
	}
}

func TestDecodeHTTPRequests(t *testing.T) {
	if m, err := wire.DecodeBanRequest([]byte(`{"until":5,"reason":"spam","x":1}`)); err != nil || *m != (wire.BanRequest{Until: 5, Reason: "spam"}) {
		t.Errorf("ban %+v, %v", m, err)
	}
	if m, err := wire.DecodeSignRequest([]byte(`{"code":"8888_a","expires_at":7}`)); err != nil || *m != (wire.SignRequest{Code: "8888_a", ExpiresAt: 7}) {
		t.Errorf("sign %+v, %v", m, err)
	}
	for _, in := range []string{``, `[]`, `{"until":-1}`, `{"until":1.5}`, `{"reason":7}`, `{"reason":"a\nb"}`, `{"until":1,"until":2}`} {
		if m, err := wire.DecodeBanRequest([]byte(in)); err == nil {
			t.Errorf("ban %s: %+v", in, m)
		}
	}
	for _, in := range []string{`{}`, `{"code":"a b"}`, `{"code":"a/../b"}`, `{"code":"a?x=1"}`, `{"code":"a","expires_at":-1}`} {
		if m, err := wire.DecodeSignRequest([]byte(in)); err == nil {
			t.Errorf("sign %s: %+v", in, m)
		}
	}
}

func TestPeekHeader(t *testing.T) {
	for _, m := range []wire.Message{
		&wire.Snapshot{View: "live/\"x", Pos: "1-2.3"}, &wire.Diff{ID: "7", View: "live/\"x", Prev: "1-1.1", Pos: "1-2.3"},
		&wire.Watching{Code: "c", View: "live/\"x", Pos: "1-2.3"},
	} {
		want, _ := wire.Head(m)
		if typ, view, pos := wire.PeekHeader(wire.Append(nil, m)); typ != want || view != `live/"x` || pos != "1-2.3" {
			t.Errorf("%T: %q %q %q", m, typ, view, pos)
		}
	}
	if typ, view, pos := wire.PeekHeader(wire.Append(nil, &wire.Drain{ReconnectInMS: 5})); typ != "drain" || view+pos != "" {
		t.Errorf("drain: %q %q %q", typ, view, pos)
	}
}

func TestDecodeRequestBody(t *testing.T) {
	m, err := wire.DecodeRequestBody(wire.TypeStart, []byte(`{"title":"t","anchor":"alice"}`))
	if want := (&wire.Start{Title: "t", Anchor: "alice"}); err != nil || !reflect.DeepEqual(m, want) {
		t.Errorf("got %+v, %v, want %+v", m, err, want)
	}
	m, err = wire.DecodeRequestBody(wire.TypeLike, []byte(`{"code":"a","n":2}`))
	if want := (&wire.Like{Code: "a", N: 2}); err != nil || !reflect.DeepEqual(m, want) {
		t.Errorf("got %+v, %v, want %+v", m, err, want)
	}
	for _, in := range []string{``, `[]`, `{"n":2}`} {
		if m, err := wire.DecodeRequestBody(wire.TypeLike, []byte(in)); err == nil {
			t.Errorf("%s: got %+v, want an error", in, m)
		}
	}
	if m, err := wire.DecodeRequestBody("nothing", []byte(`{}`)); err == nil {
		t.Errorf("got %+v, want an error", m)
	}
}
