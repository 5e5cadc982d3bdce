package embedded

import (
	"database/sql"
	"errors"
	"fmt"
)

// schemaVersion is SQLite's user_version of this schema.
const schemaVersion = 2

// schema creates a database, and upgrades one of an older version. The last column
// of two indexes serves queries with both anchor and code: SQLite skips recordings
// that match only one of them without reading their rows.
const schema = `
CREATE TABLE IF NOT EXISTS entries (num INTEGER PRIMARY KEY, id_ms INTEGER NOT NULL, id_seq INTEGER NOT NULL,
	time INTEGER NOT NULL, repl TEXT NOT NULL, batch BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS rows (kind INTEGER NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
	PRIMARY KEY (kind, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS recordings (num INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, started INTEGER NOT NULL,
	ended INTEGER NOT NULL, anchor TEXT NOT NULL, code TEXT NOT NULL, value BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS recordings_started ON recordings (started, id);
CREATE INDEX IF NOT EXISTS recordings_anchor ON recordings (anchor, started, id, code);
CREATE INDEX IF NOT EXISTS recordings_code ON recordings (code, started, id, anchor);
CREATE INDEX IF NOT EXISTS recordings_ended ON recordings (ended);
PRAGMA user_version = 2;`

// errMigration is returned when a readable database cannot be upgraded to this
// schema, as on a full disk. The database is unchanged.
var errMigration = errors.New("embedded: schema upgrade failed")

// migrateFrom upgrades the schema from an older version, or from an empty database.
func (s *store) migrateFrom(version int) error {
	if version == schemaVersion {
		return nil
	}
	err := inTransaction(s.db, func(tx *sql.Tx) error {
		_, err := tx.Exec(schema)
		return err
	})
	if err != nil {
		return fmt.Errorf("%w: %w", errMigration, err)
	}
	return nil
}

// inTransaction commits what run does, or rolls it back after an error.
func inTransaction(db *sql.DB, run func(*sql.Tx) error) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	if err = run(tx); err == nil {
		err = tx.Commit()
	}
	if err != nil {
		tx.Rollback()
	}
	return err
}
