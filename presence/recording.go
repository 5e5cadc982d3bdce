package presence

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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
// other errors while the archive is away or after it was closed, and ErrRules
// where they meet a recording that a newer version wrote.
type Archive interface {
	// Keep writes recordings, each in the place of the one of its id; of several
	// of one id the last counts. It returns once they are as durable as the log's
	// entries are. After an error some may be kept: to keep them again is harmless.
	Keep(ctx context.Context, recordings []Recording) error

	// Recording returns the one of an id; ok is false when there is none.
	Recording(ctx context.Context, id string) (rec Recording, ok bool, err error)

	// Recordings returns a page: those that a query asks for, the last to start
	// first, of the same start by id, the greatest first. next is where the
	// following page goes on, empty when there is none. It may return
	// ErrBadCursor.
	Recordings(ctx context.Context, q RecordingQuery) (page []Recording, next string, err error)

	// Discard removes at most limit recordings that ended before a time, in Unix
	// milliseconds, those that ended first before others, and returns how many it
	// removed, also beside an error.
	Discard(ctx context.Context, before int64, limit int) (int, error)
}

// MaxRecordingPage is how many recordings a page has at the most, so that nobody
// waits long for whoever reads one.
const MaxRecordingPage = 1000

// RecordingQuery asks for recordings that have all of what it names.
type RecordingQuery struct {
	Anchor string
	Code   string
	From   int64  // the least StartedAt, Unix milliseconds; 0: any
	To     int64  // StartedAt is before it; 0: any
	After  string // what the page before gave as next
	Limit  int    // of one page, from 1 to MaxRecordingPage: what is beyond is taken for the nearest
}

// Start is the place after which the page begins, nil for the start of all. It
// returns ErrBadCursor where After is no cursor.
func (q *RecordingQuery) Start() (*Cursor, error) {
	var start *Cursor
	if q.To != 0 {
		start = &Cursor{StartedAt: q.To}
	}
	if q.After == "" {
		return start, nil
	}
	c, err := ParseCursor(q.After)
	if err != nil {
		return nil, err
	}
	if start == nil || start.Compare(c) < 0 {
		start = &c
	}
	return start, nil
}

// Most is how many recordings the page has at the most.
func (q *RecordingQuery) Most() int { return min(max(q.Limit, 1), MaxRecordingPage) }

// Page takes from what was found the one beyond the page, where there is one,
// which shows that there is a next.
func (q *RecordingQuery) Page(found []Recording) (page []Recording, next string) {
	most := q.Most()
	if len(found) <= most {
		return found, ""
	}
	return found[:most], found[most-1].Cursor().String()
}
