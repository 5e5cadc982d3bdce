// Package hooks reads the callbacks of clouds and media servers: a file for
// each, that turns a request into an event and nothing more. Whether it is
// believed, and what it means, is for the caller.
//
// The functions that read are pure, and may be called concurrently.
package hooks

import (
	"errors"

	"onair/presence"
)

// The providers' names in paths, metrics, evidence and recordings.
const (
	ProviderTencent   = "tencent"
	ProviderSRS       = "srs"
	ProviderNginxRTMP = "nginx-rtmp"
	ProviderMediaMTX  = "mediamtx"
	ProviderZLM       = "zlm"
)

// Kind is what has happened.
type Kind uint8

// The kinds of events.
const (
	PublishRequest Kind = iota + 1 // somebody asks to push; with Media, the push begins where it is let in
	PushStarted                    // a push has begun
	PushContinued                  // a push goes on, and the server asks whether it may
	PushEnded                      // a push has ended
	PlayRequest                    // somebody asks to watch
	FileRecorded                   // a file has been recorded
	SnapshotTaken                  // a picture of the video has been made
	Ignored                        // nothing that matters here
)

// IsRequest reports whether the answer decides anything: a push or a player is let
// in, or goes on.
func (k Kind) IsRequest() bool { return k == PublishRequest || k == PushContinued || k == PlayRequest }

// Event is what one callback says.
type Event struct {
	Kind Kind
	// Name is the provider's word for the event, one of a few.
	Name string
	App  string // empty: the provider does not say
	Code string // the live code that is pushed to; of Play maybe with the suffix of a template
	// PushID names the push among all of the provider's. Where it is not Unique,
	// it holds what tells the pushes of one media server apart, and the caller
	// adds which server it is.
	PushID       string
	UniquePushID bool  // no other push will ever have the name
	StartedAt    int64 // of Begun: when the push began by the provider's clock, in Unix milliseconds; 0: it does not say
	// Query is the raw query of the URL that was pushed to or played from. It
	// holds a secret. It is of Publish and Play, and of what is Doubtful.
	Query string
	// Unverified: whose push it is, is the pusher's word. The signature in Query
	// tells.
	Unverified  bool
	SnapshotURL string // of Pictured: an https URL
	// Recording is of Recorded, without anchor, session and cover. Times that the
	// provider does not say are 0.
	Recording presence.Recording

	// order is of an event that may come late, see Turns.
	order callbackOrder
}

var (
	// ErrMalformed is returned when a body is not what the provider sends, or
	// something that was tampered with.
	ErrMalformed = errors.New("hooks: not a callback of this provider")

	// ErrUnknownEvent is returned for an event that is not listened to.
	ErrUnknownEvent = errors.New("hooks: this event is not listened to")

	// ErrSignatureInvalid is returned when the signature of a callback is missing, or is
	// not one of the key.
	ErrSignatureInvalid = errors.New("hooks: the callback is not signed with the key")

	// ErrSignatureExpired is returned when the time of a callback's signature is over.
	ErrSignatureExpired = errors.New("hooks: the callback's signature has expired")
)
