package wire_test

import (
	"errors"
	"strings"
	"testing"

	"onair/hub/wire"
)

// refusedRequest is a request, and the id and the message of its bad_request.
type refusedRequest struct{ json, id, message string }

func repeatX(n int) string { return strings.Repeat("x", n) }

// arrayOf returns a JSON array of n strings.
func arrayOf(n int) string { return `["x"` + strings.Repeat(`,"x"`, n-1) + `]` }

func checkRefused(t *testing.T, decode decodeFunc, cases []refusedRequest) {
	t.Helper()
	for _, c := range cases {
		m, err := decode([]byte(c.json))
		e, ok := errors.AsType[*wire.Error](err)
		if !ok {
			t.Errorf("%.100s: got %+v, %v, want an *Error", c.json, m, err)
			continue
		}
		if m != nil {
			t.Errorf("%.100s: got a message with the error: %+v", c.json, m)
		}
		if e.Code != wire.CodeBadRequest || string(e.ID) != c.id || e.Message != c.message {
			t.Errorf("%.100s\n got %s id=%s %q\nwant id=%s %q", c.json, e.Code, e.ID, e.Message, c.id, c.message)
		}
		if want := "bad_request: " + c.message; err.Error() != want {
			t.Errorf("got %q, want %q", err.Error(), want)
		}
	}
}

func TestDecodeRefusesBadFrames(t *testing.T) {
	const (
		notOne    = "the message is not one JSON value and nothing else"
		notObject = "the message is not a JSON object"
		badID     = "id must be a string or an integer, of at most 64 bytes of JSON"
	)
	cases := []refusedRequest{
		{``, "", notOne},
		{`{`, "", notOne},
		{`{"type":"auth","token":"t"}x`, "", notOne},
		{`{"type":"auth","token":"t"}{"type":"auth","token":"t"}`, "", notOne},
		{`{"id":1,"type":"auth","token":"t",}`, "", notOne},
		{`[]`, "", notObject},
		{` "auth" `, "", notObject},
		{`null`, "", notObject},
		{"{\"type\":\"auth\",\"token\":\"\xff\"}", "", "the message is not valid UTF-8"},
		{`{}`, "", "type is required"},
		{`{"id":1,"type":null}`, "1", "type is required"},
		{`{"id":1,"type":7}`, "1", "type must be a string"},
		{`{"id":1,"type":"auth","type":"auth"}`, "1", "type is given twice"},
		{`{"id":1,"Type":"auth"}`, "1", "type is required"},
		{`{"id":"x","type":"dance"}`, `"x"`, `type "dance" is not a request of this socket`},
		{`{"type":"` + repeatX(99) + `"}`, "", `type "` + repeatX(64) + `" is not a request of this socket`},
		{`{"id":1.5,"type":"auth","token":"t"}`, "", badID},
		{`{"id":1e3,"type":"auth","token":"t"}`, "", badID},
		{`{"id":true,"type":"auth","token":"t"}`, "", badID},
		{`{"id":[1],"type":"auth","token":"t"}`, "", badID},
		{`{"id":{},"type":"auth","token":"t"}`, "", badID},
		{`{"id":"` + repeatX(63) + `","type":"auth","token":"t"}`, "", badID},
		{`{"id":1,"id":1,"type":"auth","token":"t"}`, "", "id is given twice"},
		{`{"id":"` + repeatX(62) + `","type":"auth"}`, `"` + repeatX(62) + `"`, "token is required"},
		{`{"id":-0,"type":"auth","token":""}`, "-0", "token must not be empty"},
		{`{"type":"auth","token":5}`, "", "token must be a string"},
		{`{"type":"auth","token":"` + repeatX(8193) + `"}`, "", "token must be at most 8192 bytes"},
		{`{"type":"auth","token":"a\u0000"}`, "", "token must be UTF-8 without control characters"},
	}
	checkRefused(t, wire.DecodeAnchorRequest, cases)
	checkRefused(t, wire.DecodeViewerRequest, cases)
	checkRefused(t, wire.DecodeAnchorRequest, []refusedRequest{{`{"type":"subscribe"}`, "", `type "subscribe" is not a request of this socket`}})
	checkRefused(t, wire.DecodeViewerRequest, []refusedRequest{{`{"type":"beat","n":1}`, "", `type "beat" is not a request of this socket`}})
}

