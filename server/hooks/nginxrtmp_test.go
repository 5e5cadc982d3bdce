package hooks

import (
	"errors"
	"strings"
	"testing"
)

// As the module sends them.
const (
	session   = "app=live&flashver=FMLE/3.0&swfurl=&tcurl=rtmp://127.0.0.1:1935/live&pageurl=&addr=127.0.0.1&clientid=1"
	publish   = session + "&call=publish&name=8888_alice&type=live&txSecret=abc&txTime=5C271099"
	going     = session + "&call=update_publish&time=2&timestamp=2000&name=8888_alice&txSecret=abc&txTime=5C271099"
	done      = session + "&call=publish_done&name=8888_alice&txSecret=abc&txTime=5C271099"
	malicious = "&call=publish&name=8888_mallory&type=live"
)

func TestNginxRTMP(t *testing.T) {
	for body, want := range map[string]Event{
		publish: {Kind: Publish, Name: "publish", App: "live", Code: "8888_alice", Media: "1", Query: "txSecret=abc&txTime=5C271099"},
		going:   {Kind: Going, Name: "update_publish", App: "live", Code: "8888_alice", Media: "1", Query: "txSecret=abc&txTime=5C271099"},
		session + "&call=update_play&time=2&timestamp=2000&name=8888_alice": {Kind: Nothing, Name: "update_play"},
		session + "&call=play_done&name=8888_alice":                         {Kind: Nothing, Name: "play_done"},
		done: {Kind: Done, Name: "publish_done", App: "live", Code: "8888_alice", Media: "1"},
		session + "&call=publish&name=8888_alice&type=live": {Kind: Publish, Name: "publish", App: "live", Code: "8888_alice", Media: "1"},
		session + "&call=publish&name=8888_alice&type=live&name=8888_bob&type=live": {
			Kind: Publish, Name: "publish", App: "live", Code: "8888_alice", Media: "1", Query: "name=8888_bob&type=live",
		},
		done + "&name=8888_bob": {Kind: Done, Name: "publish_done", App: "live", Code: "8888_alice", Media: "1"},
		session + "&call=play&name=8888_alice&start=4294965296&duration=0&reset=0&txSecret=abc": {
			Kind: Play, Name: "play", App: "live", Code: "8888_alice", Media: "1", Query: "txSecret=abc",
		},
		session + "&call=record_done&recorder=all&name=8888_alice&path=/rec/8888_alice%2d1.flv&txSecret=abc&path=/etc/passwd": {
			Kind: Recorded, Name: "record_done", App: "live", Code: "8888_alice", Media: "1", Query: "txSecret=abc&path=/etc/passwd",
			File: File{Name: "/rec/8888_alice-1.flv", Location: "/rec/8888_alice-1.flv", Format: "flv"},
		},
	} {
		if got, err := NginxRTMP([]byte(body)); err != nil || got != want {
			t.Errorf("%s\n got %+v, %v\nwant %+v", body, got, err, want)
		}
	}
}

func TestNginxRTMPRefuses(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":                     "",
		"JSON":                        `{"call":"publish"}`,
		"no call":                     session + "&name=8888_alice&type=live",
		"no name":                     session + "&call=publish&type=live&name=8888_alice",
		"no client":                   strings.Replace(publish, "clientid=1", "clientid=", 1),
		"a client that is no number":  strings.Replace(publish, "clientid=1", "clientid=x", 1),
		"a bad escape":                strings.Replace(publish, "8888_alice", "8888%zz", 1),
		"a name in the TC URL":        strings.Replace(publish, "/live&page", "/live&name=8888_mallory&page", 1),
		"a whole call in the TC URL":  strings.Replace(publish, "/live&page", "/live"+malicious+"&page", 1),
		"a whole call in flashver":    strings.Replace(publish, "FMLE/3.0", "x"+malicious, 1),
		"all that comes before names": strings.Replace(publish, "/live&page", "/live&pageurl=&addr=127.0.0.1&clientid=1"+malicious+"&page", 1),
		"a call in the query":         publish + "&call=publish_done",
		"a client in the query":       done + "&clientid=7",
		"a name before a recording":   strings.Replace(session, "/live&page", "/live&name=8888_mallory&page", 1) + "&call=record_done&recorder=all&name=8888_alice&path=/x.flv",
		"a recording without a path":  session + "&call=record_done&recorder=all&name=8888_alice&path=",
		"a player without a reset":    session + "&call=play&name=8888_alice&start=0&txSecret=abc",
		"an end made of a publish":    strings.Replace(publish, "FMLE/3.0", "x&call=publish_done", 1),
	} {
		if e, err := NginxRTMP([]byte(body)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
	if e, err := NginxRTMP([]byte(session + "&call=connect")); !errors.Is(err, ErrUnknownEvent) {
		t.Errorf("connect: %+v, %v", e, err)
	}
}

func FuzzNginxRTMP(f *testing.F) {
	for _, body := range []string{publish, going, done, strings.Replace(publish, "FMLE/3.0", "x"+malicious, 1)} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := NginxRTMP(body)
		if err != nil {
			return
		}
		if e.Kind == Nothing {
			return
		}
		if e.Kind == 0 || e.Code == "" || e.Media == "" || strings.Count("&"+string(body), "&call=") != 1 {
			t.Fatalf("%q gives %+v", body, e)
		}
	})
}
