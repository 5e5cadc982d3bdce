package embedded

import (
	"errors"
	"fmt"
)

// schemaVersion is SQLite's user_version of this schema.
const schemaVersion = 2

// schema also brings a database of an older version to this one, which has what
// they had. The last column of two indexes is for who names both anchor and code:
// what is of the one and not of the other is passed over without a look at it.
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

// errUnmigrated is returned when a database that can be read could not be brought
// to this schema, as on a full disk. It is left as it was.
var errUnmigrated = errors.New("embedded: the store could not be brought to this version's schema")

// migrate makes the schema of an older version, or of none, this one.
func (s *store) migrate(version int) error {
	if version == schemaVersion {
		return nil
	}
	tx, err := s.db.Begin()
	if err != nil {
		return fmt.Errorf("%w: %w", errUnmigrated, err)
	}
	if _, err = tx.Exec(schema); err == nil {
		err = tx.Commit()
	}
	if err != nil {
		tx.Rollback()
		return fmt.Errorf("%w: %w", errUnmigrated, err)
	}
	return nil
}
