package hooks

import (
	"net/url"
	"strings"
)

// ParseNginxRTMP reads a callback of nginx-rtmp (on_publish, on_publish_done,
// on_play, on_play_done, on_update, on_record_done), whose body is a form:
//
//	app=live&flashver=…&swfurl=…&tcurl=…&pageurl=…&addr=127.0.0.1&clientid=1&call=publish&name=8888_alice&type=live&txSecret=…
//
// It returns ErrMalformed or ErrUnknownEvent.
//
// Much of it is the client's own text. The query of the URL is appended raw at
// the end, so that a second name= is the client's, and the first counts. What
// comes before the name (flashver, swfurl, tcurl, pageurl) is escaped by the
// version that Debian has; so that nothing depends on that, whatever the module
// itself writes must be there once, with what belongs to a call right behind it,
// and a body in which anything of it comes twice is refused.
//
// The name is that of the last stream that the connection named: one that
// publishes, and then asks to play another's stream, has its push reported as
// the other's, and its recording, too. Its query stays its own, so that who
// trusts update_publish or record_done must verify the signature in it.
//
// The clientid counts from 1 in each worker of nginx and again after each
// restart, which is why it names a push only together with its server.
func ParseNginxRTMP(body []byte) (Event, error) {
	f, err := parseNginxForm(body)
	if err != nil {
		return Event{}, err
	}
	e := Event{Name: f.connection["call"], App: f.connection["app"]}
	switch e.Name {
	case "publish":
		e.Kind, e.PushID = PublishRequest, f.connection["clientid"]
		err = f.readCall(&e, "name", "type")
	case "play":
		e.Kind = PlayRequest
		err = f.readCall(&e, "name", "start", "duration", "reset")
	case "update_publish":
		e.Kind, e.PushID, e.Unverified = PushContinued, f.connection["clientid"], true
		err = f.readCall(&e, "time", "timestamp", "name")
	case "publish_done":
		e.Kind, e.PushID = PushEnded, f.connection["clientid"]
		err = f.readCall(&e, "name")
		e.Query = "" // the end of a push that is not known means nothing
	case "record_done":
		e.Kind, e.PushID, e.Unverified = FileRecorded, f.connection["clientid"], true
		err = f.readCall(&e, "recorder", "name", "path")
	case "update_play", "play_done":
		// update_play is sent wherever on_update is set, and its players are cut at
		// a refusal.
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

// nginxForm is a callback's form: what the module says of the connection, by
// name, and the pairs after its call.
type nginxForm struct {
	connection map[string]string
	callPairs  []string
}

// parseNginxForm splits a form at its call. It refuses one in which something that
// the module writes of the connection comes twice.
func parseNginxForm(body []byte) (f nginxForm, err error) {
	f.connection = map[string]string{}
	pairs := strings.Split(string(body), "&")
	for i, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		switch key {
		case "app", "addr", "clientid", "call":
			if _, twice := f.connection[key]; twice {
				return f, ErrMalformed
			}
			if f.connection[key], err = url.QueryUnescape(value); err != nil {
				return f, ErrMalformed
			}
			if key == "call" {
				f.callPairs = pairs[i+1:]
			}
		}
	}
	return f, nil
}

// readCall reads what must stand behind the call, by name and in order, and takes
// the client's query from what follows.
func (f *nginxForm) readCall(e *Event, names ...string) error {
	if len(f.callPairs) < len(names) {
		return ErrMalformed
	}
	for i, name := range names {
		key, value, _ := strings.Cut(f.callPairs[i], "=")
		// A path may have a plus, which is not escaped everywhere.
		text, err := url.PathUnescape(value)
		if key != name || err != nil {
			return ErrMalformed
		}
		switch name {
		case "name":
			e.Code = text
		case "path":
			if !isLocation(text) {
				return ErrMalformed
			}
			e.Recording = newRecording(ProviderNginxRTMP, e.Code, text, text)
		}
	}
	e.Query = strings.Join(f.callPairs[len(names):], "&")
	return nil
}
