package hooks

import (
	"net/url"
	"strings"
)

// ParseMediaMTX reads what ParseMediaMTX asks, and what its hooks tell; which of them it
// is, is the event, from the path.
//
// "" and "auth" is HTTP authentication, in JSON:
//
//	{"user":"","password":"","token":"","ip":"127.0.0.1","action":"publish","path":"live/8888_alice",
//	 "protocol":"rtmp","id":"…","query":"txSecret=…"}
//
// Its id may be another than the one that the hooks have, and where it is
// answered yes, the push may yet be refused: it begins and ends with "available"
// and "unavailable". Those, and "record", are commands that post a form:
//
//	path=live/8888_alice&source_id=…
//	path=live/8888_alice&segment_path=/recordings/…mp4&segment_duration=12.5
//
// It returns ErrMalformed or ErrUnknownEvent. See https://mediamtx.org/docs for
// both, under authentication and hooks.
func ParseMediaMTX(event string, body []byte) (Event, error) {
	if event == "" || event == "auth" {
		return parseMediaMTXAuth(body)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return Event{}, ErrMalformed
	}
	e := Event{Name: event}
	source, file := form.Get("source_id"), form.Get("segment_path")
	if e.App, e.Code, err = splitStreamPath(form.Get("path")); err != nil {
		return Event{}, err
	}
	switch event {
	case "available":
		e.Kind = PushStarted
	case "unavailable":
		e.Kind = PushEnded
	case "record":
		e.Kind = FileRecorded
	default:
		return Event{}, ErrUnknownEvent
	}
	if e.Kind != FileRecorded {
		if e.PushID, e.UniquePushID = source, true; !isID(source) {
			return Event{}, ErrMalformed
		}
		return e, nil
	}
	if !isLocation(file) {
		return Event{}, ErrMalformed
	}
	e.Recording = newRecording(ProviderMediaMTX, e.Code, file, file)
	e.Recording.Duration = parseSeconds(form.Get("segment_duration"))
	if e.Recording.Format == "mp4" {
		e.Recording.Format = "fmp4" // the only kind it writes
	}
	return e, nil
}

func parseMediaMTXAuth(body []byte) (Event, error) {
	m, err := parseJSONObject(body)
	if err != nil {
		return Event{}, err
	}
	e := Event{Name: m.text("action"), Query: m.text("query")}
	switch e.Name {
	case "publish":
		e.Kind = PublishRequest
	case "read":
		e.Kind = PlayRequest
	case "":
		return Event{}, ErrMalformed
	default: // the server's own API, which is none of ours
		return Event{}, ErrUnknownEvent
	}
	e.App, e.Code, err = splitStreamPath(m.text("path"))
	return e, err
}

// splitStreamPath splits a path as in rtmp://host/app/code.
func splitStreamPath(path string) (app, code string, err error) {
	slash := strings.LastIndexByte(path, '/')
	if slash < 1 || slash == len(path)-1 {
		return "", "", ErrMalformed
	}
	return path[:slash], path[slash+1:], nil
}
