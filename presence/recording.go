package presence

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// Recording is one file of a recorded broadcast.
type Recording struct {
	ID       string // names it for ever, see RecordingID
	Provider string // whose word it is: tencent, srs, nginx-rtmp, mediamtx, zlm
	Code     string // the live code that was pushed to
	Anchor   string // user id; empty while no session is known
	Session  Session
	Title    string
	Cover    string

	StartedAt int64 // of what it shows, Unix milliseconds
	EndedAt   int64
	Duration  int64  // milliseconds
	Format    string // the file's kind: flv, mp4, hls, m4a, aac, fmp4
	Size      int64  // bytes, 0: not known
	Location  string // where it lies, as the provider says: a URL, or a path on a media server
	Unlisted  bool   // its stream was in no view

	// Of its session, once that has ended.
	PeakViewers int64
	Likes       int64
}

// RecordingID names a recording by what its provider calls the file, so that
// the same one told twice, or found by other ways too, is one.
func RecordingID(provider, file string) string {
	sum := sha256.Sum256([]byte(provider + "\x00" + file))
	return hex.EncodeToString(sum[:10])
}

// Archive keeps recordings for as long as they are wanted, which may be for
// ever: other than the registry it is not in memory. Both homes of a Log are one.
// All methods may be called concurrently. They return ctx's error when it ends,
// and other errors while the archive is away.
type Archive interface {
	// Keep writes recordings, each in the place of the one of its id. It returns
	// once they are as durable as the log's entries are.
	Keep(ctx context.Context, recordings []Recording) error

	// Recording returns the one of an id; ok is false when there is none.
	Recording(ctx context.Context, id string) (rec Recording, ok bool, err error)

	// Recordings returns a page: those that a query asks for, the last to start
	// first, of the same start by id. next is where the following page goes on,
	// empty when there is none.
	Recordings(ctx context.Context, q RecordingQuery) (page []Recording, next string, err error)

	// Discard removes at most limit recordings that ended before a time, in Unix
	// milliseconds, and returns how many it removed.
	Discard(ctx context.Context, before int64, limit int) (int, error)
}

// RecordingQuery asks for recordings that have all of what it names.
type RecordingQuery struct {
	Anchor string
	Code   string
	From   int64  // the least StartedAt, Unix milliseconds; 0: any
	To     int64  // StartedAt is before it; 0: any
	After  string // what the page before gave as next
	Limit  int    // of one page, at least 1
}

// ErrBadCursor is returned when RecordingQuery.After is not what a page gave.
var ErrBadCursor = errors.New("presence: not a cursor of recordings")
