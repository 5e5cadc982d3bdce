package presence

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Recording is one file of a recorded broadcast.
type Recording struct {
	ID       string  // names it for ever, see RecordingID
	Provider string  // whose word it is: tencent, srs, nginx-rtmp, mediamtx, zlm
	Code     string  // the live code that was pushed to
	Anchor   string  // user id; empty while no session is known
	Session  Session `json:"-"`
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
	// first, of the same start by id, the greatest first. next is where the
	// following page goes on, empty when there is none. It may return
	// ErrBadCursor.
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

// Cursor is where a page of recordings ends: with the one of that start and id.
type Cursor struct {
	StartedAt int64
	ID        string
}

// String gives the opaque form that clients see.
func (c Cursor) String() string { return strconv.FormatInt(c.StartedAt, 10) + "." + c.ID }

// ParseCursor reads what String gives. It returns ErrBadCursor for anything else.
func ParseCursor(text string) (c Cursor, err error) {
	started, id, ok := strings.Cut(text, ".")
	if c.StartedAt, err = strconv.ParseInt(started, 10, 64); err != nil || !ok || id == "" || len(text) > 128 || c.String() == "" {
		return Cursor{}, ErrBadCursor
	}
	if c.ID = id; c.String() != text {
		return Cursor{}, ErrBadCursor
	}
	return c, nil
}

// recordingVersion is that of what Encode gives.
const recordingVersion = 1

// filed is a recording as archives keep it.
type filed struct {
	Version int    `json:"v"`
	Session string `json:"session,omitempty"`
	Recording
}

// Encode gives what an archive keeps of a recording: JSON, whose members Anchor and
// Code its indexes may use.
func (rec *Recording) Encode() []byte {
	f := filed{Version: recordingVersion, Recording: *rec}
	if rec.Session != (Session{}) {
		f.Session = rec.Session.String()
	}
	b, _ := json.Marshal(f) // it has nothing that cannot be encoded
	return b
}

// DecodeRecording reads what Encode gave. It returns ErrRules for what a newer
// version wrote, and ErrMalformed for anything else.
func DecodeRecording(b []byte) (Recording, error) {
	var f filed
	if err := json.Unmarshal(b, &f); err != nil || f.Version < 1 {
		return Recording{}, ErrMalformed
	}
	if f.Version > recordingVersion {
		return Recording{}, fmt.Errorf("%w: a recording of version %d", ErrRules, f.Version)
	}
	rec := f.Recording
	if f.Session != "" {
		var err error
		if rec.Session, err = ParseSession(f.Session); err != nil {
			return Recording{}, ErrMalformed
		}
	}
	return rec, nil
}
