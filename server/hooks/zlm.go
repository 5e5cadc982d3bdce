package hooks

// ParseZLM reads a callback of ZLMediaKit, whose body is JSON. Which it is, is the
// event, from the path: on_publish, on_play, on_stream_changed, on_record_mp4 or
// on_stream_none_reader.
//
//	{"mediaServerId":"a","hook_index":7,"schema":"rtmp","vhost":"__defaultVhost__","app":"live","stream":"8888_alice",
//	 "params":"txSecret=…","ip":"10.1.2.3","port":4321,"id":"3-12"}
//
// It returns ErrMalformed or ErrUnknownEvent. See
// https://docs.zlmediakit.com/guide/media_server/web_hook_api.html for the
// fields.
//
// One push is registered under several schemas (rtmp, rtsp, hls, …), each with
// its own begin and end, of which only the begin says which connection pushes.
// So each schema of a server is a push of its own here: the first to begin
// brings the picture, and with the last to end it is gone. A name has one
// publisher at a time.
func ParseZLM(event string, body []byte) (Event, error) {
	m, err := parseJSONObject(body)
	if err != nil {
		return Event{}, err
	}
	e := Event{Name: event, App: m.text("app"), Code: m.text("stream")}
	switch event {
	case "on_publish":
		e.Kind, e.Query = PublishRequest, m.text("params")
	case "on_play":
		e.Kind, e.Query = PlayRequest, m.text("params")
	case "on_stream_changed":
		err = e.readZLMRegistration(m)
	case "on_record_mp4":
		err = e.readZLMRecording(m)
	case "on_stream_none_reader":
		return Event{Kind: Ignored, Name: event}, nil
	default:
		return Event{}, ErrUnknownEvent
	}
	if err != nil || e.App == "" || e.Code == "" {
		return Event{}, ErrMalformed
	}
	return e, nil
}

// readZLMRegistration reads that a stream is registered under a schema, or no more.
func (e *Event) readZLMRegistration(m jsonObject) error {
	switch string(m["regist"]) {
	case "true":
		e.Kind = PushStarted
	case "false":
		e.Kind = PushEnded
	default:
		return ErrMalformed
	}
	server, schema := m.text("mediaServerId"), m.text("schema")
	if !isID(schema) || server != "" && !isID(server) {
		return ErrMalformed
	}
	e.PushID = server + "/" + schema
	e.order.stream = e.PushID + " " + e.App + "/" + e.Code
	e.order.index, e.order.hasIndex = m.number("hook_index")
	e.order.createdAt = m.secondsAsMillis("createStamp")
	return nil
}

func (e *Event) readZLMRecording(m jsonObject) error {
	file := m.text("file_path")
	if !isLocation(file) {
		return ErrMalformed
	}
	e.Kind, e.Recording = FileRecorded, newRecording(ProviderZLM, e.Code, file, file)
	e.Recording.StartedAt, e.Recording.Duration = m.secondsAsMillis("start_time"), m.secondsAsMillis("time_len")
	e.Recording.Size, _ = m.number("file_size")
	return nil
}
