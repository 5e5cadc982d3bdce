package hooks

import (
	"net/url"
	"strconv"
)

// mtxAuth is what MediaMTX posts to ask whether somebody may do something
// (authMethod: http). See https://mediamtx.org/docs/usage/authentication.
type mtxAuth struct {
	User     string
	Password string
	Token    string
	Action   string
	Path     string
	Protocol string
	ID       string
	Query    string
}

// MediaMTX reads what MediaMTX asks (no event), and what its run-on commands tell:
// available, unavailable and record, as forms that a line of shell makes, with path,
// source_id, query, segment_path and segment_duration. It returns ErrMalformed or
// ErrUnknownEvent.
func MediaMTX(event string, body []byte) (Event, error) {
	if event == "" {
		return mtxAsks(body)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return Event{}, ErrMalformed
	}
	e := Event{Name: event, Media: form.Get("source_id"), Unique: true, Query: form.Get("query")}
	e.App, e.Code = place(form.Get("path"))
	switch event {
	case "available":
		e.Kind = Going
	case "unavailable":
		e.Kind = Done
	case "record":
		file := form.Get("segment_path")
		length, err := strconv.ParseFloat(form.Get("segment_duration"), 64)
		if file == "" || err != nil || !(length >= 0 && length < 1e9) {
			return Event{}, ErrMalformed
		}
		e.Kind, e.File = Recorded, File{Name: file, Location: file, Format: formatOf(file), Duration: int64(length * 1000)}
		return e, nil
	default:
		return Event{}, ErrUnknownEvent
	}
	if e.Media == "" || len(e.Media) > 128 {
		return Event{}, ErrMalformed
	}
	return e, nil
}

func mtxAsks(body []byte) (Event, error) {
	var b mtxAuth
	if err := object(body, &b); err != nil {
		return Event{}, err
	}
	e := Event{Name: b.Action, Media: b.ID, Unique: true, Query: b.Query}
	e.App, e.Code = place(b.Path)
	// An RTSP client shows its credentials only when it is asked to.
	e.Asks = b.Query == "" && b.User == "" && b.Password == "" && b.Token == ""
	switch b.Action {
	case "publish":
		e.Kind = Publish
	case "read", "playback":
		e.Kind = Play
	case "":
		return Event{}, ErrMalformed
	default:
		return Event{}, ErrUnknownEvent
	}
	if len(e.Media) > 128 {
		return Event{}, ErrMalformed
	}
	return e, nil
}
