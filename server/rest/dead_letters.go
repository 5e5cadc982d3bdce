package rest

import (
	"net/http"

	"onair/presence"
	"onair/server/auth"
	"onair/server/response"
)

// DeadLetterView is a dead letter as operators see it.
type DeadLetterView struct {
	ID      string `json:"id"`
	Event   string `json:"event"`
	At      int64  `json:"at"`
	Subject string `json:"subject"` // the live code, the id of the recording, or the user id
	Why     string `json:"why"`
}

// listDeadLetters answers GET /v1/dead-letters with the last dead letters, oldest first.
func (a *API) listDeadLetters(w http.ResponseWriter, _ *http.Request, _ auth.Identity) error {
	letters := []DeadLetterView{}
	a.Node.Read(func(r *presence.Registry) {
		for _, d := range r.DeadLetters() {
			view := DeadLetterView{ID: d.ID.String(), Event: d.Kind.String(), At: d.At, Why: d.Reason}
			switch {
			case d.Stream != nil:
				view.Subject = d.Stream.Code
			case d.Recording != nil:
				view.Subject = d.Recording.ID
			case d.Ban != nil:
				view.Subject = d.Ban.Anchor
			}
			letters = append(letters, view)
		}
	})
	response.WriteValue(w, map[string]any{"dead_letters": letters})
	return nil
}
