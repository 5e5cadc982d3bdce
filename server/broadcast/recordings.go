package broadcast

import (
	"context"
	"errors"
	"time"

	"onair/hub/wire"
	"onair/presence"
)

// archiveTimeout bounds a call of the archive.
const archiveTimeout = 5 * time.Second

// RecordingsPage returns a page of the archive, and the cursor of the next page. The error is a
// *wire.Error: bad_request for an invalid cursor, or unavailable.
func (s *Service) RecordingsPage(ctx context.Context, q presence.RecordingQuery) (page []presence.Recording, next string, err error) {
	ctx, cancel := context.WithTimeout(ctx, archiveTimeout)
	defer cancel()
	page, next, err = s.archive.Recordings(ctx, q)
	if err != nil {
		return nil, "", newArchiveError(err)
	}
	return page, next, nil
}

// FindRecording returns the recording with an id, from the registry or the archive. The error is a
// *wire.Error: not_found or unavailable.
func (s *Service) FindRecording(ctx context.Context, id string) (presence.Recording, error) {
	var rec presence.Recording
	found := false
	s.node.Read(func(r *presence.Registry) { rec, found = r.Recording(id) })
	if found {
		return rec, nil
	}
	ctx, cancel := context.WithTimeout(ctx, archiveTimeout)
	defer cancel()
	rec, found, err := s.archive.Recording(ctx, id)
	if err != nil {
		return rec, newArchiveError(err)
	}
	if !found {
		return rec, &wire.Error{Code: wire.CodeNotFound, Message: "no recording has this id"}
	}
	return rec, nil
}

// AddRecording stores a recording, unless it is known or shorter than recordings.min. It
// returns when the recording is durable.
func (s *Service) AddRecording(ctx context.Context, rec *presence.Recording) error {
	if rec.Duration > 0 && rec.Duration < s.runtime.Current().Recordings.Min.Milliseconds() {
		return nil
	}
	_, err := s.FindRecording(ctx, rec.ID) // also in the archive: the registry forgets, and would emit its event again
	if WireErrorCode(err) != wire.CodeNotFound {
		return err
	}
	_, err = s.Do(ctx, &presence.AddRecording{Recording: *rec})
	return err
}

// newArchiveError returns the *wire.Error for a failure of the archive.
func newArchiveError(err error) error {
	if errors.Is(err, presence.ErrBadCursor) {
		return &wire.Error{Code: wire.CodeBadRequest, Message: "invalid cursor: must be the cursor of a page"}
	}
	return &wire.Error{Code: wire.CodeUnavailable, Message: "the archive is unavailable, try again"}
}
