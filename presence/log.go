package presence

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// Log orders the batches of all nodes and stamps each entry with one clock.
// There are two: in the process (presence/embedded) and on Redis
// (presence/redislog). Both pass the tests in presence/presencetest.
//
// All methods except ConfirmApplied may be called concurrently.
type Log interface {
	// Load returns the registry of the log's newest snapshot, and head, the
	// number of the newest entry. A caller gets the present list by applying the
	// entries that Tail yields up to head. An empty log starts its epoch with
	// own, if that is not nil. Load waits while the log is unreachable. It
	// returns an error when ctx ends, or when an operator must act.
	Load(ctx context.Context, own *Registry) (r *Registry, head uint64, err error)

	// Join returns a new incarnation for a node, higher than above and all
	// earlier ones of that name. It waits and fails as Load does.
	Join(ctx context.Context, node string, above uint64) (incarnation uint64, err error)

	// Append orders a batch. It returns when the batch is ordered and, if it is
	// durable, on disk. A batch that the log has already (same node, incarnation
	// and seq) is not ordered again. It returns ErrNotWritten when the batch is
	// certainly not ordered. After any other error the batch may be ordered yet:
	// the caller must append the same bytes again until it reads them from Tail.
	// A node has one Append in progress at a time.
	Append(ctx context.Context, batch SealedBatch) error

	// Tail yields all entries after one, in order and each once, until ctx ends
	// or it yields an error. It ignores the Batch of after. It yields ErrTrimmed
	// when the log no longer has the next entry, and ErrForked when the log has
	// lost after or an entry that was yielded. It waits while the log is
	// unreachable. An iterator makes the reader's pace the log's pace, and leaks
	// nothing when the reader stops.
	Tail(ctx context.Context, after Entry) iter.Seq2[Entry, error]

	// ConfirmApplied tells the log that the node's registry now includes e, so
	// that the log can take records for its snapshot. The goroutine that applies
	// calls it right after Apply. It does not block.
	ConfirmApplied(r *Registry, e Entry)

	// Close writes what the snapshot still lacks and releases the log. Later
	// appends return ErrNotWritten.
	Close() error
}

// ErrNotWritten is returned when an append certainly ordered nothing. The
// commands can be refused as unavailable, or appended in another batch.
var ErrNotWritten = errors.New("presence: batch not written to the log")

// ErrTrimmed is returned when the log no longer has the entries after one.
var ErrTrimmed = errors.New("presence: log trimmed past the entry")

// ErrForked is returned when the log has lost entries that were read, and goes
// on without them.
var ErrForked = errors.New("presence: log lost entries that were read")

// Entry is one batch with its place in the log and the log's time.
type Entry struct {
	ID    ID
	Num   uint64 // rises by one from entry to entry of an epoch
	Time  int64  // log time, Unix milliseconds
	Epoch string // id of the epoch that it was written in
	Batch []byte // encoded; must not be changed
}

// EntryRef names an entry of the log, also when the log has lost it since. The
// zero value names none.
type EntryRef struct {
	Epoch string
	Num   uint64
}

func appendEntryRef(b []byte, e EntryRef) []byte { return appendUint(appendString(b, e.Epoch), e.Num) }

func (r *decoder) entryRef() EntryRef { return EntryRef{r.string(), r.uint()} }

// hashAfter is the hash of the log up to e, from the hash up to the entry before. It covers all that Apply reads, so
// epochs that reuse an id, a number or a batch have different positions.
func (e Entry) hashAfter(prevHash uint64) (logHash uint64) {
	var b [56]byte
	binary.LittleEndian.PutUint64(b[0:], prevHash)
	binary.LittleEndian.PutUint64(b[8:], e.ID.MS)
	binary.LittleEndian.PutUint64(b[16:], e.ID.Seq)
	binary.LittleEndian.PutUint64(b[24:], e.Num)
	binary.LittleEndian.PutUint64(b[32:], uint64(e.Time))
	binary.LittleEndian.PutUint64(b[40:], xxhash.Sum64String(e.Epoch))
	binary.LittleEndian.PutUint64(b[48:], xxhash.Sum64(e.Batch))
	return xxhash.Sum64(b[:])
}

// ID orders the entries of one epoch. It is no clock: after a failover to a
// slower clock ids stand still.
type ID struct{ MS, Seq uint64 }

// Compare orders ids.
func (a ID) Compare(b ID) int { return cmp.Or(cmp.Compare(a.MS, b.MS), cmp.Compare(a.Seq, b.Seq)) }

// Position is a place in the log: an entry's id, and the hash of all entries up
// to it. An id alone does not identify an entry, because a log that lost its
// tail can assign it again.
type Position struct {
	ID   ID
	Hash uint32
}

// IsZero reports whether it is the position of an empty log.
func (p Position) IsZero() bool { return p == Position{} }

// String is the opaque form that clients see, for example
// 1763830000123-0.9f3c21ab.
func (p Position) String() string { return string(p.AppendString(make([]byte, 0, 40))) }

// AppendString appends what String returns.
func (p Position) AppendString(dst []byte) []byte {
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

// ParsePosition reads the text that String returns. It returns ErrBadPosition
// for any other text.
func ParsePosition(text string) (Position, error) {
	var p Position
	if _, err := fmt.Sscanf(text, "%d-%d.%x", &p.ID.MS, &p.ID.Seq, &p.Hash); err != nil {
		return Position{}, ErrBadPosition
	}
	if p.String() != text {
		return Position{}, fmt.Errorf("%w: not in its shortest form", ErrBadPosition)
	}
	return p, nil
}
