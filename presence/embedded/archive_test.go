package embedded

import (
	"testing"

	"github.com/rs/zerolog"

	"onair/presence/presencetest"
)

func TestArchive(t *testing.T) {
	dirs := map[string]string{}
	open := func(t *testing.T) presencetest.Archive {
		if dirs[t.Name()] == "" {
			dirs[t.Name()] = t.TempDir()
		}
		return openDir(t, dirs[t.Name()])
	}
	presencetest.RunArchive(t, open, open)
}

func TestArchiveInMemory(t *testing.T) {
	presencetest.RunArchive(t, func(t *testing.T) presencetest.Archive {
		l, err := Open(Options{Dir: Memory, Logger: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}, nil)
}

// TestOlderSchema: a store without recordings is given a place for them.
func TestOlderSchema(t *testing.T) {
	dir := t.TempDir()
	l := openDir(t, dir)
	for _, q := range []string{"DROP TABLE recordings", "PRAGMA user_version = 1"} {
		if _, err := l.store.db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openDir(t, dir)
	defer l.Close()
	if l.Damaged() != "" {
		t.Fatalf("moved aside: %s", l.Damaged())
	}
	if _, _, err := l.Recording(t.Context(), "1"); err != nil {
		t.Error(err)
	}
}
