package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"onair/presence"
)

// errClosed is returned by the archive after Close.
var errClosed = errors.New("embedded: the archive is closed")

// discardAtOnce is how many recordings one transaction removes: commits of the
// list wait for no more than that.
const discardAtOnce = 100

// changing is a transaction on its way through the writer.
type changing struct {
	do     func(*sql.Tx) error
	result chan error
}

var _ presence.Archive = (*Log)(nil)

// Keep implements presence.Archive, in one transaction. Commits of the list wait
// for it, so many recordings are better kept in several calls.
func (l *Log) Keep(ctx context.Context, recordings []presence.Recording) error {
	if err := l.usable(ctx); err != nil || len(recordings) == 0 {
		return err
	}
	if l.store == nil {
		l.memory.keep(recordings)
		return nil
	}
	rows := make([]row, len(recordings))
	for i := range recordings {
		rows[i] = row{&recordings[i], recordings[i].Encode()}
	}
	return l.change(ctx, func(tx *sql.Tx) error { return keep(tx, rows) })
}

// Recording implements presence.Archive.
func (l *Log) Recording(ctx context.Context, id string) (rec presence.Recording, ok bool, err error) {
	if err := l.usable(ctx); err != nil {
		return rec, false, err
	}
	if l.store == nil {
		rec, ok = l.memory.recording(id)
		return rec, ok, nil
	}
	rec, ok, err = l.store.recording(ctx, id)
	return rec, ok, l.failed(ctx, err)
}

// Recordings implements presence.Archive. Where both anchor and code are named it
// goes through those of one of them.
func (l *Log) Recordings(ctx context.Context, q presence.RecordingQuery) (page []presence.Recording, next string, err error) {
	if err := l.usable(ctx); err != nil {
		return nil, "", err
	}
	start, err := q.Start()
	if err != nil {
		return nil, "", err
	}
	var found []presence.Recording
	if l.store == nil {
		found = l.memory.recordings(&q, start)
	} else if found, err = l.store.recordings(ctx, &q, start); err != nil {
		return nil, "", l.failed(ctx, err)
	}
	page, next = q.Page(found)
	return page, next, nil
}

// Discard implements presence.Archive, in as many transactions as it takes to hold
// up nobody.
func (l *Log) Discard(ctx context.Context, before int64, limit int) (n int, err error) {
	if err := l.usable(ctx); err != nil {
		return 0, err
	}
	if l.store == nil {
		return l.memory.discard(before, limit), nil
	}
	for n < limit {
		asked, gone := min(limit-n, discardAtOnce), 0
		err := l.change(ctx, func(tx *sql.Tx) (err error) {
			gone, err = discard(tx, before, asked)
			return err
		})
		if err != nil {
			return n, err
		}
		if n += gone; gone < asked {
			break
		}
	}
	return n, nil
}

// usable reports, by an error, that the archive is closed or ctx has ended.
func (l *Log) usable(ctx context.Context) error {
	select {
	case <-l.closing:
		return errClosed
	default:
		return ctx.Err()
	}
}

// change has the writer commit something. Once the writer has it, it answers soon,
// whatever ctx says.
func (l *Log) change(ctx context.Context, do func(*sql.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := &changing{do, make(chan error, 1)}
	select {
	case l.changes <- c:
		return l.failed(ctx, <-c.result)
	case <-l.closing:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// failed says of an error whose it is.
func (l *Log) failed(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case l.usable(ctx) != nil:
		return errClosed
	}
	return fmt.Errorf("embedded: archive: %w", err)
}

// transact commits what one asks for. The writer calls it.
func (l *Log) transact(c *changing) {
	began := time.Now()
	err := l.store.change(c.do)
	l.metrics.committed(time.Since(began), err)
	c.result <- err
}
