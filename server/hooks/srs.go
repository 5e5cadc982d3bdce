package hooks

import (
	"path"
	"strings"
)

// srsBody is what SRS posts. See
// https://ossrs.net/lts/en-us/docs/v6/doc/http-callback.
type srsBody struct {
	Action   string
	ServerID string `json:"server_id"`
	ClientID string `json:"client_id"`
	App      string
	Stream   string
	Param    string
	Cwd      string
	File     string
}

// SRS reads a callback of SRS (on_publish, on_unpublish, on_play, on_stop, on_dvr).
// A client's id is drawn by the server, and names one connection. It returns
// ErrMalformed or ErrUnknownEvent.
func SRS(body []byte) (Event, error) {
	var b srsBody
	if err := object(body, &b); err != nil {
		return Event{}, err
	}
	e := Event{Name: b.Action, App: b.App, Code: b.Stream, Media: strings.TrimSpace(b.ServerID + " " + b.ClientID), Unique: true}
	switch b.Action {
	case "on_publish":
		e.Kind, e.Query = Publish, strings.TrimPrefix(b.Param, "?")
	case "on_unpublish":
		e.Kind = Done
	case "on_play":
		e.Kind, e.Query = Play, strings.TrimPrefix(b.Param, "?")
	case "on_stop":
		e.Kind = Nothing
	case "on_dvr":
		file := b.File
		if !path.IsAbs(file) {
			file = path.Join(b.Cwd, file)
		}
		e.Kind, e.File = Recorded, File{Name: b.ServerID + " " + file, Location: file, Format: formatOf(file)}
		if b.File == "" {
			return Event{}, ErrMalformed
		}
	case "":
		return Event{}, ErrMalformed
	default:
		return Event{}, ErrUnknownEvent
	}
	if e.App == "" || e.Code == "" || b.ClientID == "" || len(e.Media) > 128 {
		return Event{}, ErrMalformed
	}
	return e, nil
}
