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

// Service finds and adds recordings, in the registry and the archive. It may be
// used concurrently.
type Service struct {
	node        *presencenode.Node
	archive     presence.Archive
	broadcasts  *broadcast.Service
	minDuration time.Duration
}

// New makes the service of a node that has joined the log. Recordings shorter than
// minDuration are left out.
func New(node *presencenode.Node, archive presence.Archive, broadcasts *broadcast.Service, minDuration time.Duration) *Service {
	return &Service{node, archive, broadcasts, minDuration}
}

// archiveTimeout is how long a call waits for the archive.
const archiveTimeout = 5 * time.Second

// Page returns a page of the archive, and the cursor of the next one. The error is
// one of the protocol.
func (s *Service) Page(ctx context.Context, q presence.RecordingQuery) (page []presence.Recording, next string, err error) {
	ctx, cancel := context.WithTimeout(ctx, archiveTimeout)
	defer cancel()
	page, next, err = s.archive.Recordings(ctx, q)
	if err != nil {
		return nil, "", archiveError(err)
	}
	return page, next, nil
}

// Find returns a recording, also one that is not in the archive yet. The error is
// one of the protocol: not_found, or unavailable.
func (s *Service) Find(ctx context.Context, id string) (presence.Recording, error) {
	var rec presence.Recording
	known := false
	s.node.Read(func(r *presence.Registry) { rec, known = r.Recording(id) })
	if known {
		return rec, nil
	}
	ctx, cancel := context.WithTimeout(ctx, archiveTimeout)
	defer cancel()
	rec, known, err := s.archive.Recording(ctx, id)
	if err != nil {
		return rec, archiveError(err)
	}
	if !known {
		return rec, &wire.Error{Code: wire.CodeNotFound, Message: "there is no recording of this id"}
	}
	return rec, nil
}

// Add stores a recording, once; it returns when that is durable. It leaves out one
// that is too short.
func (s *Service) Add(ctx context.Context, rec *presence.Recording) error {
	if rec.Duration > 0 && rec.Duration < s.minDuration.Milliseconds() {
		return nil
	}
	_, err := s.Find(ctx, rec.ID) // the registry forgets, and would report it again
	if broadcast.ErrorCode(err) != wire.CodeNotFound {
		return err
	}
	_, err = s.broadcasts.Do(ctx, &presence.AddRecording{Recording: *rec})
	return err
}

// archiveError is what a client gets when the archive fails.
func archiveError(err error) error {
	if errors.Is(err, presence.ErrBadCursor) {
		return &wire.Error{Code: wire.CodeBadRequest, Message: "cursor is not one that a page came with"}
	}
	return &wire.Error{Code: wire.CodeUnavailable, Message: "the archive does not answer at present, try again"}
}
