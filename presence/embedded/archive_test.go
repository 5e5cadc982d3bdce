package embedded

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"onair/presence"
	"onair/presence/presencetest"
)

func TestArchive(t *testing.T) {
	t.Run("disk", func(t *testing.T) {
		dirs := map[string]string{}
		open := func(t *testing.T) presencetest.Archive {
			if dirs[t.Name()] == "" {
				dirs[t.Name()] = t.TempDir()
			}
			return openDir(t, dirs[t.Name()])
		}
		presencetest.RunArchive(t, open, open)
	})
	t.Run("memory", func(t *testing.T) {
		presencetest.RunArchive(t, func(t *testing.T) presencetest.Archive { return openDir(t, Memory) }, nil)
	})
}

func recordingOf(id, title string) presence.Recording {
	return presence.Recording{ID: id, Anchor: "ann", Code: "8888_ann", Title: title, StartedAt: 1000, EndedAt: 2000}
}

// page is the recordings that there are.
func page(t *testing.T, l *Log) []presence.Recording {
	t.Helper()
	page, _, err := l.Recordings(t.Context(), presence.RecordingQuery{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// TestArchiveDiskFull: what does not fit is not kept, nor any that came with it,
// and what was there is as it was.
func TestArchiveDiskFull(t *testing.T) {
	l := openDir(t, t.TempDir())
	defer l.Close()
	room := func(pages string) {
		t.Helper()
		if _, err := l.store.db.Exec("PRAGMA max_page_count = " + pages); err != nil {
			t.Fatal(err)
		}
	}
	keep := func(recordings ...presence.Recording) error { return l.Keep(t.Context(), recordings) }
	if err := keep(recordingOf("1", "before")); err != nil {
		t.Fatal(err)
	}
	room("1")
	if err := keep(recordingOf("2", ""), recordingOf("1", strings.Repeat("x", 100_000))); err == nil {
		t.Error("it was kept on a full disk")
	}
	if got := page(t, l); len(got) != 1 || got[0] != recordingOf("1", "before") {
		t.Errorf("on a full disk there are %+v", got)
	}
	_, boot, err := join(t, l)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), sealed(boot, 1)); err != nil {
		t.Errorf("beats on a full disk: %v", err)
	}
	room("1073741823")
	if err := keep(recordingOf("2", ""), recordingOf("1", "after")); err != nil {
		t.Fatal(err)
	}
	if got := page(t, l); len(got) != 2 || got[1].Title != "after" {
		t.Errorf("with room again there are %+v", got)
	}
}

// older makes a store that of schema 1, and of one recording.
func older(t *testing.T, dir string) {
	t.Helper()
	l := openDir(t, dir)
	_, boot, err := join(t, l)
	if err == nil {
		err = l.Append(t.Context(), sealed(boot, 1, startOf("alice")))
	}
	for _, q := range []string{"DROP TABLE recordings", "PRAGMA user_version = 1", "VACUUM"} {
		if err == nil {
			_, err = l.store.db.Exec(q)
		}
	}
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestOlderSchema: a store without recordings is given a place for them, and keeps
// what it has.
func TestOlderSchema(t *testing.T) {
	dir := t.TempDir()
	older(t, dir)
	for range 2 {
		l := openDir(t, dir)
		reg, _, err := join(t, l)
		if err != nil {
			t.Fatal(err)
		}
		if l.Damaged() != "" || reg.Stream("8888_alice") == nil {
			t.Fatalf("moved aside %q, %d streams", l.Damaged(), reg.Len())
		}
		if err := l.Keep(t.Context(), []presence.Recording{recordingOf("1", "")}); err != nil {
			t.Fatal(err)
		}
		if got := page(t, l); len(got) != 1 {
			t.Errorf("there are %+v", got)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOlderSchemaRefused: a store that cannot be given that place is not taken for
// a damaged one.
func TestOlderSchemaRefused(t *testing.T) {
	dir := t.TempDir()
	older(t, dir)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "onair.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE VIEW recordings AS SELECT 1"); err != nil { // that has no indexes
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir}); !errors.Is(err, errUnmigrated) {
		t.Errorf("open: %v", err)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*damaged*")); len(files) != 0 {
		t.Errorf("moved aside: %v", files)
	}
	if _, err := db.Exec("DROP VIEW recordings"); err != nil {
		t.Fatal(err)
	}
	l := openDir(t, dir)
	defer l.Close()
	if reg, _, err := join(t, l); err != nil || reg.Stream("8888_alice") == nil {
		t.Errorf("then the list is not what it was, %v", err)
	}
}

// TestOlderSchemaDiskFull: on a full disk it is left as it is.
func TestOlderSchemaDiskFull(t *testing.T) {
	l := openDir(t, t.TempDir())
	defer l.Close()
	s := &store{db: l.store.db}
	for _, q := range []string{"DROP TABLE recordings", "PRAGMA user_version = 1", "VACUUM", "PRAGMA max_page_count = 1"} {
		if _, err := s.db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.migrate(1); !errors.Is(err, errUnmigrated) {
		t.Errorf("on a full disk: %v", err)
	}
	var version int
	if err := s.db.QueryRow("PRAGMA user_version").Scan(&version); err != nil || version != 1 {
		t.Errorf("then it has schema %d, %v", version, err)
	}
	if _, err := s.db.Exec("PRAGMA max_page_count = 1073741823"); err != nil {
		t.Fatal(err)
	}
	if err := s.migrate(1); err != nil {
		t.Error(err)
	}
}

// TestNewerRecording: one that a newer version wrote is said, not left out.
func TestNewerRecording(t *testing.T) {
	l := openDir(t, t.TempDir())
	defer l.Close()
	if err := l.Keep(t.Context(), []presence.Recording{recordingOf("1", ""), recordingOf("2", ""), recordingOf("3", "")}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.store.db.Exec("UPDATE recordings SET value = x'ff' || substr(value, 2) WHERE id = '1'"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Recording(t.Context(), "1"); !errors.Is(err, presence.ErrRules) {
		t.Errorf("by id: %v", err)
	}
	if _, _, err := l.Recordings(t.Context(), presence.RecordingQuery{Limit: 1}); err != nil {
		t.Errorf("a page before it: %v", err)
	}
	if _, _, err := l.Recordings(t.Context(), presence.RecordingQuery{Limit: 3}); !errors.Is(err, presence.ErrRules) {
		t.Errorf("a page with it: %v", err)
	}
}

// TestPagesGoAlongAnIndex: a page reads what it shows, however many there are.
func TestPagesGoAlongAnIndex(t *testing.T) {
	l := openDir(t, t.TempDir())
	defer l.Close()
	after := &presence.Cursor{StartedAt: 5, ID: "x"}
	for _, c := range []struct {
		presence.RecordingQuery
		along string
	}{
		{presence.RecordingQuery{}, "recordings_started"},
		{presence.RecordingQuery{From: 1}, "recordings_started"},
		{presence.RecordingQuery{Anchor: "ann", From: 1}, "recordings_anchor"},
		{presence.RecordingQuery{Anchor: "ann"}, "recordings_anchor"},
		{presence.RecordingQuery{Code: "8888_ann", From: 1}, "recordings_code"},
	} {
		for _, start := range []*presence.Cursor{nil, after} {
			text, args := selecting(&c.RecordingQuery, start)
			plan := planOf(t, l, text, args)
			if !strings.Contains(plan, c.along) || strings.Contains(plan, "B-TREE") ||
				start != nil && !strings.Contains(plan, "started") || strings.Contains(plan, "MULTI-INDEX") {
				t.Errorf("%s: %s", text, plan)
			}
		}
	}
}

func planOf(t *testing.T, l *Log, text string, args []any) (plan string) {
	t.Helper()
	rows, err := l.store.reads.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var a, b, c int
		var step string
		if err := rows.Scan(&a, &b, &c, &step); err != nil {
			t.Fatal(err)
		}
		plan += step + "; "
	}
	return plan
}

// TestReadersHoldUpNoCommit: somebody who is slow at a page keeps nobody from
// writing, and does not see what was written meanwhile.
func TestReadersHoldUpNoCommit(t *testing.T) {
	l := openDir(t, t.TempDir())
	defer l.Close()
	if err := l.Keep(t.Context(), []presence.Recording{recordingOf("1", ""), recordingOf("2", "")}); err != nil {
		t.Fatal(err)
	}
	for range readers {
		rows, err := l.store.reads.Query("SELECT value FROM recordings")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		if !rows.Next() {
			t.Fatal("there is nothing to read")
		}
	}
	_, boot, err := join(t, l)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), sealed(boot, 1, startOf("alice"))); err != nil {
		t.Error(err)
	}
	if err := l.Keep(t.Context(), []presence.Recording{recordingOf("3", "")}); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan error)
	go func() {
		_, _, err := l.Recording(ctx, "1")
		asked <- err
	}()
	cancel() // while it waits for a turn, or before
	if err := <-asked; !errors.Is(err, context.Canceled) {
		t.Errorf("one who waits for others: %v", err)
	}
}
