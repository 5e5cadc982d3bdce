package webhooks

import "onair/presence"

// EventType is the type of an event as sent.
type EventType string

// The event types.
const (
	StreamStarted  EventType = "stream.started"  // a session has begun
	StreamAway     EventType = "stream.away"     // its stream is away and may come back
	StreamResumed  EventType = "stream.resumed"  // its stream is live again
	StreamEnded    EventType = "stream.ended"    // the session has ended
	RecordingReady EventType = "recording.ready" // there is a new recording
)

var eventTypes = [...]EventType{StreamStarted, StreamAway, StreamResumed, StreamEnded, RecordingReady}

// Event is an event to deliver. What it points to must not change: each attempt encodes it
// again, so that an open event holds no encoded bytes.
type Event struct {
	ID   string // unique, of A-Z a-z 0-9 _ -
	Type EventType
	Time int64 // Unix milliseconds

	// One of these, by type.
	Stream    *presence.Stream    // StreamStarted, StreamAway, StreamResumed: its state at that time
	Ended     *presence.Ended     // StreamEnded
	Recording *presence.Recording // RecordingReady
}

// subject returns the live code of the event. Events with the same code are sent in order.
func (e *Event) subject() string {
	switch {
	case e.Stream != nil:
		return e.Stream.Code
	case e.Ended != nil:
		return e.Ended.Stream.Code
	case e.Recording != nil:
		return e.Recording.Code
	}
	return ""
}
