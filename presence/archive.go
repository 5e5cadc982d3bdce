package presence

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"

	"github.com/cespare/xxhash/v2"
)

// Archive keeps recordings for as long as they are wanted, which may be for
// ever: other than the registry it is not in memory. Both homes of a Log are one.
// All methods may be called concurrently. They return ctx's error when it ends,
// other errors while the archive is away or after it was closed, and ErrNewerVersion
// where they meet a recording that a newer version wrote.
type Archive interface {
	// Store writes recordings, each in the place of the one of its id; of several
	// of one id the last counts. It returns once they are as durable as the log's
	// entries are. After an error some may be kept: to keep them again is harmless.
	Store(ctx context.Context, recordings []Recording) error

	// Recording returns the one of an id; ok is false when there is none.
	Recording(ctx context.Context, id string) (rec Recording, ok bool, err error)

	// Recordings returns a page: those that a query asks for, the last to start
	// first, of the same start by id, the greatest first. next is where the
	// following page goes on, empty when there is none. It may return
	// ErrBadCursor.
	Recordings(ctx context.Context, q RecordingQuery) (page []Recording, next string, err error)

	// DeleteRecordings removes at most limit recordings that ended before a time, in Unix
	// milliseconds, those that ended first before others, and returns how many it
	// removed, also beside an error.
	DeleteRecordings(ctx context.Context, before int64, limit int) (int, error)
}

// MaxRecordingPageSize is how many recordings a page has at the most, so that nobody
// waits long for whoever reads one.
const MaxRecordingPageSize = 1000

// RecordingQuery asks for recordings that have all of what it names.
type RecordingQuery struct {
	Anchor string
	Code   string
	From   int64  // the least StartedAt, Unix milliseconds; 0: any
	To     int64  // StartedAt is before it; 0: any
	After  string // what the page before gave as next
	Limit  int    // of one page, from 1 to MaxRecordingPageSize: what is beyond is taken for the nearest
}

// StartCursor is the place after which the page begins, nil for the start of all. It
// returns ErrBadCursor where After is no cursor.
func (q *RecordingQuery) StartCursor() (*RecordingCursor, error) {
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
	if start == nil || start.Compare(c) < 0 {
		start = &c
	}
	return start, nil
}

// PageSize is how many recordings the page has at the most.
func (q *RecordingQuery) PageSize() int { return min(max(q.Limit, 1), MaxRecordingPageSize) }

// CutPage takes from what was found the one beyond the page, where there is one,
// which shows that there is a next.
func (q *RecordingQuery) CutPage(found []Recording) (page []Recording, next string) {
	most := q.PageSize()
	if len(found) <= most {
		return found, ""
	}
	return found[:most], found[most-1].Cursor().String()
}

// RecordingCursor is the place of a recording among all: a page goes on after it, whether
// that recording is still there or not.
type RecordingCursor struct {
	StartedAt int64
	ID        string
}

// Cursor is where the recording stands.
func (rec *Recording) Cursor() RecordingCursor { return RecordingCursor{rec.StartedAt, rec.ID} }

// Compare orders places as pages do: the last to start first, then the greatest
// id.
func (c RecordingCursor) Compare(d RecordingCursor) int {
	return cmp.Or(cmp.Compare(d.StartedAt, c.StartedAt), cmp.Compare(d.ID, c.ID))
}

// cursorText is safe in a URL, and has one spelling.
var cursorText = base64.RawURLEncoding.Strict()

// String gives the opaque form that clients see: start, id and a sum, so that one
// that was cut short is not taken for another.
func (c RecordingCursor) String() string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 12+len(c.ID)), uint64(c.StartedAt))
	b = append(b, c.ID...)
	return cursorText.EncodeToString(binary.BigEndian.AppendUint32(b, uint32(xxhash.Sum64(b))))
}

// ErrBadCursor is returned when RecordingQuery.After is not what a page gave.
var ErrBadCursor = errors.New("presence: not a cursor of recordings")

// ParseRecordingCursor reads what String gives. It returns ErrBadCursor for anything else.
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
