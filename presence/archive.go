package presence

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"

	"github.com/cespare/xxhash/v2"
)

// Archive stores recordings for a configured time or for ever. Unlike the
// registry it is not in memory. Both logs are archives. All methods may be
// called concurrently. They return ctx's error when it ends, other errors while
// the archive is unreachable or after it was closed, and ErrNewerVersion for a
// recording that a newer build wrote.
type Archive interface {
	// Store writes recordings and replaces those of the same id; the last of one
	// id counts. It returns when they are as durable as the log's entries. After
	// an error some may be stored; storing them again is harmless.
	Store(ctx context.Context, recordings []Recording) error

	// Recording returns the recording of an id; ok is false when there is none.
	Recording(ctx context.Context, id string) (rec Recording, ok bool, err error)

	// Recordings returns a page of the recordings that match a query: the last
	// to start first, and of equal start the greatest id first. next continues
	// after the page, and is empty when there are no more. It may return
	// ErrBadCursor.
	Recordings(ctx context.Context, q RecordingQuery) (page []Recording, next string, err error)

	// DeleteRecordings deletes at most limit recordings that ended before a time
	// in Unix milliseconds, the first to end first. It returns how many it
	// deleted, also with an error.
	DeleteRecordings(ctx context.Context, before int64, limit int) (deleted int, err error)
}

// MaxRecordingPageSize is the most recordings of a page. It bounds how long
// reading a page delays other work.
const MaxRecordingPageSize = 1000

// RecordingQuery selects the recordings that match all members that are set.
type RecordingQuery struct {
	Anchor string
	Code   string
	From   int64  // lowest StartedAt, Unix milliseconds; 0: any
	To     int64  // StartedAt is below it; 0: any
	After  string // next of the page before
	Limit  int    // size of a page; values outside 1 to MaxRecordingPageSize become the nearest
}

// UpperBound is the cursor after which the page begins, nil for the first of
// all. It returns ErrBadCursor when After is not a cursor.
func (q *RecordingQuery) UpperBound() (after *RecordingCursor, err error) {
	var start *RecordingCursor
	if q.To != 0 {
		start = &RecordingCursor{StartedAt: q.To}
	}
	if q.After == "" {
		return start, nil
	}
	c, err := ParseRecordingCursor(q.After)
	if err != nil {
		return nil, err
	}
	if start == nil || start.CompareNewestFirst(c) < 0 {
		start = &c
	}
	return start, nil
}

// PageSize is the most recordings of the page.
func (q *RecordingQuery) PageSize() int { return min(max(q.Limit, 1), MaxRecordingPageSize) }

// CutPage makes a page of the recordings found. One more than a page holds shows
// that there is a next page.
func (q *RecordingQuery) CutPage(found []Recording) (page []Recording, nextCursor string) {
	most := q.PageSize()
	if len(found) <= most {
		return found, ""
	}
	return found[:most], found[most-1].Cursor().String()
}

// RecordingCursor is the place of a recording in the order of pages. A page
// continues after it, even if the recording is deleted.
type RecordingCursor struct {
	StartedAt int64
	ID        string
}

// Cursor is the recording's place in the order of pages.
func (rec *Recording) Cursor() RecordingCursor { return RecordingCursor{rec.StartedAt, rec.ID} }

// CompareNewestFirst orders cursors as pages do: the last to start first, then the greatest
// id.
func (c RecordingCursor) CompareNewestFirst(d RecordingCursor) int {
	return cmp.Or(cmp.Compare(d.StartedAt, c.StartedAt), cmp.Compare(d.ID, c.ID))
}

// cursorText is safe in URLs, and has one spelling of each value.
var cursorText = base64.RawURLEncoding.Strict()

// String is the opaque form that clients see: start, id and a checksum that
// detects a truncated cursor.
func (c RecordingCursor) String() string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 12+len(c.ID)), uint64(c.StartedAt))
	b = append(b, c.ID...)
	return cursorText.EncodeToString(binary.BigEndian.AppendUint32(b, uint32(xxhash.Sum64(b))))
}

// ErrBadCursor is returned when RecordingQuery.After is not a cursor.
var ErrBadCursor = errors.New("presence: not a cursor of recordings")

// ParseRecordingCursor reads the text that String returns. It returns
// ErrBadCursor for any other text.
func ParseRecordingCursor(text string) (RecordingCursor, error) {
	b, err := cursorText.DecodeString(text)
	if err != nil || len(b) < 12 {
		return RecordingCursor{}, ErrBadCursor
	}
	c := RecordingCursor{int64(binary.BigEndian.Uint64(b)), string(b[8 : len(b)-4])}
	if c.String() != text { // also where text has line breaks, which decoding ignores
		return RecordingCursor{}, ErrBadCursor
	}
	return c, nil
}
