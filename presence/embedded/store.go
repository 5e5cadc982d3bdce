package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/rs/zerolog"
	_ "modernc.org/sqlite" // the driver

	"onair/presence"
)

// store is the database. Only the writer uses db once the log is open; reads may
// be used by anybody.
type store struct {
	db      *sql.DB // of one connection
	reads   *sql.DB // sees what is committed, and holds up no commit
	lock    *flock.Flock
	damaged string        // where an unreadable predecessor was moved
	took    time.Duration // the last commit
	// proved is what open read to prove that it can be read: the first load's.
	proved *presence.Registry
}

// openStore locks the directory and opens its database. One that cannot be
// read is moved aside.
func openStore(dir string, logger zerolog.Logger) (*store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded: data: %w", err)
	}
	lock := flock.New(filepath.Join(dir, "onair.lock"))
	switch locked, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("embedded: data: lock %s: %w", dir, err)
	case !locked:
		return nil, fmt.Errorf("%w: %s", ErrLocked, dir)
	}
	s := &store{lock: lock}
	path := filepath.Join(dir, "onair.db")
	err := s.open(path)
	if err != nil && !errors.Is(err, presence.ErrRules) && !errors.Is(err, errUnmigrated) {
		logger.Error().Err(err).Str("file", path).Msg("the store is damaged")
		if s.damaged, err = moveAside(path); err == nil {
			logger.Error().Str("moved_to", s.damaged).Msg("the damaged store was moved aside, an empty one is begun")
			err = s.open(path)
		}
	}
	if err != nil {
		lock.Unlock()
		return nil, fmt.Errorf("embedded: %s: %w", path, err)
	}
	return s, nil
}

// open opens the file and proves that it can be read, rows and entries too.
func (s *store) open(path string) error {
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate"+
		"&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"+
		"&_pragma=wal_autocheckpoint(256)&_pragma=journal_size_limit(4194304)")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	s.db = db
	if err = s.prove(); err == nil {
		s.reads, err = sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=query_only(1)")
	}
	if err != nil {
		db.Close()
		return err
	}
	s.reads.SetMaxOpenConns(readers)
	s.reads.SetMaxIdleConns(readers)
	return nil
}

func (s *store) prove() error {
	var version int
	if err := s.db.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > schemaVersion {
		return fmt.Errorf("%w: the store has schema %d", presence.ErrRules, version)
	}
	var verdict string
	if err := s.db.QueryRow("PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return errors.New(verdict)
	}
	if err := s.migrate(version); err != nil {
		return err
	}
	var err error
	s.proved, err = s.image()
	return err
}

// moveAside renames a database with what belongs to it, and says where it is.
func moveAside(path string) (string, error) {
	to := path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(path+suffix, to+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
	}
	return to, nil
}

// load gives the registry of rows and the entries after them.
func (s *store) load() (*presence.Registry, error) {
	if reg := s.proved; reg != nil {
		s.proved = nil
		return reg, nil
	}
	return s.image()
}

// boot counts the boots, from one above.
func (s *store) boot(above uint64) (boot uint64, err error) {
	err = s.db.QueryRow(`INSERT INTO meta VALUES ('boot', ?1 + 1)
		ON CONFLICT (name) DO UPDATE SET value = max(value, ?1) + 1 RETURNING value`, above).Scan(&boot)
	return boot, err
}

// image replays: rows first, then the entries after the number they stand at.
func (s *store) image() (*presence.Registry, error) {
	reg, err := presence.LoadRegistry(s.rows())
	if err != nil {
		return nil, err
	}
	reg.TrackDirty() // what the entries change is not in the rows yet
	for e, err := range s.entries(reg.Num()) {
		if err != nil {
			return nil, err
		}
		if _, err = reg.Apply(e); err != nil {
			return nil, fmt.Errorf("entry %d: %w", e.Num, err)
		}
	}
	return reg, nil
}

func (s *store) rows() iter.Seq2[presence.Record, error] {
	return func(yield func(presence.Record, error) bool) {
		rows, err := s.db.Query("SELECT kind, key, value FROM rows ORDER BY kind, key")
		if err != nil {
			yield(presence.Record{}, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var rec presence.Record
			if err := rows.Scan(&rec.Kind, &rec.Key, &rec.Value); !yield(rec, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(presence.Record{}, err)
		}
	}
}

func (s *store) entries(after uint64) iter.Seq2[presence.Entry, error] {
	return func(yield func(presence.Entry, error) bool) {
		rows, err := s.db.Query("SELECT num, id_ms, id_seq, time, repl, batch FROM entries WHERE num > ? ORDER BY num", after)
		if err != nil {
			yield(presence.Entry{}, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var e presence.Entry
			if err := rows.Scan(&e.Num, &e.ID.MS, &e.ID.Seq, &e.Time, &e.Repl, &e.Batch); !yield(e, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(presence.Entry{}, err)
		}
	}
}

// save commits entries, and rows that stand at the entry of that number, in
// one transaction. When it returns an error, nothing of it is there.
func (s *store) save(entries []presence.Entry, rows map[rowKey]presence.Record, num uint64) error {
	began := time.Now()
	defer func() { s.took = time.Since(began) }()
	tx, err := s.db.BeginTx(context.Background(), nil)
	if err != nil {
		return err
	}
	if err = fill(tx, entries, rows, num); err == nil {
		err = tx.Commit()
	}
	if err == nil {
		return nil
	}
	tx.Rollback()
	if len(entries) > 0 && s.has(entries[len(entries)-1].Num) {
		return nil // the commit failed only after the fact
	}
	return err
}

func (s *store) has(num uint64) (there bool) {
	return s.db.QueryRow("SELECT EXISTS (SELECT 1 FROM entries WHERE num = ?)", num).Scan(&there) == nil && there
}

func fill(tx *sql.Tx, entries []presence.Entry, rows map[rowKey]presence.Record, num uint64) error {
	for _, e := range entries {
		if _, err := tx.Exec("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)",
			e.Num, e.ID.MS, e.ID.Seq, e.Time, e.Repl, e.Batch); err != nil {
			return err
		}
	}
	if len(rows) == 0 {
		return nil
	}
	put, err := tx.Prepare("INSERT INTO rows VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value")
	if err != nil {
		return err
	}
	defer put.Close()
	for k, rec := range rows {
		if rec.Value == nil {
			_, err = tx.Exec("DELETE FROM rows WHERE kind = ? AND key = ?", k.kind, k.key)
		} else {
			_, err = put.Exec(k.kind, k.key, rec.Value)
		}
		if err != nil {
			return err
		}
	}
	_, err = tx.Exec("DELETE FROM entries WHERE num <= ?", num)
	return err
}

// close checkpoints, closes and unlocks. Whoever reads is waited for.
func (s *store) close() error {
	err := s.reads.Close()
	_, err2 := s.db.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
	return errors.Join(err, err2, s.db.Close(), s.lock.Unlock())
}
