package webhooks

import "onair/presence"

// EventType is what has happened, in the words of the wire.
type EventType string

// The types of events.
const (
	StreamStarted  EventType = "stream.started"  // a session has begun
	StreamAway     EventType = "stream.away"     // its stream is away: the host will be right back
	StreamResumed  EventType = "stream.resumed"  // it is live again
	StreamEnded    EventType = "stream.ended"    // the session is over
	RecordingReady EventType = "recording.ready" // there is a recording that was not known before
)

// eventTypes are all there are.
var eventTypes = [...]EventType{StreamStarted, StreamAway, StreamResumed, StreamEnded, RecordingReady}

// Event is something that has happened. What it points to must not change any
// more: it is written out at each try, so that one that waits holds no bytes.
type Event struct {
	ID   string // names it for ever; of A-Z a-z 0-9 _ -
	Type EventType
	Time int64 // when it happened, Unix milliseconds

	// What it is about, by type one of these.
	Stream    *presence.Stream    // of StreamStarted, StreamAway and StreamResumed: as it was then
	Ended     *presence.Ended     // of StreamEnded
	Recording *presence.Recording // of RecordingReady
}

// subject is the live code that the event is about: those of one go in order.
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
