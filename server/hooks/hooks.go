// Package hooks reads the callbacks of clouds and media servers: a file for
// each, that turns a request's body into an event and nothing more. Whether it
// is believed, and what it means, is for the caller.
package hooks

import (
	"bytes"
	"encoding/json"
	"errors"
	"path"
	"strconv"
	"strings"
)

// Kind is what has happened.
type Kind uint8

// The kinds of events.
const (
	Publish  Kind = iota + 1 // somebody asks to push, or has begun to
	Going                    // a push goes on
	Done                     // a push has ended
	Play                     // somebody asks to watch
	Recorded                 // there is a file of what was pushed
	Pictured                 // there is a picture of what is pushed
	Nothing                  // nothing that matters here
)

// Event is what one callback says.
type Event struct {
	Kind Kind
	// Name is the provider's word for the event.
	Name string
	App  string
	Code string // the live code that is pushed to, or watched
	// Media names the push among all of its server's, or of the cloud's. The caller
	// adds which server it is.
	Media string
	// Unique: no other push will ever have that name.
	Unique bool
	// Since is when the push began, in Unix milliseconds; 0: not said.
	Since int64
	// Query is the raw query of the URL that was pushed to, or is watched, where
	// the provider says it. It holds a secret.
	Query string
	// Asks: the client sent no credentials, and may do so when it is asked to.
	Asks    bool
	File    File   // of Recorded
	Picture string // of Pictured: its URL
}

// File is a recording.
type File struct {
	Name      string // the provider's own, by which it knows the file again
	Location  string // a URL, or a path on the media server
	Format    string // flv, mp4 …
	StartedAt int64  // of what it shows, Unix milliseconds; 0: not said
	EndedAt   int64  // 0: not said
	Duration  int64  // milliseconds; 0: not said
	Size      int64  // bytes; 0: not said
}

var (
	// ErrMalformed is returned when a body is not what the provider sends, or
	// something that was tampered with.
	ErrMalformed = errors.New("hooks: not a callback of this provider")

	// ErrUnknownEvent is returned for an event that is not listened to.
	ErrUnknownEvent = errors.New("hooks: this event is not listened to")

	// ErrForged is returned when a callback's signature is not the provider's.
	ErrForged = errors.New("hooks: the callback's signature is wrong")

	// ErrExpired is returned when it was, and holds no more.
	ErrExpired = errors.New("hooks: the callback's signature has expired")
)

// number is a whole number that some providers write as a string at times.
type number int64

// UnmarshalJSON reads 5, 5.0, "5" and "".
func (n *number) UnmarshalJSON(b []byte) error {
	text := string(bytes.Trim(b, `"`))
	if text == "" || text == "null" {
		*n = 0
		return nil
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		f, bad := strconv.ParseFloat(text, 64)
		if bad != nil || f != f || f > 1<<53 || f < -1<<53 {
			return ErrMalformed
		}
		v = int64(f)
	}
	*n = number(v)
	return nil
}

// object reads a body that is one JSON object.
func object(body []byte, into any) error {
	if json.Unmarshal(body, into) != nil {
		return ErrMalformed
	}
	return nil
}

// place splits a path of a media server into its application and the stream.
func place(p string) (app, code string) {
	dir, base := path.Split(strings.Trim(p, "/"))
	return strings.Trim(dir, "/"), base
}

// formatOf is the kind of a file by its name.
func formatOf(file string) string { return strings.ToLower(strings.TrimPrefix(path.Ext(file), ".")) }

// seconds makes milliseconds of seconds, where they were said.
func seconds(s number) int64 { return int64(s) * 1000 }
