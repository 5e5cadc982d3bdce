package hooks

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"onair/presence"
)

// Bodies as ZLMediaKit sends them; that of a begin has only the fields that are read.
const (
	zlmStream   = `"mediaServerId":"zlm1","hook_index":7,"vhost":"__defaultVhost__","app":"live","stream":"8888_alice"`
	zlmPublish  = `{"schema":"rtmp","protocol":"rtmp","params":"txSecret=abc&txTime=5C271099","ip":"10.1.2.3","port":40514,"id":"3-12",` + zlmStream + `}`
	zlmStart    = `{"regist":true,"schema":"rtmp","aliveSecond":0,"createStamp":1602205811,"originSock":{"identifier":"3-12"},"originType":1,` + zlmStream + `}`
	zlmEnd      = `{"regist":false,"schema":"rtmp",` + zlmStream + `}`
	zlmNoReader = `{"schema":"rtmp",` + zlmStream + `}`
	zlmRecord   = `{"file_name":"15-53-02.mp4","file_path":"/www/record/live/8888_alice/2019-09-20/15-53-02.mp4","file_size":1913597,"folder":"/www/record/live/8888_alice/","start_time":1568965982,"time_len":11.5,"url":"record/live/8888_alice/2019-09-20/15-53-02.mp4",` + zlmStream + `}`
)

func TestParseZLM(t *testing.T) {
	const file = "/www/record/live/8888_alice/2019-09-20/15-53-02.mp4"
	endOrder := callbackOrder{stream: "zlm1/rtmp live/8888_alice", index: 7, hasIndex: true}
	startOrder := endOrder
	startOrder.createdAt = 1602205811_000
	for _, c := range []struct {
		event, body string
		want        Event
	}{
		{"on_publish", zlmPublish, Event{Kind: PublishRequest, Name: "on_publish", App: "live", Code: "8888_alice", Query: signedQuery}},
		{"on_play", zlmPublish, Event{Kind: PlayRequest, Name: "on_play", App: "live", Code: "8888_alice", Query: signedQuery}},
		{"on_stream_changed", zlmStart, Event{Kind: PushStarted, Name: "on_stream_changed", App: "live", Code: "8888_alice", PushID: "zlm1/rtmp", order: startOrder}},
		{"on_stream_changed", zlmEnd, Event{Kind: PushEnded, Name: "on_stream_changed", App: "live", Code: "8888_alice", PushID: "zlm1/rtmp", order: endOrder}},
		{"on_stream_none_reader", zlmNoReader, Event{Kind: Ignored, Name: "on_stream_none_reader"}},
		{"on_record_mp4", zlmRecord, Event{Kind: FileRecorded, Name: "on_record_mp4", App: "live", Code: "8888_alice", Recording: presence.Recording{
			ID: presence.RecordingID("zlm", file), Provider: "zlm", Code: "8888_alice", Format: "mp4", Location: file,
			StartedAt: 1568965982_000, Duration: 11_500, Size: 1913597,
		}}},
	} {
		if got, err := ParseZLM(c.event, []byte(c.body)); err != nil || got != c.want {
			t.Errorf("%s %s\n got %+v, %v\nwant %+v", c.event, c.body, got, err, c.want)
		}
	}
}

func TestParseZLMErrors(t *testing.T) {
	for _, c := range []struct {
		event, body string
		want        error
	}{
		{"on_publish", "", ErrMalformed},
		{"on_publish", strings.Replace(zlmPublish, `"8888_alice"`, `""`, 1), ErrMalformed},
		{"on_publish", strings.Replace(zlmPublish, `"live"`, `null`, 1), ErrMalformed},
		{"on_stream_changed", zlmPublish, ErrMalformed},
		{"on_stream_changed", strings.Replace(zlmEnd, "false", `"false"`, 1), ErrMalformed},
		{"on_stream_changed", strings.Replace(zlmEnd, `"rtmp"`, `""`, 1), ErrMalformed},
		{"on_stream_changed", strings.Replace(zlmEnd, `"zlm1"`, `"a b"`, 1), ErrMalformed},
		{"on_record_mp4", zlmStart, ErrMalformed},
		{"on_server_keepalive", zlmStart, ErrUnknownEvent},
		{"", zlmStart, ErrUnknownEvent},
	} {
		if e, err := ParseZLM(c.event, []byte(c.body)); !errors.Is(err, c.want) {
			t.Errorf("%s %s: %+v, %v", c.event, c.body, e, err)
		}
	}
}

