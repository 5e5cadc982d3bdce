package main

import (
	"net/http"

	"onair/hub/wire"
	"onair/presence"
	"onair/server/auth"
)

// deadLetter is something that was to be told, or done, and was given up.
type deadLetter struct {
	ID      string `json:"id"`
	Event   string `json:"event"`
	At      int64  `json:"at"`
	Subject string `json:"subject"` // a live code, a user id, or a recording
	Why     string `json:"why"`
}

// effectNames are the kinds of effects in words: those of webhooks, and bans.
var effectNames = map[presence.EventKind]string{
	presence.StreamStarted: "stream.started", presence.StreamAway: "stream.away", presence.StreamResumed: "stream.resumed",
	presence.StreamEnded: "stream.ended", presence.RecordingReady: "recording.ready", presence.RecordingAmended: "recording.amended",
	presence.BanSet: "anchor.banned", presence.BanLifted: "anchor.unbanned",
}

// listDeadLetters answers GET /v1/dead-letters with the last of them, the oldest
// first.
func (s *server) listDeadLetters(w http.ResponseWriter, _ *http.Request, _ auth.Identity) *wire.Error {
	var page struct {
		DeadLetters []deadLetter `json:"dead_letters"`
	}
	page.DeadLetters = []deadLetter{}
	s.node.Read(func(r *presence.Registry) {
		for _, d := range r.DeadLetters() {
			l := deadLetter{ID: d.ID.String(), Event: effectNames[d.Kind], At: d.At, Why: d.Reason}
			switch {
			case d.Stream != nil:
				l.Subject = d.Stream.Code
			case d.Recording != nil:
				l.Subject = d.Recording.ID
			case d.Ban != nil:
				l.Subject = d.Ban.Anchor
			}
			page.DeadLetters = append(page.DeadLetters, l)
		}
	})
	writeValue(w, page)
	return nil
}
