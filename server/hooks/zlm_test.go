package hooks

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"onair/presence"
)

// As it sends them; of a begin only what is read.
const (
	zlmStream  = `"mediaServerId":"zlm1","hook_index":7,"vhost":"__defaultVhost__","app":"live","stream":"8888_alice"`
	zlmAsks    = `{"schema":"rtmp","protocol":"rtmp","params":"txSecret=abc&txTime=5C271099","ip":"10.1.2.3","port":40514,"id":"3-12",` + zlmStream + `}`
	zlmBegun   = `{"regist":true,"schema":"rtmp","aliveSecond":0,"createStamp":1602205811,"originSock":{"identifier":"3-12"},"originType":1,` + zlmStream + `}`
	zlmDone    = `{"regist":false,"schema":"rtmp",` + zlmStream + `}`
	zlmUnread  = `{"schema":"rtmp",` + zlmStream + `}`
	zlmRecords = `{"file_name":"15-53-02.mp4","file_path":"/www/record/live/8888_alice/2019-09-20/15-53-02.mp4","file_size":1913597,"folder":"/www/record/live/8888_alice/","start_time":1568965982,"time_len":11.5,"url":"record/live/8888_alice/2019-09-20/15-53-02.mp4",` + zlmStream + `}`
)

func TestZLM(t *testing.T) {
	const file = "/www/record/live/8888_alice/2019-09-20/15-53-02.mp4"
	at := callbackOrder{stream: "zlm1/rtmp live/8888_alice", index: 7, hasIndex: true}
	begun := at
	begun.createdAt = 1602205811_000
	for _, c := range []struct {
		event, body string
		want        Event
	}{
		{"on_publish", zlmAsks, Event{Kind: PublishRequest, Name: "on_publish", App: "live", Code: "8888_alice", Query: signed}},
		{"on_play", zlmAsks, Event{Kind: PlayRequest, Name: "on_play", App: "live", Code: "8888_alice", Query: signed}},
		{"on_stream_changed", zlmBegun, Event{Kind: PushStarted, Name: "on_stream_changed", App: "live", Code: "8888_alice", PushID: "zlm1/rtmp", order: begun}},
		{"on_stream_changed", zlmDone, Event{Kind: PushEnded, Name: "on_stream_changed", App: "live", Code: "8888_alice", PushID: "zlm1/rtmp", order: at}},
		{"on_stream_none_reader", zlmUnread, Event{Kind: Ignored, Name: "on_stream_none_reader"}},
		{"on_record_mp4", zlmRecords, Event{Kind: FileRecorded, Name: "on_record_mp4", App: "live", Code: "8888_alice", Recording: presence.Recording{
			ID: presence.RecordingID("zlm", file), Provider: "zlm", Code: "8888_alice", Format: "mp4", Location: file,
			StartedAt: 1568965982_000, Duration: 11_500, Size: 1913597,
		}}},
	} {
		if got, err := ParseZLM(c.event, []byte(c.body)); err != nil || got != c.want {
			t.Errorf("%s %s\n got %+v, %v\nwant %+v", c.event, c.body, got, err, c.want)
		}
	}
}

func TestZLMRefuses(t *testing.T) {
	for _, c := range []struct {
		event, body string
		want        error
	}{
		{"on_publish", "", ErrMalformed},
		{"on_publish", strings.Replace(zlmAsks, `"8888_alice"`, `""`, 1), ErrMalformed},
		{"on_publish", strings.Replace(zlmAsks, `"live"`, `null`, 1), ErrMalformed},
		{"on_stream_changed", zlmAsks, ErrMalformed},
		{"on_stream_changed", strings.Replace(zlmDone, "false", `"false"`, 1), ErrMalformed},
		{"on_stream_changed", strings.Replace(zlmDone, `"rtmp"`, `""`, 1), ErrMalformed},
		{"on_stream_changed", strings.Replace(zlmDone, `"zlm1"`, `"a b"`, 1), ErrMalformed},
		{"on_record_mp4", zlmBegun, ErrMalformed},
		{"on_server_keepalive", zlmBegun, ErrUnknownEvent},
		{"", zlmBegun, ErrUnknownEvent},
	} {
		if e, err := ParseZLM(c.event, []byte(c.body)); !errors.Is(err, c.want) {
			t.Errorf("%s %s: %+v, %v", c.event, c.body, e, err)
		}
	}
}

