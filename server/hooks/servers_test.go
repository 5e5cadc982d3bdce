package hooks

import (
	"errors"
	"strings"
	"testing"
)

// As SRS, ZLMediaKit and MediaMTX send them.
const (
	srsPublish = `{"server_id":"vid-1","action":"on_publish","client_id":"9308h583","ip":"10.0.0.1","vhost":"__defaultVhost__","app":"live",` +
		`"tcUrl":"rtmp://x/live","stream":"8888_alice","param":"?txSecret=abc&txTime=5C271099","stream_url":"/live/8888_alice","stream_id":"vid-2"}`
	srsDVR = `{"server_id":"vid-1","action":"on_dvr","client_id":"9308h583","ip":"10.0.0.1","vhost":"__defaultVhost__","app":"live","stream":"8888_alice",` +
		`"param":"","cwd":"/usr/local/srs","file":"./objs/nginx/html/live/8888_alice.1420254068776.flv"}`
	zlmPublish = `{"mediaServerId":"zlm-1","hook_index":3,"app":"live","id":"140186529001776","ip":"10.0.0.1","params":"txSecret=abc&txTime=5C271099",` +
		`"port":65284,"schema":"rtmp","protocol":"rtmp","stream":"8888_alice","vhost":"__defaultVhost__","originType":2}`
	zlmChanged = `{"mediaServerId":"zlm-1","hook_index":4,"app":"live","stream":"8888_alice","regist":false,"schema":"rtmp","vhost":"__defaultVhost__"}`
	zlmRecord  = `{"mediaServerId":"zlm-1","app":"live","file_name":"15-53-02.mp4","file_path":"/root/www/record/live/8888_alice/15-53-02.mp4","file_size":1913597,` +
		`"folder":"/root/www/record/live/8888_alice/","start_time":1582789982,"stream":"8888_alice","time_len":11.5,"url":"record/live/8888_alice/15-53-02.mp4"}`
	mtxPublish = `{"user":"","password":"","token":"","ip":"10.0.0.1","action":"publish","path":"live/8888_alice","protocol":"rtmp",` +
		`"id":"6b9f0a5e-0ad5-4a4e-8f8c-a0f1b1a3d6a1","query":"txSecret=abc&txTime=5C271099"}`
	mtxRecord = "path=live/8888_alice&segment_path=/rec/live/8888_alice/2024-01-01.mp4&segment_duration=60.25"
	query     = "txSecret=abc&txTime=5C271099"
)

func zlm(event string) func([]byte) (Event, error) {
	return func(body []byte) (Event, error) { return ZLM(event, body) }
}

func mtx(event string) func([]byte) (Event, error) {
	return func(body []byte) (Event, error) { return MediaMTX(event, body) }
}

func TestServers(t *testing.T) {
	on := func(body, was, is string) string { return strings.Replace(body, was, is, 1) }
	for name, tt := range map[string]struct {
		read func([]byte) (Event, error)
		body string
		want Event
	}{
		"srs publish":   {SRS, srsPublish, Event{Kind: Publish, Name: "on_publish", App: "live", Code: "8888_alice", Media: "vid-1 9308h583", Unique: true, Query: query}},
		"srs unpublish": {SRS, on(srsPublish, "on_publish", "on_unpublish"), Event{Kind: Done, Name: "on_unpublish", App: "live", Code: "8888_alice", Media: "vid-1 9308h583", Unique: true}},
		"srs play":      {SRS, on(srsPublish, "on_publish", "on_play"), Event{Kind: Play, Name: "on_play", App: "live", Code: "8888_alice", Media: "vid-1 9308h583", Unique: true, Query: query}},
		"srs stop":      {SRS, on(srsPublish, "on_publish", "on_stop"), Event{Kind: Nothing, Name: "on_stop", App: "live", Code: "8888_alice", Media: "vid-1 9308h583", Unique: true}},
		"srs dvr": {SRS, srsDVR, Event{
			Kind: Recorded, Name: "on_dvr", App: "live", Code: "8888_alice", Media: "vid-1 9308h583", Unique: true,
			File: File{
				Name:     "vid-1 /usr/local/srs/objs/nginx/html/live/8888_alice.1420254068776.flv",
				Location: "/usr/local/srs/objs/nginx/html/live/8888_alice.1420254068776.flv", Format: "flv",
			},
		}},
		"zlm publish":      {zlm("on_publish"), zlmPublish, Event{Kind: Publish, Name: "on_publish", App: "live", Code: "8888_alice", Media: "zlm-1", Query: query}},
		"zlm play":         {zlm("on_play"), zlmPublish, Event{Kind: Play, Name: "on_play", App: "live", Code: "8888_alice", Media: "zlm-1", Query: query}},
		"zlm is gone":      {zlm("on_stream_changed"), zlmChanged, Event{Kind: Done, Name: "on_stream_changed", App: "live", Code: "8888_alice", Media: "zlm-1"}},
		"zlm is there":     {zlm("on_stream_changed"), on(zlmChanged, "false", "true"), Event{Kind: Going, Name: "on_stream_changed", App: "live", Code: "8888_alice", Media: "zlm-1"}},
		"zlm another form": {zlm("on_stream_changed"), on(zlmChanged, `"rtmp"`, `"hls"`), Event{Kind: Nothing, Name: "on_stream_changed", App: "live", Code: "8888_alice", Media: "zlm-1"}},
		"zlm nobody reads": {zlm("on_stream_none_reader"), zlmChanged, Event{Kind: Nothing, Name: "on_stream_none_reader", App: "live", Code: "8888_alice", Media: "zlm-1"}},
		"zlm recording": {zlm("on_record_mp4"), zlmRecord, Event{
			Kind: Recorded, Name: "on_record_mp4", App: "live", Code: "8888_alice", Media: "zlm-1",
			File: File{
				Name: "zlm-1 /root/www/record/live/8888_alice/15-53-02.mp4", Location: "/root/www/record/live/8888_alice/15-53-02.mp4", Format: "mp4",
				StartedAt: 1582789982000, EndedAt: 1582789993500, Duration: 11500, Size: 1913597,
			},
		}},
		"mediamtx publish": {mtx(""), mtxPublish, Event{Kind: Publish, Name: "publish", App: "live", Code: "8888_alice", Media: "6b9f0a5e-0ad5-4a4e-8f8c-a0f1b1a3d6a1", Unique: true, Query: query}},
		"mediamtx read":    {mtx(""), on(mtxPublish, "publish", "read"), Event{Kind: Play, Name: "read", App: "live", Code: "8888_alice", Media: "6b9f0a5e-0ad5-4a4e-8f8c-a0f1b1a3d6a1", Unique: true, Query: query}},
		"mediamtx asked for nothing": {mtx(""), on(mtxPublish, query, ""), Event{
			Kind: Publish, Name: "publish", App: "live", Code: "8888_alice", Media: "6b9f0a5e-0ad5-4a4e-8f8c-a0f1b1a3d6a1", Unique: true, Asks: true,
		}},
		"mediamtx is gone":  {mtx("unavailable"), "path=live/8888_alice&source_id=6b9f", Event{Kind: Done, Name: "unavailable", App: "live", Code: "8888_alice", Media: "6b9f", Unique: true}},
		"mediamtx is there": {mtx("available"), "path=live/8888_alice&source_id=6b9f&query=txSecret%3Dabc", Event{Kind: Going, Name: "available", App: "live", Code: "8888_alice", Media: "6b9f", Unique: true, Query: "txSecret=abc"}},
		"mediamtx recording": {mtx("record"), mtxRecord, Event{
			Kind: Recorded, Name: "record", App: "live", Code: "8888_alice", Unique: true,
			File: File{Name: "/rec/live/8888_alice/2024-01-01.mp4", Location: "/rec/live/8888_alice/2024-01-01.mp4", Format: "mp4", Duration: 60250},
		}},
	} {
		if got, err := tt.read([]byte(tt.body)); err != nil || got != tt.want {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", name, got, err, tt.want)
		}
	}
}

