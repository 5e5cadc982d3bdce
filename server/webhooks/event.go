package webhooks

import "onair/presence"

// sentKinds are the kinds of events that are sent by default: a session has begun; its stream
// is away and may come back; its stream is live again; the session has ended; there is a new
// recording.
var sentKinds = [...]presence.EventKind{
	presence.StreamStarted, presence.StreamAway, presence.StreamResumed, presence.StreamEnded, presence.RecordingReady,
}

// codeOfEvent returns the live code of an event, "" if it has none. Events with the same code are
// sent in order.
func codeOfEvent(e *presence.OutboxEvent) string {
	switch {
	case e.Ended != nil:
		return e.Ended.Stream.Code
	case e.Stream != nil:
		return e.Stream.Code
	case e.Recording != nil:
		return e.Recording.Code
	}
	return ""
}
