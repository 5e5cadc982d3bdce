package hooks

import (
	"crypto/md5"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"onair/presence"
)

// Bodies from the vendor's documentation, without signatures. tencentOldFile comes from
// a version without appname.
const (
	tencentStart          = `{"app":"test.domain.com","appid":12345678,"appname":"live","channel_id":"test_stream","errcode":0,"errmsg":"ok","event_time":1703731478,"event_type":1,"height":0,"idc_id":34,"node":"42.81.194.37","sequence":"2210464508206756938","set_id":2,"stream_id":"test_stream","stream_param":"stream_param=test","user_ip":"1.1.1.1","width":0}`
	tencentEnd            = `{"app":"test.domain.com","appid":12345678,"appname":"live","channel_id":"test_stream","errcode":1,"errmsg":"The push client actively stopped the push","event_time":1703731606,"event_type":0,"height":0,"idc_id":34,"node":"42.81.194.37","push_duration":"128581","sequence":"2210464508206756938","set_id":2,"stream_id":"test_stream","stream_param":"stream_param=test","user_ip":"1.1.1.1","width":0}`
	tencentOldFile        = `{"appid":1252033264,"channel_id":"2519_2500647","duration":272,"end_time":1496220894,"event_type":100,"file_format":"flv","file_id":"9031868222958931071","file_size":"30347808","start_time":1496220622,"stream_id":"2519_2500647","video_id":"200025724_x","video_url":"http://1252033264.vod2.myqcloud.com/a/b/f0.flv"}`
	tencentFile           = `{"event_type":100,"appid":12345678,"app":"yourapp","appname":"live","stream_id":"stream_test","channel_id":"stream_test","file_id":"1234567890","record_file_id":"1234567890","file_format":"hls","task_id":"UpTbk5RSVhRQFAgMCAwMTQ","start_time":1545047010,"end_time":1545049971,"start_time_usec":1,"end_time_usec":2,"duration":2962,"file_size":277941079,"stream_param":"stream_param=test","video_url":"http://12345678.vod2.myqcloud.com/xxxx/yyyy/zzzz.m3u8","media_start_time":135802,"record_bps":0}`
	tencentSnapshot       = `{"event_type":200,"stream_id":"stream_name","channel_id":"stream_name","create_time":1545030273,"file_size":7520,"width":640,"height":352,"pic_url":"/2018-12-17/stream_name-screenshot-19-06-59-640x352.jpg","pic_full_url":"http://testbucket-1234567890.cos.region.myqcloud.com/2018-12-17/stream_name-screenshot-19-06-59-640x352.jpg"}`
	tencentRecordingState = `{"event_type":332,"appid":12345678,"appname":"live","domain":"test.domain.com","stream_id":"stream_test","session_id":"1","seq":"2","record_event":"record_start_succeeded","record_detail":"{\"a\":1}"}`
)

const tencentKey = "5d41402abc4b2a76b9719d911017c592"

// signTencent adds t, as it is written, and the signature.
func signTencent(body, key, t string) string {
	sum := md5.Sum([]byte(key + strings.Trim(t, `"`)))
	return fmt.Sprintf(`{"t":%s,"sign":"%x",%s`, t, sum, body[1:])
}

func TestParseTencent(t *testing.T) {
	file := func(id, code, format, url string, from, duration, size int64) Event {
		return Event{Kind: FileRecorded, Name: "recorded", App: "live", Code: code, Recording: presence.Recording{
			ID: presence.RecordingID("tencent", id), Provider: "tencent", Code: code, Format: format, Location: url,
			StartedAt: from * 1000, EndedAt: (from + duration) * 1000, Duration: duration * 1000, Size: size,
		}}
	}
	oldFile := file("9031868222958931071", "2519_2500647", "flv", "http://1252033264.vod2.myqcloud.com/a/b/f0.flv", 1496220622, 272, 30347808)
	oldFile.App = ""
	fileWithoutID := oldFile
	fileWithoutID.Recording.ID = presence.RecordingID("tencent", oldFile.Recording.Location)
	for body, want := range map[string]Event{
		tencentStart: {Kind: PushStarted, Name: "push_begun", App: "live", Code: "test_stream", PushID: "2210464508206756938", UniquePushID: true, StartedAt: 1703731478_000},
		tencentEnd:   {Kind: PushEnded, Name: "push_ended", App: "live", Code: "test_stream", PushID: "2210464508206756938", UniquePushID: true},
		strings.Replace(tencentEnd, `"stream_id":"test_stream",`, "", 1):     {Kind: PushEnded, Name: "push_ended", App: "live", Code: "test_stream", PushID: "2210464508206756938", UniquePushID: true},
		strings.Replace(tencentEnd, `"event_type":0`, `"event_type":"0"`, 1): {Kind: PushEnded, Name: "push_ended", App: "live", Code: "test_stream", PushID: "2210464508206756938", UniquePushID: true},
		tencentOldFile: oldFile,
		strings.Replace(tencentOldFile, `"file_id":"9031868222958931071"`, `"file_id":""`, 1): fileWithoutID,
		// The content begins at end_time less duration.
		tencentFile: file("1234567890", "stream_test", "hls", "http://12345678.vod2.myqcloud.com/xxxx/yyyy/zzzz.m3u8", 1545049971-2962, 2962, 277941079),
		tencentSnapshot: {
			Kind: SnapshotTaken, Name: "pictured", Code: "stream_name",
			SnapshotURL: "https://testbucket-1234567890.cos.region.myqcloud.com/2018-12-17/stream_name-screenshot-19-06-59-640x352.jpg",
		},
		strings.Replace(tencentSnapshot, "http://testbucket-1234567890.cos.region.myqcloud.com", "http://example.com", 1):             {Kind: Ignored, Name: "pictured"},
		strings.Replace(tencentSnapshot, "http://testbucket-1234567890.cos.region.myqcloud.com", "http://x.myqcloud.com.evil.com", 1): {Kind: Ignored, Name: "pictured"},
		strings.Replace(tencentSnapshot, "http://", "javascript://", 1):                                                               {Kind: Ignored, Name: "pictured"},
		strings.Replace(tencentSnapshot, "http://", "https://me:you@", 1):                                                             {Kind: Ignored, Name: "pictured"},
		strings.Replace(tencentSnapshot, "myqcloud.com", "myqcloud.com/"+strings.Repeat("x", 1000), 1):                                {Kind: Ignored, Name: "pictured"},
		tencentRecordingState: {Kind: Ignored, Name: "recording_state"},
		`{"event_type":321}`:  {Kind: Ignored, Name: "other"},
	} {
		if got, err := ParseTencent([]byte(body), "", time.Now()); err != nil || got != want {
			t.Errorf("%s\n got %+v, %v\nwant %+v", body, got, err, want)
		}
	}
}