func TestServersRefuse(t *testing.T) {
	for name, tt := range map[string]struct {
		read func([]byte) (Event, error)
		body string
		want error
	}{
		"srs nothing":               {SRS, "", ErrMalformed},
		"srs no action":             {SRS, `{}`, ErrMalformed},
		"srs no client":             {SRS, strings.Replace(srsPublish, "9308h583", "", 1), ErrMalformed},
		"srs a code that is none":   {SRS, strings.Replace(srsPublish, `"stream":"8888_alice"`, `"stream":7`, 1), ErrMalformed},
		"srs another event":         {SRS, strings.Replace(srsPublish, "on_publish", "on_hls", 1), ErrUnknownEvent},
		"zlm another event":         {zlm("on_flow_report"), zlmPublish, ErrUnknownEvent},
		"zlm no stream":             {zlm("on_publish"), `{"app":"live"}`, ErrMalformed},
		"zlm a recording of no one": {zlm("on_record_mp4"), strings.Replace(zlmRecord, `"file_path":"/root/www/record/live/8888_alice/15-53-02.mp4",`, "", 1), ErrMalformed},
		"zlm a length below zero":   {zlm("on_record_mp4"), strings.Replace(zlmRecord, "11.5", "-1", 1), ErrMalformed},
		"mediamtx metrics":          {mtx(""), strings.Replace(mtxPublish, "publish", "metrics", 1), ErrUnknownEvent},
		"mediamtx nothing":          {mtx(""), "x=y", ErrMalformed},
		"mediamtx a strange event":  {mtx("read"), "path=live/8888_alice&source_id=1", ErrUnknownEvent},
		"mediamtx no source":        {mtx("unavailable"), "path=live/8888_alice", ErrMalformed},
		"mediamtx a bad duration":   {mtx("record"), "path=live/8888_alice&segment_path=/x&segment_duration=NaN", ErrMalformed},
	} {
		if e, err := tt.read([]byte(tt.body)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %+v, %v, want %v", name, e, err, tt.want)
		}
	}
}

func FuzzSRS(f *testing.F) {
	f.Add([]byte(srsPublish))
	f.Add([]byte(srsDVR))
	f.Fuzz(func(t *testing.T, body []byte) { sane(t, body, SRS) })
}

func FuzzZLM(f *testing.F) {
	f.Add("on_publish", []byte(zlmPublish))
	f.Add("on_stream_changed", []byte(zlmChanged))
	f.Add("on_record_mp4", []byte(zlmRecord))
	f.Fuzz(func(t *testing.T, event string, body []byte) { sane(t, body, zlm(event)) })
}

func FuzzMediaMTX(f *testing.F) {
	f.Add("", []byte(mtxPublish))
	f.Add("record", []byte(mtxRecord))
	f.Add("unavailable", []byte("path=live/8888_alice&source_id=1"))
	f.Fuzz(func(t *testing.T, event string, body []byte) { sane(t, body, mtx(event)) })
}
