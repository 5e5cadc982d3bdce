package presence

import (
	"context"
	"errors"
	"iter"
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
	Append(ctx context.Context, b Sealed) error

	// Tail yields every entry after one, this node's own included, exactly
	// once and in order, until ctx ends or it yields an error; of the one that
	// is given its batch is not looked at. It yields ErrTrimmed when the log no
	// longer reaches back that far, and ErrForked when the log has lost that
	// entry, or one that was yielded since. A log that is away is waited for.
	// It is an iterator rather than a channel, because then the reader's pace
	// is the log's pace, errors have a place, and nothing leaks when the
	// reader stops.
	Tail(ctx context.Context, after Entry) iter.Seq2[Entry, error]

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

// ErrTrimmed is returned when the log no longer holds the entries after one.
var ErrTrimmed = errors.New("presence: the log was trimmed past that entry")

// ErrForked is returned when an entry that was read is not in the log any more:
// the log has lost its tail, or all of it, and goes on without.
var ErrForked = errors.New("presence: the log has lost entries that were read")
