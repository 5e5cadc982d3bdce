package webhooks

import "onair/presence"

// Type is what has happened, in the words of the wire.
type Type string

// The types of events.
const (
	StreamStarted  Type = "stream.started"  // a session has begun
	StreamAway     Type = "stream.away"     // its stream is away: the host will be right back
	StreamResumed  Type = "stream.resumed"  // it is live again
	StreamEnded    Type = "stream.ended"    // the session is over
	RecordingReady Type = "recording.ready" // there is a recording that was not known before
)

// types are all there are.
var types = [...]Type{StreamStarted, StreamAway, StreamResumed, StreamEnded, RecordingReady}

// Event is something that has happened. What it points to must not change any
// more: it is written out at each try, so that one that waits holds no bytes.
type Event struct {
	ID   string // names it for ever; of A-Z a-z 0-9 _ -
	Type Type
	Time int64 // when it happened, Unix milliseconds

	// What it is about, by type one of these.
	Stream    *presence.Stream    // of StreamStarted, StreamAway and StreamResumed: as it was then
	Ended     *presence.Ended     // of StreamEnded
	Recording *presence.Recording // of RecordingReady
}

// code is the live code that the event is about: those of one go in order.
func (e *Event) code() string {
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