func TestParseTencentErrors(t *testing.T) {
	for name, body := range map[string]string{
		"empty":               "",
		"a form":              nginxPublish,
		"no type":             strings.Replace(tencentStart, `"event_type":1`, `"type":1`, 1),
		"a type of text":      strings.Replace(tencentStart, `"event_type":1`, `"event_type":"one"`, 1),
		"no stream":           strings.ReplaceAll(tencentStart, "test_stream", ""),
		"no sequence":         strings.Replace(tencentStart, "2210464508206756938", "", 1),
		"a sequence of lines": strings.Replace(tencentStart, "2210464508206756938", `1\n2`, 1),
		"no file":             strings.Replace(tencentOldFile, `"video_url"`, `"url"`, 1),
		"a file of this host": strings.Replace(tencentOldFile, "http://1252033264.vod2.myqcloud.com", "file://", 1),
		"a file of two lines": strings.Replace(tencentOldFile, "f0.flv", `f0\n.flv`, 1),
	} {
		if e, err := ParseTencent([]byte(body), "", time.Now()); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
}

// TestTencentSignature checks, among others, the vendor's example of key, time and
// digest.
func TestTencentSignature(t *testing.T) {
	const vendorDigest = "b17971b51ba0fe5916ddcd96692e9fb3"
	expiry := time.Unix(1471850187, 0)
	signedBody := signTencent(tencentEnd, tencentKey, "1471850187")
	if !strings.Contains(signedBody, vendorDigest) {
		t.Fatal(signedBody)
	}
	for name, c := range map[string]struct {
		body string
		now  time.Time
		want error
	}{
		"before expiry":            {signedBody, expiry.Add(-time.Second), nil},
		"long before expiry":       {signedBody, expiry.Add(-10 * time.Minute), nil},
		"expired":                  {signedBody, expiry, ErrSignatureExpired},
		"a time as a string":       {signTencent(tencentEnd, tencentKey, `"1471850187"`), expiry.Add(-time.Second), nil},
		"upper case":               {strings.Replace(signedBody, vendorDigest, strings.ToUpper(vendorDigest), 1), expiry.Add(-time.Second), nil},
		"a changed time":           {strings.Replace(signedBody, `"t":1471850187`, `"t":1471850188`, 1), expiry, ErrSignatureInvalid},
		"another key":              {signTencent(tencentEnd, "x", "1471850187"), expiry.Add(-time.Second), ErrSignatureInvalid},
		"no key":                   {signTencent(tencentEnd, "", "1471850187"), expiry.Add(-time.Second), ErrSignatureInvalid},
		"no signature":             {tencentEnd, expiry, ErrSignatureInvalid},
		"an empty signature":       {strings.Replace(signedBody, vendorDigest, "", 1), expiry, ErrSignatureInvalid},
		"a short signature":        {strings.Replace(signedBody, vendorDigest, vendorDigest[:31], 1), expiry, ErrSignatureInvalid},
		"a time that is no number": {signTencent(tencentEnd, tencentKey, `"x"`), expiry, ErrMalformed},
		"forged and expired":       {signTencent(tencentEnd, "x", "1471850187"), expiry.Add(time.Hour), ErrSignatureInvalid},
	} {
		if e, err := ParseTencent([]byte(c.body), tencentKey, c.now); !errors.Is(err, c.want) || err == nil && e.Kind != PushEnded {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
	// Without a key, signatures are not checked.
	if _, err := ParseTencent([]byte(signedBody), "", expiry.Add(time.Hour)); err != nil {
		t.Error(err)
	}
}

func FuzzParseTencent(f *testing.F) {
	for _, body := range []string{tencentStart, tencentEnd, tencentOldFile, tencentFile, tencentSnapshot, tencentRecordingState} {
		f.Add([]byte(body))
	}
	now := time.Unix(1703731478, 0)
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := ParseTencent(body, "", now)
		if err != nil {
			return
		}
		requireValidEvent(t, body, &e)
		if _, err := ParseTencent(body, tencentKey, now); err == nil {
			t.Fatalf("accepted without a signature: %q", body)
		}
	})
}
