package presence

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Log orders the batches of all nodes and stamps each with the one clock they
// share. It has two homes: one in the process (presence/embedded) and one on
// Redis (presence/redislog). Both pass the suite of presence/presencetest.
//
// All methods but Applied may be called concurrently.
type Log interface {
	// Load returns the registry of an image of the log, and the number of the
	// newest entry there is: whoever wants the list as it is tails from the
	// registry's last entry to that number. A log that holds nothing begins its
	// history with have, where that is not nil. Load waits as long as it takes
	// for a log that is away; it returns an error when ctx ends, or when
	// nothing but a person can help.
	Load(ctx context.Context, have *Registry) (r *Registry, head uint64, err error)

	// Join returns a boot number for the node of that name, higher than above
	// and than any that the name had before. It waits and fails as Load does.
	Join(ctx context.Context, node string, above uint64) (boot uint64, err error)

	// Append orders a batch, and returns once it is ordered and, where it holds
	// a durable command, on disk. A batch that the log has already
	// (same node, boot and number) is not appended again. It returns
	// ErrNotWritten when it is certain that nothing was ordered; after any
	// other error the batch may yet appear, and the caller must append the
	// same bytes under the same number until it sees them applied or refused.
	// A node has one Append under way at a time.
	Append(ctx context.Context, b SealedBatch) error

	// Tail yields every entry after one, this node's own included, exactly
	// once and in order, until ctx ends or it yields an error; of the one that
	// is given its batch is not looked at. It yields ErrTrimmed when the log no
	// longer reaches back that far, and ErrForked when the log has lost that
	// entry, or one that was yielded since. A log that is away is waited for.
	// It is an iterator rather than a channel, because then the reader's pace
	// is the log's pace, errors have a place, and nothing leaks when the
	// reader stops.
	Tail(ctx context.Context, after Entry) iter.Seq2[Entry, error]

	// ConfirmApplied tells the log that the node's registry now includes e, so that
	// the log may take what its image needs. It is called by the one goroutine
	// that applies, right after Apply, and does not block.
	ConfirmApplied(r *Registry, e Entry)

	// Close writes what the image still lacks and lets go of the log. Appends
	// after it return ErrNotWritten.
	Close() error
}

// ErrNotWritten is returned when an append is certain to have ordered nothing:
// the commands may be refused as unavailable, or appended in another batch.
var ErrNotWritten = errors.New("presence: not written to the log")

// ErrTrimmed is returned when the log no longer holds the entries after one.
var ErrTrimmed = errors.New("presence: the log was trimmed past that entry")

// ErrForked is returned when an entry that was read is not in the log any more:
// the log has lost its tail, or all of it, and goes on without.
var ErrForked = errors.New("presence: the log has lost entries that were read")

// Entry is one batch in the order that the log gave it, stamped with the one
// clock that all nodes share.
type Entry struct {
	ID    ID
	Num   uint64 // rises by one from entry to entry of one history
	Time  int64  // log time, Unix milliseconds
	Epoch string // the replication id that it was written under: a new one is a new history
	// Batch is the encoded batch. Whoever has an Entry must not change it.
	Batch []byte
}

// runningHash is the running hash after e. It covers all that Apply reads: two
// histories that reuse an id, a number or a batch still get other positions.
func (e Entry) runningHash(prev uint64) uint64 {
	var b [56]byte
	binary.LittleEndian.PutUint64(b[0:], prev)
	binary.LittleEndian.PutUint64(b[8:], e.ID.MS)
	binary.LittleEndian.PutUint64(b[16:], e.ID.Seq)
	binary.LittleEndian.PutUint64(b[24:], e.Num)
	binary.LittleEndian.PutUint64(b[32:], uint64(e.Time))
	binary.LittleEndian.PutUint64(b[40:], xxhash.Sum64String(e.Epoch))
	binary.LittleEndian.PutUint64(b[48:], xxhash.Sum64(e.Batch))
	return xxhash.Sum64(b[:])
}

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