// TestTurns: words of one stream and schema, each with its number, what the
// server says of when it was made, when it is heard, and whether that is late.
func TestTurns(t *testing.T) {
	dawn := time.Unix(1602205811, 0)
	type word struct {
		kind        Kind
		number      int64
		made, heard int // seconds after dawn
		late        bool
	}
	for name, words := range map[string][]word{
		"in order":                         {{PushStarted, 3, 0, 0, false}, {PushEnded, 9, 0, 60, false}, {PushStarted, 12, 61, 61, false}, {PushEnded, 20, 0, 99, false}},
		"an end overtaken by a begin":      {{PushStarted, 3, 0, 0, false}, {PushStarted, 12, 61, 61, false}, {PushEnded, 9, 0, 64, true}, {PushEnded, 20, 0, 99, false}},
		"an end that comes twice":          {{PushStarted, 3, 0, 0, false}, {PushEnded, 9, 0, 60, false}, {PushStarted, 12, 61, 61, false}, {PushEnded, 9, 0, 64, true}},
		"a begin after its own end":        {{PushEnded, 9, 0, 2, false}, {PushStarted, 3, 0, 3, true}},
		"a begin that comes twice":         {{PushStarted, 3, 0, 0, false}, {PushEnded, 9, 0, 60, false}, {PushStarted, 3, 0, 61, true}, {PushStarted, 12, 61, 62, false}, {PushStarted, 3, 0, 64, true}},
		"one that fails and comes again":   {{PushStarted, 3, 0, 0, false}, {PushStarted, 3, 0, 3, false}, {PushEnded, 9, 0, 60, false}, {PushEnded, 9, 0, 63, false}},
		"a server that started again":      {{PushStarted, 300, 0, 0, false}, {PushEnded, 900, 0, 60, false}, {PushStarted, 3, 70, 70, false}, {PushEnded, 9, 0, 99, false}},
		"one that did so unheard":          {{PushStarted, 500, 0, 0, false}, {PushEnded, 7, 0, 90, false}},
		"one that had no time for its end": {{PushStarted, 300, 0, 0, false}, {PushStarted, 3, 70, 70, false}, {PushEnded, 9, 0, 99, false}},
		"pushed again within a second":     {{PushStarted, 3, 0, 0, false}, {PushEnded, 9, 0, 60, false}, {PushStarted, 12, 60, 60, false}},
	} {
		turns := NewOrderTracker()
		for i, w := range words {
			made := ""
			if w.kind == PushStarted {
				made = fmt.Sprintf(`"createStamp":%d,`, dawn.Unix()+int64(w.made))
			}
			e, err := ParseZLM("on_stream_changed", fmt.Appendf(nil,
				`{"regist":%t,%s"hook_index":%d,"mediaServerId":"a","schema":"rtmp","app":"live","stream":"8888_alice"}`, w.kind == PushStarted, made, w.number))
			if err != nil {
				t.Fatal(err)
			}
			if late := turns.Observe(&e, dawn.Add(time.Duration(w.heard)*time.Second)); late != w.late {
				t.Errorf("%s, word %d: late %t", name, i, late)
			}
		}
	}
	apart := NewOrderTracker()
	for _, stream := range []string{"8888_alice", "8888_bob"} { // words of one are nothing to the other
		for _, body := range []string{strings.Replace(zlmDone, ":7,", ":5,", 1), zlmBegun} {
			e, err := ParseZLM("on_stream_changed", []byte(strings.Replace(body, "8888_alice", stream, 1)))
			if err != nil || apart.Observe(&e, dawn) {
				t.Errorf("%+v, %v", e, err)
			}
		}
	}
	// Versions that do not number their callbacks are taken as they come.
	turns := NewOrderTracker()
	for _, body := range []string{zlmBegun, zlmDone, zlmDone, zlmBegun} {
		e, err := ParseZLM("on_stream_changed", []byte(strings.Replace(body, `"hook_index":7,`, "", 1)))
		if err != nil || turns.Observe(&e, dawn) {
			t.Errorf("%+v, %v", e, err)
		}
	}
}

func FuzzZLM(f *testing.F) {
	for _, event := range []string{"on_publish", "on_play", "on_stream_changed", "on_record_mp4", "on_stream_none_reader"} {
		for _, body := range []string{zlmAsks, zlmBegun, zlmDone, zlmRecords} {
			f.Add(event, []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, event string, body []byte) {
		if e, err := ParseZLM(event, body); err == nil {
			requireValidEvent(t, body, &e)
		}
	})
}