func TestDecodeRefusesBadAnchorRequests(t *testing.T) {
	const (
		stat    = " must be from 0 to 1000000000"
		cover   = "cover must be an absolute https URL"
		session = "session must be 26 characters of [a-z2-7]"
	)
	start := func(members, message string) refusedRequest {
		return refusedRequest{`{"type":"start","id":1,"title":"t",` + members + `}`, "1", message}
	}
	update := func(members, message string) refusedRequest {
		return refusedRequest{`{"type":"update","id":1,` + members + `}`, "1", message}
	}
	beat := func(members, message string) refusedRequest {
		return refusedRequest{`{"type":"beat","id":1,` + members + `}`, "1", message}
	}
	checkRefused(t, wire.DecodeAnchorRequest, []refusedRequest{
		{`{"type":"start"}`, "", "title is required"},
		{`{"type":"start","title":null}`, "", "title is required"},
		{`{"type":"start","title":1}`, "", "title must be a string"},
		{`{"type":"start","title":"` + repeatX(257) + `"}`, "", "title must be at most 256 bytes"},
		{`{"type":"start","title":"a\nb"}`, "", "title must not contain control characters"},
		{`{"type":"start","title":"a\u0085b"}`, "", "title must not contain control characters"},
		start(`"title":"u"`, "title is given twice"),
		start(`"list":1`, "list must be a string"),
		start(`"list":"`+repeatX(65)+`"`, "list must be at most 64 bytes"),
		start(`"list":"a\tb"`, "list must be UTF-8 without control characters"),
		start(`"cover":"http://a/b"`, cover),
		start(`"cover":"/a.jpg"`, cover),
		start(`"cover":"https:a"`, cover),
		start(`"cover":"https://:80/a"`, cover),
		start(`"cover":"https://a/%zz"`, cover),
		start(`"cover":"https://a/\n"`, cover),
		start(`"cover":"https://a/`+repeatX(1015)+`"`, "cover must be at most 1024 bytes"),
		start(`"tags":"a"`, "tags must be an array of strings"),
		start(`"tags":[1]`, "tags must be an array of strings"),
		start(`"tags":[null]`, "tags must be an array of strings"),
		start(`"tags":`+arrayOf(17), "tags must have at most 16 strings"),
		start(`"tags":["a",""]`, "each of tags must be from 1 to 64 bytes of UTF-8"),
		start(`"tags":["`+repeatX(65)+`"]`, "each of tags must be from 1 to 64 bytes of UTF-8"),
		start(`"extra":[]`, "extra must be an object"),
		start(`"extra":"{}"`, "extra must be an object"),
		start(`"extra":{"a":"`+repeatX(1017)+`"}`, "extra must be at most 1024 bytes of JSON"),
		start(`"listed":0`, "listed must be true or false"),
		start(`"sources":[]`, "sources must name at least one source of evidence"),
		start(`"sources":{}`, "sources must be an array of strings"),
		start(`"sources":`+arrayOf(17), "sources must have at most 16 strings"),
		start(`"sources":[""]`, "each of sources must be from 1 to 64 bytes of UTF-8"),
		start(`"key":"`+repeatX(65)+`"`, "key must be at most 64 bytes"),
		start(`"key":5`, "key must be a string"),
		{`{"type":"resume"}`, "", session},
		{`{"type":"resume","session":"` + strings.Repeat("a", 25) + `"}`, "", session},
		{`{"type":"resume","session":"` + strings.Repeat("A", 26) + `"}`, "", session},
		{`{"type":"resume","session":"` + strings.Repeat("1", 26) + `"}`, "", session},
		{`{"type":"resume","session":5}`, "", "session must be a string"},
		{`{"type":"beat"}`, "", "n is required"},
		beat(`"n":"1"`, "n must be an integer"),
		beat(`"n":1.0`, "n must be an integer"),
		beat(`"n":99999999999999999999`, "n must be an integer"),
		beat(`"n":-1`, "n must be from 0 to 9007199254740991"),
		beat(`"n":9007199254740992`, "n must be from 0 to 9007199254740991"),
		beat(`"n":1,"stats":[]`, "stats must be an object"),
		beat(`"n":1,"stats":{"fps":"60"}`, "stats.fps must be a number"),
		beat(`"n":1,"stats":{"fps":1e999}`, "stats.fps must be a number"),
		beat(`"n":1,"stats":{"fps":1,"fps":1}`, "stats.fps is given twice"),
		beat(`"n":1,"stats":{"fps":-1}`, "stats.fps"+stat),
		beat(`"n":1,"stats":{"bitrate_kbps":1e10}`, "stats.bitrate_kbps"+stat),
		beat(`"n":1,"stats":{"dropped":1.5}`, "stats.dropped must be an integer"),
		beat(`"n":1,"stats":{"dropped":-1}`, "stats.dropped must be from 0 to 9007199254740991"),
		update(`"title":1`, "title must be a string"),
		update(`"title":"\u0000"`, "title must not contain control characters"),
		update(`"title":"`+repeatX(257)+`"`, "title must be at most 256 bytes"),
		update(`"title":"a","title":null`, "title is given twice"),
		update(`"cover":""`, cover),
		update(`"cover":"ftp://a"`, cover),
		update(`"tags":{}`, "tags must be an array of strings"),
		update(`"tags":[""]`, "each of tags must be from 1 to 64 bytes of UTF-8"),
		update(`"extra":1`, "extra must be an object"),
		update(`"extra":{"a":"`+repeatX(1017)+`"}`, "extra must be at most 1024 bytes of JSON"),
	})
}

