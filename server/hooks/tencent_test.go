package hooks

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// What the cloud sends, signed with this key until 1703732078, or later.
const (
	tencentKey   = "5d41402abc4b2a76b9719d911017c592"
	tencentStart = `{"app":"test.domain.com","appid":12345678,"appname":"live","channel_id":"8888_alice","errcode":0,"errmsg":"ok","event_time":1703731478,` +
		`"event_type":1,"height":0,"idc_id":34,"node":"42.81.194.37","sequence":"2210464508206756938","set_id":2,"sign":"f1cdc0e24394f642cd1da55cf7ed903b",` +
		`"stream_id":"8888_alice","stream_param":"txSecret=abc&txTime=5C271099","t":1703732078,"user_ip":"1.1.1.1","width":0}`
	tencentStop = `{"app":"test.domain.com","appid":12345678,"appname":"live","channel_id":"8888_alice","errcode":1,"errmsg":"The push client actively stopped the push",` +
		`"event_time":1703731606,"event_type":0,"push_duration":"128581","sequence":"2210464508206756938","stream_id":"8888_alice","t":"1703732206","sign":""}`
	tencentRecord = `{"event_type":100,"appid":12345678,"app":"test.domain.com","appname":"live","stream_id":"8888_alice","channel_id":"8888_alice",` +
		`"file_id":"5285890784273533167","file_format":"mp4","task_id":"MTE1","start_time":1545047010,"end_time":1545049971,"duration":2950,"file_size":"277941079",` +
		`"stream_param":"x=1","video_url":"http://1252033264.vod2.myqcloud.com/a/f0.mp4","sign":"","t":1545030873}`
	tencentPicture = `{"event_type":200,"appname":"live","stream_id":"8888_alice","channel_id":"8888_alice","create_time":1545030273,"file_size":7520,` +
		`"width":640,"height":352,"pic_url":"/2018-12-17/x.jpg","pic_full_url":"https://x.example.com/2018-12-17/x.jpg","sign":"","t":1545030873}`
)

func TestTencent(t *testing.T) {
	for body, want := range map[string]Event{
		tencentStart: {
			Kind: Publish, Name: "start", App: "live", Code: "8888_alice", Media: "2210464508206756938", Unique: true,
			Since: 1703731478000, Query: "txSecret=abc&txTime=5C271099",
		},
		tencentStop: {Kind: Done, Name: "stop", App: "live", Code: "8888_alice", Media: "2210464508206756938", Unique: true},
		tencentRecord: {Kind: Recorded, Name: "record", App: "live", Code: "8888_alice", File: File{
			Name: "5285890784273533167", Location: "http://1252033264.vod2.myqcloud.com/a/f0.mp4", Format: "mp4",
			StartedAt: 1545047021000, EndedAt: 1545049971000, Duration: 2950000, Size: 277941079,
		}},
		tencentPicture: {Kind: Pictured, Name: "snapshot", App: "live", Code: "8888_alice", Picture: "https://x.example.com/2018-12-17/x.jpg"},
		strings.Replace(tencentPicture, "200", "332", 1): {Kind: Nothing, Name: "record_state", App: "live", Code: "8888_alice"},
		strings.Replace(tencentPicture, "200", "999", 1): {Kind: Nothing, Name: "other", App: "live", Code: "8888_alice"},
	} {
		if got, err := Tencent([]byte(body), "", time.Unix(0, 0)); err != nil || got != want {
			t.Errorf("%s\n got %+v, %v\nwant %+v", body, got, err, want)
		}
	}
}

func TestTencentSignature(t *testing.T) {
	const at = 1703732078
	asText := strings.Replace(tencentStart, `"t":1703732078`, `"t":"1703732078"`, 1)
	for name, tt := range map[string]struct {
		body, key string
		now       int64
		want      error
	}{
		"in time":           {tencentStart, tencentKey, at - 1, nil},
		"t as text":         {asText, tencentKey, at - 1, nil},
		"late":              {tencentStart, tencentKey, at, ErrExpired},
		"another key":       {tencentStart, "other", at - 1, ErrForged},
		"another t":         {strings.Replace(tencentStart, "1703732078", "1803732078", 1), tencentKey, at - 1, ErrForged},
		"no signature":      {tencentStop, tencentKey, at - 1, ErrForged},
		"nothing":           {"", "", at, ErrMalformed},
		"no event":          {`{"t":1}`, "", at, ErrMalformed},
		"a start of no one": {strings.Replace(tencentStart, "2210464508206756938", "", 1), tencentKey, at - 1, ErrMalformed},
		"a file of no name": {strings.Replace(tencentRecord, "5285890784273533167", "", 1), "", at - 1, ErrMalformed},
	} {
		if _, err := Tencent([]byte(tt.body), tt.key, time.Unix(tt.now, 0)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

func FuzzTencent(f *testing.F) {
	for _, body := range []string{tencentStart, tencentStop, tencentRecord, tencentPicture} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		sane(t, body, func(b []byte) (Event, error) { return Tencent(b, "", time.Unix(0, 0)) })
	})
}

// sane fails when an adapter gives an event that nobody can work with.
func sane(t *testing.T, body []byte, read func([]byte) (Event, error)) {
	t.Helper()
	e, err := read(body)
	if err != nil {
		return
	}
	switch {
	case e.Kind == 0, e.Name == "", len(e.Media) > 128,
		e.Kind == Recorded && (e.File.Name == "" || e.File.Location == "" || e.File.Duration < 0 || e.File.Size < 0):
		t.Fatalf("%q gives %+v", body, e)
	}
}
