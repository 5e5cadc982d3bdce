package recordings

import (
	"context"
	"errors"
	"time"

	"onair/hub/wire"
	"onair/presence"
	presencenode "onair/presence/node"
	"onair/server/broadcast"
)

// Service finds recordings in the registry and the archive, and adds new ones. It may be used
// concurrently.
type Service struct {
	node        *presencenode.Node
	archive     presence.Archive
	broadcasts  *broadcast.Service
	minDuration time.Duration
}

// New makes the service of a node that has joined the log. The service does not add recordings
// shorter than minDuration.
func New(node *presencenode.Node, archive presence.Archive, broadcasts *broadcast.Service, minDuration time.Duration) *Service {
	return &Service{node, archive, broadcasts, minDuration}
}

// archiveTimeout bounds a call of the archive.
const archiveTimeout = 5 * time.Second

// Page returns a page of the archive, and the cursor of the next page. The error is a
// *wire.Error: bad_request for an invalid cursor, or unavailable.
func (s *Service) Page(ctx context.Context, q presence.RecordingQuery) (page []presence.Recording, next string, err error) {
	ctx, cancel := context.WithTimeout(ctx, archiveTimeout)
	defer cancel()
	page, next, err = s.archive.Recordings(ctx, q)
	if err != nil {
		return nil, "", archiveError(err)
	}
	return page, next, nil
}

// Find returns the recording with an id, from the registry or the archive. The error is a
// *wire.Error: not_found or unavailable.
func (s *Service) Find(ctx context.Context, id string) (presence.Recording, error) {
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
		return rec, archiveError(err)
	}
	if !found {
		return rec, &wire.Error{Code: wire.CodeNotFound, Message: "no recording has this id"}
	}
	return rec, nil
}

// Add stores a recording, unless it is too short or known. It returns when the recording is
// durable.
func (s *Service) Add(ctx context.Context, rec *presence.Recording) error {
	if rec.Duration > 0 && rec.Duration < s.minDuration.Milliseconds() {
		return nil
	}
	_, err := s.Find(ctx, rec.ID) // also in the archive: the registry forgets, and would emit its event again
	if broadcast.ErrorCode(err) != wire.CodeNotFound {
		return err
	}
	_, err = s.broadcasts.Do(ctx, &presence.AddRecording{Recording: *rec})
	return err
}

// archiveError returns the *wire.Error for a failure of the archive.
func archiveError(err error) error {
	if errors.Is(err, presence.ErrBadCursor) {
		return &wire.Error{Code: wire.CodeBadRequest, Message: "invalid cursor: must be the cursor of a page"}
	}
	return &wire.Error{Code: wire.CodeUnavailable, Message: "the archive is unavailable, try again"}
}
