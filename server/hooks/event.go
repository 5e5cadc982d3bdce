// Package hooks parses the callbacks of clouds and media servers, one file for each
// provider. A parser turns a request into an [Event] and does nothing else: the caller
// verifies the signature of the URL and decides what the event means.
//
// The parsers are pure and safe for concurrent use.
package hooks

import (
	"errors"

	"onair/presence"
)

// The names of providers in paths, metrics, evidence and recordings.
const (
	ProviderTencent   = "tencent"
	ProviderSRS       = "srs"
	ProviderNginxRTMP = "nginx-rtmp"
	ProviderMediaMTX  = "mediamtx"
	ProviderZLM       = "zlm"
)

// Kind is the kind of an event.
type Kind uint8

// The kinds of events.
const (
	PublishRequest Kind = iota + 1 // permission for a push is requested; with a PushID, the push begins if permitted
	PushStarted                    // a push has begun
	PushContinued                  // a push goes on, and permission to continue is requested
	PushEnded                      // a push has ended
	PlayRequest                    // permission for a player is requested
	FileRecorded                   // a recording is complete
	SnapshotTaken                  // an image of the video is available
	Ignored                        // an event without effect
)

// RequestsPermission reports whether the answer decides about a push or a player.
func (k Kind) RequestsPermission() bool {
	return k == PublishRequest || k == PushContinued || k == PlayRequest
}

// Event is one parsed callback.
type Event struct {
	Kind Kind
	Name string // the provider's name of the event, one of a few
	App  string // empty: not reported
	Code string // the live code; in a PlayRequest it may have the suffix of a template

	// PushID identifies the push. Unless UniquePushID is set, it is unique only within
	// one media server, and the caller adds the server's address.
	PushID       string
	UniquePushID bool  // the provider never uses the PushID again
	StartedAt    int64 // PushStarted: begin of the push by the provider's clock, Unix milliseconds; 0: not reported

	// Query is the raw query of the push or play URL, and contains a secret. Requests
	// have it, and events that are Unverified.
	Query string

	// Unverified is set if the pusher may have chosen Code freely. The signature in
	// Query verifies it.
	Unverified bool

	SnapshotURL string // SnapshotTaken: an https URL

	// Recording belongs to FileRecorded. Anchor, session and cover are not set; times
	// that the provider does not report are 0.
	Recording presence.Recording

	order callbackOrder // for events that may arrive late, see OrderTracker
}

var (
	// ErrMalformed is returned when a body does not have the provider's format, or may
	// be manipulated.
	ErrMalformed = errors.New("hooks: malformed callback")

	// ErrUnknownEvent is returned for an event that has no parser.
	ErrUnknownEvent = errors.New("hooks: unknown event: remove its callback from the media server's configuration")

	// ErrSignatureInvalid is returned when the signature of a callback is missing or
	// wrong.
	ErrSignatureInvalid = errors.New("hooks: invalid callback signature")

	// ErrSignatureExpired is returned when the signature of a callback has expired.
	ErrSignatureExpired = errors.New("hooks: expired callback signature")
)
