package hooks

// zlmBody is what ZLMediaKit posts. See
// https://github.com/ZLMediaKit/ZLMediaKit/wiki/MediaServer支持的HTTP-HOOK-API.
type zlmBody struct {
	Server string `json:"mediaServerId"`
	Schema string
	App    string
	Stream string
	Params string
	Regist bool

	// Of a recording.
	StartTime number  `json:"start_time"`
	Size      number  `json:"file_size"`
	Length    float64 `json:"time_len"`
	Path      string  `json:"file_path"`
}

// zlmSchema is the form of a stream of which changes count. The server tells of
// each form that it makes of one push: RTMP is one that it always makes.
const zlmSchema = "rtmp"

// ZLM reads a callback of ZLMediaKit, whose event is in the path that is
// configured for it. A server has one push under a name at a time, and tells of
// its end without saying whose it was: so all pushes to a server have one name. It
// returns ErrMalformed or ErrUnknownEvent.
func ZLM(event string, body []byte) (Event, error) {
	var b zlmBody
	if err := object(body, &b); err != nil {
		return Event{}, err
	}
	e := Event{Name: event, App: b.App, Code: b.Stream, Media: b.Server}
	switch event {
	case "on_publish":
		e.Kind, e.Query = Publish, b.Params
	case "on_play":
		e.Kind, e.Query = Play, b.Params
	case "on_stream_changed":
		switch {
		case b.Schema != zlmSchema:
			e.Kind = Nothing
		case b.Regist:
			e.Kind, e.Query = Going, b.Params
		default:
			e.Kind = Done
		}
	case "on_record_mp4":
		if b.Path == "" || b.Length < 0 || b.Length > 1e9 {
			return Event{}, ErrMalformed
		}
		e.Kind = Recorded
		e.File = File{
			Name: b.Server + " " + b.Path, Location: b.Path, Format: formatOf(b.Path), Size: int64(max(0, b.Size)),
			StartedAt: seconds(b.StartTime), Duration: int64(b.Length * 1000),
		}
		e.File.EndedAt = e.File.StartedAt + e.File.Duration
	case "on_stream_none_reader":
		e.Kind = Nothing
	default:
		return Event{}, ErrUnknownEvent
	}
	if e.App == "" || e.Code == "" || len(e.Media) > 128 {
		return Event{}, ErrMalformed
	}
	return e, nil
}
