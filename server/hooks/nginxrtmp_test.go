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
		publish: {Publish, "publish", "live", "8888_alice", "1", "txSecret=abc&txTime=5C271099"},
		going:   {Going, "update_publish", "live", "8888_alice", "1", "txSecret=abc&txTime=5C271099"},
		session + "&call=update_play&time=2&timestamp=2000&name=8888_alice": {Kind: Watching, Name: "update_play"},
		done: {Done, "publish_done", "live", "8888_alice", "1", ""},
		session + "&call=publish&name=8888_alice&type=live":                         {Publish, "publish", "live", "8888_alice", "1", ""},
		session + "&call=publish&name=8888_alice&type=live&name=8888_bob&type=live": {Publish, "publish", "live", "8888_alice", "1", "name=8888_bob&type=live"},
		done + "&name=8888_bob": {Done, "publish_done", "live", "8888_alice", "1", ""},
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
		"an end made of a publish":    strings.Replace(publish, "FMLE/3.0", "x&call=publish_done", 1),
	} {
		if e, err := NginxRTMP([]byte(body)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
	if e, err := NginxRTMP([]byte(session + "&call=play&name=x")); !errors.Is(err, ErrUnknownEvent) {
		t.Errorf("play: %+v, %v", e, err)
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
		if e.Kind == Watching {
			return
		}
		if e.Kind == 0 || e.Code == "" || e.Media == "" || strings.Count("&"+string(body), "&call=") != 1 {
			t.Fatalf("%q gives %+v", body, e)
		}
	})
}
