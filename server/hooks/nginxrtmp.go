package hooks

import (
	"net/url"
	"strings"
)

// NginxRTMP reads a callback of nginx-rtmp (on_publish, on_publish_done,
// on_update), whose body is a form:
//
//	app=live&flashver=…&swfurl=…&tcurl=…&pageurl=…&addr=127.0.0.1&clientid=1&call=publish&name=8888_alice&type=live&txSecret=…
//
// It returns ErrMalformed or ErrUnknownEvent.
//
// Much of it is the pusher's own text. The query of the URL is appended raw at
// the end, so that a second name= is the pusher's, and the first counts. The
// module does not escape & in what comes before the name either (flashver,
// swfurl, tcurl, pageurl): a pusher could put call=publish&name=… in there and
// so be taken for somebody else. So whatever the module itself writes must be
// there once, in its order, with the name right behind the call: a body in
// which anything of it comes twice is refused.
//
// The clientid counts from 1 in each worker of nginx and again after each
// restart, which is why it names a push only together with its server.
func NginxRTMP(body []byte) (Event, error) {
	pairs := strings.Split(string(body), "&")
	var e Event
	once := map[string]string{}
	var nameAt, callAt, typeAt int
	for i, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		switch key {
		case "app", "addr", "clientid", "call":
			if _, twice := once[key]; twice {
				return Event{}, ErrMalformed
			}
			text, err := url.QueryUnescape(value)
			if err != nil {
				return Event{}, ErrMalformed
			}
			once[key] = text
			if key == "call" {
				callAt = i
			}
		case "name":
			if nameAt == 0 {
				nameAt, e.Code = i, value
			}
		case "type":
			if typeAt == 0 {
				typeAt = i
			}
		}
	}
	switch e.Name = once["call"]; e.Name {
	case "publish":
		// nothing but the type stands between the name and the query
		if nameAt != callAt+1 || typeAt != nameAt+1 {
			return Event{}, ErrMalformed
		}
		e.Kind, e.Query = Publish, strings.Join(pairs[typeAt+1:], "&")
	case "update_publish":
		e.Kind = Going
	case "publish_done":
		e.Kind = Done
	case "":
		return Event{}, ErrMalformed
	default:
		return Event{}, ErrUnknownEvent
	}
	code, err := url.QueryUnescape(e.Code)
	e.Code, e.App, e.Media = code, once["app"], once["clientid"]
	if err != nil || e.Code == "" || e.App == "" || !isNumber(e.Media) {
		return Event{}, ErrMalformed
	}
	return e, nil
}

// isNumber reports whether s is of decimal digits, not too many.
func isNumber(s string) bool {
	return s != "" && len(s) <= 20 && strings.Trim(s, "0123456789") == ""
}
