package embedded

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"onair/presence"
)

// recordingRow is a row of the table recordings.
type recordingRow struct {
	*presence.Recording
	value []byte // the encoded recording
}

// upsertRecordings inserts recordings, and replaces those with the same ids.
func upsertRecordings(tx *sql.Tx, rows []recordingRow) error {
	upsert, err := tx.Prepare(`INSERT INTO recordings (id, started, ended, anchor, code, value) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET started = excluded.started, ended = excluded.ended,
			anchor = excluded.anchor, code = excluded.code, value = excluded.value`)
	if err != nil {
		return err
	}
	defer upsert.Close()
	for _, r := range rows {
		if _, err := upsert.Exec(r.ID, r.StartedAt, r.EndedAt, r.Anchor, r.Code, r.value); err != nil {
			return err
		}
	}
	return nil
}

// deleteRecordingsEndedBefore deletes at most limit recordings, the first to end first.
func deleteRecordingsEndedBefore(tx *sql.Tx, before int64, limit int) (deleted int, err error) {
	result, err := tx.Exec(`DELETE FROM recordings WHERE num IN
		(SELECT num FROM recordings WHERE ended < ? ORDER BY ended LIMIT ?)`, before, limit)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

func (s *store) recording(ctx context.Context, id string) (rec presence.Recording, ok bool, err error) {
	var value []byte
	err = s.readers.QueryRowContext(ctx, "SELECT value FROM recordings WHERE id = ?", id).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return rec, false, nil
	}
	if err == nil {
		rec, err = presence.DecodeRecording(value)
	}
	return rec, err == nil, err
}

// queryRecordings returns the recordings that match after a cursor, at most one
// more than a page has.
func (s *store) queryRecordings(ctx context.Context, q *presence.RecordingQuery, after *presence.RecordingCursor) (found []presence.Recording, err error) {
	query, args := recordingSQL(q, after)
	for rec, err := range queryRows(ctx, s.readers, scanRecording, query, args...) {
		if err != nil {
			return nil, err
		}
		found = append(found, rec)
	}
	return found, nil
}

func scanRecording(rows *sql.Rows, rec *presence.Recording) error {
	var value sql.RawBytes
	err := rows.Scan(&value)
	if err == nil {
		*rec, err = presence.DecodeRecording(value)
	}
	return err
}

// recordingSQL returns a query and its arguments. SQLite reads one index from the
// cursor on.
func recordingSQL(q *presence.RecordingQuery, after *presence.RecordingCursor) (query string, args []any) {
	var conditions []string
	require := func(condition string, values ...any) {
		conditions, args = append(conditions, condition), append(args, values...)
	}
	if q.Anchor != "" {
		require("anchor = ?", q.Anchor)
	}
	if q.Code != "" {
		require("code = ?", q.Code)
	}
	if q.From != 0 {
		require("started >= ?", q.From)
	}
	if after != nil {
		require("(started, id) < (?, ?)", after.StartedAt, after.ID)
	}
	query = "SELECT value FROM recordings"
	if len(conditions) > 0 {
		query += " WHERE " + strings.Join(conditions, " AND ")
	}
	return query + " ORDER BY started DESC, id DESC LIMIT ?", append(args, q.PageSize()+1)
}
