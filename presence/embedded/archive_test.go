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
		presencetest.RunArchiveSuite(t, open, open)
	})
	t.Run("memory", func(t *testing.T) {
		presencetest.RunArchiveSuite(t, func(t *testing.T) presencetest.Archive { return openDir(t, InMemory) }, nil)
	})
}

func recordingOf(id, title string) presence.Recording {
	return presence.Recording{ID: id, Anchor: "ann", Code: "8888_ann", Title: title, StartedAt: 1000, EndedAt: 2000}
}

// allRecordings returns the first hundred.
func allRecordings(t *testing.T, l *Log) []presence.Recording {
	t.Helper()
	page, _, err := l.Recordings(t.Context(), presence.RecordingQuery{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// TestArchiveDiskFull: a failed Keep stores no recording of its call, and leaves
// the stored ones unchanged.
func TestArchiveDiskFull(t *testing.T) {
	l := openDir(t, t.TempDir())
	defer l.Close()
	keep := func(recordings ...presence.Recording) error { return l.Store(t.Context(), recordings) }
	if err := keep(recordingOf("1", "before")); err != nil {
		t.Fatal(err)
	}
	setMaxPages(t, l, fullDisk)
	if err := keep(recordingOf("2", ""), recordingOf("1", strings.Repeat("x", 100_000))); err == nil {
		t.Error("Keep succeeded on a full disk")
	}
	if got := allRecordings(t, l); len(got) != 1 || got[0] != recordingOf("1", "before") {
		t.Errorf("on a full disk the archive has %+v", got)
	}
	_, incarnation, err := join(t, l)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), sealedBatch(incarnation, 1)); err != nil {
		t.Errorf("beats on a full disk: %v", err)
	}
	setMaxPages(t, l, unlimitedDisk)
	if err := keep(recordingOf("2", ""), recordingOf("1", "after")); err != nil {
		t.Fatal(err)
	}
	if got := allRecordings(t, l); len(got) != 2 || got[1].Title != "after" {
		t.Errorf("with free space again the archive has %+v", got)
	}
}

// createSchema1 creates a store of schema version 1 with one live stream.
func createSchema1(t *testing.T, dir string) {
	t.Helper()
	l := openDir(t, dir)
	_, incarnation, err := join(t, l)
	if err == nil {
		err = l.Append(t.Context(), sealedBatch(incarnation, 1, newStart("alice")))
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

// TestSchema1IsUpgraded: a store without the table recordings gets it, and keeps
// its streams.
func TestSchema1IsUpgraded(t *testing.T) {
	dir := t.TempDir()
	createSchema1(t, dir)
	for range 2 {
		l := openDir(t, dir)
		reg, _, err := join(t, l)
		if err != nil {
			t.Fatal(err)
		}
		if l.store.damagedPath != "" || reg.StreamByCode("8888_alice") == nil {
			t.Fatalf("moved aside %q, %d streams", l.store.damagedPath, reg.Len())
		}
		if err := l.Store(t.Context(), []presence.Recording{recordingOf("1", "")}); err != nil {
			t.Fatal(err)
		}
		if got := allRecordings(t, l); len(got) != 1 {
			t.Errorf("the archive has %+v", got)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFailedUpgradeMovesNothingAside: a store that cannot be upgraded is not damaged.
func TestFailedUpgradeMovesNothingAside(t *testing.T) {
	dir := t.TempDir()
	createSchema1(t, dir)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "onair.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE VIEW recordings AS SELECT 1"); err != nil { // a view cannot have indexes
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir}); !errors.Is(err, errMigration) {
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
	if reg, _, err := join(t, l); err != nil || reg.StreamByCode("8888_alice") == nil {
		t.Errorf("after the upgrade the stream is missing, %v", err)
	}
}

// TestFailedUpgradeChangesNothing: on a full disk the schema stays as it is.
func TestFailedUpgradeChangesNothing(t *testing.T) {
	l := openDir(t, t.TempDir())
	defer l.Close()
	s := &store{db: l.store.db}
	for _, q := range []string{"DROP TABLE recordings", "PRAGMA user_version = 1", "VACUUM"} {
		if _, err := s.db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	setMaxPages(t, l, fullDisk)
	if err := s.migrateFrom(1); !errors.Is(err, errMigration) {
		t.Errorf("on a full disk: %v", err)
	}
	var version int
	if err := s.db.QueryRow("PRAGMA user_version").Scan(&version); err != nil || version != 1 {
		t.Errorf("after the failed upgrade: schema %d, %v", version, err)
	}
	setMaxPages(t, l, unlimitedDisk)
	if err := s.migrateFrom(1); err != nil {
		t.Error(err)
	}
}

// TestNewerRecordingIsAnError: a recording of a newer version is not skipped silently.
func TestNewerRecordingIsAnError(t *testing.T) {
	l := openDir(t, t.TempDir())
	defer l.Close()
	if err := l.Store(t.Context(), []presence.Recording{recordingOf("1", ""), recordingOf("2", ""), recordingOf("3", "")}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.store.db.Exec("UPDATE recordings SET value = x'ff' || substr(value, 2) WHERE id = '1'"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Recording(t.Context(), "1"); !errors.Is(err, presence.ErrNewerVersion) {
		t.Errorf("by id: %v", err)
	}
	if _, _, err := l.Recordings(t.Context(), presence.RecordingQuery{Limit: 1}); err != nil {
		t.Errorf("a page before it: %v", err)
	}
	if _, _, err := l.Recordings(t.Context(), presence.RecordingQuery{Limit: 3}); !errors.Is(err, presence.ErrNewerVersion) {
		t.Errorf("a page with it: %v", err)
	}
}

// TestPagesUseAnIndex: a page reads only its own rows, for any size of the table.
func TestPagesUseAnIndex(t *testing.T) {
	l := openDir(t, t.TempDir())
	defer l.Close()
	after := &presence.RecordingCursor{StartedAt: 5, ID: "x"}
	for _, c := range []struct {
		presence.RecordingQuery
		index string
	}{
		{presence.RecordingQuery{}, "recordings_started"},
		{presence.RecordingQuery{From: 1}, "recordings_started"},
		{presence.RecordingQuery{Anchor: "ann", From: 1}, "recordings_anchor"},
		{presence.RecordingQuery{Anchor: "ann"}, "recordings_anchor"},
		{presence.RecordingQuery{Code: "8888_ann", From: 1}, "recordings_code"},
	} {
		for _, start := range []*presence.RecordingCursor{nil, after} {
			query, args := recordingSQL(&c.RecordingQuery, start)
			plan := queryPlan(t, l, query, args)
			if !strings.Contains(plan, c.index) || strings.Contains(plan, "B-TREE") ||
				start != nil && !strings.Contains(plan, "started") || strings.Contains(plan, "MULTI-INDEX") {
				t.Errorf("%s: %s", query, plan)
			}
		}
	}
}

func queryPlan(t *testing.T, l *Log, query string, args []any) (plan string) {
	t.Helper()
	rows, err := l.store.readers.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		plan += step + "; "
	}
	return plan
}

// TestReadersBlockNoCommit: open queries of recordings delay no write, and a call
// that waits for a connection ends with its context.
func TestReadersBlockNoCommit(t *testing.T) {
	l := openDir(t, t.TempDir())
	defer l.Close()
	if err := l.Store(t.Context(), []presence.Recording{recordingOf("1", ""), recordingOf("2", "")}); err != nil {
		t.Fatal(err)
	}
	for range readConnections {
		rows, err := l.store.readers.Query("SELECT value FROM recordings")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		if !rows.Next() {
			t.Fatal("the query has no row")
		}
	}
	_, incarnation, err := join(t, l)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), sealedBatch(incarnation, 1, newStart("alice"))); err != nil {
		t.Error(err)
	}
	if err := l.Store(t.Context(), []presence.Recording{recordingOf("3", "")}); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() {
		_, _, err := l.Recording(ctx, "1")
		result <- err
	}()
	cancel() // while it waits for a connection, or before
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled call: %v", err)
	}
}
