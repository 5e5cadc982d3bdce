package hooks

import (
	"errors"
	"strings"
	"testing"

	"onair/presence"
)

// As the module sends them.
const (
	session   = "app=live&flashver=FMLE/3.0%20(compatible%3B%20Lavf59.27&swfurl=&tcurl=rtmp://127.0.0.1:1935/live&pageurl=&addr=127.0.0.1&clientid=1"
	signed    = "txSecret=abc&txTime=5C271099"
	publish   = session + "&call=publish&name=8888_alice&type=live&" + signed
	play      = session + "&call=play&name=8888_alice&start=4294965296&duration=0&reset=0&" + signed
	going     = session + "&call=update_publish&time=2&timestamp=2000&name=8888_alice&" + signed
	done      = session + "&call=publish_done&name=8888_alice&" + signed
	recording = session + "&call=record_done&recorder=&name=8888_alice&path=/rec/8888_alice-1795610284.flv&" + signed
	malicious = "&call=publish&name=8888_mallory&type=live"
)

func TestNginxRTMP(t *testing.T) {
	file := presence.Recording{
		ID: presence.RecordingID("nginx-rtmp", "/rec/8888_alice-1795610284.flv"), Provider: "nginx-rtmp", Code: "8888_alice",
		Format: "flv", Location: "/rec/8888_alice-1795610284.flv", StartedAt: 1795610284_000,
	}
	asks := Event{Kind: PublishRequest, Name: "publish", App: "live", Code: "8888_alice", PushID: "1", Query: signed}
	goes := Event{Kind: PushContinued, Name: "update_publish", App: "live", Code: "8888_alice", PushID: "1", Query: signed, Unverified: true}
	ended := Event{Kind: PushEnded, Name: "publish_done", App: "live", Code: "8888_alice", PushID: "1"}
	with := func(e Event, change func(*Event)) Event { change(&e); return e }
	for body, want := range map[string]Event{
		publish: asks, going: goes, done: ended,
		play:      {Kind: PlayRequest, Name: "play", App: "live", Code: "8888_alice", Query: signed},
		recording: {Kind: FileRecorded, Name: "record_done", App: "live", Code: "8888_alice", PushID: "1", Query: signed, Unverified: true, Recording: file},
		session + "&call=update_play&time=2&timestamp=2000&name=8888_alice":         {Kind: Ignored, Name: "update_play"},
		session + "&call=play_done&name=8888_alice":                                 {Kind: Ignored, Name: "play_done"},
		session + "&call=publish&name=8888_alice&type=live":                         with(asks, func(e *Event) { e.Query = "" }),
		session + "&call=publish&name=8888_alice&type=live&name=8888_bob&type=live": with(asks, func(e *Event) { e.Query = "name=8888_bob&type=live" }),

		done + "&name=8888_bob":               ended,
		recording + "&path=/rec/8888_bob.flv": {Kind: FileRecorded, Name: "record_done", App: "live", Code: "8888_alice", PushID: "1", Query: signed + "&path=/rec/8888_bob.flv", Unverified: true, Recording: file},
	} {
		if got, err := ParseNginxRTMP([]byte(body)); err != nil || got != want {
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
		"a name in the TC URL":        strings.Replace(publish, "/live&page", "/live&name=8888_mallory&page", 1) + "&call=play",
		"a whole call in the TC URL":  strings.Replace(publish, "/live&page", "/live"+malicious+"&page", 1),
		"a whole call in flashver":    strings.Replace(publish, "FMLE/3.0", "x"+malicious, 1),
		"all that comes before names": strings.Replace(publish, "/live&page", "/live&pageurl=&addr=127.0.0.1&clientid=1"+malicious+"&page", 1),
		"a call in the query":         publish + "&call=publish_done",
		"a client in the query":       done + "&clientid=7",
		"an end made of a publish":    strings.Replace(publish, "FMLE/3.0", "x&call=publish_done", 1),
		"a play without its start":    session + "&call=play&name=8888_alice&" + signed,
		"a recording without a path":  session + "&call=record_done&recorder=&name=8888_alice&" + signed,
		"a path of two lines":         strings.Replace(recording, "/rec/", "/rec/%0a", 1),
		"a path before the name":      session + "&call=record_done&recorder=&path=/x.flv&name=8888_alice",
	} {
		if e, err := ParseNginxRTMP([]byte(body)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
	for _, call := range []string{"connect", "disconnect", "done"} {
		if e, err := ParseNginxRTMP([]byte(session + "&call=" + call + "&name=x")); !errors.Is(err, ErrUnknownEvent) {
			t.Errorf("%s: %+v, %v", call, e, err)
		}
	}
}

func FuzzNginxRTMP(f *testing.F) {
	for _, body := range []string{publish, play, going, done, recording, strings.Replace(publish, "FMLE/3.0", "x"+malicious, 1)} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := ParseNginxRTMP(body)
		if err != nil {
			return
		}
		requireValidEvent(t, body, &e)
		if e.Kind != Ignored && strings.Count("&"+string(body), "&call=") != 1 {
			t.Fatalf("%q gives %+v", body, e)
		}
	})
}
