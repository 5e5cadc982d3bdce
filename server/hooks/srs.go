package hooks

import (
	"path"
	"strings"
)

// ParseSRS parses a callback of SRS (on_publish, on_unpublish, on_play, on_dvr, and others
// that have no effect). Its body is JSON:
//
//	{"server_id":"vid-0xk989d","action":"on_publish","client_id":"341w361a","ip":"127.0.0.1","vhost":"__defaultVhost__",
//	 "app":"live","tcUrl":"rtmp://x/live","stream":"8888_alice","param":"?txSecret=…","stream_id":"vid-124q9y3"}
//
// It returns ErrMalformed or ErrUnknownEvent. The fields are in
// https://ossrs.io/lts/en-us/docs/v6/doc/http-callback.
//
// A client_id is unique, except in old versions, which have no server_id and count
// clients. SRS calls on_publish before it checks for another publisher. So a second
// publisher is permitted here and rejected there, which SRS reports as the end of its
// push. Oryx, which wraps SRS, names neither server nor client in its callbacks: there, all
// pushes of a stream are one, since a stream has one publisher.
func ParseSRS(body []byte) (Event, error) {
	o, err := parseStrictJSONObject(body)
	if err != nil {
		return Event{}, err
	}
	e := Event{Name: o.stringOrNumber("action"), App: o.stringOrNumber("app"), Code: o.stringOrNumber("stream")}
	server, client := o.stringOrNumber("server_id"), o.stringOrNumber("client_id")
	query := strings.TrimPrefix(o.stringOrNumber("param"), "?")
	switch e.Name {
	case "on_publish":
		e.Kind, e.Query = PublishRequest, query
	case "on_unpublish":
		e.Kind = PushEnded
	case "on_play":
		e.Kind, e.Query, e.Code = PlayRequest, query, strings.TrimSuffix(e.Code, ".m3u8") // a player of HLS names its file
	case "on_dvr":
		e.Kind = FileRecorded
	case "on_close", "on_connect", "on_hls", "on_hls_notify", "on_stop":
		return Event{Kind: Ignored, Name: e.Name}, nil
	case "":
		return Event{}, ErrMalformed
	default:
		return Event{}, ErrUnknownEvent
	}
	if o.stringOrNumber("request_id") != "" && server == "" && client == "" {
		client = "oryx"
	}
	if e.App == "" || e.Code == "" || !isPrintableID(client) || server != "" && !isPrintableID(server) {
		return Event{}, ErrMalformed
	}
	switch e.Kind {
	case PublishRequest, PushEnded:
		e.PushID = client
		if server != "" {
			e.PushID, e.UniquePushID = server+"/"+client, !isDigits(client)
		}
	case FileRecorded:
		file := o.stringOrNumber("file")
		if !isPrintableLocation(file) {
			return Event{}, ErrMalformed
		}
		if cwd := o.stringOrNumber("cwd"); !path.IsAbs(file) && isPrintableLocation(cwd) {
			file = path.Join(cwd, file)
		}
		e.Recording = newRecording(ProviderSRS, e.Code, file, file)
	}
	return e, nil
}
