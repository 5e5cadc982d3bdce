// Package hooks reads the callbacks of clouds and media servers: a file for
// each, that turns a request's body into an event and nothing more. Whether it
// is believed, and what it means, is for the caller.
package hooks

import "errors"

// Kind is what has happened to a push.
type Kind uint8

// The kinds of events.
const (
	Publish  Kind = iota + 1 // somebody asks to push
	Going                    // a push goes on
	Done                     // a push has ended
	Watching                 // somebody goes on watching: nothing that matters here
)

// Event is what one callback says.
type Event struct {
	Kind Kind
	// Name is the provider's word for the event.
	Name string
	App  string
	Code string // the live code that is pushed to
	// Media names the push among all of the provider's: it holds what tells the
	// pushes of one media server apart, and the caller adds which server it is.
	Media string
	// Query is the raw query of the URL that was pushed to, of Publish and
	// Going. It holds the push secret.
	Query string
}

// ErrMalformed is returned when a body is not what the provider sends, or
// something that was tampered with.
var ErrMalformed = errors.New("hooks: not a callback of this provider")

// ErrUnknownEvent is returned for an event that is not listened to.
var ErrUnknownEvent = errors.New("hooks: this event is not listened to")
