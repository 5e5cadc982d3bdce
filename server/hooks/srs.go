package hooks

import (
	"path"
	"strings"
)

// ParseSRS reads a callback of SRS (on_publish, on_unpublish, on_play, on_stop,
// on_dvr), whose body is JSON:
//
//	{"server_id":"vid-0xk989d","action":"on_publish","client_id":"341w361a","ip":"127.0.0.1","vhost":"__defaultVhost__",
//	 "app":"live","tcUrl":"rtmp://x/live","stream":"8888_alice","param":"?txSecret=…","stream_id":"vid-124q9y3"}
//
// It returns ErrMalformed or ErrUnknownEvent. See
// https://ossrs.io/lts/en-us/docs/v6/doc/http-callback for the fields.
//
// A client_id never comes again, but for versions that do not name their server
// and count clients. SRS asks before it looks whether the name is taken: the
// second publisher of a stream is let in here and refused there, which is told
// as its end.
func ParseSRS(body []byte) (Event, error) {
	m, err := parseJSONObject(body)
	if err != nil {
		return Event{}, err
	}
	e := Event{Name: m.text("action"), App: m.text("app"), Code: m.text("stream")}
	server, client := m.text("server_id"), m.text("client_id")
	param := strings.TrimPrefix(m.text("param"), "?")
	switch e.Name {
	case "on_publish":
		e.Kind, e.Query = PublishRequest, param
	case "on_unpublish":
		e.Kind = PushEnded
	case "on_play":
		e.Kind, e.Query = PlayRequest, param
	case "on_dvr":
		e.Kind = FileRecorded
	case "on_stop": // somebody has stopped watching
		return Event{Kind: Ignored, Name: e.Name}, nil
	case "":
		return Event{}, ErrMalformed
	default:
		return Event{}, ErrUnknownEvent
	}
	if e.App == "" || e.Code == "" || !isID(client) || server != "" && !isID(server) {
		return Event{}, ErrMalformed
	}
	switch e.Kind {
	case PublishRequest, PushEnded:
		e.PushID, e.UniquePushID = client, false
		if server != "" {
			e.PushID, e.UniquePushID = server+"/"+client, !isDigits(client)
		}
	case FileRecorded:
		file := m.text("file")
		if !isLocation(file) {
			return Event{}, ErrMalformed
		}
		if cwd := m.text("cwd"); !path.IsAbs(file) && isLocation(cwd) {
			file = path.Join(cwd, file)
		}
		e.Recording = newRecording(ProviderSRS, e.Code, file, file)
	}
	return e, nil
}
