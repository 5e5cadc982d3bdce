package hooks

import (
	"net/url"
	"strings"
)

// NginxRTMP reads a callback of nginx-rtmp (on_publish, on_publish_done, on_play,
// on_play_done, on_update, on_record_done), whose body is a form:
//
//	app=live&flashver=…&swfurl=…&tcurl=…&pageurl=…&addr=127.0.0.1&clientid=1&call=publish&name=8888_alice&type=live&txSecret=…
//
// It returns ErrMalformed or ErrUnknownEvent.
//
// Much of it is the pusher's own text. The query of the URL is appended raw at
// the end, so that a second name= is the pusher's, and the first counts. What
// comes before the name (flashver, swfurl, tcurl, pageurl) is escaped by the
// version that Debian has; so that nothing depends on that, whatever the module
// itself writes must be there once, with what it writes of an event right behind
// its call, and a body in which anything of it comes twice is refused.
//
// The name is that of the last stream that the connection named: one that
// publishes, and then asks to play another's stream, has its push reported as
// the other's, and what was recorded of it too. Its query stays its own, so that
// who trusts update_publish or record_done must verify the signature in it.
//
// The clientid counts from 1 in each worker of nginx and again after each
// restart, which is why it names a push only together with its server.
func NginxRTMP(body []byte) (Event, error) {
	pairs := strings.Split(string(body), "&")
	var e Event
	once := map[string]string{}
	var nameAt, callAt int
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
		}
	}
	// what follows the call, in this order, before the query
	follows := func(keys ...string) (values []string, ok bool) {
		for i, key := range keys {
			at := callAt + 1 + i
			if at >= len(pairs) {
				return nil, false
			}
			k, v, _ := strings.Cut(pairs[at], "=")
			if k != key || key == "name" && at != nameAt {
				return nil, false
			}
			values = append(values, v)
		}
		e.Query = strings.Join(pairs[callAt+1+len(keys):], "&")
		return values, true
	}
	switch e.Name = once["call"]; e.Name {
	case "publish":
		if _, ok := follows("name", "type"); !ok {
			return Event{}, ErrMalformed
		}
		e.Kind = Publish
	case "update_publish":
		e.Kind, e.Query = Going, strings.Join(pairs[nameAt+1:], "&")
	case "publish_done":
		e.Kind = Done
	case "play":
		if _, ok := follows("name", "start", "duration", "reset"); !ok {
			return Event{}, ErrMalformed
		}
		e.Kind = Play
	case "record_done":
		values, ok := follows("recorder", "name", "path")
		if !ok {
			return Event{}, ErrMalformed
		}
		file, err := url.QueryUnescape(values[2])
		if err != nil || file == "" {
			return Event{}, ErrMalformed
		}
		e.Kind, e.File = Recorded, File{Name: file, Location: file, Format: formatOf(file)}
	case "update_play", "play_done":
		// Sent wherever on_update is set, and its players are cut at a refusal.
		return Event{Kind: Nothing, Name: e.Name}, nil
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
