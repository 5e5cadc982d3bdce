package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	_ "modernc.org/sqlite" // the driver

	"onair/presence"
)

// readConnections is how many calls read recordings at the same time.
const readConnections = 4

// store is the database. After Open only the writer uses db; all goroutines may
// use readers.
type store struct {
	db          *sql.DB // one connection
	readers     *sql.DB // read committed data, and block no commit
	lock        *flock.Flock
	metrics     *metrics
	damagedPath string             // of the database that was moved aside; empty: none
	verified    *presence.Registry // that open has read, until the first load
}

// openStore locks the directory and opens its database. It moves a database that
// it cannot read aside, unless the store is read-only.
func openStore(o Options, m *metrics) (*store, error) {
	dir, path := o.Dir, filepath.Join(o.Dir, "onair.db")
	if err := createOrFindDatabase(o, path); err != nil {
		return nil, fmt.Errorf("embedded: data directory: %w", err)
	}
	lock := flock.New(filepath.Join(dir, "onair.lock"))
	switch locked, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("embedded: lock %s: %w", dir, err)
	case !locked:
		return nil, fmt.Errorf("%w: %s", ErrLocked, dir)
	}
	s := &store{lock: lock, metrics: m}
	err := s.open(path, o.ReadOnly)
	if err != nil && !o.ReadOnly && !errors.Is(err, presence.ErrNewerVersion) && !errors.Is(err, errMigration) {
		o.Logger.Error().Err(err).Str("file", path).Msg("store damaged")
		if s.damagedPath, err = moveDatabaseAside(path); err == nil {
			o.Logger.Error().Str("moved_to", s.damagedPath).Msg("damaged store moved aside, starting empty")
			err = s.open(path, false)
		}
	}
	if err != nil {
		lock.Unlock()
		return nil, fmt.Errorf("embedded: %s: %w", path, err)
	}
	return s, nil
}

// createOrFindDatabase creates the directory, or requires the database of a read-only store.
func createOrFindDatabase(o Options, path string) error {
	if o.ReadOnly {
		_, err := os.Stat(path)
		return err
	}
	return os.MkdirAll(o.Dir, 0o700)
}

const (
	writerParameters = "?_txlock=immediate" +
		"&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
		"&_pragma=wal_autocheckpoint(256)&_pragma=journal_size_limit(4194304)"
	readerParameters = "?_pragma=busy_timeout(5000)&_pragma=query_only(1)"
)

// open opens the file, and verifies that rows and entries can be read.
func (s *store) open(path string, readOnly bool) error {
	parameters := writerParameters
	if readOnly {
		parameters = readerParameters
	}
	db, err := sql.Open("sqlite", "file:"+path+parameters)
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	s.db = db
	if err = s.checkAndMigrate(); err == nil {
		s.verified, err = s.readAndReplayRegistry()
	}
	if err == nil {
		s.readers, err = sql.Open("sqlite", "file:"+path+readerParameters)
	}
	if err != nil {
		db.Close()
		return err
	}
	s.readers.SetMaxOpenConns(readConnections)
	s.readers.SetMaxIdleConns(readConnections)
	return nil
}

// checkAndMigrate checks and upgrades the database. It returns
// ErrNewerVersion for a database of a newer version.
func (s *store) checkAndMigrate() error {
	var version int
	if err := s.db.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > schemaVersion {
		return fmt.Errorf("%w: the store has schema %d", presence.ErrNewerVersion, version)
	}
	var verdict string
	if err := s.db.QueryRow("PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return errors.New(verdict)
	}
	return s.migrateFrom(version)
}

// moveDatabaseAside renames a database and its companion files.
func moveDatabaseAside(path string) (newPath string, err error) {
	newPath = path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(path+suffix, newPath+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
	}
	return newPath, nil
}

// loadRegistry returns the registry that open has read, or reads it again. An empty
// database begins with own, if that is not nil.
func (s *store) loadRegistry(own *presence.Registry) (reg *presence.Registry, err error) {
	reg, s.verified = s.verified, nil
	if reg == nil {
		if reg, err = s.readAndReplayRegistry(); err != nil {
			return nil, err
		}
	}
	if reg.LastNum() != 0 || own == nil {
		return reg, nil
	}
	if err = s.writeRegistry(own); err != nil {
		return nil, err
	}
	return s.readAndReplayRegistry()
}

// writeRegistry commits all records of a registry as rows.
func (s *store) writeRegistry(reg *presence.Registry) error {
	return s.runTransaction(func(tx *sql.Tx) error { return writeRows(tx, reg.Records()) })
}