func TestDecodeRefusesBadViewerRequests(t *testing.T) {
	const (
		code  = "code must be from 1 to 128 characters of [A-Za-z0-9_-]"
		proto = "each of play must be from 1 to 16 characters of [a-z0-9_-]"
	)
	subscribe := func(members, message string) refusedRequest {
		return refusedRequest{`{"type":"subscribe","id":1,` + members + `}`, "1", message}
	}
	checkRefused(t, wire.DecodeViewerRequest, []refusedRequest{
		subscribe(`"list":"`+repeatX(65)+`"`, "list must be at most 64 bytes"),
		subscribe(`"tags":[""]`, "each of tags must be from 1 to 64 bytes of UTF-8"),
		subscribe(`"tags":`+arrayOf(17), "tags must have at most 16 strings"),
		subscribe(`"anchors":`+arrayOf(501), "anchors must have at most 500 strings"),
		subscribe(`"anchors":[""]`, "each of anchors must be from 1 to 256 bytes of UTF-8"),
		subscribe(`"anchors":[1]`, "anchors must be an array of strings"),
		subscribe(`"sort":"random"`, "sort must be viewers, likes or started"),
		subscribe(`"limit":0`, "limit must be at least 1"),
		subscribe(`"limit":-1`, "limit must be at least 1"),
		subscribe(`"limit":"9"`, "limit must be an integer"),
		subscribe(`"play":`+arrayOf(17), "play must have at most 16 strings"),
		subscribe(`"play":["FLV"]`, proto),
		subscribe(`"play":[""]`, proto),
		subscribe(`"play":["`+repeatX(17)+`"]`, proto),
		subscribe(`"play":"flv"`, "play must be an array of strings"),
		subscribe(`"pos":"`+repeatX(257)+`"`, "pos must be at most 256 bytes"),
		subscribe(`"view":"`+repeatX(257)+`"`, "view must be at most 256 bytes"),
		subscribe(`"view":1`, "view must be a string"),
		{`{"type":"unsubscribe"}`, "", "view is required"},
		{`{"type":"unsubscribe","view":"` + repeatX(257) + `"}`, "", "view must be at most 256 bytes"},
		{`{"type":"watch"}`, "", code},
		{`{"type":"watch","code":"a/b"}`, "", code},
		{`{"type":"watch","code":"` + repeatX(129) + `"}`, "", code},
		{`{"type":"watch","code":"a","play":["FLV"]}`, "", proto},
		{`{"type":"unwatch","code":"é"}`, "", code},
		{`{"type":"like","n":1}`, "", code},
		{`{"type":"like","code":"a"}`, "", "n must be from 1 to 100"},
		{`{"type":"like","code":"a","n":101}`, "", "n must be from 1 to 100"},
		{`{"type":"like","code":"a","n":1.5}`, "", "n must be an integer"},
	})
}

