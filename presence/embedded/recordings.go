package embedded

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"onair/presence"
)

// readers is how many may read recordings at once; more of them wait.
const readers = 4

// row is a recording as the table has it.
type row struct {
	*presence.Recording
	value []byte
}

// keep writes recordings, each in the place of the one of its id.
func keep(tx *sql.Tx, rows []row) error {
	put, err := tx.Prepare(`INSERT INTO recordings (id, started, ended, anchor, code, value) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET started = excluded.started, ended = excluded.ended,
			anchor = excluded.anchor, code = excluded.code, value = excluded.value`)
	if err != nil {
		return err
	}
	defer put.Close()
	for _, r := range rows {
		if _, err := put.Exec(r.ID, r.StartedAt, r.EndedAt, r.Anchor, r.Code, r.value); err != nil {
			return err
		}
	}
	return nil
}

// discard removes at most limit of those that ended before a time.
func discard(tx *sql.Tx, before int64, limit int) (int, error) {
	done, err := tx.Exec(`DELETE FROM recordings WHERE num IN
		(SELECT num FROM recordings WHERE ended < ? ORDER BY ended LIMIT ?)`, before, limit)
	if err != nil {
		return 0, err
	}
	n, err := done.RowsAffected()
	return int(n), err
}

// recording reads the one of an id.
func (s *store) recording(ctx context.Context, id string) (rec presence.Recording, ok bool, err error) {
	var value []byte
	err = s.reads.QueryRowContext(ctx, "SELECT value FROM recordings WHERE id = ?", id).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return rec, false, nil
	}
	if err == nil {
		rec, err = presence.DecodeRecording(value)
	}
	return rec, err == nil, err
}

// recordings reads what a query asks for after a place, and one more than its
// page takes.
func (s *store) recordings(ctx context.Context, q *presence.RecordingQuery, start *presence.Cursor) (found []presence.Recording, err error) {
	text, args := selecting(q, start)
	rows, err := s.reads.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var value sql.RawBytes
		if err := rows.Scan(&value); err != nil {
			return nil, err
		}
		rec, err := presence.DecodeRecording(value)
		if err != nil {
			return nil, err
		}
		found = append(found, rec)
	}
	return found, rows.Err()
}

// selecting is a query in SQL. It goes along one index from the place on.
func selecting(q *presence.RecordingQuery, start *presence.Cursor) (text string, args []any) {
	var terms []string
	term := func(text string, values ...any) {
		terms, args = append(terms, text), append(args, values...)
	}
	if q.Anchor != "" {
		term("anchor = ?", q.Anchor)
	}
	if q.Code != "" {
		term("code = ?", q.Code)
	}
	if q.From != 0 {
		term("started >= ?", q.From)
	}
	if start != nil {
		term("(started, id) < (?, ?)", start.StartedAt, start.ID)
	}
	text = "SELECT value FROM recordings"
	if len(terms) > 0 {
		text += " WHERE " + strings.Join(terms, " AND ")
	}
	return text + " ORDER BY started DESC, id DESC LIMIT ?", append(args, q.Most()+1)
}

// change commits what do does, as one transaction. When it returns an error,
// that of the commit's answer apart, nothing of it is there.
func (s *store) change(do func(*sql.Tx) error) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	if err = do(tx); err == nil {
		err = tx.Commit()
	}
	if err != nil {
		tx.Rollback()
	}
	return err
}
