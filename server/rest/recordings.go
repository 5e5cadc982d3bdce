package rest

import (
	"cmp"
	"net/http"
	"time"

	"onair/hub/wire"
	"onair/presence"
	"onair/server/auth"
	"onair/server/response"
)

// RecordingView is a recording as viewers see it.
type RecordingView struct {
	ID          string `json:"id"`
	Code        string `json:"code"`
	Anchor      string `json:"anchor"`
	Session     string `json:"session,omitempty"` // for operators only
	Title       string `json:"title,omitempty"`
	Cover       string `json:"cover,omitempty"`
	StartedAt   int64  `json:"started_at"`
	EndedAt     int64  `json:"ended_at"`
	DurationMS  int64  `json:"duration_ms"`
	Format      string `json:"format"`
	SizeBytes   int64  `json:"size_bytes,omitempty"`
	PeakViewers int64  `json:"peak_viewers,omitempty"`
	Likes       int64  `json:"likes,omitempty"`
}

func newRecordingView(rec *presence.Recording, who auth.Identity) RecordingView {
	v := RecordingView{
		ID: rec.ID, Code: rec.Code, Anchor: rec.Anchor, Title: rec.Title, Cover: rec.Cover, StartedAt: rec.StartedAt, EndedAt: rec.EndedAt,
		DurationMS: rec.Duration, Format: rec.Format, SizeBytes: rec.Size, PeakViewers: rec.PeakViewers, Likes: rec.Likes,
	}
	if isBackendOrAdmin(who) && rec.Session != (presence.Session{}) {
		v.Session = rec.Session.String()
	}
	return v
}

// isBackendOrAdmin reports whether a client may see unlisted recordings and session ids.
func isBackendOrAdmin(who auth.Identity) bool {
	return who.Role == auth.Backend || who.Role == auth.Admin
}

// recordingsPerPage is how many recordings one page has.
const recordingsPerPage = 100

// listRecordings answers GET /v1/recordings?anchor=&code=&from=&to=&cursor=, newest start first.
// Viewers get recordings of unlisted streams only in a query for their live code.
func (a *API) listRecordings(w http.ResponseWriter, r *http.Request, who auth.Identity) error {
	parameters := r.URL.Query()
	q := presence.RecordingQuery{
		Anchor: parameters.Get("anchor"), Code: parameters.Get("code"), After: parameters.Get("cursor"), Limit: recordingsPerPage,
	}
	var fromOK, toOK bool
	q.From, fromOK = parseOptionalNumber(parameters.Get("from"))
	q.To, toOK = parseOptionalNumber(parameters.Get("to"))
	if !fromOK || !toOK {
		return &wire.Error{Code: wire.CodeBadRequest, Message: "from and to must be Unix milliseconds"}
	}
	found, next, err := a.Broadcasts.RecordingsPage(r.Context(), q)
	if err != nil {
		return err
	}
	var page struct {
		Recordings []RecordingView `json:"recordings"`
		Cursor     string          `json:"cursor,omitempty"`
	}
	page.Recordings, page.Cursor = []RecordingView{}, next
	for i := range found {
		if !found[i].Unlisted || q.Code != "" || isBackendOrAdmin(who) {
			page.Recordings = append(page.Recordings, newRecordingView(&found[i], who))
		}
	}
	response.WriteValue(w, page)
	return nil
}

// getRecordingURLs answers GET /v1/recordings/{id}/play with signed URLs.
func (a *API) getRecordingURLs(w http.ResponseWriter, r *http.Request, _ auth.Identity) error {
	rec, err := a.Broadcasts.FindRecording(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	runtime := a.Runtime.Current()
	if runtime.PlaybackSigner == nil {
		return &wire.Error{Code: wire.CodeNotFound, Message: "recordings have no play URLs: vod.provider is none"}
	}
	expires := time.Now().Add(runtime.VOD.TTL).Unix()
	url, err := a.URLs.RecordingURL(rec.Location, expires)
	if err != nil {
		a.Log.Warn().Err(err).Str("recording", rec.ID).Msg("recording has no URL")
		return &wire.Error{Code: wire.CodeNotFound, Message: "this recording has no play URL: see vod"}
	}
	response.WriteValue(w, struct {
		URLs      map[string]string `json:"urls"`
		ExpiresAt int64             `json:"expires_at"`
	}{map[string]string{cmp.Or(rec.Format, "file"): url}, expires * 1000})
	return nil
}
