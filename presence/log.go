package presence

import (
	"context"
	"errors"
	"iter"
)

// Log orders the batches of all nodes and stamps each with the one clock they
// share. It has two homes: one in the process (presence/embedded) and one on
// Redis. Both pass the suite of presence/presencetest.
//
// All methods but Applied may be called concurrently.
type Log interface {
	// Join opens the log for the node of that name. It returns the registry of
	// the newest image with every durable entry after it applied, and the
	// node's boot number, which is higher than any that the name had before.
	Join(ctx context.Context, node string) (*Registry, uint64, error)

	// Append orders a batch, and returns once it is ordered and, where it holds
	// a durable command, on disk. A batch that the log has already
	// (same node, boot and number) is not appended again. It returns
	// ErrNotWritten when it is certain that nothing was ordered; after any
	// other error the batch may yet appear, and the caller must append the
	// same bytes under the same number until it sees them applied or refused.
	// A node has one Append under way at a time.
	Append(ctx context.Context, b Sealed) error

	// Tail yields every entry after the position, this node's own included,
	// exactly once and in order, until ctx ends or it yields an error. It
	// yields ErrTrimmed when the log no longer reaches back that far.
	// It is an iterator rather than a channel, because then the reader's pace
	// is the log's pace, errors have a place, and nothing leaks when the
	// reader stops.
	Tail(ctx context.Context, from Position) iter.Seq2[Entry, error]

	// Applied tells the log that the node's registry now includes e, so that
	// the log may take what its image needs. It is called by the one goroutine
	// that applies, right after Apply, and does not block.
	Applied(r *Registry, e Entry)

	// Close writes what the image still lacks and lets go of the log. Appends
	// after it return ErrNotWritten.
	Close() error
}

// ErrNotWritten is returned when an append is certain to have ordered nothing:
// the commands may be refused as unavailable, or appended in another batch.
var ErrNotWritten = errors.New("presence: not written to the log")

// ErrTrimmed is returned when the log no longer holds the entries after a position.
var ErrTrimmed = errors.New("presence: the log was trimmed past that position")
