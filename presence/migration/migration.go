// Package migration copies the list and the recordings of one store to another one,
// such as from SQLite to Redis or back.
//
// The registry of the source becomes the first state of the target, as a node's list
// becomes that of an emptied Redis. It is written last, in one step. So a target has no
// list until the copy is complete, and an interrupted copy can be repeated.
package migration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"onair/presence"
)

// Store is a log with its archive.
type Store interface {
	presence.Log
	presence.Archive
	// LoadExisting returns what Load returns, and a nil registry for an empty log. It
	// changes nothing, and returns an error while the log is unreachable.
	LoadExisting(ctx context.Context) (regOrNil *presence.Registry, head uint64, err error)
}

var (
	// ErrSourceEmpty is returned when the source has no list.
	ErrSourceEmpty = errors.New("migration: the source is empty")
	// ErrSourceInUse is returned when nodes append to the source.
	ErrSourceInUse = errors.New("migration: the source is in use")
	// ErrTargetNotEmpty is returned when the target has a list, or recordings that the
	// source lacks.
	ErrTargetNotEmpty = errors.New("migration: the target is not empty")
	// ErrTargetChanged is returned when another process wrote to the target meanwhile.
	ErrTargetChanged = errors.New("migration: the target was changed meanwhile")
)

// lostAfterTicks is the number of node ticks without an entry after which a node of the
// source counts as lost.
const lostAfterTicks = 3

// Copied are the numbers of what was copied.
type Copied struct {
	presence.Contents
	Recordings int
}

// Copy copies everything to an empty target, and verifies the list there. It changes
// nothing in the source, which no node may use. Other processes may append to a shared
// source. Copy can be repeated, after an error too, until a node has used the target. It
// returns the errors of this package, and those of the stores.
func Copy(ctx context.Context, source, target Store, isSourceShared bool) (Copied, error) {
	r, err := loadAll(ctx, source)
	if err != nil {
		return Copied{}, fmt.Errorf("source: %w", err)
	}
	if r == nil {
		return Copied{}, ErrSourceEmpty
	}
	if err := requireEmptyOrCopy(ctx, target, source, r); err != nil {
		return Copied{}, err
	}
	if isSourceShared {
		if err := requireUnused(ctx, source, r); err != nil {
			return Copied{}, err
		}
	}
	recordings, err := copyRecordings(ctx, source, target)
	if err != nil {
		return Copied{}, err
	}
	if isSourceShared {
		if err := requireUnchanged(ctx, source, r); err != nil {
			return Copied{}, err
		}
	}
	return Copied{r.Contents(), recordings}, writeRegistry(ctx, target, r)
}

// loadAll returns the registry at the newest entry, nil for an empty store.
func loadAll(ctx context.Context, s Store) (*presence.Registry, error) {
	r, head, err := s.LoadExisting(ctx)
	if r == nil || err != nil || r.LastNum() >= head {
		return r, err
	}
	for e, err := range s.Tail(ctx, r.LastEntry()) {
		if err != nil {
			return nil, err
		}
		if _, err = r.Apply(e); err != nil {
			return nil, err
		}
		if r.LastNum() >= head {
			return r, nil
		}
	}
	return nil, ctx.Err()
}

// requireEmptyOrCopy returns ErrTargetNotEmpty when the target has a list or recordings
// that no earlier copy of the source has left. r is the list of the source.
func requireEmptyOrCopy(ctx context.Context, target, source Store, r *presence.Registry) error {
	existing, err := loadAll(ctx, target)
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	if existing != nil && !isSameList(existing, r) {
		c := existing.Contents()
		return fmt.Errorf("%w: it has a list with %d live sessions, %d ended ones and %d bans", ErrTargetNotEmpty, c.Live, c.Ended, c.Bans)
	}
	return forEachPage(ctx, target, func(page []presence.Recording) error {
		for _, rec := range page {
			if _, ok, err := source.Recording(ctx, rec.ID); err != nil {
				return fmt.Errorf("source: %w", err)
			} else if !ok {
				return fmt.Errorf("%w: it has recordings that the source lacks, such as %s", ErrTargetNotEmpty, rec.ID)
			}
		}
		return nil
	})
}

// requireUnused returns ErrSourceInUse when a node appends to the source. A node that
// left is not in use; one that was killed is not distinguishable at once from one that runs.
func requireUnused(ctx context.Context, source Store, r *presence.Registry) error {
	if r.LivingNodeCount() == 0 {
		return nil
	}
	select {
	case <-time.After(time.Duration(lostAfterTicks*r.Settings().Tick()) * time.Millisecond):
		return requireUnchanged(ctx, source, r)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// requireUnchanged returns ErrSourceInUse when the source has entries after those of r.
func requireUnchanged(ctx context.Context, source Store, r *presence.Registry) error {
	_, head, err := source.LoadExisting(ctx)
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	if head != r.LastNum() {
		return fmt.Errorf("%w: a node appended entry %d meanwhile", ErrSourceInUse, head)
	}
	return nil
}

// copyRecordings copies all recordings, page by page, and returns their number.
func copyRecordings(ctx context.Context, source, target Store) (copied int, err error) {
	err = forEachPage(ctx, source, func(page []presence.Recording) error {
		copied += len(page)
		if err := target.Store(ctx, page); err != nil {
			return fmt.Errorf("target: %w", err)
		}
		return nil
	})
	return copied, err
}

// forEachPage calls f for each page of the recordings, until it returns an error.
func forEachPage(ctx context.Context, archive presence.Archive, f func(page []presence.Recording) error) error {
	for q := (presence.RecordingQuery{Limit: presence.MaxRecordingPageSize}); ; {
		page, next, err := archive.Recordings(ctx, q)
		if err != nil {
			return fmt.Errorf("recordings: %w", err)
		}
		if err := f(page); err != nil || next == "" {
			return err
		}
		q.After = next
	}
}

// writeRegistry makes r the list of an empty store, and verifies what the store has then.
func writeRegistry(ctx context.Context, target Store, r *presence.Registry) error {
	written, _, err := target.Load(ctx, r)
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	if !isSameList(written, r) {
		return fmt.Errorf("%w: it has a list with %d live sessions", ErrTargetChanged, written.Len())
	}
	return nil
}

// isSameList reports whether two registries differ only in their positions, which it resets.
func isSameList(a, b *presence.Registry) bool {
	a.ReseedPositions(0)
	b.ReseedPositions(0)
	return bytes.Equal(a.Encode(), b.Encode())
}
