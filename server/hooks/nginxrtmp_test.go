package hooks

import (
	"errors"
	"strings"
	"testing"

	"onair/presence"
)

// Bodies as the module sends them.
const (
	nginxConnection = "app=live&flashver=FMLE/3.0%20(compatible%3B%20Lavf59.27&swfurl=&tcurl=rtmp://127.0.0.1:1935/live&pageurl=&addr=127.0.0.1&clientid=1"
	signedQuery     = "txSecret=abc&txTime=5C271099"
	nginxPublish    = nginxConnection + "&call=publish&name=8888_alice&type=live&" + signedQuery
	nginxPlay       = nginxConnection + "&call=play&name=8888_alice&start=4294965296&duration=0&reset=0&" + signedQuery
	nginxUpdate     = nginxConnection + "&call=update_publish&time=2&timestamp=2000&name=8888_alice&" + signedQuery
	nginxDone       = nginxConnection + "&call=publish_done&name=8888_alice&" + signedQuery
	nginxRecord     = nginxConnection + "&call=record_done&recorder=&name=8888_alice&path=/rec/8888_alice-1795610284.flv&" + signedQuery
	injectedCall    = "&call=publish&name=8888_mallory&type=live"
)

func TestParseNginxRTMP(t *testing.T) {
	file := presence.Recording{
		ID: presence.RecordingID("nginx-rtmp", "/rec/8888_alice-1795610284.flv"), Provider: "nginx-rtmp", Code: "8888_alice",
		Format: "flv", Location: "/rec/8888_alice-1795610284.flv", StartedAt: 1795610284_000,
	}
	request := Event{Kind: PublishRequest, Name: "publish", App: "live", Code: "8888_alice", PushID: "1", Query: signedQuery}
	update := Event{Kind: PushContinued, Name: "update_publish", App: "live", Code: "8888_alice", PushID: "1", Query: signedQuery, Unverified: true}
	end := Event{Kind: PushEnded, Name: "publish_done", App: "live", Code: "8888_alice", PushID: "1"}
	with := func(e Event, change func(*Event)) Event { change(&e); return e }
	for body, want := range map[string]Event{
		nginxPublish: request, nginxUpdate: update, nginxDone: end,
		nginxPlay:   {Kind: PlayRequest, Name: "play", App: "live", Code: "8888_alice", Query: signedQuery},
		nginxRecord: {Kind: FileRecorded, Name: "record_done", App: "live", Code: "8888_alice", PushID: "1", Query: signedQuery, Unverified: true, Recording: file},
		nginxConnection + "&call=update_play&time=2&timestamp=2000&name=8888_alice":         {Kind: Ignored, Name: "update_play"},
		nginxConnection + "&call=play_done&name=8888_alice":                                 {Kind: Ignored, Name: "play_done"},
		nginxConnection + "&call=publish&name=8888_alice&type=live":                         with(request, func(e *Event) { e.Query = "" }),
		nginxConnection + "&call=publish&name=8888_alice&type=live&name=8888_bob&type=live": with(request, func(e *Event) { e.Query = "name=8888_bob&type=live" }),

		nginxDone + "&name=8888_bob": end,
		nginxUpdate + "&app=other":   with(update, func(e *Event) { e.Query += "&app=other" }),
		"call=connect&app=live&flashver=&swfurl=&tcurl=&pageurl=&addr=127.0.0.1&epoch=1": {Kind: Ignored, Name: "connect"},
		nginxRecord + "&path=/rec/8888_bob.flv":                                          {Kind: FileRecorded, Name: "record_done", App: "live", Code: "8888_alice", PushID: "1", Query: signedQuery + "&path=/rec/8888_bob.flv", Unverified: true, Recording: file},
	} {
		if got, err := ParseNginxRTMP([]byte(body)); err != nil || got != want {
			t.Errorf("%s\n got %+v, %v\nwant %+v", body, got, err, want)
		}
	}
}

func TestParseNginxRTMPErrors(t *testing.T) {
	for name, body := range map[string]string{
		"empty":                          "",
		"JSON":                           `{"call":"publish"}`,
		"no call":                        nginxConnection + "&name=8888_alice&type=live",
		"no name":                        nginxConnection + "&call=publish&type=live&name=8888_alice",
		"no client":                      strings.Replace(nginxPublish, "clientid=1", "clientid=", 1),
		"a client without digits":        strings.Replace(nginxPublish, "clientid=1", "clientid=x", 1),
		"an invalid escape":              strings.Replace(nginxPublish, "8888_alice", "8888%zz", 1),
		"a name in the TC URL":           strings.Replace(nginxPublish, "/live&page", "/live&name=8888_mallory&page", 1) + "&call=play",
		"a whole call in the TC URL":     strings.Replace(nginxPublish, "/live&page", "/live"+injectedCall+"&page", 1),
		"a whole call in flashver":       strings.Replace(nginxPublish, "FMLE/3.0", "x"+injectedCall, 1),
		"all fields before the name":     strings.Replace(nginxPublish, "/live&page", "/live&pageurl=&addr=127.0.0.1&clientid=1"+injectedCall+"&page", 1),
		"a call in the query":            nginxPublish + "&call=publish_done",
		"a client in the query":          nginxDone + "&clientid=7",
		"an end injected into a publish": strings.Replace(nginxPublish, "FMLE/3.0", "x&call=publish_done", 1),
		"a play without its start":       nginxConnection + "&call=play&name=8888_alice&" + signedQuery,
		"a recording without a path":     nginxConnection + "&call=record_done&recorder=&name=8888_alice&" + signedQuery,
		"a path of two lines":            strings.Replace(nginxRecord, "/rec/", "/rec/%0a", 1),
		"a path before the name":         nginxConnection + "&call=record_done&recorder=&path=/x.flv&name=8888_alice",
	} {
		if e, err := ParseNginxRTMP([]byte(body)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
	for _, call := range []string{"pull", "done_publish"} {
		if e, err := ParseNginxRTMP([]byte(nginxConnection + "&call=" + call + "&name=x")); !errors.Is(err, ErrUnknownEvent) {
			t.Errorf("%s: %+v, %v", call, e, err)
		}
	}
}

func FuzzParseNginxRTMP(f *testing.F) {
	for _, body := range []string{nginxPublish, nginxPlay, nginxUpdate, nginxDone, nginxRecord, strings.Replace(nginxPublish, "FMLE/3.0", "x"+injectedCall, 1)} {
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