// readAndReplayRegistry loads the rows, and applies the entries after them.
func (s *store) readAndReplayRegistry() (*presence.Registry, error) {
	reg, err := presence.LoadRegistry(s.records())
	if err != nil {
		return nil, err
	}
	reg.TrackChangedRecords() // the rows lack what the entries change
	for e, err := range s.entriesAfter(reg.LastNum()) {
		if err != nil {
			return nil, err
		}
		if _, err = reg.Apply(e); err != nil {
			return nil, fmt.Errorf("entry %d: %w", e.Num, err)
		}
	}
	return reg, nil
}

func (s *store) nextIncarnation(above uint64) (incarnation uint64, err error) {
	err = s.db.QueryRow(`INSERT INTO meta VALUES ('boot', ?1 + 1)
		ON CONFLICT (name) DO UPDATE SET value = max(value, ?1) + 1 RETURNING value`, above).Scan(&incarnation)
	return incarnation, err
}

func (s *store) records() iter.Seq2[presence.Record, error] {
	return queryRows(context.Background(), s.db, func(rows *sql.Rows, rec *presence.Record) error {
		return rows.Scan(&rec.Kind, &rec.Key, &rec.Value)
	}, "SELECT kind, key, value FROM rows ORDER BY kind, key")
}

func (s *store) entriesAfter(number uint64) iter.Seq2[presence.Entry, error] {
	return queryRows(context.Background(), s.db, func(rows *sql.Rows, e *presence.Entry) error {
		return rows.Scan(&e.Num, &e.ID.MS, &e.ID.Seq, &e.Time, &e.Epoch, &e.Batch)
	}, "SELECT num, id_ms, id_seq, time, repl, batch FROM entries WHERE num > ? ORDER BY num", number)
}

// queryRows yields the rows of a query, until the first error.
func queryRows[T any](ctx context.Context, db *sql.DB, scan func(*sql.Rows, *T) error, query string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		rows, err := db.QueryContext(ctx, query, args...)
		if err != nil {
			yield(none, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var row T
			if err := scan(rows, &row); !yield(row, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(none, err)
		}
	}
}

// commitEntriesAndRows commits entries, and rows as of the entry with that number, in one
// transaction. After an error none of them is stored.
func (s *store) commitEntriesAndRows(entries []presence.Entry, rows map[rowKey]presence.Record, asOf uint64) error {
	start := time.Now()
	err := inTransaction(s.db, func(tx *sql.Tx) error {
		if err := insertEntries(tx, entries); err != nil || len(rows) == 0 {
			return err
		}
		if err := writeRows(tx, maps.Values(rows)); err != nil {
			return err
		}
		_, err := tx.Exec("DELETE FROM entries WHERE num <= ?", asOf)
		return err
	})
	if err != nil && len(entries) > 0 && s.hasEntry(entries[len(entries)-1].Num) {
		err = nil // the commit succeeded before it reported an error
	}
	s.metrics.observeCommit(start, err)
	return err
}

// runTransaction commits what run does. After an error of the commit itself the
// changes may be stored; after other errors they are not.
func (s *store) runTransaction(run func(*sql.Tx) error) error {
	start := time.Now()
	err := inTransaction(s.db, run)
	s.metrics.observeCommit(start, err)
	return err
}

func (s *store) hasEntry(number uint64) (isFound bool) {
	return s.db.QueryRow("SELECT EXISTS (SELECT 1 FROM entries WHERE num = ?)", number).Scan(&isFound) == nil && isFound
}

func insertEntries(tx *sql.Tx, entries []presence.Entry) error {
	for _, e := range entries {
		if _, err := tx.Exec("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)",
			e.Num, e.ID.MS, e.ID.Seq, e.Time, e.Epoch, e.Batch); err != nil {
			return err
		}
	}
	return nil
}

// writeRows upserts records, and deletes those without a value.
func writeRows(tx *sql.Tx, records iter.Seq[presence.Record]) error {
	upsert, err := tx.Prepare("INSERT INTO rows VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value")
	if err != nil {
		return err
	}
	defer upsert.Close()
	for rec := range records {
		if rec.Value == nil {
			_, err = tx.Exec("DELETE FROM rows WHERE kind = ? AND key = ?", rec.Kind, rec.Key)
		} else {
			_, err = upsert.Exec(rec.Kind, rec.Key, rec.Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// close waits for readers, writes the WAL into the database, and unlocks the
// directory.
func (s *store) close() error {
	err := s.readers.Close()
	_, err2 := s.db.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
	return errors.Join(err, err2, s.db.Close(), s.lock.Unlock())
}
