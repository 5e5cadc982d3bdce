package hooks

import (
	"errors"
	"strings"
	"testing"

	"onair/presence"
)

// Requests as MediaMTX sends them, and the forms of the documented commands.
const (
	mediaMTXPublish   = `{"ip":"127.0.0.1","user":"","password":"","token":"","action":"publish","path":"live/8888_alice","protocol":"rtmp","id":"b1c0a6c8-1c5b-4a3e-9d53-6c6d4a4e2d7f","query":"txSecret=abc&txTime=5C271099"}`
	mediaMTXRead      = `{"ip":"127.0.0.1","user":"","password":"","token":"","action":"read","path":"live/8888_alice","protocol":"hls","id":null,"query":"txSecret=abc&txTime=5C271099","userAgent":"x"}`
	mediaMTXAvailable = "path=live%2F8888_alice&source_id=b1c0a6c8-1c5b-4a3e-9d53-6c6d4a4e2d7f"
	mediaMTXRecord    = "path=live%2F8888_alice&segment_path=%2Frecordings%2Flive%2F8888_alice%2F2026-11-25_12-30-00-123456.mp4&segment_duration=12.5"
)

func TestParseMediaMTX(t *testing.T) {
	const id, file = "b1c0a6c8-1c5b-4a3e-9d53-6c6d4a4e2d7f", "/recordings/live/8888_alice/2026-11-25_12-30-00-123456.mp4"
	for _, c := range []struct {
		event, body string
		want        Event
	}{
		{"", mediaMTXPublish, Event{Kind: PublishRequest, Name: "publish", App: "live", Code: "8888_alice", Query: signedQuery}},
		{"auth", mediaMTXPublish, Event{Kind: PublishRequest, Name: "publish", App: "live", Code: "8888_alice", Query: signedQuery}},
		{"", mediaMTXRead, Event{Kind: PlayRequest, Name: "read", App: "live", Code: "8888_alice", Query: signedQuery}},
		{"auth", strings.NewReplacer(signedQuery, "", `"password":""`, `"password":"`+signedQuery+`"`).Replace(mediaMTXPublish), Event{Kind: PublishRequest, Name: "publish", App: "live", Code: "8888_alice", Query: signedQuery}},
		{"", strings.Replace(mediaMTXRead, "live/", "a/live/", 1), Event{Kind: PlayRequest, Name: "read", App: "a/live", Code: "8888_alice", Query: signedQuery}},
		{"available", mediaMTXAvailable, Event{Kind: PushStarted, Name: "available", App: "live", Code: "8888_alice", PushID: id, UniquePushID: true}},
		{"unavailable", mediaMTXAvailable, Event{Kind: PushEnded, Name: "unavailable", App: "live", Code: "8888_alice", PushID: id, UniquePushID: true}},
		{"record", mediaMTXRecord, Event{Kind: FileRecorded, Name: "record", App: "live", Code: "8888_alice", Recording: presence.Recording{
			ID: presence.RecordingID("mediamtx", file), Provider: "mediamtx", Code: "8888_alice", Format: "fmp4", Location: file, Duration: 12_500,
		}}},
	} {
		if got, err := ParseMediaMTX(c.event, []byte(c.body)); err != nil || got != c.want {
			t.Errorf("%s %s\n got %+v, %v\nwant %+v", c.event, c.body, got, err, c.want)
		}
	}
}

func TestParseMediaMTXErrors(t *testing.T) {
	for _, c := range []struct {
		event, body string
		want        error
	}{
		{"", "", ErrMalformed},
		{"", mediaMTXAvailable, ErrMalformed},
		{"", strings.Replace(mediaMTXPublish, `"publish"`, `""`, 1), ErrMalformed},
		{"", strings.Replace(mediaMTXPublish, `live/8888_alice`, `8888_alice`, 1), ErrMalformed},
		{"", strings.Replace(mediaMTXPublish, `live/8888_alice`, `/8888_alice`, 1), ErrMalformed},
		{"", strings.Replace(mediaMTXPublish, `live/8888_alice`, `live/`, 1), ErrMalformed},
		{"", strings.Replace(mediaMTXPublish, `"path":`, `"path":"live/8888_bob","path":`, 1), ErrMalformed},
		{"", strings.Replace(mediaMTXPublish, `"publish"`, `"api"`, 1), ErrUnknownEvent},
		{"", strings.Replace(mediaMTXPublish, `"publish"`, `"playback"`, 1), ErrUnknownEvent},
		{"available", mediaMTXPublish, ErrMalformed},
		{"available", "path=live/8888_alice", ErrMalformed},
		{"available", "path=%zz&source_id=x", ErrMalformed},
		{"unavailable", "source_id=x", ErrMalformed},
		{"record", mediaMTXAvailable, ErrMalformed},
		{"online", mediaMTXAvailable, ErrUnknownEvent},
	} {
		if e, err := ParseMediaMTX(c.event, []byte(c.body)); !errors.Is(err, c.want) {
			t.Errorf("%s %s: %+v, %v", c.event, c.body, e, err)
		}
	}
}

func FuzzParseMediaMTX(f *testing.F) {
	for _, event := range []string{"", "available", "unavailable", "record"} {
		for _, body := range []string{mediaMTXPublish, mediaMTXRead, mediaMTXAvailable, mediaMTXRecord} {
			f.Add(event, []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, event string, body []byte) {
		if e, err := ParseMediaMTX(event, body); err == nil {
			requireValidEvent(t, body, &e)
		}
	})
}
