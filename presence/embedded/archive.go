package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"onair/presence"
)

// errArchiveClosed is returned by the archive after Close.
var errArchiveClosed = errors.New("embedded: the archive is closed")

// maxDeletesPerTransaction bounds for how long one transaction delays commits of
// entries.
const maxDeletesPerTransaction = 100

// transactionRequest asks the writer to run a transaction.
type transactionRequest struct {
	run    func(*sql.Tx) error
	result chan error
}

var _ presence.Archive = (*Log)(nil)

// Store implements presence.Archive, in one transaction. Commits of entries wait
// for it, so callers should split many recordings over several calls.
func (l *Log) Store(ctx context.Context, recordings []presence.Recording) error {
	if err := l.checkOpen(ctx); err != nil || len(recordings) == 0 {
		return err
	}
	if l.store == nil {
		l.memory.putRecordings(recordings)
		return nil
	}
	rows := make([]recordingRow, len(recordings))
	for i := range recordings {
		rows[i] = recordingRow{&recordings[i], recordings[i].Encode()}
	}
	return l.runInWriter(ctx, func(tx *sql.Tx) error { return upsertRecordings(tx, rows) })
}

// Recording implements presence.Archive.
func (l *Log) Recording(ctx context.Context, id string) (rec presence.Recording, ok bool, err error) {
	if err := l.checkOpen(ctx); err != nil {
		return rec, false, err
	}
	if l.store == nil {
		rec, ok = l.memory.recording(id)
		return rec, ok, nil
	}
	rec, ok, err = l.store.recording(ctx, id)
	return rec, ok, l.wrapArchiveError(ctx, err)
}

// Recordings implements presence.Archive. A query with both anchor and code reads
// the recordings of one of them.
func (l *Log) Recordings(ctx context.Context, q presence.RecordingQuery) (page []presence.Recording, next string, err error) {
	if err := l.checkOpen(ctx); err != nil {
		return nil, "", err
	}
	after, err := q.UpperBound()
	if err != nil {
		return nil, "", err
	}
	var found []presence.Recording
	if l.store == nil {
		found = l.memory.queryRecordings(&q, after)
	} else if found, err = l.store.queryRecordings(ctx, &q, after); err != nil {
		return nil, "", l.wrapArchiveError(ctx, err)
	}
	page, next = q.CutPage(found)
	return page, next, nil
}

// DeleteRecordings implements presence.Archive, in several short transactions.
func (l *Log) DeleteRecordings(ctx context.Context, before int64, limit int) (deleted int, err error) {
	if err := l.checkOpen(ctx); err != nil {
		return 0, err
	}
	if l.store == nil {
		return l.memory.deleteRecordingsEndedBefore(before, limit), nil
	}
	for deleted < limit {
		want, got := min(limit-deleted, maxDeletesPerTransaction), 0
		err := l.runInWriter(ctx, func(tx *sql.Tx) (err error) {
			got, err = deleteRecordingsEndedBefore(tx, before, want)
			return err
		})
		if err != nil {
			return deleted, err
		}
		if deleted += got; got < want {
			break
		}
	}
	return deleted, nil
}

// checkOpen returns an error when the archive is closed or ctx has ended.
func (l *Log) checkOpen(ctx context.Context) error {
	select {
	case <-l.shutdown.started:
		return errArchiveClosed
	default:
		return ctx.Err()
	}
}

// runInWriter has the writer run a transaction. It waits for the result of one
// that the writer has accepted, also after ctx has ended.
func (l *Log) runInWriter(ctx context.Context, run func(*sql.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	request := &transactionRequest{run, make(chan error, 1)}
	select {
	case l.requests.transactions <- request:
		return l.wrapArchiveError(ctx, <-request.result)
	case <-l.shutdown.started:
		return errArchiveClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wrapArchiveError replaces an error by ctx's, or by errArchiveClosed, where that
// caused it.
func (l *Log) wrapArchiveError(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case l.checkOpen(ctx) != nil:
		return errArchiveClosed
	}
	return fmt.Errorf("embedded: archive: %w", err)
}