// TestOrderTracker observes callbacks about one stream and schema: each has an index,
// the server's time of creation, the time of arrival, and whether it is late.
func TestOrderTracker(t *testing.T) {
	base := time.Unix(1602205811, 0)
	type callback struct {
		kind                 Kind
		index                int64
		createdAt, arrivedAt int // seconds after base
		isLate               bool
	}
	for name, callbacks := range map[string][]callback{
		"in order":                             {{PushStarted, 3, 0, 0, false}, {PushEnded, 9, 0, 60, false}, {PushStarted, 12, 61, 61, false}, {PushEnded, 20, 0, 99, false}},
		"an end after the next begin":          {{PushStarted, 3, 0, 0, false}, {PushStarted, 12, 61, 61, false}, {PushEnded, 9, 0, 64, true}, {PushEnded, 20, 0, 99, false}},
		"a repeated end":                       {{PushStarted, 3, 0, 0, false}, {PushEnded, 9, 0, 60, false}, {PushStarted, 12, 61, 61, false}, {PushEnded, 9, 0, 64, true}},
		"a begin after its own end":            {{PushEnded, 9, 0, 2, false}, {PushStarted, 3, 0, 3, true}},
		"a repeated begin":                     {{PushStarted, 3, 0, 0, false}, {PushEnded, 9, 0, 60, false}, {PushStarted, 3, 0, 61, true}, {PushStarted, 12, 61, 62, false}, {PushStarted, 3, 0, 64, true}},
		"repeated callbacks":                   {{PushStarted, 3, 0, 0, false}, {PushStarted, 3, 0, 3, false}, {PushEnded, 9, 0, 60, false}, {PushEnded, 9, 0, 63, false}},
		"a restarted server":                   {{PushStarted, 300, 0, 0, false}, {PushEnded, 900, 0, 60, false}, {PushStarted, 3, 70, 70, false}, {PushEnded, 9, 0, 99, false}},
		"a restart that another node observed": {{PushStarted, 500, 0, 0, false}, {PushEnded, 7, 0, 90, false}},
		"a restart without an end":             {{PushStarted, 300, 0, 0, false}, {PushStarted, 3, 70, 70, false}, {PushEnded, 9, 0, 99, false}},
		"pushed again within a second":         {{PushStarted, 3, 0, 0, false}, {PushEnded, 9, 0, 60, false}, {PushStarted, 12, 60, 60, false}},
	} {
		tracker := NewOrderTracker()
		for i, c := range callbacks {
			createStamp := ""
			if c.kind == PushStarted {
				createStamp = fmt.Sprintf(`"createStamp":%d,`, base.Unix()+int64(c.createdAt))
			}
			e, err := ParseZLM("on_stream_changed", fmt.Appendf(nil,
				`{"regist":%t,%s"hook_index":%d,"mediaServerId":"a","schema":"rtmp","app":"live","stream":"8888_alice"}`, c.kind == PushStarted, createStamp, c.index))
			if err != nil {
				t.Fatal(err)
			}
			if isLate := tracker.RecordUnlessLate(&e, base.Add(time.Duration(c.arrivedAt)*time.Second)); isLate != c.isLate {
				t.Errorf("%s, callback %d: late %t", name, i, isLate)
			}
		}
	}
	separate := NewOrderTracker()
	for _, stream := range []string{"8888_alice", "8888_bob"} { // streams are independent
		for _, body := range []string{strings.Replace(zlmEnd, ":7,", ":5,", 1), zlmStart} {
			e, err := ParseZLM("on_stream_changed", []byte(strings.Replace(body, "8888_alice", stream, 1)))
			if err != nil || separate.RecordUnlessLate(&e, base) {
				t.Errorf("%+v, %v", e, err)
			}
		}
	}
	// Without hook_index, no callback is late.
	tracker := NewOrderTracker()
	for _, body := range []string{zlmStart, zlmEnd, zlmEnd, zlmStart} {
		e, err := ParseZLM("on_stream_changed", []byte(strings.Replace(body, `"hook_index":7,`, "", 1)))
		if err != nil || tracker.RecordUnlessLate(&e, base) {
			t.Errorf("%+v, %v", e, err)
		}
	}
}

func FuzzParseZLM(f *testing.F) {
	for _, event := range []string{"on_publish", "on_play", "on_stream_changed", "on_record_mp4", "on_stream_none_reader"} {
		for _, body := range []string{zlmPublish, zlmStart, zlmEnd, zlmRecord} {
			f.Add(event, []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, event string, body []byte) {
		if e, err := ParseZLM(event, body); err == nil {
			requireValidEvent(t, body, &e)
		}
	})
}
