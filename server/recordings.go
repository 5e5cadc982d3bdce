package main

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"onair/hub/wire"
	"onair/presence"
	"onair/server/auth"
)

// recordingView is a recording as viewers see it.
type recordingView struct {
	ID          string `json:"id"`
	Code        string `json:"code"`
	Anchor      string `json:"anchor"`
	Session     string `json:"session,omitempty"` // for back ends alone
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

func viewOfRecording(rec *presence.Recording, who auth.Identity) recordingView {
	v := recordingView{
		ID: rec.ID, Code: rec.Code, Anchor: rec.Anchor, Title: rec.Title, Cover: rec.Cover, StartedAt: rec.StartedAt, EndedAt: rec.EndedAt,
		DurationMS: rec.Duration, Format: rec.Format, SizeBytes: rec.Size, PeakViewers: rec.PeakViewers, Likes: rec.Likes,
	}
	if operates(who) && rec.Session != (presence.Session{}) {
		v.Session = rec.Session.String()
	}
	return v
}

// operates reports whether somebody may see what viewers may not.
func operates(who auth.Identity) bool { return who.Role == auth.Backend || who.Role == auth.Admin }

// recordingsOnPage is how many recordings one page has.
const recordingsOnPage = 100

// archiveWithin is how long a call waits for the archive.
const archiveWithin = 5 * time.Second

// listRecordings answers GET /v1/recordings?anchor=&code=&from=&to=&cursor=: the
// last to start first. Those of streams that were in no view are shown to who
// names the live code.
func (s *server) listRecordings(w http.ResponseWriter, r *http.Request, who auth.Identity) *wire.Error {
	in := r.URL.Query()
	q := presence.RecordingQuery{Anchor: in.Get("anchor"), Code: in.Get("code"), After: in.Get("cursor"), Limit: recordingsOnPage}
	var bad [2]bool
	q.From, bad[0] = number(in.Get("from"))
	q.To, bad[1] = number(in.Get("to"))
	if bad[0] || bad[1] {
		return refuse(wire.CodeBadRequest, "from and to must be Unix milliseconds")
	}
	ctx, cancel := context.WithTimeout(r.Context(), archiveWithin)
	defer cancel()
	found, next, err := s.store.Recordings(ctx, q)
	if e := archiveError(err); e != nil {
		return e
	}
	var page struct {
		Recordings []recordingView `json:"recordings"`
		Cursor     string          `json:"cursor,omitempty"`
	}
	page.Recordings, page.Cursor = []recordingView{}, next
	for i := range found {
		if !found[i].Unlisted || q.Code != "" || operates(who) {
			page.Recordings = append(page.Recordings, viewOfRecording(&found[i], who))
		}
	}
	writeValue(w, page)
	return nil
}

// archiveError is what a client is told when the archive does not answer.
func archiveError(err error) *wire.Error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, presence.ErrBadCursor):
		return refuse(wire.CodeBadRequest, "cursor is not one that a page came with")
	}
	return refuse(wire.CodeUnavailable, "the archive does not answer at present, try again")
}

// playRecording answers GET /v1/recordings/{id}/play with signed URLs.
func (s *server) playRecording(w http.ResponseWriter, r *http.Request, _ auth.Identity) *wire.Error {
	rec, e := s.oneRecording(r.Context(), r.PathValue("id"))
	if e != nil {
		return e
	}
	live := s.now()
	if live.playback == nil {
		return refuse(wire.CodeNotFound, "recordings are not played from here: vod.provider is none")
	}
	expires := time.Now().Add(live.cfg.VOD.TTL).Unix()
	url, err := live.playback.URL(rec.Location, expires)
	if err != nil {
		s.log.Warn().Err(err).Str("recording", rec.ID).Msg("no URL can be made of where this recording lies")
		return refuse(wire.CodeNotFound, "this recording cannot be played from where it lies")
	}
	s.metrics.signed.WithLabelValues(usePlayback).Inc()
	var answer struct {
		URLs      map[string]string `json:"urls"`
		ExpiresAt int64             `json:"expires_at"`
	}
	answer.URLs, answer.ExpiresAt = map[string]string{cmp.Or(rec.Format, "file"): url}, expires*1000
	writeValue(w, answer)
	return nil
}

// oneRecording finds a recording, also one that is on its way to the archive yet.
func (s *server) oneRecording(ctx context.Context, id string) (presence.Recording, *wire.Error) {
	var rec presence.Recording
	known := false
	s.node.Read(func(r *presence.Registry) { rec, known = r.Recording(id) })
	if known {
		return rec, nil
	}
	ctx, cancel := context.WithTimeout(ctx, archiveWithin)
	defer cancel()
	rec, known, err := s.store.Recording(ctx, id)
	if e := archiveError(err); e != nil {
		return rec, e
	}
	if !known {
		return rec, refuse(wire.CodeNotFound, "there is no recording of this id")
	}
	return rec, nil
}

// record keeps a recording, once; it returns when that is durable. One that is
// too short is left out.
func (s *server) record(ctx context.Context, rec *presence.Recording) *wire.Error {
	if rec.Duration > 0 && rec.Duration < s.cfg.Recordings.Min.Milliseconds() {
		return nil
	}
	_, e := s.oneRecording(ctx, rec.ID) // the registry forgets, and would tell of it again
	if e == nil || e.Code != wire.CodeNotFound {
		return e
	}
	_, e = s.do(ctx, &presence.AddRecording{Recording: *rec})
	return e
}

// Pace of what is discarded.
const (
	discardEvery = time.Minute
	discardMost  = 500 // at once
)

// discardOld removes the recordings that are older than they are kept.
func (s *server) discardOld(ctx context.Context) {
	if s.cfg.Recordings.Keep == 0 {
		return
	}
	tick := time.NewTicker(discardEvery)
	defer tick.Stop()
	for {
		before := time.Now().Add(-s.cfg.Recordings.Keep).UnixMilli()
		n, err := s.store.DeleteRecordings(ctx, before, discardMost)
		if err != nil && ctx.Err() == nil {
			s.log.Warn().Err(err).Msg("old recordings could not be removed, trying again")
		}
		if n > 0 {
			s.log.Info().Int("recordings", n).Msg("old recordings were removed")
		}
		if n == discardMost {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
