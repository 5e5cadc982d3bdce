package embedded

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"

	"onair/presence"
)

var _ presence.Archive = (*Log)(nil)

// errClosed is returned by calls of the archive after Close.
var errClosed = errors.New("embedded: the archive is closed")

// Keep implements [presence.Archive]: one transaction, on disk when it returns.
// Recordings stand in the database that the list is in, and share its fate.
func (l *Log) Keep(ctx context.Context, recordings []presence.Recording) error {
	if l.store == nil {
		return l.shelf.keep(recordings)
	}
	tx, err := l.store.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("embedded: keep: %w", err)
	}
	defer tx.Rollback() // does nothing after a commit
	for i := range recordings {
		rec := &recordings[i]
		if _, err := tx.Exec("INSERT OR REPLACE INTO recordings VALUES (?, ?, ?, ?, ?, ?)",
			rec.ID, rec.StartedAt, rec.EndedAt, rec.Anchor, rec.Code, rec.Encode()); err != nil {
			return fmt.Errorf("embedded: keep: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("embedded: keep: %w", err)
	}
	return nil
}

// Recording implements [presence.Archive].
func (l *Log) Recording(ctx context.Context, id string) (rec presence.Recording, ok bool, err error) {
	if l.store == nil {
		return l.shelf.find(id)
	}
	var value []byte
	switch err = l.store.db.QueryRowContext(ctx, "SELECT value FROM recordings WHERE id = ?", id).Scan(&value); {
	case errors.Is(err, sql.ErrNoRows):
		return rec, false, nil
	case err == nil:
		rec, err = presence.DecodeRecording(value)
	}
	if err != nil {
		return rec, false, fmt.Errorf("embedded: recording: %w", err)
	}
	return rec, true, nil
}

// Recordings implements [presence.Archive]. It reads along one index, and no more
// than a page where one of anchor and code is named.
func (l *Log) Recordings(ctx context.Context, q presence.RecordingQuery) ([]presence.Recording, string, error) {
	before := presence.Cursor{StartedAt: cmp.Or(q.To, math.MaxInt64)}
	if q.After != "" {
		c, err := presence.ParseCursor(q.After)
		if err != nil {
			return nil, "", err
		}
		if q.To == 0 || c.StartedAt < q.To {
			before = c
		}
	}
	if l.store == nil {
		return l.shelf.page(q, before)
	}
	var where strings.Builder
	args := []any{before.StartedAt, before.ID}
	where.WriteString("(started, id) < (?, ?)")
	for _, is := range []struct {
		clause string
		value  any
		asked  bool
	}{
		{" AND started >= ?", q.From, q.From != 0}, {" AND anchor = ?", q.Anchor, q.Anchor != ""}, {" AND code = ?", q.Code, q.Code != ""},
	} {
		if is.asked {
			where.WriteString(is.clause)
			args = append(args, is.value)
		}
	}
	page, err := l.store.recordings(ctx, where.String(), append(args, q.Limit+1))
	if err != nil {
		return nil, "", fmt.Errorf("embedded: recordings: %w", err)
	}
	page, next := cut(page, q.Limit)
	return page, next, nil
}

// cut takes from a page the one that shows that there are more.
func cut(page []presence.Recording, limit int) (_ []presence.Recording, next string) {
	if len(page) <= limit {
		return page, ""
	}
	last := &page[limit-1]
	return page[:limit], presence.Cursor{StartedAt: last.StartedAt, ID: last.ID}.String()
}

func (s *store) recordings(ctx context.Context, where string, args []any) (page []presence.Recording, err error) {
	rows, err := s.db.QueryContext(ctx, "SELECT value FROM recordings WHERE "+where+" ORDER BY started DESC, id DESC LIMIT ?", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var value []byte
		if err := rows.Scan(&value); err != nil {
			return nil, err
		}
		rec, err := presence.DecodeRecording(value)
		if err != nil {
			return nil, err
		}
		page = append(page, rec)
	}
	return page, rows.Err()
}

// Discard implements [presence.Archive].
func (l *Log) Discard(ctx context.Context, before int64, limit int) (int, error) {
	if l.store == nil {
		return l.shelf.discard(before, limit)
	}
	done, err := l.store.db.ExecContext(ctx,
		"DELETE FROM recordings WHERE id IN (SELECT id FROM recordings WHERE ended < ? ORDER BY ended LIMIT ?)", before, limit)
	if err != nil {
		return 0, fmt.Errorf("embedded: discard: %w", err)
	}
	n, err := done.RowsAffected()
	return int(n), err
}

// shelf is the archive of a log in memory.
type shelf struct {
	mu     sync.Mutex // guards all below
	byID   map[string]presence.Recording
	closed bool
}

func (s *shelf) open() error {
	if s.closed {
		return errClosed
	}
	return nil
}

func (s *shelf) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

func (s *shelf) keep(recordings []presence.Recording) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rec := range recordings {
		s.byID[rec.ID] = rec
	}
	return s.open()
}

func (s *shelf) find(id string) (rec presence.Recording, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec, ok = s.byID[id]
	return rec, ok, s.open()
}

// sorted are all, the last to start first.
func (s *shelf) sorted() []presence.Recording {
	return slices.SortedFunc(maps.Values(s.byID), func(a, b presence.Recording) int {
		return cmp.Or(cmp.Compare(b.StartedAt, a.StartedAt), cmp.Compare(b.ID, a.ID))
	})
}

func (s *shelf) page(q presence.RecordingQuery, before presence.Cursor) (page []presence.Recording, next string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rec := range s.sorted() {
		after := rec.StartedAt < before.StartedAt || rec.StartedAt == before.StartedAt && rec.ID < before.ID
		if after && rec.StartedAt >= q.From && (q.Anchor == "" || rec.Anchor == q.Anchor) && (q.Code == "" || rec.Code == q.Code) {
			page = append(page, rec)
		}
	}
	page, next = cut(page, q.Limit)
	return page, next, s.open()
}

func (s *shelf) discard(before int64, limit int) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rec := range slices.Backward(s.sorted()) {
		if rec.EndedAt < before && n < limit {
			delete(s.byID, rec.ID)
			n++
		}
	}
	return n, s.open()
}
