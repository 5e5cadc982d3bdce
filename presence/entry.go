package presence

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// ID orders entries within one history of the log. It is not a clock: after a
// failover to a slower clock ids stand still while time goes on.
type ID struct{ MS, Seq uint64 }

// Compare orders ids.
func (a ID) Compare(b ID) int {
	switch {
	case a.MS < b.MS, a.MS == b.MS && a.Seq < b.Seq:
		return -1
	case a == b:
		return 0
	}
	return 1
}

// Entry is one batch in the order that the log gave it, stamped with the one
// clock that all nodes share.
type Entry struct {
	ID   ID
	Num  uint64 // rises by one from entry to entry of one history
	Time int64  // log time, Unix milliseconds
	Repl string // the replication id that it was written under: a new one is a new history
	// Batch is the encoded batch. Whoever has an Entry must not change it.
	Batch []byte
}

// chain is the running hash after e. It covers all that Apply reads: two
// histories that reuse an id, a number or a batch still get other positions.
func (e Entry) chain(prev uint64) uint64 {
	var b [56]byte
	binary.LittleEndian.PutUint64(b[0:], prev)
	binary.LittleEndian.PutUint64(b[8:], e.ID.MS)
	binary.LittleEndian.PutUint64(b[16:], e.ID.Seq)
	binary.LittleEndian.PutUint64(b[24:], e.Num)
	binary.LittleEndian.PutUint64(b[32:], uint64(e.Time))
	binary.LittleEndian.PutUint64(b[40:], xxhash.Sum64String(e.Repl))
	binary.LittleEndian.PutUint64(b[48:], xxhash.Sum64(e.Batch))
	return xxhash.Sum64(b[:])
}

// Position is a place in one history: an entry's id and the running hash of
// all entries up to it. Ids alone are not enough, since a replica promoted
// without the tail of the log may issue the same ones again.
type Position struct {
	ID   ID
	Hash uint32
}

// IsZero reports whether the position is that of an empty log.
func (p Position) IsZero() bool { return p == Position{} }

// String gives the opaque form that clients see, as in 1763830000123-0.9f3c21ab.
func (p Position) String() string { return string(p.Append(make([]byte, 0, 40))) }

// Append appends what String gives to dst.
func (p Position) Append(dst []byte) []byte {
	dst = strconv.AppendUint(dst, p.ID.MS, 10)
	dst = append(dst, '-')
	dst = strconv.AppendUint(dst, p.ID.Seq, 10)
	dst = append(dst, '.')
	const hex = "0123456789abcdef"
	for shift := 28; shift >= 0; shift -= 4 {
		dst = append(dst, hex[p.Hash>>shift&15])
	}
	return dst
}

// ErrBadPosition is returned when a text is not a position.
var ErrBadPosition = errors.New("presence: not a position")

// ParsePosition reads what String gives, and nothing else. It returns
// ErrBadPosition otherwise.
func ParsePosition(text string) (Position, error) {
	id, hash, ok := strings.Cut(text, ".")
	ms, seq, ok2 := strings.Cut(id, "-")
	if !ok || !ok2 || len(hash) != 8 {
		return Position{}, ErrBadPosition
	}
	h, err := strconv.ParseUint(hash, 16, 32)
	if err != nil {
		return Position{}, ErrBadPosition
	}
	p := Position{Hash: uint32(h)}
	if p.ID.MS, err = strconv.ParseUint(ms, 10, 64); err != nil {
		return Position{}, ErrBadPosition
	}
	if p.ID.Seq, err = strconv.ParseUint(seq, 10, 64); err != nil {
		return Position{}, ErrBadPosition
	}
	if p.String() != text {
		return Position{}, fmt.Errorf("%w: not in its shortest form", ErrBadPosition)
	}
	return p, nil
}
