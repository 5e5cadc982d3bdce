package presence

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"errors"

	"github.com/cespare/xxhash/v2"
)

// Cursor is the place of a recording among all: a page goes on after it, whether
// that recording is still there or not.
type Cursor struct {
	StartedAt int64
	ID        string
}

// Cursor is where the recording stands.
func (rec *Recording) Cursor() Cursor { return Cursor{rec.StartedAt, rec.ID} }

// Compare orders places as pages do: the last to start first, then the greatest
// id.
func (c Cursor) Compare(d Cursor) int {
	return cmp.Or(cmp.Compare(d.StartedAt, c.StartedAt), cmp.Compare(d.ID, c.ID))
}

// cursorText is safe in a URL, and has one spelling.
var cursorText = base64.RawURLEncoding.Strict()

// String gives the opaque form that clients see: start, id and a sum, so that one
// that was cut short is not taken for another.
func (c Cursor) String() string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 12+len(c.ID)), uint64(c.StartedAt))
	b = append(b, c.ID...)
	return cursorText.EncodeToString(binary.BigEndian.AppendUint32(b, uint32(xxhash.Sum64(b))))
}

// ErrBadCursor is returned when RecordingQuery.After is not what a page gave.
var ErrBadCursor = errors.New("presence: not a cursor of recordings")

// ParseCursor reads what String gives. It returns ErrBadCursor for anything else.
func ParseCursor(text string) (Cursor, error) {
	b, err := cursorText.DecodeString(text)
	if err != nil || len(b) < 12 {
		return Cursor{}, ErrBadCursor
	}
	c := Cursor{int64(binary.BigEndian.Uint64(b)), string(b[8 : len(b)-4])}
	if c.String() != text { // also where text has line breaks, which decoding ignores
		return Cursor{}, ErrBadCursor
	}
	return c, nil
}
