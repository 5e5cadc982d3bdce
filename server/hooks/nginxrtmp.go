package hooks

import (
	"net/url"
	"strings"
)

// ParseNginxRTMP parses a callback of nginx-rtmp, or of nginx-http-flv, which continues
// it (on_publish, on_publish_done, on_play, on_play_done, on_update, on_record_done). Its
// body is a form, which is the query of the request under "notify_method get":
//
//	app=live&flashver=…&swfurl=…&tcurl=…&pageurl=…&addr=127.0.0.1&clientid=1&call=publish&name=8888_alice&type=live&txSecret=…
//
// It returns ErrMalformed or ErrUnknownEvent.
//
// Clients control a large part of the body. The module appends the query of the URL
// without escapes, so the first name= counts and a second one belongs to the client.
// Debian's version escapes the fields before the name (flashver, swfurl, tcurl,
// pageurl); others may not. So each field of the module must occur once, and the
// fields of a call must follow it in order. Only app= may occur again after the call:
// the query of nginx-http-flv's players is that of their HTTP-FLV URL, which has
// port=, app= and stream=.
//
// The name is that of the last stream which the connection named. A connection that
// publishes, and then asks to play another stream, has its push and its recording
// reported under the other name. Its query stays its own: verify the signature in it
// before you trust update_publish or record_done.
//
// The clientid counts from 1 in each worker of nginx and after each restart. It
// identifies a push only together with the server.
func ParseNginxRTMP(body []byte) (Event, error) {
	f, err := splitNginxFormAtCall(body)
	if err != nil {
		return Event{}, err
	}
	e := Event{Name: f.connection["call"], App: f.connection["app"]}
	switch e.Name {
	case "publish":
		e.Kind, e.PushID = PublishRequest, f.connection["clientid"]
		err = f.readCallFieldsInOrder(&e, "name", "type")
	case "play":
		e.Kind = PlayRequest
		err = f.readCallFieldsInOrder(&e, "name", "start", "duration", "reset")
	case "update_publish":
		e.Kind, e.PushID, e.Unverified = PushContinued, f.connection["clientid"], true
		err = f.readCallFieldsInOrder(&e, "time", "timestamp", "name")
	case "publish_done":
		e.Kind, e.PushID = PushEnded, f.connection["clientid"]
		err = f.readCallFieldsInOrder(&e, "name")
		e.Query = "" // the end of an unknown push has no effect
	case "record_done":
		e.Kind, e.PushID, e.Unverified = FileRecorded, f.connection["clientid"], true
		err = f.readCallFieldsInOrder(&e, "recorder", "name", "path")
	case "connect", "disconnect", "done", "play_done", "update_play":
		// A refusal would disconnect clients. update_play comes with on_update.
		return Event{Kind: Ignored, Name: e.Name}, nil
	case "":
		return Event{}, ErrMalformed
	default:
		return Event{}, ErrUnknownEvent
	}
	if err != nil || e.Code == "" || e.App == "" || !isDigits(f.connection["clientid"]) {
		return Event{}, ErrMalformed
	}
	return e, nil
}

// nginxForm is the form of a callback.
type nginxForm struct {
	connection map[string]string // the module's fields about the connection
	callPairs  []string          // the pairs after call=
}

// splitNginxFormAtCall splits a form at its call. It rejects duplicate fields of the module,
// except an app after the call.
func splitNginxFormAtCall(body []byte) (f nginxForm, err error) {
	f.connection = map[string]string{}
	pairs := strings.Split(string(body), "&")
	for i, pair := range pairs {
		field, value, _ := strings.Cut(pair, "=")
		switch field {
		case "app", "addr", "clientid", "call":
			if _, exists := f.connection[field]; exists {
				if field == "app" && f.callPairs != nil {
					continue
				}
				return f, ErrMalformed
			}
			if f.connection[field], err = url.QueryUnescape(value); err != nil {
				return f, ErrMalformed
			}
			if field == "call" {
				f.callPairs = pairs[i+1:]
			}
		}
	}
	return f, nil
}

// readCallFieldsInOrder reads the fields of the call, which must have these names in this order, and
// takes the rest as the client's query.
func (f *nginxForm) readCallFieldsInOrder(e *Event, wantFields ...string) error {
	if len(f.callPairs) < len(wantFields) {
		return ErrMalformed
	}
	for i, want := range wantFields {
		field, value, _ := strings.Cut(f.callPairs[i], "=")
		text, err := url.PathUnescape(value) // a path may contain a plus without an escape
		if field != want || err != nil {
			return ErrMalformed
		}
		switch field {
		case "name":
			e.Code = text
		case "path":
			if e.Recording, err = newFileRecording(ProviderNginxRTMP, e.Code, text); err != nil {
				return err
			}
		}
	}
	e.Query = strings.Join(f.callPairs[len(wantFields):], "&")
	return nil
}
