package hooks

import (
	"errors"
	"strings"
	"testing"

	"onair/presence"
)

// Bodies as SRS 5 and 6 send them, one of version 3, and one of Oryx.
const (
	srsClient    = `"server_id":"vid-0xk989d","service_id":"382k7uq8","client_id":"341w361a","ip":"127.0.0.1","vhost":"__defaultVhost__","app":"live",`
	srsStream    = `"tcUrl":"rtmp://127.0.0.1/live?vhost=x","stream":"8888_alice","param":"?txSecret=abc&txTime=5C271099","stream_url":"/live/8888_alice","stream_id":"vid-124q9y3"}`
	srsPublish   = `{"action":"on_publish",` + srsClient + srsStream
	srsUnpublish = `{"action":"on_unpublish",` + srsClient + srsStream
	srsPlay      = `{"action":"on_play","pageUrl":"http://x/",` + srsClient + srsStream
	srsStop      = `{"action":"on_stop",` + srsClient + srsStream
	srsDVR       = `{"action":"on_dvr","cwd":"/usr/local/srs","file":"./objs/nginx/html/live/8888_alice.1795610284123.flv",` + srsClient + srsStream
	oryxPublish  = `{"request_id":"3ab26a09-59b0-42f7-98e3-a281c7d0712b","action":"on_publish","opaque":"token","vhost":"__defaultVhost__","app":"live","stream":"8888_alice","param":"?txSecret=abc&txTime=5C271099"}`
	srsPublishV3 = `{"action":"on_publish","client_id":1985,"ip":"192.168.1.10","vhost":"video.test.com","app":"live","stream":"8888_alice"}`
)

func TestParseSRS(t *testing.T) {
	const file = "/usr/local/srs/objs/nginx/html/live/8888_alice.1795610284123.flv"
	base := Event{App: "live", Code: "8888_alice"}
	with := func(change func(*Event)) Event { e := base; change(&e); return e }
	for body, want := range map[string]Event{
		srsPublish: with(func(e *Event) {
			e.Kind, e.Name, e.PushID, e.UniquePushID, e.Query = PublishRequest, "on_publish", "vid-0xk989d/341w361a", true, signedQuery
		}),
		srsUnpublish: with(func(e *Event) {
			e.Kind, e.Name, e.PushID, e.UniquePushID = PushEnded, "on_unpublish", "vid-0xk989d/341w361a", true
		}),
		srsPlay: with(func(e *Event) { e.Kind, e.Name, e.Query = PlayRequest, "on_play", signedQuery }),
		srsStop: {Kind: Ignored, Name: "on_stop"},
		strings.Replace(srsPlay, `"8888_alice"`, `"8888_alice.m3u8"`, 1): with(func(e *Event) { e.Kind, e.Name, e.Query = PlayRequest, "on_play", signedQuery }),
		strings.Replace(srsStop, "on_stop", "on_connect", 1):             {Kind: Ignored, Name: "on_connect"},
		oryxPublish: with(func(e *Event) { e.Kind, e.Name, e.PushID, e.Query = PublishRequest, "on_publish", "oryx", signedQuery }),
		strings.Replace(oryxPublish, "on_publish", "on_unpublish", 1): with(func(e *Event) { e.Kind, e.Name, e.PushID = PushEnded, "on_unpublish", "oryx" }),
		srsPublishV3: with(func(e *Event) { e.Kind, e.Name, e.PushID = PublishRequest, "on_publish", "1985" }),
		srsDVR: with(func(e *Event) {
			e.Kind, e.Name, e.Recording = FileRecorded, "on_dvr", presence.Recording{
				ID: presence.RecordingID("srs", file), Provider: "srs", Code: "8888_alice", Format: "flv", Location: file, StartedAt: 1795610284_123,
			}
		}),
	} {
		if got, err := ParseSRS([]byte(body)); err != nil || got != want {
			t.Errorf("%s\n got %+v, %v\nwant %+v", body, got, err, want)
		}
	}
	// A server that counts its clients repeats their ids.
	if e, err := ParseSRS([]byte(strings.Replace(srsPublish, `"341w361a"`, `1985`, 1))); err != nil || e.UniquePushID || e.PushID != "vid-0xk989d/1985" {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestParseSRSErrors(t *testing.T) {
	for name, body := range map[string]string{
		"empty":           "",
		"a form":          nginxPublish,
		"no action":       `{` + srsClient + srsStream,
		"no stream":       strings.Replace(srsPublish, `"8888_alice"`, `""`, 1),
		"no app":          strings.Replace(srsPublish, `"app":"live"`, `"app":null`, 1),
		"no client":       strings.Replace(srsUnpublish, `"client_id":"341w361a",`, ``, 1),
		"a long client":   strings.Replace(srsUnpublish, `341w361a`, strings.Repeat("x", 65), 1),
		"a client of two": strings.Replace(srsUnpublish, `341w361a`, "a b", 1),
		"two streams":     strings.Replace(srsPublish, `"stream":`, `"stream":"8888_bob","stream":`, 1),
		"no file":         strings.Replace(srsDVR, `"file":`, `"other":`, 1),
		"a file of lines": strings.Replace(srsDVR, `./objs`, `\n`, 1),
	} {
		if e, err := ParseSRS([]byte(body)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
	if e, err := ParseSRS([]byte(strings.Replace(srsPublish, "on_publish", "on_forward", 1))); !errors.Is(err, ErrUnknownEvent) {
		t.Errorf("on_forward: %+v, %v", e, err)
	}
}

func FuzzParseSRS(f *testing.F) {
	for _, body := range []string{srsPublish, srsUnpublish, srsPlay, srsStop, srsDVR, srsPublishV3, oryxPublish} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if e, err := ParseSRS(body); err == nil {
			requireValidEvent(t, body, &e)
		}
	})
}
