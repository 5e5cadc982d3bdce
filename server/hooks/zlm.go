package hooks

// ParseZLM parses a callback of ZLMediaKit. The event comes from the path: on_publish,
// on_play, on_stream_changed, on_record_mp4 or on_stream_none_reader. The body is JSON:
//
//	{"mediaServerId":"a","hook_index":7,"schema":"rtmp","vhost":"__defaultVhost__","app":"live","stream":"8888_alice",
//	 "params":"txSecret=…","ip":"10.1.2.3","port":4321,"id":"3-12"}
//
// It returns ErrMalformed or ErrUnknownEvent. The fields are in
// https://docs.zlmediakit.com/guide/media_server/web_hook_api.html.
//
// ZLMediaKit registers one push under several schemas (rtmp, rtsp, hls, …), each with
// its own begin and end, and only the begin names the connection. So each schema of a
// server counts as one push: media begins with the first and ends with the last. A
// stream has one publisher at a time.
func ParseZLM(event string, body []byte) (Event, error) {
	o, err := parseStrictJSONObject(body)
	if err != nil {
		return Event{}, err
	}
	e := Event{Name: event, App: o.stringOrNumber("app"), Code: o.stringOrNumber("stream")}
	switch event {
	case "on_publish":
		e.Kind, e.Query = PublishRequest, o.stringOrNumber("params")
	case "on_play":
		e.Kind, e.Query = PlayRequest, o.stringOrNumber("params")
	case "on_stream_changed":
		err = e.readZLMSchemaRegistration(o)
	case "on_record_mp4":
		err = e.readZLMRecording(o)
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

// readZLMSchemaRegistration reads whether a stream is registered under a schema.
func (e *Event) readZLMSchemaRegistration(o jsonObject) error {
	switch string(o["regist"]) {
	case "true":
		e.Kind = PushStarted
	case "false":
		e.Kind = PushEnded
	default:
		return ErrMalformed
	}
	server, schema := o.stringOrNumber("mediaServerId"), o.stringOrNumber("schema")
	if !isPrintableID(schema) || server != "" && !isPrintableID(server) {
		return ErrMalformed
	}
	e.PushID = server + "/" + schema
	e.order.stream = e.PushID + " " + e.App + "/" + e.Code
	e.order.index, e.order.hasIndex = o.wholeNumber("hook_index")
	e.order.createdAt = o.secondsAsMillis("createStamp")
	return nil
}

func (e *Event) readZLMRecording(o jsonObject) (err error) {
	e.Kind = FileRecorded
	if e.Recording, err = newFileRecording(ProviderZLM, e.Code, o.stringOrNumber("file_path")); err != nil {
		return err
	}
	e.Recording.StartedAt, e.Recording.Duration = o.secondsAsMillis("start_time"), o.secondsAsMillis("time_len")
	e.Recording.Size, _ = o.wholeNumber("file_size")
	return nil
}