func TestDecodeAcceptsMembersAtTheirBounds(t *testing.T) {
	for _, in := range []string{
		`{"type":"start","title":"` + repeatX(256) + `","cover":"https://a/` + repeatX(1014) + `","tags":` + arrayOf(16) +
			`,"extra":{"a":"` + repeatX(1016) + `"},"key":"` + repeatX(64) + `"}`,
		`{"type":"beat","n":9007199254740991,"stats":{"fps":1000000000}}`,
	} {
		if _, err := wire.DecodeAnchorRequest([]byte(in)); err != nil {
			t.Error(err)
		}
	}
	for _, in := range []string{
		`{"type":"subscribe","anchors":` + arrayOf(500) + `,"limit":1,"sort":"started"}`,
		`{"type":"watch","code":"` + repeatX(128) + `","play":["` + repeatX(16) + `"]}`,
	} {
		if _, err := wire.DecodeViewerRequest([]byte(in)); err != nil {
			t.Error(err)
		}
	}
}

// Go callers can pass values that JSON cannot contain.
func TestValidateRefusesBadValues(t *testing.T) {
	for message, m := range map[string]interface{ Validate() error }{
		"title must be valid UTF-8": &wire.Start{Title: "\xff"},
		"extra must be an object":   &wire.Start{Extra: []byte(`{`)},
		"limit must be at least 1":  &wire.Subscribe{Limit: -1},
	} {
		if err := m.Validate(); err == nil || err.Error() != "bad_request: "+message {
			t.Errorf("got %v, want %q", err, message)
		}
	}
}

func TestDecodeServerMessageRefusesBadFrames(t *testing.T) {
	for in, want := range map[string]string{
		`nope`:                                                            "wire: bad frame: the message is not one JSON value and nothing else",
		`{"type":""}`:                                                     "wire: bad frame: type is required",
		`{"type":"ack","n":"1"}`:                                          "wire: bad ack: n must be an integer",
		`{"type":"ack","id":{},"n":1}`:                                    "wire: bad ack: id must be a string or an integer, of at most 64 bytes of JSON",
		`{"type":"updated"}`:                                              "wire: bad updated: stream is required",
		`{"type":"updated","stream":[]}`:                                  "wire: bad updated: stream: a stream must be an object",
		`{"type":"updated","stream":{}}`:                                  "wire: bad updated: stream: code is required",
		`{"type":"snapshot","streams":{}}`:                                "wire: bad snapshot: streams must be an array",
		`{"type":"snapshot","streams":[7]}`:                               "wire: bad snapshot: streams[0]: a stream must be an object",
		`{"type":"diff","put":[{"code":"a","tags":1}]}`:                   "wire: bad diff: put[0]: tags must be an array of strings",
		`{"type":"diff","put":[{"code":"a","play":1}]}`:                   "wire: bad diff: put[0]: play must be an object",
		`{"type":"diff","put":[{"code":"a","play":{"a":1}}]}`:             "wire: bad diff: put[0]: play must be an object of strings",
		`{"type":"diff","set":[1]}`:                                       "wire: bad diff: set[0]: a patch must be an object",
		`{"type":"diff","set":[{"viewers":1}]}`:                           "wire: bad diff: set[0]: code is required",
		`{"type":"diff","set":[{"code":"a"},{"code":"a","viewers":"1"}]}`: "wire: bad diff: set[1]: viewers must be an integer",
		`{"type":"diff","del":[1]}`:                                       "wire: bad diff: del must be an array of strings",
		`{"type":"push"}`:                                                 "wire: bad push: push is required",
		`{"type":"push","push":{"rtmp":1}}`:                               "wire: bad push: push.rtmp must be a string",
		`{"type":"ended","summary":{"likes":"1"}}`:                        "wire: bad ended: summary.likes must be an integer",
	} {
		if m, err := wire.DecodeServerMessage([]byte(in)); err == nil || err.Error() != want {
			t.Errorf("%s\n got %+v, %v\nwant %s", in, m, err, want)
		}
	}
}
