package hooks

import (
	"cmp"
	"net/url"
	"strings"
)

// ParseMediaMTX parses a request of MediaMTX's HTTP authentication or of its hooks. The
// event comes from the path.
//
// The event "" or "auth" is HTTP authentication, in JSON:
//
//	{"user":"","password":"","token":"","ip":"127.0.0.1","action":"publish","path":"live/8888_alice",
//	 "protocol":"rtmp","id":"…","query":"txSecret=…"}
//
// Its id can differ from that of the hooks, and MediaMTX may reject a push that was
// permitted here. So a push begins and ends with "available" and "unavailable". Those
// and "record" are commands that post a form:
//
//	path=live/8888_alice&source_id=…
//	path=live/8888_alice&segment_path=/recordings/…mp4&segment_duration=12.5
//
// It returns ErrMalformed or ErrUnknownEvent. The fields are in https://mediamtx.org/docs,
// under authentication and hooks.
func ParseMediaMTX(event string, body []byte) (Event, error) {
	if event == "" || event == "auth" {
		return parseMediaMTXAuth(body)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return Event{}, ErrMalformed
	}
	e := Event{Name: event}
	if e.App, e.Code, err = splitAtLastSlash(form.Get("path")); err != nil {
		return Event{}, err
	}
	switch event {
	case "available":
		e.Kind = PushStarted
	case "unavailable":
		e.Kind = PushEnded
	case "record":
		e.Kind = FileRecorded
		if e.Recording, err = newFileRecording(ProviderMediaMTX, e.Code, form.Get("segment_path")); err != nil {
			return Event{}, err
		}
		e.Recording.Duration = parseSecondsAsMillis(form.Get("segment_duration"))
		if e.Recording.Format == "mp4" {
			e.Recording.Format = "fmp4" // MediaMTX writes no other mp4
		}
		return e, nil
	default:
		return Event{}, ErrUnknownEvent
	}
	if e.PushID, e.UniquePushID = form.Get("source_id"), true; !isPrintableID(e.PushID) {
		return Event{}, ErrMalformed
	}
	return e, nil
}

func parseMediaMTXAuth(body []byte) (Event, error) {
	o, err := parseStrictJSONObject(body)
	if err != nil {
		return Event{}, err
	}
	// A stream id of SRT in the form "#!::" has no query, but a password (s=).
	e := Event{Name: o.stringOrNumber("action"), Query: cmp.Or(o.stringOrNumber("query"), o.stringOrNumber("password"))}
	switch e.Name {
	case "publish":
		e.Kind = PublishRequest
	case "read":
		e.Kind = PlayRequest
	case "":
		return Event{}, ErrMalformed
	default: // access to MediaMTX's own API
		return Event{}, ErrUnknownEvent
	}
	e.App, e.Code, err = splitAtLastSlash(o.stringOrNumber("path"))
	return e, err
}

// splitAtLastSlash splits APP/CODE. The app may contain slashes.
func splitAtLastSlash(path string) (app, code string, err error) {
	slash := strings.LastIndexByte(path, '/')
	if slash < 1 || slash == len(path)-1 {
		return "", "", ErrMalformed
	}
	return path[:slash], path[slash+1:], nil
}
