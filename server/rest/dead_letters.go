package rest

import (
	"net/http"

	"onair/presence"
	"onair/server/auth"
	"onair/server/response"
)

// DeadLetterView is something that was to be told, or done, and was given up.
type DeadLetterView struct {
	ID      string `json:"id"`
	Event   string `json:"event"`
	At      int64  `json:"at"`
	Subject string `json:"subject"` // a live code, a user id, or a recording
	Why     string `json:"why"`
}

// listDeadLetters answers GET /v1/dead-letters with the last of them, the oldest
// first.
func (a *API) listDeadLetters(w http.ResponseWriter, _ *http.Request, _ auth.Identity) error {
	var page struct {
		DeadLetters []DeadLetterView `json:"dead_letters"`
	}
	page.DeadLetters = []DeadLetterView{}
	a.Node.Read(func(r *presence.Registry) {
		for _, d := range r.DeadLetters() {
			l := DeadLetterView{ID: d.ID.String(), Event: d.Kind.String(), At: d.At, Why: d.Reason}
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
	response.WriteValue(w, page)
	return nil
}
